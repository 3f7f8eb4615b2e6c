//! The embedded store on a disk without room (REL-16).

use std::path::Path;

use futures::future::join_all;
use gatelodge::domain::{Client, ClientId, Revoked};
use gatelodge::secret::MasterSecret;
use gatelodge::store::{EmbeddedStore, Store as _, StoreError};

use crate::harness::extent::{extent, figure};
use crate::harness::sample::{NOW, client, later};
use crate::harness::small_disk::SmallDisk;

fn open(folder: &Path, secret: &MasterSecret) -> EmbeddedStore {
    EmbeddedStore::open(&folder.join("state.db"), secret.sealer()).expect("the store opens")
}

fn named(id: &str, name_bytes: usize) -> Client {
    Client { name: Some("n".repeat(name_bytes)), ..client(id) }
}

async fn assert_all_there(store: &EmbeddedStore, acknowledged: &[ClientId]) {
    for id in acknowledged {
        assert!(store.client(id, NOW).await.expect("reads are served").is_some(), "{id:?} is lost");
    }
}

/// While there is no room, writes are refused as a fault of ours and reads go on; as soon as there
/// is, writes go on. Nothing that was acknowledged is lost, time and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_16_a_full_disk_refuses_writes_and_serves_reads() {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let secret = MasterSecret::generate();
    let mut store = open(disk.path(), &secret);
    let mut acknowledged = Vec::new();
    let rounds = extent(20, 200) as u64;
    for round in 0..rounds {
        let fitting = named(&format!("fits-{round}"), 100);
        store.remember_client(&fitting).await.expect("there is room");
        acknowledged.push(fitting.id);
        disk.fill_all_but(2);
        for number in 0..20 {
            let refused = store.remember_client(&named(&format!("no-{round}-{number}"), 5000)).await;
            assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
        }
        assert_all_there(&store, &acknowledged).await;
        // What ends something goes on, and so does a look.
        let everything = Revoked::Everything;
        store.revoke(&everything, later(round), later(1000), NOW).await.expect("a revocation");
        store.ping().await.expect("a sign of life");
        if round % 5 == 4 {
            drop(store);
            store = open(disk.path(), &secret);
            assert_all_there(&store, &acknowledged).await;
        }
        disk.free();
    }
    let refused = rounds * 20;
    let seen = format!(
        "{rounds} times: {refused} of {refused} writes refused, reads and revocations served, nothing lost"
    );
    figure("REL-16", "the disk is full", &seen);
}

/// The room goes while a batch is being written: whoever was not told "yes" may try again as soon
/// as there is room, without a restart, and who was told "yes" is on the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_16_a_disk_that_fills_during_a_write_is_survived() {
    let disks = extent(1, 15);
    let (mut failures, mut kept) = (0, 0);
    for _ in 0..disks {
        let Some(disk) = SmallDisk::mount(48) else { return };
        let (failed, acknowledged) = three_batches(&disk).await;
        failures += failed;
        kept += acknowledged;
    }
    assert!(failures > 0, "the disk was never full");
    let seen = format!("{} times: {failures} writes refused, none of {kept} lost", 3 * disks);
    figure("REL-16", "the disk fills while a batch is being written", &seen);
}

/// Gives back how many writes were refused, and how many acknowledged.
async fn three_batches(disk: &SmallDisk) -> (usize, usize) {
    let secret = MasterSecret::generate();
    let store = open(disk.path(), &secret);
    let mut acknowledged = Vec::new();
    let mut failures = 0;
    for round in 0..3 {
        disk.fill_all_but(12);
        let many: Vec<Client> = (0..128).map(|number| named(&format!("{round}-{number}"), 300_000)).collect();
        let results = join_all(many.iter().map(|client| store.remember_client(client))).await;
        for (client, result) in many.iter().zip(results) {
            match result {
                Ok(()) => acknowledged.push(client.id.clone()),
                Err(StoreError::Unavailable(_)) => failures += 1,
                Err(other) => panic!("{other}"),
            }
        }
        disk.free();
        let after = named(&format!("after-{round}"), 100);
        // The first write after the fault may be the one that finds it.
        let first = store.remember_client(&after).await;
        if first.is_err() {
            store.remember_client(&after).await.expect("there is room again");
        }
        acknowledged.push(after.id);
        assert_all_there(&store, &acknowledged).await;
    }
    drop(store);
    assert_all_there(&open(disk.path(), &secret), &acknowledged).await;
    (failures, acknowledged.len())
}

/// The room that expired records took comes back, though nobody else frees any.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_16_what_has_expired_makes_room() {
    let Some(disk) = SmallDisk::mount(48) else { return };
    let store = open(disk.path(), &MasterSecret::generate());
    let mut full = false;
    for number in 0..2000 {
        let short = Client { expires_at: Some(later(10)), ..named(&format!("short-{number}"), 30_000) };
        full = store.remember_client(&short).await.is_err();
        if full {
            break;
        }
    }
    assert!(full, "the disk was never full");
    store.tend(later(10)).await.expect("what has expired is collected");
    store.remember_client(&named("after", 100)).await.expect("there is room again");
}
