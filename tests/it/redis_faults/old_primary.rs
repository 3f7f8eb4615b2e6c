//! A primary that is cut off from its replica, and dies.

use std::time::Duration;

use futures::future::join_all;
use gatelodge::domain::{GrantId, Rotation};
use gatelodge::secret::MasterSecret;
use gatelodge::store::{RedisStore, Store as _, StoreError};

use super::{LONGEST, family, rotate};
use crate::harness::eventually::{Stopwatch, eventually};
use crate::harness::extent::{extent, figure};
use crate::harness::fault_proxy::{FaultProxy, Link};
use crate::harness::redis_server::{RedisServer, fresh_prefix, installed};

const BOUND: Duration = Duration::from_secs(10);

/// REL-04: the old primary is cut off from its replica while people are revoked, is killed, and the
/// replica takes over. Whatever was acknowledged is revoked there, too; what was not was 503.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_no_acknowledged_revocation_is_lost_with_the_old_primary() {
    if !installed() {
        return;
    }
    let (mut acknowledged, mut refused, mut lost) = (0, 0, 0);
    for _ in 0..extent(2, 50) {
        let round = round().await;
        acknowledged += round.acknowledged;
        refused += round.refused;
        lost += round.lost;
    }
    let seen = format!("{acknowledged} revocations acknowledged, {lost} lost; {refused} answered 503");
    figure("REL-04", "the old primary is cut off from its replica and killed", &seen);
    assert_eq!(lost, 0, "{seen}");
}

#[derive(Default)]
struct Round {
    acknowledged: usize,
    refused: usize,
    lost: usize,
}

async fn round() -> Round {
    let primary = RedisServer::start_with(&["--repl-diskless-sync-delay", "0"]);
    let link = FaultProxy::start(&[primary.port]);
    let replica = RedisServer::start_with(&["--replicaof", &format!("127.0.0.1 {}", link.port)]);
    eventually("the replica is in step", BOUND, || {
        primary.ask::<String>("INFO replication").contains("state=online")
            && replica.ask::<String>("INFO replication").contains("master_link_status:up")
    });
    let (prefix, secret) = (fresh_prefix(), MasterSecret::generate());
    let store = RedisStore::connect(&primary.servers(), &prefix, secret.sealer()).await.unwrap();
    let mut people = Vec::new();
    for _ in 0..12 {
        people.push(family(&store).await);
    }
    // So that the replica has everybody: what it lacks later is what was revoked.
    eventually("the replica has everybody", BOUND, || {
        replica.ask::<u64>("DBSIZE") == primary.ask::<u64>("DBSIZE")
    });

    let mut round = Round::default();
    let mut revoked: Vec<GrantId> = Vec::new();
    let (whole, rest) = people.split_at(6);
    let (cut, others) = rest.split_at(3);
    for person in whole {
        assert!(store.end_grant(person).await.unwrap());
        revoked.push(*person);
    }
    link.set(Link::BlackHole);
    let begin = Stopwatch::start();
    let answers = join_all(cut.iter().map(|person| store.end_grant(person))).await;
    assert!(begin.elapsed() <= LONGEST, "{:?}", begin.elapsed());
    for (person, answer) in cut.iter().zip(answers) {
        match answer {
            Ok(_) => revoked.push(*person),
            Err(StoreError::Unavailable(_)) => round.refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    primary.signal("KILL");
    replica.ask::<()>("REPLICAOF NO ONE");
    let store = RedisStore::connect(&replica.servers(), &prefix, secret.sealer()).await.unwrap();
    round.acknowledged = revoked.len();
    for person in &revoked {
        round.lost += usize::from(rotate(&store, *person, 1).await.unwrap() != Rotation::Gone);
    }
    for person in others {
        assert!(matches!(rotate(&store, *person, 1).await, Ok(Rotation::Successor { .. })), "nobody else");
    }
    assert_eq!(round.refused, cut.len(), "nobody was told what the replica did not hear of");
    round
}
