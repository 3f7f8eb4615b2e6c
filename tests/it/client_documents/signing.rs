//! `private_key_jwt`: clients that prove themselves with a JWT that they sign (SEC-068, PRIN-2).

use std::time::Duration;

use gatelodge::store::faulty::Operation;
use serde_json::{Value, json};

use crate::harness::broker::TestBroker;
use crate::harness::browser::Page;
use crate::harness::client::TestClient;
use crate::harness::document_host::DocumentHost;
use crate::harness::keys::{TestKey, hs256, object, patched, unsigned};
use crate::harness::signer::{ASSERTION_TYPE as TYPE, Signer};

use super::{broker_for, client};

/// A host, a broker, and a client whose keys stand in its document.
async fn signing(more: Value) -> (DocumentHost, TestBroker, Signer) {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let key = TestKey::es256("client-key");
    let mut members =
        object(json!({"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": [key.jwk()]}}));
    members.extend(object(more));
    let url = host.publishes("/client.json", &Value::Object(members));
    let signer = Signer::new(client(&url), &key);
    (host, broker, signer)
}

pub(super) fn assert_invalid_client(page: &Page, what: &str) {
    assert_eq!((page.status, page.json()["error"].as_str()), (401, Some("invalid_client")), "{what}");
}

/// SEC-068: code and refresh with a signed assertion; without it, or with a secret, nothing (SEC-066).
#[tokio::test]
async fn sec_068_an_assertion_proves_the_client() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    assert_invalid_client(&signer.app.refresh(&broker, &tokens.refresh).await, "without an assertion");
    let with_secret = TestClient { secret: Some("x".into()), ..signer.app.clone() };
    assert_invalid_client(&with_secret.refresh(&broker, &tokens.refresh).await, "with a secret");
    let assertion = signer.assertion(&broker, json!({}));
    let again = signer.refresh(&broker, &tokens.refresh, &assertion).await;
    assert_eq!(again.status, 200, "{}", again.body);
}

/// SEC-068, PRIN-2: every claim counts; a refused assertion costs the token nothing (INT-52).
#[tokio::test]
async fn sec_068_every_claim_counts() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    let now = gatelodge::clock::Clock::now(broker.clock.as_ref()).as_unix();
    let endpoint = broker.url("/oauth/token");
    for change in [
        json!({"iss": "https://other.example/client.json"}),
        json!({"sub": "https://other.example/client.json"}),
        json!({"iss": null}),
        json!({"sub": null}),
        json!({"aud": endpoint}),
        json!({"aud": [broker.issuer, endpoint]}),
        json!({"aud": []}),
        json!({"aud": null}),
        json!({"aud": format!("{}/", broker.issuer)}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"exp": now - 61}),
        json!({"exp": now + 3600}),
        json!({"iat": now + 120}),
        json!({"nbf": now + 120}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"jti": "x".repeat(300)}),
    ] {
        let assertion = signer.assertion(&broker, change.clone());
        assert_invalid_client(
            &signer.refresh(&broker, &tokens.refresh, &assertion).await,
            &change.to_string(),
        );
    }
    let fraction: Value = serde_json::from_str(&format!("{}.5", now + 30)).unwrap();
    for change in [json!({"aud": [broker.issuer]}), json!({"iat": null}), json!({"exp": fraction})] {
        let assertion = signer.assertion(&broker, change.clone());
        let page = signer.refresh(&broker, &tokens.refresh, &assertion).await;
        assert_eq!(page.status, 200, "{change}: {}", page.body);
    }
}

/// SEC-068, SEC-142: signatures by others, by no one, and by the public key as a secret.
#[tokio::test]
async fn sec_068_only_its_own_key_signs() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    let claims = || signer.claims(&broker, json!({}));
    let honest = signer.key.header("JWT");
    let stranger = TestKey::es256("client-key");
    let with = |change: Value| patched(honest.clone(), &object(change));
    for (what, assertion) in [
        ("another key of that name", stranger.sign(&honest, &claims())),
        ("an unknown key", stranger.sign(&with(json!({"kid": "other"})), &claims())),
        ("alg none", unsigned(&with(json!({"alg": "none"})), &claims())),
        (
            "HS256 by the public key",
            hs256(signer.key.public_pem().as_bytes(), &with(json!({"alg": "HS256"})), &claims()),
        ),
        ("an embedded key", stranger.sign(&with(json!({"jwk": stranger.jwk()})), &claims())),
        ("typ at+jwt", signer.key.sign(&with(json!({"typ": "at+jwt"})), &claims())),
        ("no JWT", "a.b.c".to_owned()),
    ] {
        assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &assertion).await, what);
    }
    let untyped = signer.key.sign(&with(json!({"typ": null})), &claims());
    assert_eq!(signer.refresh(&broker, &tokens.refresh, &untyped).await.status, 200);
}

/// SEC-068: an assertion is used once, also where two requests bring it at the same moment; a store that
/// cannot say so is no verdict (PRIN-5).
#[tokio::test]
async fn sec_068_an_assertion_is_used_once() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    let assertion = signer.assertion(&broker, json!({}));
    let both = tokio::join!(
        signer.refresh(&broker, &tokens.refresh, &assertion),
        signer.refresh(&broker, &tokens.refresh, &assertion),
    );
    let mut statuses = [both.0.status, both.1.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
    broker.clock.advance(Duration::from_secs(100));
    assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &assertion).await, "later");
    broker.store.fail(Operation::UseAssertion);
    let another = signer.assertion(&broker, json!({}));
    let page = signer.refresh(&broker, &tokens.refresh, &another).await;
    assert_eq!((page.status, page.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
}

/// PRIN-5: a request that failed by our fault has used nothing up: it is sent again as it was, by client
/// libraries that know of no assertions. What was given an answer, though, stays used.
#[tokio::test]
async fn sec_068_a_fault_of_ours_uses_no_assertion_up() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    for fault in [Operation::Grant, Operation::NotBefore, Operation::RotateRefresh] {
        let assertion = signer.assertion(&broker, json!({}));
        broker.clock.advance(Duration::from_secs(2));
        broker.store.fail(fault);
        let page = signer.refresh(&broker, &tokens.refresh, &assertion).await;
        assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{fault:?}");
        broker.store.heal();
        let page = signer.refresh(&broker, &tokens.refresh, &assertion).await;
        assert_eq!(page.status, 200, "{fault:?}: {}", page.body);
        assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &assertion).await, "answered");
    }
    // A fault of the client's is an answer.
    let assertion = signer.assertion(&broker, json!({}));
    assert_eq!(signer.refresh(&broker, "nothing", &assertion).await.status, 400);
    assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &assertion).await, "answered with 400");
    // One that cannot be given back stays used: never twice, rather than once too often.
    let assertion = signer.assertion(&broker, json!({}));
    broker.store.fail(Operation::Grant);
    broker.store.fail(Operation::ReleaseAssertion);
    assert_eq!(signer.refresh(&broker, &tokens.refresh, &assertion).await.status, 503);
    broker.store.heal();
    assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &assertion).await, "not given back");
}

/// PRIN-5, REL-05: the same where the caller hangs up before it is answered, and where the store does not take
/// the use back in time: whoever waits is told within 3 s.
#[tokio::test]
async fn rel_05_a_use_is_taken_back_though_nobody_waits() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    let long = Duration::from_secs(10);
    broker.store.hold(Operation::RotateRefresh);
    broker.store.hold(Operation::ReleaseAssertion);
    let assertion = signer.assertion(&broker, json!({}));
    tokio::select! {
        page = signer.refresh(&broker, &tokens.refresh, &assertion) => panic!("answered: {}", page.body),
        at = tokio::time::timeout(long, broker.store.waits_at(Operation::RotateRefresh)) => at.expect("in time"),
    }
    // The request is gone, and its connection with it.
    let released = broker.store.waits_at(Operation::ReleaseAssertion);
    tokio::time::timeout(long, released).await.expect("taken back");
    broker.store.heal();

    broker.store.hold(Operation::ReleaseAssertion);
    broker.store.fail(Operation::Grant);
    let assertion = signer.assertion(&broker, json!({}));
    let answer = signer.refresh(&broker, &tokens.refresh, &assertion);
    let page = tokio::time::timeout(Duration::from_secs(3), answer).await.expect("REL-05");
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    tokio::time::timeout(long, broker.store.waits_at(Operation::ReleaseAssertion)).await.expect("begun");
    broker.store.heal();
}

/// RFC 7521 section 4.2: an assertion says by itself whose it is; a type without an assertion, another
/// type, and two methods at once are no valid requests.
#[tokio::test]
async fn an_assertion_may_stand_alone_and_is_whole() {
    let (_host, broker, signer) = signing(json!({})).await;
    let tokens = signer.tokens(&broker).await;
    let assertion = signer.assertion(&broker, json!({}));
    let form = |more: &[(&'static str, &str)]| {
        let usual = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh.as_str())];
        usual
            .into_iter()
            .chain(more.iter().copied())
            .map(|(n, v)| (n.to_owned(), v.to_owned()))
            .collect::<Vec<_>>()
    };
    let post = async |form: Vec<(String, String)>| {
        let url = broker.url("/oauth/token");
        Page::of(&url, broker.browser().http().post(&url).form(&form).send().await.unwrap()).await
    };
    let alone = post(form(&[("client_assertion_type", TYPE), ("client_assertion", &assertion)])).await;
    assert_eq!(alone.status, 200, "{}", alone.body);
    let id = signer.app.id.as_str();
    for broken in [
        form(&[("client_id", id), ("client_assertion", &assertion)]),
        form(&[("client_id", id), ("client_assertion_type", TYPE)]),
        form(&[
            ("client_id", id),
            ("client_assertion_type", "saml2-bearer"),
            ("client_assertion", &assertion),
        ]),
        form(&[
            ("client_id", id),
            ("client_assertion_type", TYPE),
            ("client_assertion", &assertion),
            ("client_secret", "x"),
        ]),
    ] {
        assert_eq!(post(broken).await.status, 400);
    }
}

/// INT-40: a client that lists both methods may come with or without; never with a false proof.
#[tokio::test]
async fn int_40_a_client_that_lists_both_may_use_either() {
    let both = json!({"token_endpoint_auth_method": null,
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"]});
    let (_host, broker, signer) = signing(both).await;
    let tokens = signer.tokens(&broker).await;
    let bad = signer.assertion(&broker, json!({"aud": "https://other.example"}));
    assert_invalid_client(&signer.refresh(&broker, &tokens.refresh, &bad).await, "a false proof");
    assert_eq!(signer.app.refresh(&broker, &tokens.refresh).await.status, 200);
}
