//! Several brokers behind one public issuer, on one real Redis; and one broker that is restarted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use gatelodge::clock::Clock;
use gatelodge::protocol::{KeySet, ResourceUri};
use gatelodge::tokens::AccessTokenVerifier;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::front::Front;
use crate::harness::provider::TestProvider;
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::temp_dir::TempDir;
use crate::harness::{redis_cluster, redis_sentinel, redis_tls};

/// Replicas with nothing in common but configuration, the provider, and Redis.
struct Fleet {
    front: Front,
    replicas: Vec<TestBroker>,
}

impl Fleet {
    /// None: there is no `redis-server`, and [`redis_server::shared`] has said so.
    async fn start(count: usize) -> Option<Self> {
        Self::with(count, "").await
    }

    /// The same with more lines in the configuration.
    async fn with(count: usize, extra: &str) -> Option<Self> {
        let redis = redis_server::shared()?;
        let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
        let setup = Setup { store, extra: extra.into(), ..Setup::default() };
        let clock = TestClock::new();
        let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        let front = Front::start().await;
        let mut replicas = Vec::new();
        for _ in 0..count {
            let listener = front.add().await;
            let (setup, clock, provider) = (setup.clone(), Arc::clone(&clock), Arc::clone(&provider));
            replicas.push(TestBroker::behind(setup, clock, provider, listener, &front.origin).await);
        }
        Some(Self { front, replicas })
    }

    /// What every replica is asked through: the public issuer is the same.
    fn public(&self) -> &TestBroker {
        &self.replicas[0]
    }
}

/// From the configuration file to a signed-in person, in each shape of a Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sign_in_works_in_each_shape() {
    let (Some(tls), Some(sentinel), Some(cluster)) =
        (redis_tls::shared(), redis_sentinel::shared(), redis_cluster::shared())
    else {
        return;
    };
    let folder = TempDir::new();
    for mapping in [tls.mapping(folder.path()), sentinel.mapping(), cluster.mapping()] {
        let store = format!("store: {mapping}\nstore_prefix: \"{}\"\n", fresh_prefix());
        let broker = TestBroker::with(Setup { store, ..Setup::default() }).await;
        let client = TestClient::register(&broker).await;
        let first = client.tokens(&broker).await;
        let second = Tokens::of(&client.refresh(&broker, &first.refresh).await);
        assert_eq!(client.revoke(&broker, &second.refresh).await.status, 200);
        assert!(refused(&client.refresh(&broker, &second.refresh).await), "{mapping}");
    }
}

fn refused(page: &Page) -> bool {
    (page.status, page.error().as_str()) == (400, "invalid_grant")
}

/// Every step of one sign-in at another replica: registered at A, asked at B, approved at A,
/// called back at B, redeemed at A, refreshed at B, revoked at A. No replica keeps a step to
/// itself, they share one signing key, and each accepts the other's tokens.
#[tokio::test]
async fn a_sign_in_may_change_the_replica_at_every_step() {
    let Some(fleet) = Fleet::start(2).await else { return };
    let (front, broker) = (&fleet.front, fleet.public());
    let [a, b] = [0, 1];
    front.to(a);
    let client = TestClient::register(broker).await;
    let browser = broker.browser();
    front.to(b);
    let consent = browser.get(&client.authorize_url(broker)).await;
    assert_eq!(consent.status, 200, "{}", consent.body);
    front.to(a);
    let away = browser.press(&consent, "upstream", "idp").await;
    assert_eq!(away.status, 303, "{}", away.body);
    let at_provider = browser.get(&away.location().unwrap()).await;
    front.to(b);
    let back = browser.get(&at_provider.location().unwrap()).await;
    assert_eq!(back.status, 303, "{}", back.body);
    let answer = crate::harness::browser::query(&back.location().unwrap());
    assert_eq!(answer["iss"], front.origin);
    front.to(a);
    let first = Tokens::of(&client.redeem(broker, &answer["code"]).await);
    front.to(b);
    let second = Tokens::of(&client.refresh(broker, &first.refresh).await);
    assert_ne!(second.refresh, first.refresh);
    let mut keys = BTreeSet::new();
    for replica in [a, b] {
        front.to(replica);
        keys.insert(browser.get(&broker.url("/oauth/jwks")).await.body);
        let verifier = fleet.replicas[replica].parts.tokens.minter.verifier(broker.clock.now());
        for tokens in [&first, &second] {
            assert!(verifier.verify_for_any(&tokens.access, broker.clock.now()).is_ok());
        }
    }
    assert_eq!(keys.len(), 1, "one signing key: {keys:?}");
    front.to(a);
    assert_eq!(client.revoke(broker, &second.access).await.status, 200);
    front.to(b);
    assert!(refused(&client.refresh(broker, &second.refresh).await), "SEC-134: seen by every replica");
}

/// INT-26: what one replica has issued this moment counts at every other one, the first time that it is
/// shown, whether the server checks the JWT with keys that it had before, or asks.
#[tokio::test]
async fn int_26_a_new_token_counts_at_once_at_every_replica() {
    let server = "clients:\n  - { id: server, name: Server, introspects: [https://mcp.example.com/mcp], \
                  secret: Rt7-server-Wq8vXw3nT5yKb2Lr9sJd4Hf7 }\n";
    let Some(fleet) = Fleet::with(3, server).await else { return };
    let (front, broker) = (&fleet.front, fleet.public());
    let keys = broker.browser().get(&broker.url("/oauth/jwks")).await.json();
    let verifier = AccessTokenVerifier::new(&front.origin, KeySet::from_jwks(&keys));
    let client = TestClient::register(broker).await;
    let resource = ResourceUri::parse(RESOURCE).expect("a resource");
    front.to(0);
    let mut tokens = client.tokens(broker).await;
    for issued_at in 0..3 {
        front.to(issued_at);
        tokens = Tokens::of(&client.refresh(broker, &tokens.refresh).await);
        assert!(verifier.verify(&tokens.access, &resource, broker.clock.now()).is_ok(), "{issued_at}");
        for asked in 0..3 {
            front.to(asked);
            let url = broker.url("/oauth/introspect");
            let request = broker.browser().http().post(&url).form(&[("token", &tokens.access)]);
            let request = request.basic_auth("server", Some("Rt7-server-Wq8vXw3nT5yKb2Lr9sJd4Hf7"));
            let told = Page::of(&url, request.send().await.expect("an answer")).await;
            assert_eq!(told.json()["active"], true, "issued at {issued_at}, asked at {asked}: {}", told.body);
        }
    }
}

/// Signed in at one replica, signed in at every one: asked at B, allowed at A, both halves of a double
/// click at different replicas; signed out at B, and so at A.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_039_a_session_holds_at_every_replica() {
    let Some(fleet) = Fleet::start(2).await else { return };
    let (front, broker) = (&fleet.front, fleet.public());
    let [a, b] = [0, 1];
    front.to(a);
    let client = TestClient::register(broker).await;
    let browser = broker.browser();
    client.sign_in(broker, &browser).await;
    front.to(b);
    let page = browser.get(&client.authorize_url(broker)).await;
    assert!(page.body.contains("value=\"allow\""), "{}", page.body);
    front.in_turn();
    let (one, two) =
        futures::join!(browser.press(&page, "action", "allow"), browser.press(&page, "action", "allow"));
    let code = |page: &Page| crate::harness::browser::query(&page.location().unwrap())["code"].clone();
    assert_eq!(code(&one), code(&two), "one code");
    assert_eq!(client.redeem(broker, &code(&one)).await.status, 200);
    front.to(b);
    let leaving = browser.get(&broker.url("/oauth/logout")).await;
    let token = leaving.form().1["form_token"].clone();
    front.to(a);
    assert_eq!(browser.post(&leaving.url, &[("form_token", &token)]).await.status, 200);
    front.to(b);
    let page = browser.get(&client.authorize_url(broker)).await;
    assert!(!page.body.contains("value=\"allow\""), "signed out everywhere");
}

/// SEC-042, SEC-057: two replicas get the same callback at once; one code comes of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_057_a_callback_counts_once_over_replicas() {
    let Some(fleet) = Fleet::start(3).await else { return };
    let broker = fleet.public();
    let client = TestClient::register(broker).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(broker)).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    let at_provider = browser.get(&away.location().unwrap()).await;
    let callback = at_provider.location().unwrap();
    let (_, cookie) = (consent, away.header("set-cookie").split(';').next().unwrap().to_owned());
    let calls = (0..12).map(|_| {
        let (callback, cookie) = (callback.clone(), cookie.clone());
        async move {
            let http = crate::harness::browser::Browser::new();
            let request = http.http().get(&callback).header("cookie", cookie);
            Page::of(&callback, request.send().await.unwrap()).await
        }
    });
    let answers = join_all(calls).await;
    let (good, bad): (Vec<_>, Vec<_>) = answers.iter().partition(|page| page.status == 303);
    assert_eq!(good.len(), 1);
    assert!(bad.iter().all(|page| page.status == 400 && page.location().is_none()));
    assert_eq!(broker.provider.token_requests().len(), 1, "the upstream's code is sent once");
    let code = &crate::harness::browser::query(&good[0].location().unwrap())["code"];
    assert_eq!(client.redeem(broker, code).await.status, 200, "the first stands");
}

/// SEC-078: 100 redemptions of one code at once, over three replicas: one gets tokens.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_078_one_hundred_redemptions_over_three_replicas_give_one_answer() {
    let Some(fleet) = Fleet::start(3).await else { return };
    let broker = fleet.public();
    let client = TestClient::register(broker).await;
    let code = client.code(broker).await;
    fleet.front.in_turn();
    let answers = join_all((0..100).map(|_| client.redeem(broker, &code))).await;
    assert_eq!(answers.iter().filter(|page| page.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|page| refused(page)).count(), 99);
}

/// SEC-085, INT-61: parallel refreshes with one token, over three replicas, all succeed with one
/// successor; SEC-084: after the grace window the old token ends the family everywhere.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sec_085_parallel_refreshes_over_replicas_have_one_successor() {
    let Some(fleet) = Fleet::start(3).await else { return };
    let broker = fleet.public();
    let client = TestClient::register(broker).await;
    let first = client.tokens(broker).await;
    let answers = join_all((0..30).map(|_| client.refresh(broker, &first.refresh))).await;
    let successors: BTreeSet<String> = answers.iter().map(|page| Tokens::of(page).refresh).collect();
    assert_eq!(successors.len(), 1);
    let successor = successors.first().unwrap();
    assert_ne!(*successor, first.refresh);
    broker.clock.advance(Duration::from_secs(120));
    assert!(refused(&client.refresh(broker, &first.refresh).await), "reuse");
    for replica in 0..3 {
        fleet.front.to(replica);
        assert!(refused(&client.refresh(broker, successor).await), "the family is over at {replica}");
    }
}

/// SEC-091: a broker on an embedded file is stopped and started again. Its refresh tokens live
/// on, its signing key is the same, and reuse of a token from before the restart still ends the
/// family.
#[test]
fn sec_091_a_restart_keeps_refresh_tokens_and_reuse_detection() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let clock = TestClock::new();
    // The provider and the public origin outlive the broker.
    let outside = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (provider, front) = outside.block_on(async {
        let provider = TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>);
        (Arc::new(provider), Front::start().await)
    });
    let mut life = 0;
    // A runtime of its own for each life: when it is gone, nothing of that broker is left.
    let mut live = |work: &dyn Fn(TestBroker) -> futures::future::LocalBoxFuture<'static, Saved>| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let setup = Setup { store: store.clone(), ..Setup::default() };
        let (clock, provider) = (Arc::clone(&clock), Arc::clone(&provider));
        runtime.block_on(async {
            let listener = front.add().await;
            front.to(life);
            life += 1;
            work(TestBroker::behind(setup, clock, provider, listener, &front.origin).await).await
        })
    };
    let before = live(&|broker| {
        Box::pin(async move {
            let client = TestClient::register(&broker).await;
            let old = client.tokens(&broker).await;
            let current = Tokens::of(&client.refresh(&broker, &old.refresh).await);
            let jwks = broker.parts.keys.current().jwks().clone();
            Saved { client, old: old.refresh, current: current.refresh, jwks }
        })
    });
    let saved = before.clone();
    let after = live(&move |broker| {
        let saved = saved.clone();
        Box::pin(async move {
            assert_eq!(*broker.parts.keys.current().jwks(), saved.jwks, "the same signing key");
            let next = Tokens::of(&saved.client.refresh(&broker, &saved.current).await);
            Saved { current: next.refresh, ..saved }
        })
    });
    clock.advance(Duration::from_secs(3600));
    let saved = after.clone();
    live(&move |broker| {
        let saved = saved.clone();
        Box::pin(async move {
            assert!(refused(&saved.client.refresh(&broker, &saved.old).await), "reuse is recognised");
            assert!(refused(&saved.client.refresh(&broker, &saved.current).await), "the family is over");
            saved
        })
    });
    let saved = after.clone();
    live(&move |broker| {
        let saved = saved.clone();
        Box::pin(async move {
            assert!(refused(&saved.client.refresh(&broker, &saved.current).await), "and stays over");
            saved
        })
    });
}

/// What one life of the broker leaves to the next.
#[derive(Clone)]
struct Saved {
    client: TestClient,
    old: String,
    current: String,
    jwks: serde_json::Value,
}
