//! One Redis with an append-only file, killed and started again under three brokers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::future::join_all;
use gatelodge::clock::Clock;
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::tokens::RefreshTokens;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::eventually::{Stopwatch, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::front::Front;
use crate::harness::provider::{Person, TestProvider};
use crate::harness::redis_server::{RedisServer, fresh_prefix, installed};

const BROKERS: usize = 3;
const BOUND: Duration = Duration::from_secs(20);

/// Somebody who refreshes all the time at whichever broker is next.
struct Somebody {
    client: TestClient,
    token: String,
    served: AtomicUsize,
    faults: AtomicUsize,
}

/// REL-01: everybody refreshes at three brokers while their Redis is killed and started again.
/// Whatever is not a successor is 503 with `Retry-After`; within 5 s of each start everybody is
/// served again, and nobody was signed out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_01_restarts_under_three_brokers_lose_nobody() {
    if !installed() {
        return;
    }
    let (restarts, people) = (extent(1, 10), extent(8, 50));
    let mut redis = RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "everysec"]);
    let (_front, brokers) = fleet(&redis).await;
    let broker = &brokers[0];
    let sign_ins = (0..people).map(|number| async move {
        let client = TestClient::register(broker).await;
        broker.provider.sign_in_as(Person::new(&format!("p{number}"), &format!("p{number}@example.com")));
        let token = client.tokens(broker).await.refresh;
        Arc::new(Somebody { client, token, served: AtomicUsize::new(0), faults: AtomicUsize::new(0) })
    });
    let mut everybody = Vec::new();
    for sign_in in sign_ins {
        everybody.push(sign_in.await);
    }
    let (url, over) = (broker.url("/oauth/token"), Arc::new(AtomicBool::new(false)));
    let living =
        everybody.iter().map(|one| tokio::spawn(live(Arc::clone(one), url.clone(), Arc::clone(&over))));
    let living: Vec<_> = living.collect();
    let mut slowest = Duration::ZERO;
    for _ in 0..restarts {
        let reached = |count: fn(&Somebody) -> &AtomicUsize, since: Vec<usize>| {
            let everybody = &everybody;
            async move || everybody.iter().zip(&since).all(|(one, since)| count(one).load(SeqCst) > *since)
        };
        let now = |count: fn(&Somebody) -> &AtomicUsize| {
            everybody.iter().map(|one| count(one).load(SeqCst)).collect::<Vec<_>>()
        };
        redis.signal("KILL");
        eventually_async("everybody meets 503", BOUND, reached(|one| &one.faults, now(|one| &one.faults)))
            .await;
        let begin = Stopwatch::start();
        redis.start_again();
        let served = reached(|one| &one.served, now(|one| &one.served));
        eventually_async("everybody is served", BOUND, served).await;
        slowest = slowest.max(begin.elapsed());
    }
    over.store(true, SeqCst);
    for one in join_all(living).await {
        one.expect("nobody was told anything else");
    }
    assert!(slowest <= Duration::from_secs(5), "served again after {slowest:?}");
    let total = |count: fn(&Somebody) -> &AtomicUsize| -> usize {
        everybody.iter().map(|one| count(one).load(SeqCst)).sum()
    };
    let seen = format!(
        "{restarts} restarts, {people} people at {BROKERS} brokers: nobody lost; {} refreshes, {} errors, each \
         503 with `Retry-After`; everybody served again within {slowest:.1?} of the start",
        total(|one| &one.served),
        total(|one| &one.faults)
    );
    figure("REL-01", "Redis is killed and started again (append-only file, `everysec`)", &seen);
}

/// Refreshes until it is over, and once more.
async fn live(one: Arc<Somebody>, url: String, over: Arc<AtomicBool>) {
    let tokens = RefreshTokens::new(&MasterSecret::new(Secret::new(Setup::default().secret)).unwrap());
    let mut token = one.token.clone();
    loop {
        let last = over.load(SeqCst);
        let page = one.client.refresh_at(&url, &token).await;
        if page.status == 200 {
            let (before, next) = (tokens.read(&token).unwrap(), Tokens::of(&page).refresh);
            let after = tokens.read(&next).unwrap();
            assert_eq!((after.grant(), after.generation()), (before.grant(), before.generation() + 1));
            token = next;
            one.served.fetch_add(1, SeqCst);
            if last {
                return;
            }
        } else {
            assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"));
            assert!(page.header("retry-after").parse::<u32>().is_ok());
            one.faults.fetch_add(1, SeqCst);
        }
    }
}

/// The brokers, on one public origin in turn.
async fn fleet(redis: &RedisServer) -> (Front, Vec<TestBroker>) {
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let (setup, clock) = (Setup { store, ..Setup::default() }, TestClock::new());
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    let front = Front::start().await;
    let mut brokers = Vec::new();
    for _ in 0..BROKERS {
        let listener = front.add().await;
        let (setup, clock, provider) = (setup.clone(), Arc::clone(&clock), Arc::clone(&provider));
        brokers.push(TestBroker::behind(setup, clock, provider, listener, &front.origin).await);
    }
    front.in_turn();
    (front, brokers)
}
