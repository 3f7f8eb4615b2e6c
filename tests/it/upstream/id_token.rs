//! Which ID tokens are believed.

use serde_json::{Map, Value, json};

use crate::harness::broker::TestBroker;
use crate::harness::client::TestClient;
use crate::harness::keys::{TestKey, object};
use crate::harness::provider::{Misbehaviour, Signing};

use super::{Answered, assert_page, has_code};

/// What the test provider calls its client.
const US: &str = "gatelodge-test";

/// The injected clock's present.
const NOW: u64 = 1_800_000_000;

/// Signs somebody in with a provider that is wrong in this way; the person sees a page, the
/// client gets nothing.
async fn refused(broker: &TestBroker, client: &TestClient, case: &str, turn: impl FnOnce(&mut Misbehaviour)) {
    broker.provider.behave();
    broker.provider.misbehave(turn);
    let calls = broker.provider.token_requests().len();
    let page = Answered::of(broker, client.clone(), "idp").await.arrive().await;
    assert_page(&page, 502, case);
    // It was the token that was refused, not something before it.
    assert_eq!(broker.provider.token_requests().len(), calls + 1, "{case}");
}

async fn believed(
    broker: &TestBroker,
    client: &TestClient,
    case: &str,
    turn: impl FnOnce(&mut Misbehaviour),
) {
    broker.provider.behave();
    broker.provider.misbehave(turn);
    let page = Answered::of(broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&page), "{case}: {}", page.body);
}

/// SEC-048: no signature, a symmetric one under anything public or shared, a stranger's key, a key
/// that the token brings along, and an algorithm that is not the key's: all refused.
#[tokio::test]
async fn sec_048_the_algorithm_follows_from_the_published_key() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for signing in [Signing::Es256, Signing::Rs256] {
        believed(&broker, &client, &format!("{signing:?}"), |m| m.signing = signing).await;
    }
    for signing in [
        Signing::Unsigned,
        Signing::HmacWithPublicKey,
        Signing::HmacWithClientSecret,
        Signing::AnotherKeySameKid,
        Signing::EmbeddedJwk,
        Signing::UnknownKid,
    ] {
        refused(&broker, &client, &format!("{signing:?}"), |m| m.signing = signing).await;
    }
    let stranger = TestKey::es256("stranger");
    let cases: [(Signing, Value); 17] = [
        // Honestly signed, under a header that says something else.
        (Signing::Es256, json!({"alg": "RS256"})),
        (Signing::Es256, json!({"alg": "none"})),
        (Signing::Es256, json!({"alg": "HS256"})),
        (Signing::Es256, json!({"alg": "ES384"})),
        (Signing::Es256, json!({"alg": "es256"})),
        (Signing::Es256, json!({"alg": null})),
        (Signing::Es256, json!({"kid": "rs-1"})),
        // Of two published keys, none is meant.
        (Signing::Es256, json!({"kid": null})),
        (Signing::Es256, json!({"kid": 1})),
        (Signing::Es256, json!({"kid": "rs-1", "alg": "RS256"})),
        (Signing::Rs256, json!({"alg": "ES256"})),
        (Signing::Rs256, json!({"alg": "PS256"})),
        (Signing::Rs256, json!({"kid": "es-1", "alg": "ES256"})),
        // The unsigned one under the name of a published key.
        (Signing::Unsigned, json!({"kid": "es-1"})),
        // Keys that come along are refused even where the signature holds without them.
        (Signing::Es256, json!({"jwk": stranger.jwk()})),
        (Signing::Es256, json!({"jku": "https://evil.example/jwks"})),
        (Signing::Es256, json!({"x5u": "https://evil.example/cert"})),
    ];
    for (signing, header) in cases {
        let case = format!("{signing:?} under {header}");
        refused(&broker, &client, &case, |m| {
            m.signing = signing;
            m.header = object(header);
        })
        .await;
    }
}

/// One claim of the ID token.
fn claims(patch: &Value) -> Map<String, Value> {
    object(patch.clone())
}

/// SEC-043, SEC-049, SEC-050, SEC-051: each claim that decides, missing, foreign, of another type
/// or out of time, is refused. `null` here leaves the claim out.
#[tokio::test]
async fn sec_043_049_050_051_each_claim_is_checked() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let issuer = broker.provider.issuer().to_owned();
    let cases = [
        json!({"nonce": null}),
        json!({"nonce": "another"}),
        json!({"nonce": ""}),
        json!({"nonce": 1}),
        json!({"iss": null}),
        json!({"iss": "https://idp.example"}),
        json!({"iss": format!("{issuer}/")}),
        json!({"iss": issuer.to_uppercase()}),
        // Google's short name is Google's alone.
        json!({"iss": "accounts.google.com"}),
        json!({"iss": [issuer]}),
        json!({"aud": null}),
        json!({"aud": ""}),
        json!({"aud": "another"}),
        json!({"aud": format!("{US} another")}),
        json!({"aud": []}),
        json!({"aud": ["another"]}),
        json!({"aud": {"client": US}}),
        json!({"aud": [US, "another"]}),
        json!({"aud": [US, "another"], "azp": "another"}),
        json!({"azp": "another"}),
        json!({"azp": 1}),
        json!({"exp": null}),
        json!({"exp": (NOW + 300).to_string()}),
        json!({"exp": 1e300}),
        json!({"exp": -1}),
        json!({"exp": true}),
        json!({"exp": NOW - 60}),
        json!({"iat": null}),
        json!({"iat": NOW.to_string()}),
        json!({"iat": 1e300}),
        json!({"iat": NOW + 61}),
        json!({"nbf": NOW + 61}),
        json!({"nbf": "soon"}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sub": "s".repeat(256)}),
        json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
        json!({"at_hash": ""}),
        json!({"at_hash": 1}),
    ];
    for case in &cases {
        refused(&broker, &client, &case.to_string(), |m| m.claims = claims(case)).await;
    }
}

/// The other side of the same rules: what must be believed, to the second.
#[tokio::test]
async fn sec_049_050_what_the_rules_allow_is_believed() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for case in [
        json!({"aud": [US]}),
        json!({"aud": [US, "another"], "azp": US}),
        json!({"azp": US}),
        json!({"exp": NOW - 59}),
        json!({"iat": NOW + 60}),
        json!({"nbf": NOW + 60}),
        json!({"sub": "s".repeat(255)}),
        json!({"at_hash": null}),
    ] {
        believed(&broker, &client, &case.to_string(), |m| m.claims = claims(&case)).await;
    }
}

/// SEC-051: userinfo about somebody else, or about nobody, is refused.
#[tokio::test]
async fn sec_051_userinfo_is_about_the_same_subject() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let without_email = || claims(&json!({"email": null}));
    for userinfo in [json!({"sub": "mallory"}), json!({"sub": null}), json!({"sub": ""}), json!({"sub": 1})] {
        let fetches = broker.provider.fetches().userinfo;
        refused(&broker, &client, &userinfo.to_string(), |m| {
            m.claims = without_email();
            m.userinfo = claims(&userinfo);
        })
        .await;
        assert_eq!(broker.provider.fetches().userinfo, fetches + 1);
    }
    believed(&broker, &client, "the same", |m| m.claims = without_email()).await;
}
