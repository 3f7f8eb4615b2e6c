//! The signing keys over time: made once, published before use, rotated, retired; on replicas
//! and over restarts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use gatelodge::clock::{Clock, Timestamp};
use gatelodge::demo::mcp_server::McpServer;
use gatelodge::domain::Haste;
use gatelodge::protocol::{KeySet, ResourceUri, SigningAlgorithm};
use gatelodge::resource_server::{KeyLoader, ResourceServer};
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use gatelodge::tokens::{AccessTokenVerifier, SigningKey};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Browser;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::extent::{extent, figure};
use crate::harness::front::Front;
use crate::harness::keys::TestKey;
use crate::harness::provider::TestProvider;
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::temp_dir::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An MCP server that keeps the broker's keys for exactly as long as the broker allows, and does
/// not ask again for a key that it does not know: the least forgiving one there may be.
struct StubbornServer {
    issuer: String,
    http: Browser,
    keys: Option<(Timestamp, AccessTokenVerifier)>,
}

impl StubbornServer {
    fn new(broker: &TestBroker) -> Self {
        Self { issuer: broker.issuer.clone(), http: broker.browser(), keys: None }
    }

    async fn accepts(&mut self, broker: &TestBroker, token: &str) -> bool {
        let now = broker.clock.now();
        if self.keys.as_ref().is_none_or(|(until, _)| now >= *until) {
            let page = self.http.get(&broker.url("/.well-known/jwks.json")).await;
            let max_age = page.header("cache-control").split("max-age=").nth(1).expect("a max-age").parse();
            let until = now.plus(Duration::from_secs(max_age.expect("seconds")));
            let verifier = AccessTokenVerifier::new(&self.issuer, KeySet::from_jwks(&page.json()));
            self.keys = Some((until, verifier));
        }
        let resource = ResourceUri::parse(RESOURCE).expect("a resource");
        self.keys.as_ref().is_some_and(|(_, keys)| keys.verify(token, &resource, now).is_ok())
    }
}

fn kid(token: &str) -> String {
    let jws = gatelodge::protocol::Jws::parse(token).expect("a JWT");
    jws.header("kid").expect("a kid").to_owned()
}

fn published(broker: &TestBroker) -> Vec<String> {
    let current = broker.parts.keys.current();
    let keys = current.jwks()["keys"].as_array().expect("keys");
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

/// Two replicas on Redis, or nothing where there is none.
async fn replicas(extra: &str) -> Option<(Front, Vec<TestBroker>)> {
    let redis = redis_server::shared()?;
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let setup = Setup { store, extra: extra.into(), ..Setup::default() };
    let clock = TestClock::new();
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    provider.sign_in_as(crate::harness::provider::Person::new("alice", "alice@example.com"));
    let front = Front::start().await;
    let mut brokers = Vec::new();
    for _ in 0..2 {
        let listener = front.add().await;
        let (setup, clock, provider) = (setup.clone(), Arc::clone(&clock), Arc::clone(&provider));
        brokers.push(TestBroker::behind(setup, clock, provider, listener, &front.origin).await);
    }
    Some((front, brokers))
}

/// REL-18: two replicas, weeks of rotations every two days; each token is shown again
/// and again until it ends, to servers whose keys are of every age that the broker allows, from
/// either replica. No token is ever refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_18_no_token_is_refused_through_rotations_on_two_replicas() {
    let extra = "signing: { rotate_every: 2d }\ntokens: { access_lifetime: 2h }\n";
    let Some((front, brokers)) = replicas(extra).await else { return };
    let broker = &brokers[0];
    front.in_turn();
    let client = TestClient::register(broker).await;
    let mut tokens = client.tokens(broker).await;
    let mut servers: Vec<_> = (0..8).map(|_| StubbornServer::new(broker)).collect();
    let (mut alive, mut signers) = (Vec::<(Timestamp, String)>::new(), BTreeSet::new());
    let (mut asked, mut refused) = (0_u32, 0_u32);
    let start = broker.clock.now();
    let rounds = extent(300, 7000);
    let mut signed_in = start;
    for round in 0..rounds {
        // Housekeeping comes to the replicas at different times; one misses most rounds.
        brokers[round % 2].parts.keys.tend().await.expect("the store is there");
        let page = client.refresh(broker, &tokens.refresh).await;
        tokens = Tokens::of(&page);
        signers.insert(kid(&tokens.access));
        let now = broker.clock.now();
        if now.since(signed_in) > 60 * DAY {
            // A grant ends after 90 days.
            (signed_in, tokens) = (now, client.tokens(broker).await);
        }
        alive.retain(|(end, _)| now < *end);
        alive.push((now.plus(DAY / 12), tokens.access.clone()));
        for (at, server) in servers.iter_mut().enumerate() {
            // Each server is asked in its own rhythm, so that caches are of every age.
            if round % (at + 1) == 0 {
                for (_, token) in &alive {
                    asked += 1;
                    refused += u32::from(!server.accepts(broker, token).await);
                }
            }
        }
        // Everything happens when a day is full: there minutes count, else hours will do.
        let of_day = (broker.clock.now().since(start).as_secs() + 900) % DAY.as_secs();
        broker.clock.advance(Duration::from_secs(if of_day < 1800 { 97 } else { 3001 }));
    }
    assert_eq!(refused, 0, "of {asked}");
    assert!(asked as usize > 13 * rounds, "{asked}");
    assert!(signers.len() >= 4, "{signers:?}");
    let rotations = signers.len() - 1;
    let seen = format!("{rotations} rotations on 2 replicas: {refused} of {asked} requests refused");
    figure("REL-18", "our signing keys rotate under traffic", &seen);
}

/// REL-18: the demo's MCP server asks for keys only when it meets a name that it does not know,
/// and not again within half a minute. Strangers who invent names at the worst moments do not make
/// it refuse the new key.
#[tokio::test]
async fn rel_18_the_demos_server_follows_whatever_strangers_send() {
    let broker = Arc::new(TestBroker::start().await);
    let loader: KeyLoader = {
        let broker = Arc::clone(&broker);
        Arc::new(move || {
            let document = broker.parts.keys.current().jwks().clone();
            Box::pin(async move { Ok(document) })
        })
    };
    let guarded = ResourceServer::new(RESOURCE, &broker.issuer).keys(loader).clock(broker.clock.clone());
    let server = McpServer::new(guarded).expect("a server");
    let router = server.router();
    let status = async |token: &str| {
        let request = Request::post("/mcp").header("host", "mcp.example.com");
        let request = request.header("authorization", format!("Bearer {token}")).body(Body::empty());
        router.clone().oneshot(request.expect("a request")).await.expect("an answer").status().as_u16()
    };
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    assert_ne!(status(&tokens.access).await, 401);
    let first = kid(&tokens.access);
    broker.parts.keys.rotate(SigningAlgorithm::Es256, Haste::Usual).await.expect("a rotation");
    broker.clock.advance(Duration::from_secs(24 * 3600 - 40));
    for (number, wait) in [20, 19, 1, 1, 28, 1, 600].into_iter().enumerate() {
        let stranger = TestKey::es256(&format!("invented {number}"));
        let invented = stranger.sign(&stranger.header("at+jwt"), &serde_json::Map::new());
        assert_eq!(status(&invented).await, 401);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        assert_ne!(status(&tokens.access).await, 401, "{number}");
        broker.clock.advance(Duration::from_secs(wait));
    }
    assert_ne!(kid(&tokens.access), first);
}

/// Replicas that find a rotation due at the same moment publish the same next key.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_rotate_at_once_agree() {
    let Some((_front, brokers)) = replicas("").await else { return };
    let before = published(&brokers[0]);
    assert_eq!(before, published(&brokers[1]));
    brokers[0].clock.advance(89 * DAY);
    let (a, b) = tokio::join!(brokers[0].parts.keys.tend(), brokers[1].parts.keys.tend());
    a.and(b).expect("both look after the keys");
    for broker in &brokers {
        broker.parts.keys.tend().await.expect("one more look");
    }
    let after = published(&brokers[0]);
    assert_eq!((after.len(), &after[..1]), (2, &before[..]));
    assert_eq!(after, published(&brokers[1]));
}

/// PRIN-6: a store that lost its newest records gets the ring back from whoever holds it.
#[tokio::test]
async fn prin_6_a_ring_that_the_store_has_lost_is_put_back() {
    let Some((_front, brokers)) = replicas("").await else { return };
    let [a, b] = [&brokers[0].parts.keys, &brokers[1].parts.keys];
    let old = a.keys.ring();
    assert!(a.rotate(SigningAlgorithm::Es256, Haste::Now).await.expect("a rotation"));
    b.tend().await.expect("the other one learns of it");
    let rotated = a.keys.ring();
    // What a failover does: the older record is there again.
    assert!(brokers[0].store.replace_key_ring(&old, rotated.version).await.expect("the store"));
    b.tend().await.expect("a look");
    a.tend().await.expect("a look");
    assert_eq!(brokers[0].store.key_ring().await.expect("the store"), Some(rotated.clone()));
    assert_eq!((a.keys.ring(), b.keys.ring()), (rotated.clone(), rotated));
}

/// `signing.algorithm` changes: the new key is published first, and what the old one signed stays
/// good until it is over. A store that is away meanwhile changes nothing.
#[tokio::test]
async fn another_algorithm_is_published_before_it_is_used() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let es256 = Setup { store, ..Setup::default() };
    let rs256 = Setup { extra: "signing: { algorithm: RS256 }\n".into(), ..es256.clone() };
    let clock = TestClock::new();
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    provider.sign_in_as(crate::harness::provider::Person::new("alice", "alice@example.com"));
    let first = TestBroker::replica(es256, Arc::clone(&clock), Arc::clone(&provider)).await;
    let old = published(&first);
    first.stop().await;

    let broker = TestBroker::replica(rs256, clock, provider).await;
    let algorithms = || {
        let current = broker.parts.keys.current();
        let keys = current.jwks()["keys"].as_array().expect("keys").clone();
        keys.iter().map(|key| key["alg"].as_str().expect("an alg").to_owned()).collect::<Vec<_>>()
    };
    broker.store.fail(Operation::KeyRing);
    assert!(broker.parts.keys.tend().await.is_err());
    assert_eq!(published(&broker), old);
    broker.store.heal();
    broker.store.fail(Operation::ReplaceKeyRing);
    assert!(broker.parts.keys.tend().await.is_err());
    broker.store.heal();
    broker.parts.keys.tend().await.expect("the store is back");
    assert_eq!(algorithms(), ["ES256", "RS256"]);
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    assert_eq!(kid(&tokens.access), old[0]);
    broker.clock.advance(DAY);
    assert_eq!(algorithms(), ["RS256", "ES256"]);
    assert_ne!(kid(&client.tokens(&broker).await.access), old[0]);
    broker.clock.advance(DAY + Duration::from_secs(300));
    assert_eq!(algorithms(), ["RS256"]);
    broker.parts.keys.tend().await.expect("a look");
    assert_eq!(broker.parts.keys.keys.ring().keys.len(), 1, "the old private key is forgotten");
}

/// What brokers kept before there was a ring: one sealed key for each algorithm.
fn old_record(sealer: &gatelodge::secret::Sealer, name: &str) -> (String, Vec<u8>) {
    let pem = SigningKey::generate(SigningAlgorithm::Es256).expect("a key");
    let kid = SigningKey::from_pem(SigningAlgorithm::Es256, &pem).expect("a key").kid().to_owned();
    let record = json!({ "v": 1, "record": pem.expose() });
    (kid, sealer.seal(name, record.to_string().as_bytes()))
}

fn setup_sealer(setup: &Setup) -> gatelodge::secret::Sealer {
    MasterSecret::new(Secret::new(setup.secret.clone())).expect("a secret").sealer()
}

/// The key that an older broker adopted becomes the ring's first, and signs on.
#[tokio::test]
async fn rel_19_an_embedded_store_of_an_older_broker_keeps_its_key() {
    let folder = TempDir::new();
    let path = folder.path().join("state.db");
    let setup = Setup { store: format!("store: {}\n", path.display()), ..Setup::default() };
    let (kid_before, sealed) = old_record(&setup_sealer(&setup), "key:ES256");
    let database = redb::Database::create(&path).expect("a file");
    let write = database.begin_write().expect("a transaction");
    let table = redb::TableDefinition::<&str, &[u8]>::new("signing_keys");
    write.open_table(table).expect("a table").insert("key:ES256", sealed.as_slice()).expect("a record");
    write.commit().expect("it is kept");
    drop(database);
    signs_on(setup, &kid_before).await;
}

/// The same in Redis.
#[tokio::test]
async fn rel_19_a_redis_of_an_older_broker_keeps_its_key() {
    let Some(server) = redis_server::shared() else { return };
    let prefix = fresh_prefix();
    let store = format!("store: {}\nstore_prefix: \"{prefix}\"\n", server.url().expose());
    let setup = Setup { store, ..Setup::default() };
    let key = format!("{prefix}1:keys");
    let (kid_before, sealed) = old_record(&setup_sealer(&setup), &format!("{key}:ES256"));
    let mut raw = redis::Client::open(server.url().expose()).unwrap().get_connection().unwrap();
    redis::Cmd::new().arg("HSET").arg(&key).arg("ES256").arg(sealed).exec(&mut raw).unwrap();
    signs_on(setup, &kid_before).await;
}

async fn signs_on(setup: Setup, kid_before: &str) {
    let broker = TestBroker::with(setup).await;
    assert_eq!(published(&broker), [kid_before]);
    let client = TestClient::register(&broker).await;
    assert_eq!(kid(&client.tokens(&broker).await.access), kid_before);
    broker.parts.keys.rotate(SigningAlgorithm::Es256, Haste::Usual).await.expect("a rotation");
    assert_eq!(published(&broker).len(), 2);
}

/// `key_file`: the first key signs, the others are published, and nothing is kept in the store.
#[tokio::test]
async fn the_operators_own_keys_are_used_as_they_are() {
    let folder = TempDir::new();
    let key = |algorithm, name: &str| {
        let pem = SigningKey::generate(algorithm).expect("a key");
        let path = folder.path().join(name);
        std::fs::write(&path, pem.expose()).expect("a file");
        let kid = SigningKey::from_pem(algorithm, &pem).expect("a key").kid().to_owned();
        (path.display().to_string(), kid)
    };
    let (new, old) = (key(SigningAlgorithm::EdDsa, "new.pem"), key(SigningAlgorithm::Rs256, "old.pem"));
    let extra = format!("signing: {{ algorithm: EdDSA, key_file: ['{}', '{}'] }}\n", new.0, old.0);
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    assert_eq!(published(&broker), [new.1.as_str(), old.1.as_str()]);
    broker.clock.advance(1000 * DAY);
    broker.parts.keys.tend().await.expect("nothing to do");
    assert_eq!(published(&broker), [new.1.as_str(), old.1.as_str()]);
    let client = TestClient::register(&broker).await;
    assert_eq!(kid(&client.tokens(&broker).await.access), new.1);
    assert_eq!(broker.store.key_ring().await.expect("the store"), None);
    let shown: Value = broker.parts.keys.current().jwks().clone();
    assert_eq!(shown["keys"][1]["alg"], "RS256");
}
