//! The whole way, once: registration, consent, the provider, a code, tokens, refresh, revocation.

use std::time::Duration;

use crate::harness::broker::{RESOURCE, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;

/// SEC-140, INT-58: what the client gets at the end.
#[tokio::test]
async fn a_person_signs_in_and_the_client_gets_a_token_for_one_server() {
    let broker = TestBroker::start().await;
    broker.provider.sign_in_as(Person::new("alice", "alice@example.com").in_groups(&["platform"]));
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let answer = client.sign_in(&broker, &browser).await;
    assert_eq!(answer["state"], "st/ate==");
    assert_eq!(answer["iss"], broker.issuer);
    let tokens = Tokens::of(&client.redeem(&broker, &answer["code"]).await);
    assert_eq!(tokens.answer["token_type"], "Bearer");
    assert_eq!(tokens.answer["expires_in"], 1800);
    assert_eq!(tokens.answer["scope"], "mcp:admin mcp:read mcp:write");
    let claims = tokens.claims();
    assert_eq!(claims["iss"], broker.issuer);
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["client_id"], client.id);
    assert_eq!(claims["email"], "alice@example.com");

    broker.clock.advance(Duration::from_secs(1800));
    let refreshed = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_ne!(refreshed.access, tokens.access);
    assert_ne!(refreshed.refresh, tokens.refresh);

    let revoked = client.revoke(&broker, &refreshed.refresh).await;
    assert_eq!(revoked.status, 200, "{}", revoked.body);
    let dead = client.refresh(&broker, &refreshed.refresh).await;
    assert_eq!((dead.status, dead.error().as_str()), (400, "invalid_grant"));
}

/// A person to whom policy grants nothing sees why and whom to ask; the client gets no code.
#[tokio::test]
async fn a_person_of_another_domain_sees_why_and_whom_to_ask() {
    let broker = TestBroker::start().await;
    broker.provider.sign_in_as(Person::new("eve", "eve@other.example"));
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    let page = browser.follow(away, &client.redirect).await;
    assert_eq!(page.status, 403);
    assert!(page.location().is_none());
    assert!(page.text("main").contains("other.example is not an allowed domain"), "{}", page.text("main"));
    assert!(page.text("main").contains("it@example.com"));
    assert!(!page.body.contains("code="), "{}", page.body);
}

/// SEC-039: two clicks on one button, one after the other and both at once, lead to one code:
/// a browser throws the first answer away and shows the second.
#[tokio::test]
async fn sec_039_a_double_click_gives_one_code() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for at_once in [false, true] {
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(&broker)).await;
        let click = || browser.press(&consent, "upstream", "idp");
        let (first, second) =
            if at_once { tokio::join!(click(), click()) } else { (click().await, click().await) };
        assert_eq!((first.status, second.status), (303, 303), "{}", second.body);
        assert_eq!(first.location(), second.location(), "it does not matter which answer is shown");
        let done = browser.follow(second, &client.redirect).await;
        assert!(done.location().is_some_and(|to| to.contains("code=")), "{}", done.body);
        let other = browser.follow(first, &client.redirect).await;
        assert_eq!(other.status, 400, "the same sign-in once more gives no second code");
    }
}

/// SEC-033, SEC-039: later than a double click, or for another choice, it is a replay.
#[tokio::test]
async fn sec_033_a_form_that_is_sent_again_is_refused() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    assert_eq!(browser.press(&consent, "upstream", "idp").await.status, 303);
    assert_eq!(browser.press(&consent, "action", "deny").await.status, 403);
    broker.clock.advance(Duration::from_secs(5));
    assert_eq!(browser.press(&consent, "upstream", "idp").await.status, 403);
}
