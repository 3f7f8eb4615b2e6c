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
