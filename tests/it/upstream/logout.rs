//! Back-channel logout: whoever signs out at the provider is signed out here (SEC-060).

use gatelodge::store::Store as _;
use serde_json::{Map, Value, json};

use crate::harness::broker::TestBroker;
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::keys::object;
use crate::harness::provider::{Person, Signing};

/// Alice, signed in at the provider in a session of that name.
fn alice(sid: &str) -> Person {
    Person::new("alice", "alice@example.com").with("sid", json!(sid))
}

async fn signed_in(broker: &TestBroker, client: &TestClient, person: Person) -> String {
    broker.provider.sign_in_as(person);
    client.tokens(broker).await.refresh
}

async fn logout(broker: &TestBroker, patch: Value) -> Page {
    let token = broker.provider.logout_token("alice", &object(patch));
    told(broker, "idp", &token).await
}

async fn told(broker: &TestBroker, upstream: &str, token: &str) -> Page {
    let url = broker.url(&format!("/oauth/backchannel-logout/{upstream}"));
    broker.browser().post(&url, &[("logout_token", token)]).await
}

async fn is_alive(broker: &TestBroker, client: &TestClient, token: &mut String) -> bool {
    let page = client.refresh(broker, token).await;
    if page.status != 200 {
        assert_eq!((page.status, page.error().as_str()), (400, "invalid_grant"), "{}", page.body);
        return false;
    }
    *token = Tokens::of(&page).refresh;
    true
}

/// SEC-060: a token that names the person ends all that they granted through this provider, at every
/// client, and nobody else's.
#[tokio::test]
async fn sec_060_signing_out_by_subject_ends_everything_of_the_person() {
    let broker = TestBroker::start().await;
    let (one, two) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
    let mut first = signed_in(&broker, &one, alice("laptop")).await;
    let mut second = signed_in(&broker, &two, alice("phone")).await;
    let mut other = signed_in(&broker, &one, Person::new("bob", "bob@example.com")).await;
    let page = logout(&broker, json!({})).await;
    assert_eq!((page.status, page.body.as_str()), (200, ""));
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(!is_alive(&broker, &one, &mut first).await && !is_alive(&broker, &two, &mut second).await);
    assert!(is_alive(&broker, &one, &mut other).await, "somebody else");
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    assert!(events.iter().any(|event| event.kind.as_str() == "upstream_logout"));
    // And they may come back.
    let mut again = signed_in(&broker, &one, alice("laptop")).await;
    assert!(is_alive(&broker, &one, &mut again).await);
}

/// SEC-060: a token that names a session ends what was granted in that session, with the person's
/// name beside it or without.
#[tokio::test]
async fn sec_060_signing_out_by_session_ends_that_session() {
    for sub in [json!("alice"), json!(null)] {
        let broker = TestBroker::start().await;
        let client = TestClient::register(&broker).await;
        let mut laptop = signed_in(&broker, &client, alice("laptop")).await;
        let mut phone = signed_in(&broker, &client, alice("phone")).await;
        assert_eq!(logout(&broker, json!({"sub": sub, "sid": "tablet"})).await.status, 200, "nobody's");
        assert!(
            is_alive(&broker, &client, &mut laptop).await && is_alive(&broker, &client, &mut phone).await
        );
        assert_eq!(logout(&broker, json!({"sub": sub, "sid": "laptop"})).await.status, 200);
        assert!(!is_alive(&broker, &client, &mut laptop).await, "{sub}");
        assert!(is_alive(&broker, &client, &mut phone).await, "{sub}");
    }
}

/// SEC-060: what is no logout token of this provider, for us, of just now, ends nothing.
#[tokio::test]
async fn sec_060_a_logout_token_that_does_not_hold_is_refused() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let mut token = signed_in(&broker, &client, alice("laptop")).await;
    let now = gatelodge::clock::Clock::now(&*broker.clock).as_unix();
    for bad in [
        json!({"nonce": "n"}),
        json!({"events": null}),
        json!({"events": {}}),
        json!({"events": {"http://schemas.openid.net/event/backchannel-logout": "yes"}}),
        json!({"aud": "another"}),
        json!({"iss": "https://elsewhere.example"}),
        json!({"iat": null}),
        json!({"iat": now - 181}),
        json!({"iat": now + 61}),
        json!({"exp": now - 60}),
        json!({"jti": null}),
        json!({"jti": ""}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"sub": 7}),
        json!({"sid": 7}),
    ] {
        let page = logout(&broker, bad.clone()).await;
        assert_eq!((page.status, page.error().as_str()), (400, "invalid_request"), "{bad}");
    }
    for forged in [
        Signing::Unsigned,
        Signing::HmacWithPublicKey,
        Signing::HmacWithClientSecret,
        Signing::AnotherKeySameKid,
        Signing::EmbeddedJwk,
        Signing::UnknownKid,
    ] {
        broker.provider.misbehave(|m| m.signing = forged);
        assert_eq!(logout(&broker, json!({})).await.status, 400, "{forged:?}");
    }
    broker.provider.behave();
    for typ in ["at+jwt", "id_token", "secevent+jwt"] {
        broker.provider.misbehave(|m| m.header = object(json!({"typ": typ})));
        assert_eq!(logout(&broker, json!({})).await.status, 400, "{typ}");
    }
    broker.provider.behave();
    let good = broker.provider.logout_token("alice", &Map::new());
    assert_eq!(told(&broker, "nobody", &good).await.status, 400, "no such provider");
    let url = broker.url("/oauth/backchannel-logout/idp");
    for form in [&[][..], &[("logout_token", "")], &[("logout_token", "x.y.z")], &[("token", good.as_str())]]
    {
        assert_eq!(broker.browser().post(&url, form).await.status, 400, "{form:?}");
    }
    assert!(is_alive(&broker, &client, &mut token).await, "nothing has ended");
    assert_eq!(told(&broker, "idp", &good).await.status, 200, "and the honest one still holds");
    assert!(!is_alive(&broker, &client, &mut token).await);
}

/// SEC-060, PRIN-5: a store that is away is no fault of the provider's, which comes again.
#[tokio::test]
async fn sec_060_a_store_that_is_away_is_told_as_such() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let mut token = signed_in(&broker, &client, alice("laptop")).await;
    broker.store.fail_everything();
    let page = logout(&broker, json!({})).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"));
    assert!(!page.header("retry-after").is_empty());
    broker.store.heal();
    assert!(is_alive(&broker, &client, &mut token).await);
}
