//! One server that stalls, is demoted, or evicts.

use std::sync::Arc;

use futures::future::join_all;
use gatelodge::secret::MasterSecret;
use gatelodge::store::{RedisStore, Store as _, StoreError};

use super::{LONGEST, Person, RULES, family, rotate, store};
use crate::harness::eventually::{Stopwatch, eventually_async};
use crate::harness::extent::{extent, figure};
use crate::harness::redis_server::{RedisServer, installed};
use crate::harness::sample::{NOW, grant, later};

/// REL-05: a server that accepts and says nothing is waited for 3 s at most, by everybody who
/// asks, twice over; and nothing is used up by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_05_a_stalled_server_is_shed_in_time() {
    if !installed() {
        return;
    }
    let server = RedisServer::start();
    let store = store(&server.servers()).await;
    let id = family(&store).await;
    server.signal("STOP");
    for wave in 0..2 {
        let calls = (0..50).map(|_| async {
            let begin = Stopwatch::start();
            let answer = store.grant(&id, NOW).await;
            (answer, begin.elapsed())
        });
        for (answer, took) in join_all(calls).await {
            assert!(matches!(answer, Err(StoreError::Unavailable(_))), "wave {wave}: {answer:?}");
            assert!(took <= LONGEST, "wave {wave}: {took:?}");
        }
    }
    let begin = Stopwatch::start();
    assert!(store.end_grant(&id).await.is_err(), "a revocation is bounded, too");
    assert!(begin.elapsed() <= LONGEST);
    server.signal("CONT");
    eventually_async("it serves again", LONGEST, async || store.grant(&id, NOW).await.is_ok()).await;
    let answers = join_all((0..50).map(|_| store.grant(&id, NOW))).await;
    assert!(answers.iter().all(Result::is_ok), "every connection is good again");
    // The revocation above may have been executed after all; nobody was told that it was not.
    assert!(store.end_grant(&id).await.is_ok());
}

/// What many ask at the same moment goes out in a few writes, and everybody gets the answer to what they asked.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_is_asked_at_the_same_moment_goes_out_together() {
    const CALLERS: u64 = 50;
    if !installed() {
        return;
    }
    let server = RedisServer::start();
    let store = Arc::new(store(&server.servers()).await);
    let mut ids = Vec::new();
    for _ in 0..CALLERS {
        ids.push(family(store.as_ref()).await);
    }
    let reads = || {
        let stats: String = server.ask("INFO stats");
        let line = stats.lines().find_map(|line| line.strip_prefix("total_reads_processed:")).unwrap();
        line.trim().parse::<u64>().unwrap()
    };
    let before = reads();
    // The tasks begin on the worker, one after the other, before any of them is answered.
    let all = tokio::spawn(async move {
        let calls: Vec<_> = ids
            .into_iter()
            .map(|id| {
                let store = Arc::clone(&store);
                tokio::spawn(async move { (id, store.grant(&id, NOW).await) })
            })
            .collect();
        join_all(calls).await
    });
    for call in all.await.unwrap() {
        let (id, found) = call.unwrap();
        assert_eq!(found.unwrap().unwrap().id, id);
    }
    let reads = reads() - before;
    assert!(reads < CALLERS / 5, "{CALLERS} commands took {reads} reads");
}

/// Every policy but the right one.
const EVICTING: [&str; 7] = [
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
];

/// REL-07: a Redis that may evict is refused at start; one that begins to is told about each time
/// that it is looked at, and serves on.
#[tokio::test]
async fn rel_07_eviction_is_refused_and_noticed() {
    if !installed() {
        return;
    }
    let server = RedisServer::start();
    for policy in EVICTING {
        server.ask::<()>(&format!("CONFIG SET maxmemory-policy {policy}"));
        let sealer = MasterSecret::generate().sealer();
        let refused = RedisStore::connect(&server.servers(), "gl:", sealer).await.unwrap_err();
        assert!(matches!(refused, StoreError::Unfit(_)), "{refused}");
        for word in [policy, "noeviction", &server.port.to_string()] {
            assert!(refused.to_string().contains(word), "{refused}");
        }
    }
    server.ask::<()>("CONFIG SET maxmemory-policy noeviction");
    let store = store(&server.servers()).await;
    store.tend(NOW).await.unwrap();
    for policy in EVICTING {
        server.ask::<()>(&format!("CONFIG SET maxmemory-policy {policy}"));
        for _ in 0..2 {
            let noticed = store.tend(NOW).await.unwrap_err();
            assert!(matches!(&noticed, StoreError::Unfit(what) if what.contains(policy)), "{noticed}");
            store.ping().await.expect("it serves on");
        }
        server.ask::<()>("CONFIG SET maxmemory-policy noeviction");
        store.tend(NOW).await.unwrap();
    }
    let seen = format!(
        "each of {} policies refused at start, and told of by each look that comes once a minute",
        EVICTING.len()
    );
    figure("REL-07", "a policy that evicts", &seen);
}

/// REL-06: before the memory is full somebody hears of it.
#[tokio::test]
async fn rel_06_memory_that_runs_out_is_told_of() {
    if !installed() {
        return;
    }
    let server = RedisServer::start();
    let store = store(&server.servers()).await;
    store.tend(NOW).await.unwrap();
    let used: String = server.ask("INFO memory");
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim();
    server.ask::<()>(&format!("CONFIG SET maxmemory {}", used.parse::<u64>().unwrap() * 5 / 4));
    assert!(matches!(store.tend(NOW).await, Err(StoreError::Unfit(what)) if what.contains("maxmemory")));
}

/// REL-08: a primary that was demoted answers READONLY; that is 503, and it is over when it ends.
#[tokio::test]
async fn rel_08_readonly_is_unavailable_and_passes() {
    if !installed() {
        return;
    }
    let (server, other) = (RedisServer::start(), RedisServer::start());
    let store = store(&server.servers()).await;
    let mut person = Person::new(&store).await;
    let demotions = extent(1, 50);
    for _ in 0..demotions {
        server.ask::<()>(&format!("REPLICAOF 127.0.0.1 {}", other.port));
        for _ in 0..4 {
            assert!(!person.refresh(&store).await);
        }
        // Before it has thrown its own data away for the other's, which it does when it has them.
        server.ask::<()>("REPLICAOF NO ONE");
        for _ in 0..4 {
            assert!(person.refresh(&store).await, "at once, on every connection");
        }
    }
    let seen = format!("{demotions} times: every refresh 503 meanwhile, none afterwards");
    figure("REL-08", "`READONLY`: the primary is demoted and comes back", &seen);
}

/// REL-03: a failover can bring a code back that was used. It is good for
/// its minute and no longer, and there is one live grant.
#[tokio::test]
async fn rel_03_a_resurrected_code_ends_with_its_minute() {
    use gatelodge::domain::Redemption;
    let Some(server) = crate::harness::redis_server::shared() else { return };
    let prefix = crate::harness::redis_server::fresh_prefix();
    let sealer = MasterSecret::generate().sealer();
    let store = RedisStore::connect(&server.servers(), &prefix, sealer).await.unwrap();
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    let key = format!("{prefix}1:person:{{{}}}", opened.id.person());
    let mut raw = server.connection();
    let mut word = |words: &[&[u8]]| {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(*word);
        }
        command.query::<redis::Value>(&mut raw).unwrap()
    };
    let redis::Value::BulkString(before) = word(&[b"DUMP", key.as_bytes()]) else { panic!("no dump") };
    let redeem = async |at| store.redeem_code(&opened.id, at, RULES.idle).await.unwrap();
    assert_eq!(redeem(NOW).await, Redemption::Redeemed);
    for (at, then) in [
        (later(60), Redemption::Gone),
        (later(59), Redemption::Redeemed),
        (later(59), Redemption::AlreadyRedeemed),
    ] {
        if then != Redemption::AlreadyRedeemed {
            word(&[b"RESTORE", key.as_bytes(), b"60000", &before, b"REPLACE"]);
        }
        assert_eq!(redeem(at).await, then, "at {at:?}");
    }
    // The token of the first redemption is of the same family: one grant, whoever redeemed.
    assert!(rotate(&store, opened.id, 1).await.is_ok());
}
