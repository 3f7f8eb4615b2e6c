//! A Redis whose memory is full.

use std::collections::BTreeSet;
use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::{PersonId, Revoked};

use super::wire::{Wired, assert_unavailable};
use crate::harness::client::{REDIRECT, register};
use crate::harness::extent::{extent, figure};
use crate::harness::provider::Person;
use crate::harness::redis_server::{RedisServer, installed};

/// Fills Redis with somebody else's keys until it takes no more, and then takes a MiB away: what a
/// closed connection gives back must not be room for a write.
fn fill(redis: &RedisServer) {
    const MIB: u64 = 1024 * 1024;
    let limit = |bytes: u64| redis.ask::<()>(&format!("CONFIG SET maxmemory {bytes}"));
    limit(used(redis) + 4 * MIB);
    let mut connection = redis.connection();
    for number in 0.. {
        let mut junk = redis::Cmd::new();
        junk.arg("SET").arg(format!("junk:{number}")).arg(vec![b'x'; 32 * 1024]);
        if let Err(refused) = junk.query::<()>(&mut connection) {
            assert_eq!(refused.code(), Some("OOM"), "{refused}");
            break;
        }
    }
    limit(used(redis) - MIB);
}

/// The junk goes: there is room again.
fn make_room(redis: &RedisServer) {
    for key in redis.ask::<Vec<String>>("KEYS junk:*") {
        redis.ask::<()>(&format!("DEL {key}"));
    }
}

fn used(redis: &RedisServer) -> u64 {
    let memory: String = redis.ask("INFO memory");
    memory.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

/// Our keys, and those of them that nothing will ever collect.
fn keys(redis: &RedisServer) -> (BTreeSet<String>, BTreeSet<String>) {
    let keys: BTreeSet<String> = redis.ask("KEYS gl:*");
    let lasting = keys.iter().filter(|key| redis.ask::<i64>(&format!("TTL {key}")) == -1).cloned();
    let lasting = lasting.collect();
    (keys, lasting)
}

/// REL-06: what would take memory is refused with 503, in front of programs and of people; who is
/// signed in is known, and can be cut off; nothing is half-written; and when there is room again,
/// everything goes on where it stood.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_06_a_full_redis_refuses_writes_and_nothing_else() {
    if !installed() {
        return;
    }
    let wired = Wired::start().await;
    let (broker, client, redis) = (&wired.broker, &wired.client, &wired.redis);
    let metadata = serde_json::json!({ "redirect_uris": [REDIRECT] });
    let rounds = extent(1, 20);
    for round in 0..rounds {
        broker.provider.sign_in_as(Person::new("alice", "alice@example.com"));
        let alice = wired.people(2).await;
        let code = client.code(broker).await;
        broker.provider.sign_in_as(Person::new(&format!("bob{round}"), "bob@example.com"));
        let bob = wired.people(1).await.remove(0);
        let person = PersonId::parse(bob.claims()["sub"].as_str().unwrap()).unwrap();
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(broker)).await;

        fill(redis);
        let before = keys(redis);
        for _ in 0..3 {
            assert_unavailable(&wired.refresh(&alice[0]).await);
            assert_unavailable(&wired.redeem(&code).await);
            assert_unavailable(&register(broker, &metadata).await);
            assert_unavailable(&browser.get(&client.authorize_url(broker)).await);
            assert_unavailable(&browser.press(&consent, "upstream", "idp").await);
        }
        assert_eq!(keys(redis), before, "nothing of what was refused is there");

        for tokens in [&alice[0], &alice[1], &bob] {
            assert!(wired.is_active(tokens).await);
        }
        assert_eq!(wired.revoke(&alice[1]).await.status, 200);
        assert!(!wired.is_active(&alice[1]).await);
        let (revocations, now) = (&broker.parts.tokens.revocations, broker.clock.now());
        let ended = revocations.revoke(&Revoked::Person(person), now, Duration::from_secs(86_400)).await;
        ended.expect("a person can be cut off");
        assert!(!wired.is_active(&bob).await);
        assert_eq!(wired.refresh(&bob).await.error(), "invalid_grant");
        assert!(wired.is_active(&alice[0]).await);

        make_room(redis);
        assert_eq!(keys(redis).1, before.1, "everything new will be collected");
        assert_eq!(wired.refresh(&alice[0]).await.status, 200);
        assert_eq!(wired.redeem(&code).await.status, 200);
        assert_eq!(register(broker, &metadata).await.status, 201);
        assert_eq!(browser.press(&consent, "upstream", "idp").await.status, 303);
        redis.ask::<()>("CONFIG SET maxmemory 0");
    }
    let seen = format!("{} writes refused with 503; introspection and revocations all answered", rounds * 15);
    figure("REL-06", "maxmemory is reached, noeviction", &seen);
}
