//! The operator's secret changes while people are signed in.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock;
use gatelodge::store::Store as _;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::front::Front;
use crate::harness::provider::{Person, TestProvider};
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::temp_dir::TempDir;

const OLD: &str = "Zq8vXw3nT5yKb2Lr9sJd4Hf7Gc1Pm6Ea0Uo";
const NEW: &str = "Nw4jRt7cBv9mXe2kLz5pQs8dYh1uGf6oWa3";

/// What a replica is configured with.
fn setup(store: &str, secret: &str, previous: &[&str]) -> Setup {
    let extra = if previous.is_empty() { String::new() } else { format!("previous_secrets: {previous:?}\n") };
    Setup { store: store.into(), secret: secret.into(), extra, ..Setup::default() }
}

fn refused(page: &Page) -> bool {
    (page.status, page.error().as_str()) == (400, "invalid_grant")
}

/// One public origin, and replicas that come and go behind it.
struct Rolling {
    front: Front,
    clock: Arc<TestClock>,
    provider: Arc<TestProvider>,
    store: String,
}

impl Rolling {
    async fn start(store: String) -> Self {
        let clock = TestClock::new();
        let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        provider.sign_in_as(Person::new("alice", "alice@example.com"));
        Self { front: Front::start().await, clock, provider, store }
    }

    async fn replica(&self, secret: &str, previous: &[&str]) -> TestBroker {
        let listener = self.front.add().await;
        let (clock, provider) = (Arc::clone(&self.clock), Arc::clone(&self.provider));
        let setup = setup(&self.store, secret, previous);
        TestBroker::behind(setup, clock, provider, listener, &self.front.origin).await
    }
}

/// The order that docs/operations.md asks for, with two replicas that are a step apart at each
/// moment: the new secret opens everywhere before it seals anywhere. Each refresh goes to the
/// other replica; nobody is signed out, and at the end the old secret is not needed.
#[tokio::test]
async fn the_secret_changes_under_a_rolling_restart() {
    let Some(redis) = redis_server::shared() else { return };
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let rolling = Rolling::start(store).await;
    let steps: [(&str, &[&str]); 4] = [(OLD, &[]), (OLD, &[NEW]), (NEW, &[OLD]), (NEW, &[])];
    let mut newest = rolling.replica(steps[0].0, steps[0].1).await;
    rolling.front.to(0);
    let client = TestClient::register(&newest).await;
    let mut tokens = client.tokens(&newest).await;
    let keys = newest.parts.keys.current().jwks().clone();
    let mut count = 0;
    for (at, (secret, previous)) in steps.into_iter().enumerate() {
        let older = newest;
        newest = rolling.replica(secret, previous).await;
        count += 1;
        let [old, new] = [count - 1, count];
        // While both run, whatever one makes the other takes. The last step comes when nothing
        // under the old secret is alive: then the replica before it seals with the new one, too.
        for replica in [new, old, new, old, new] {
            rolling.front.to(replica);
            let page = client.refresh(&newest, &tokens.refresh).await;
            assert_eq!(page.status, 200, "step {at}, replica {replica}: {}", page.body);
            tokens = Tokens::of(&page);
        }
        rolling.front.to(new);
        newest.parts.keys.tend().await.expect("the keys open");
        assert_eq!(*newest.parts.keys.current().jwks(), keys, "the signing keys are the same");
        assert_eq!(client.tokens(&newest).await.answer["token_type"], "Bearer");
        drop(older);
    }
}

/// Both halves of a double click, each at a replica with another current secret, lead to the same
/// sign-in (SEC-039).
#[tokio::test]
async fn sec_039_a_double_click_at_two_replicas_is_one_answer() {
    let Some(redis) = redis_server::shared() else { return };
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let rolling = Rolling::start(store).await;
    let (one, _two) = (rolling.replica(OLD, &[NEW]).await, rolling.replica(NEW, &[OLD]).await);
    for (first, second) in [(0, 1), (1, 0)] {
        rolling.front.to(first);
        let client = TestClient::register(&one).await;
        let browser = one.browser();
        let consent = browser.get(&client.authorize_url(&one)).await;
        let once = browser.press(&consent, "upstream", "idp").await;
        rolling.front.to(second);
        let twice = browser.press(&consent, "upstream", "idp").await;
        assert_eq!(once.location(), twice.location());
        let at_provider = browser.get(&twice.location().expect("a redirect")).await;
        let back = browser.get(&at_provider.location().expect("a redirect")).await;
        assert!(query(&back.location().expect("a redirect")).contains_key("code"), "{}", back.body);
    }
}

/// The embedded store: a restart with the new secret and the old one beside it. What is used is
/// sealed anew and its tokens carry the new MAC; what is not used ends with the old secret.
#[tokio::test]
async fn an_embedded_store_is_sealed_anew_as_it_is_used() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let rolling = Rolling::start(store).await;
    let broker = rolling.replica(OLD, &[]).await;
    rolling.front.to(0);
    let client = TestClient::register(&broker).await;
    let (used, unused) = (client.tokens(&broker).await, client.tokens(&broker).await);
    broker.stop().await;

    let broker = rolling.replica(NEW, &[OLD]).await;
    rolling.front.to(1);
    let next = Tokens::of(&client.refresh(&broker, &used.refresh).await);
    let again = Tokens::of(&client.refresh(&broker, &used.refresh).await);
    assert_eq!(again.refresh, next.refresh, "a duplicate gets the same successor, with the new MAC");
    broker.stop().await;

    let broker = rolling.replica(NEW, &[]).await;
    rolling.front.to(2);
    assert!(refused(&client.refresh(&broker, &unused.refresh).await), "its MAC is the old secret's");
    assert!(refused(&client.refresh(&broker, &used.refresh).await));
    rolling.clock.advance(Duration::from_secs(600));
    assert_eq!(client.refresh(&broker, &next.refresh).await.status, 200);
    assert!(broker.store.key_ring().await.expect("it opens").is_some());
}

/// SEC-060: what no secret opens any more is worth nothing, and keeps nothing else from being ended: a
/// logout token ends what was opened since.
#[tokio::test]
async fn sec_060_records_of_a_lost_secret_keep_nothing_from_ending() {
    let folder = TempDir::new();
    let file = format!("store: {}\n", folder.path().join("state.db").display());
    let redis = redis_server::shared()
        .map(|redis| format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix()));
    for store in [Some(file), redis].into_iter().flatten() {
        let rolling = Rolling::start(store.clone()).await;
        let broker = rolling.replica(OLD, &[]).await;
        rolling.front.to(0);
        let client = TestClient::register(&broker).await;
        client.tokens(&broker).await;
        broker.stop().await;
        // Nobody uses what is there while both secrets open it.
        rolling.replica(NEW, &[OLD]).await.stop().await;

        let broker = rolling.replica(NEW, &[]).await;
        rolling.front.to(2);
        let browser = broker.browser();
        let code = client.sign_in(&broker, &browser).await["code"].clone();
        let tokens = Tokens::of(&client.redeem(&broker, &code).await);
        let token = broker.provider.logout_token("alice", &serde_json::Map::new());
        let url = broker.url("/oauth/backchannel-logout/idp");
        let answer = broker.browser().post(&url, &[("logout_token", &token)]).await;
        assert_eq!(answer.status, 200, "{store}: {}", answer.body);
        assert!(refused(&client.refresh(&broker, &tokens.refresh).await), "{store}");
        let page = browser.get(&client.authorize_url(&broker)).await;
        assert!(!page.body.contains("value=\"allow\""), "{store}: the browser session is over, too");
        broker.stop().await;
    }
}
