//! `require_approval`: whoever is not on the list waits for the operator's word.

use std::sync::Arc;

use gatelodge::clock::Clock as _;
use gatelodge::domain::{AuditKind, Decision};
use gatelodge::store::faulty::Operation;
use gatelodge::store::{ClientBook as _, Store as _};
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::front::Front;
use crate::harness::provider::{Person, TestProvider};
use crate::harness::redis_server::{self, fresh_prefix};

use super::{NOT_ADMITTED, WAITS, assert_kept_out, broker_with, is_invalid_grant, shown};

const APPROVAL: &str = "clients: { allow: [claude], require_approval: true }\n";

/// The operator's word about everything that waits, or was decided before.
pub(super) async fn decide(broker: &TestBroker, is_approved: bool) {
    let now = broker.clock.now();
    let waiting = broker.store.applications(now).await.expect("applications");
    let decided = broker.store.decisions().await.expect("decisions");
    let all = waiting.into_iter().chain(decided.into_iter().map(|decision| decision.application));
    for application in all {
        let decision = Decision { application, is_approved, decided_at: now };
        broker.store.decide(&decision).await.expect("a decision");
    }
}

/// The page shows a code, the operator finds it, and approves; each change of what the client says is
/// another application.
#[tokio::test]
async fn a_client_waits_until_it_is_approved() {
    let broker = broker_with(APPROVAL).await;
    let client = TestClient::register(&broker).await;
    let page = shown(&broker, &client).await;
    assert_kept_out(&page, WAITS, &client);
    let waiting = broker.store.applications(broker.clock.now()).await.expect("applications");
    assert_eq!(waiting.len(), 1);
    assert!(page.body.contains(&waiting[0].code()), "{}", page.body);
    shown(&broker, &client).await;
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(50).await.expect("events");
    let waits: Vec<_> = events.iter().filter(|event| event.kind == AuditKind::ClientWaits).collect();
    assert_eq!(waits.len(), 1, "it is said once");
    assert_eq!(waits[0].client.as_ref().map(ToString::to_string), Some(client.id.clone()));

    decide(&broker, true).await;
    let tokens = client.tokens(&broker).await;
    let _ = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);

    // Codex and Gemini CLI register for each sign-in, each time with another port.
    let said = |name: &str, uri: &str| json!({"client_name": name, "redirect_uris": [uri]});
    let again = TestClient::register_with(&broker, said("Test client", "http://127.0.0.1:5/callback")).await;
    assert_eq!(shown(&broker, &again).await.status, 200);
    for (name, uri) in [
        ("Another name", REDIRECT),
        ("Test client", "http://127.0.0.1:39999/other"),
        ("Test client", "https://evil.example/callback"),
    ] {
        let other = TestClient::register_with(&broker, said(name, uri)).await;
        assert_kept_out(&shown(&broker, &other).await, WAITS, &other);
    }
}

/// A refusal ends what was approved: at the page, at the token endpoint, and in the middle of a sign-in.
#[tokio::test]
async fn a_refusal_counts_at_once() {
    let broker = broker_with(APPROVAL).await;
    let client = TestClient::register(&broker).await;
    shown(&broker, &client).await;
    decide(&broker, true).await;
    let tokens = client.tokens(&broker).await;
    let browsers = [broker.browser(), broker.browser()];
    let consent = browsers[0].get(&client.authorize_url(&broker)).await;
    let other = browsers[1].get(&client.authorize_url(&broker)).await;
    let away = browsers[1].press(&other, "upstream", "idp").await;

    decide(&broker, false).await;
    assert_kept_out(&shown(&broker, &client).await, NOT_ADMITTED, &client);
    assert!(is_invalid_grant(&client.refresh(&broker, &tokens.refresh).await));
    let late = browsers[1].follow(away, &client.redirect).await;
    assert_eq!(late.status, 403, "{}", late.body);
    let pressed = browsers[0].press(&consent, "upstream", "idp").await;
    if pressed.status == 303 {
        let late = browsers[0].follow(pressed, &client.redirect).await;
        assert_eq!(late.status, 403, "{}", late.body);
    }
}

/// PRIN-5: a store that cannot say is no verdict, and lets nobody in.
#[tokio::test]
async fn a_store_fault_is_no_verdict() {
    let broker = broker_with(APPROVAL).await;
    let client = TestClient::register(&broker).await;
    shown(&broker, &client).await;
    decide(&broker, true).await;
    let tokens = client.tokens(&broker).await;
    broker.store.fail(Operation::Decision);
    assert_eq!(shown(&broker, &client).await.status, 503);
    let page = client.refresh(&broker, &tokens.refresh).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"));
    broker.store.heal();
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// Without a list everybody waits but the operator's own.
#[tokio::test]
async fn without_a_list_everybody_waits() {
    let broker = broker_with("clients: { require_approval: true }\n").await;
    let claude = json!({"redirect_uris": ["https://claude.ai/api/mcp/auth_callback"]});
    let claude = TestClient::register_with(&broker, claude).await;
    assert_kept_out(&shown(&broker, &claude).await, WAITS, &claude);
}

/// What one replica is told, every replica knows.
#[tokio::test]
async fn replicas_see_a_decision_at_once() {
    let Some(redis) = redis_server::shared() else { return };
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let setup = Setup { store, extra: APPROVAL.into(), ..Setup::default() };
    let clock = TestClock::new();
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn gatelodge::clock::Clock>));
    provider.sign_in_as(Person::new("alice", "alice@example.com"));
    let front = Front::start().await;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let listener = front.add().await;
        let (clock, provider) = (Arc::clone(&clock), Arc::clone(&provider));
        let replica = TestBroker::behind(setup.clone(), clock, provider, listener, &front.origin);
        replicas.push(replica.await);
    }
    let [first, second] = [&replicas[0], &replicas[1]];
    front.to(0);
    let client = TestClient::register(first).await;
    assert_kept_out(&shown(first, &client).await, WAITS, &client);
    front.to(1);
    assert_kept_out(&shown(second, &client).await, WAITS, &client);
    decide(first, true).await;
    let tokens = client.tokens(second).await;
    decide(second, false).await;
    front.to(0);
    assert!(is_invalid_grant(&client.refresh(first, &tokens.refresh).await));
    assert_kept_out(&shown(first, &client).await, NOT_ADMITTED, &client);
}
