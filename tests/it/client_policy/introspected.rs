//! What a protected server is told of the tokens of a client that is let in no longer (RFC 7662).

use std::time::Duration;

use gatelodge::domain::ClientId;
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;

use crate::harness::broker::{RESOURCE, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::TestClient;

use super::approval::decide;
use super::{Restarted, broker_with, shown};

const SECRET: &str = "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9";

/// `clients`, with a server that asks.
fn clients(lines: &str) -> String {
    format!(
        "clients:\n{lines}  named:\n    - {{ id: server, name: Server, secret: {SECRET}, introspects: {RESOURCE} }}\n"
    )
}

async fn asked(broker: &TestBroker, token: &str) -> Page {
    let url = broker.url("/oauth/introspect");
    let browser = broker.browser();
    let request = browser.http().post(&url).basic_auth("server", Some(SECRET)).form(&[("token", token)]);
    Page::of(&url, request.send().await.expect("an answer")).await
}

async fn is_active(broker: &TestBroker, token: &str) -> bool {
    let page = asked(broker, token).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.json()["active"] == true
}

/// SEC-131: a refusal counts at once, as it does at a refresh; a store that cannot say is no verdict (PRIN-5).
#[tokio::test]
async fn sec_131_a_refused_client_s_token_is_not_active() {
    let broker = broker_with(&clients("  allow: [claude]\n  require_approval: true\n")).await;
    let client = TestClient::register(&broker).await;
    shown(&broker, &client).await;
    decide(&broker, true).await;
    let tokens = client.tokens(&broker).await;
    assert!(is_active(&broker, &tokens.access).await);
    decide(&broker, false).await;
    assert!(!is_active(&broker, &tokens.access).await);
    for operation in [Operation::Decision, Operation::StoredClient] {
        broker.store.fail(operation);
        // A client that is known is asked for when the revocations are.
        broker.clock.advance(Duration::from_secs(1));
        let page = asked(&broker, &tokens.access).await;
        assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{operation:?}");
        broker.store.heal();
    }
    decide(&broker, true).await;
    assert!(is_active(&broker, &tokens.access).await);
    broker.store.forget_client(&ClientId::new(&client.id)).await.expect("a client that was there");
    broker.clock.advance(Duration::from_secs(1));
    assert!(!is_active(&broker, &tokens.access).await, "nobody knows it any more");
}

/// SEC-131: taken off the list, and put back.
#[tokio::test]
async fn sec_131_a_token_follows_the_list() {
    let mut restarted = Restarted::new().await;
    let mut broker = restarted.with(&clients("  allow: [codex]\n")).await;
    let tokens = TestClient::register(&broker).await.tokens(&broker).await;
    assert!(is_active(&broker, &tokens.access).await);
    for (list, expected) in [("  allow: [claude]\n", false), ("  allow: [codex]\n", true), ("", true)] {
        broker.stop().await;
        broker = restarted.with(&clients(list)).await;
        assert_eq!(is_active(&broker, &tokens.access).await, expected, "{list}");
    }
}
