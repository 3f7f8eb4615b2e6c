//! What replicas remember of clients that registered themselves: nothing for longer than a second after it changed.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, Tokens};
use crate::harness::managed::Managed;
use crate::harness::redis_server::{self, fresh_prefix};

const SECOND: Duration = Duration::from_secs(1);

/// Two brokers on one Redis, reached apart. None: there is no `redis-server`.
async fn two() -> Option<(TestBroker, TestBroker)> {
    let redis = redis_server::shared()?;
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let setup = Setup { store, ..Setup::default() };
    let one = TestBroker::with(setup.clone()).await;
    let (clock, provider) = (Arc::clone(&one.clock), Arc::clone(&one.provider));
    let other = TestBroker::replica(setup, clock, provider).await;
    Some((one, other))
}

/// A client with a session, which both know.
async fn known_to(one: &TestBroker, other: &TestBroker) -> (Managed, Tokens) {
    let managed = Managed::register(one, json!({ "redirect_uris": [REDIRECT] })).await;
    let mut tokens = managed.client.tokens(one).await;
    for broker in [one, other, one, other] {
        tokens = Tokens::of(&managed.client.refresh(broker, &tokens.refresh).await);
    }
    (managed, tokens)
}

/// A refresh asks the store for what changes with it, and not for its client, until an hour has passed.
#[tokio::test]
async fn rel_05_a_refresh_does_not_ask_for_a_known_client() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    broker.store.fail(Operation::StoredClient);
    for _ in 0..2 {
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        broker.clock.advance(Duration::from_secs(1799));
    }
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
    broker.clock.advance(2 * SECOND);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 503);
    // Another client's refresh token, an unknown client: a fault is no verdict on either.
    let unknown = TestClient { id: "glc_nobody".into(), ..client.clone() };
    assert_eq!(unknown.refresh(&broker, &tokens.refresh).await.status, 503);
    broker.store.heal();
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// SEC-113: whom nobody has used is not remembered: what strangers register fills no memory, and a newcomer
/// that made room is unknown at once.
#[tokio::test]
async fn sec_113_newcomers_are_not_remembered() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 200);
    assert!(broker.store.forget_unused_client(&ClientId::new(&client.id)).await.unwrap());
    assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 400);
}

/// SEC-066: a client that proves itself from now on is believed nowhere without, a second later; and at once where
/// it said so.
#[tokio::test]
async fn sec_066_another_method_holds_everywhere_within_a_second() {
    let Some((one, other)) = two().await else { return };
    let (managed, tokens) = known_to(&one, &other).await;
    let changes = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic" });
    let page = managed.put(changes).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let secret = page.json()["client_secret"].as_str().map(str::to_owned);
    assert_eq!(managed.client.refresh(&one, &tokens.refresh).await.error(), "invalid_client");
    one.clock.advance(SECOND);
    assert_eq!(managed.client.refresh(&other, &tokens.refresh).await.error(), "invalid_client");
    let proven = TestClient { secret, ..managed.client.clone() };
    let tokens = Tokens::of(&proven.refresh(&other, &tokens.refresh).await);
    assert_eq!(proven.refresh(&one, &tokens.refresh).await.status, 200);
}

/// SEC-115: who asks for a client while it is being deleted does not go on remembering it.
#[tokio::test]
async fn sec_115_a_deleted_client_is_remembered_nowhere() {
    let Some((one, other)) = two().await else { return };
    let (managed, tokens) = known_to(&one, &other).await;
    one.store.hold(Operation::ForgetClient);
    let asks_meanwhile = async {
        one.store.waits_at(Operation::ForgetClient).await;
        one.clock.advance(SECOND);
        for broker in [&one, &other] {
            // It is there, with nothing left to it.
            assert_eq!(managed.client.refresh(broker, &tokens.refresh).await.error(), "invalid_grant");
        }
        one.store.heal();
    };
    let (deleted, ()) = tokio::join!(managed.delete(), asks_meanwhile);
    assert_eq!(deleted.status, 204);
    assert_eq!(managed.client.refresh(&one, &tokens.refresh).await.error(), "invalid_client");
    one.clock.advance(SECOND);
    assert_eq!(managed.client.refresh(&other, &tokens.refresh).await.error(), "invalid_client");
    assert_eq!(one.store.client(&ClientId::new(&managed.client.id), one.clock.now()).await.unwrap(), None);
}

/// What a store cannot say of revocations, it cannot say of what is remembered: nothing is believed for longer.
#[tokio::test]
async fn prin_5_nobody_is_remembered_beyond_a_second_without_the_store() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    broker.store.fail(Operation::NotBefore);
    tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    broker.clock.advance(SECOND);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 503);
}
