//! What replicas remember of clients that registered themselves: nothing for longer than a second after it changed.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::{ClientId, PersonId, Revoked};
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, Tokens};
use crate::harness::managed::Managed;
use crate::harness::redis_server::{self, RedisServer, fresh_prefix};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A setup for each store that replicas remember clients of.
fn stores() -> Vec<Setup> {
    let redis = redis_server::shared().map(on_redis);
    redis.into_iter().chain([Setup::default()]).collect()
}

fn on_redis(redis: &RedisServer) -> Setup {
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    Setup { store, ..Setup::default() }
}

/// Two brokers on one Redis, reached apart. None: there is no `redis-server`.
async fn two() -> Option<(TestBroker, TestBroker)> {
    let setup = on_redis(redis_server::shared()?);
    let one = TestBroker::with(setup.clone()).await;
    let (clock, provider) = (Arc::clone(&one.clock), Arc::clone(&one.provider));
    let other = TestBroker::replica(setup, clock, provider).await;
    Some((one, other))
}

/// A client with a session, which both remember.
async fn known_to(one: &TestBroker, other: &TestBroker) -> (Managed, Tokens) {
    let managed = Managed::register(one, json!({ "redirect_uris": [REDIRECT] })).await;
    let mut tokens = managed.client.tokens(one).await;
    for broker in [one, other] {
        tokens = refreshed_from_memory(broker, &managed.client, tokens).await;
    }
    (managed, tokens)
}

/// Refreshes twice, the second time from memory.
async fn refreshed_from_memory(broker: &TestBroker, client: &TestClient, tokens: Tokens) -> Tokens {
    let tokens = Tokens::of(&client.refresh(broker, &tokens.refresh).await);
    broker.store.fail(Operation::StoredClient);
    let tokens = Tokens::of(&client.refresh(broker, &tokens.refresh).await);
    broker.store.heal();
    tokens
}

/// What two refreshes in one moment are refused with. Somebody else asks for the revocations first, so both would
/// rely on what is remembered.
async fn refusals(broker: &TestBroker, client: &TestClient, tokens: &Tokens) -> [String; 2] {
    let nobody = TestClient { id: "glc_nobody".into(), ..client.clone() };
    assert_eq!(nobody.refresh(broker, &tokens.refresh).await.error(), "invalid_client");
    let refusal = async || client.refresh(broker, &tokens.refresh).await.error();
    [refusal().await, refusal().await]
}

/// A refresh asks the store for what changes with it, and not for its client; for an hour, whoever else is
/// revoked meanwhile.
#[tokio::test]
async fn rel_05_a_refresh_does_not_ask_for_a_known_client() {
    for setup in stores() {
        let broker = TestBroker::with(setup).await;
        let (client, other) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
        let (mut tokens, mut others) = (client.tokens(&broker).await, other.tokens(&broker).await);
        tokens = refreshed_from_memory(&broker, &client, tokens).await;
        let (now, bob) = (broker.clock.now(), PersonId::of("https://idp.example", "bob"));
        broker.store.revoke(&Revoked::Person(bob), now, now.plus(2 * HOUR), now).await.unwrap();
        broker.clock.advance(Duration::from_secs(3599));
        // Somebody asks for the revocations, as somebody does every second.
        others = Tokens::of(&other.refresh(&broker, &others.refresh).await);
        broker.store.fail(Operation::StoredClient);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        let unknown = TestClient { id: "glc_nobody".into(), ..client.clone() };
        assert_eq!(unknown.refresh(&broker, &tokens.refresh).await.status, 503, "a fault is no verdict");
        broker.store.heal();
        broker.clock.advance(SECOND);
        other.refresh(&broker, &others.refresh).await;
        broker.store.fail(Operation::StoredClient);
        assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 503, "remembered for an hour");
        broker.store.heal();
        refreshed_from_memory(&broker, &client, tokens).await;
    }
}

/// SEC-113: whom nobody has used is not remembered: what strangers register fills no memory, and a newcomer
/// that made room is unknown at once.
#[tokio::test]
async fn sec_113_newcomers_are_not_remembered() {
    for setup in stores() {
        let broker = TestBroker::with(setup).await;
        let client = TestClient::register(&broker).await;
        for _ in 0..2 {
            assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 200);
        }
        assert!(broker.store.forget_unused_client(&ClientId::new(&client.id)).await.unwrap());
        assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 400);
    }
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
    let refused = ["invalid_client"; 2];
    assert_eq!(refusals(&one, &managed.client, &tokens).await, refused);
    one.clock.advance(SECOND);
    assert_eq!(refusals(&other, &managed.client, &tokens).await, refused);
    let proven = TestClient { secret, ..managed.client.clone() };
    let tokens = Tokens::of(&proven.refresh(&other, &tokens.refresh).await);
    assert_eq!(proven.refresh(&one, &tokens.refresh).await.status, 200);
}

/// SEC-066: what breaks off before, between or behind the steps of a change leaves nobody with what the client was.
#[tokio::test]
async fn sec_066_a_change_that_breaks_off_is_remembered_nowhere() {
    let Some((one, other)) = two().await else { return };
    let (managed, tokens) = known_to(&one, &other).await;
    let changes = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic" });
    one.store.fail(Operation::Revoke);
    assert_eq!(managed.put(changes.clone()).await.status, 503);
    one.store.heal();
    assert_eq!(managed.get().await.json()["token_endpoint_auth_method"], "none", "nothing has changed");
    // Whoever asks before it has changed does not remember what it was.
    one.store.hold(Operation::UpdateClient);
    let asks_meanwhile = async {
        one.store.waits_at(Operation::UpdateClient).await;
        one.clock.advance(SECOND);
        let mut tokens = tokens;
        for broker in [&one, &other, &one, &other] {
            tokens = Tokens::of(&managed.client.refresh(broker, &tokens.refresh).await);
        }
        one.store.heal();
        tokens
    };
    let (changed, tokens) = tokio::join!(managed.put(changes), asks_meanwhile);
    assert_eq!(changed.status, 200, "{}", changed.body);
    for broker in [&one, &other] {
        assert_eq!(refusals(broker, &managed.client, &tokens).await, ["invalid_client"; 2]);
    }
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
            assert_eq!(refusals(broker, &managed.client, &tokens).await, ["invalid_grant"; 2]);
        }
        one.store.heal();
    };
    let (deleted, ()) = tokio::join!(managed.delete(), asks_meanwhile);
    assert_eq!(deleted.status, 204);
    for broker in [&one, &other] {
        assert_eq!(refusals(broker, &managed.client, &tokens).await, ["invalid_client"; 2]);
    }
}

/// PRIN-5: what a store cannot say of revocations, it cannot say of what is remembered.
#[tokio::test]
async fn prin_5_nobody_is_remembered_beyond_a_second_without_the_store() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    let tokens = refreshed_from_memory(&broker, &client, tokens).await;
    // Revocation asks for the revocations for nothing but its client.
    broker.store.fail(Operation::NotBefore);
    broker.clock.advance(SECOND);
    assert_eq!(client.revoke(&broker, &tokens.refresh).await.status, 503);
    broker.store.heal();
    assert_eq!(client.revoke(&broker, &tokens.refresh).await.status, 200);
}
