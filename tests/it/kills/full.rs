//! Kills, and a disk that fills in the middle of the work.

use std::time::Duration;

use super::{Answer, Rig};
use crate::harness::eventually::Stopwatch;
use crate::harness::extent::{extent, figure};
use crate::harness::small_disk::SmallDisk;

/// REL-16: the disk fills while everybody works. Rotations are refused with 503, what is ended goes
/// on. In every other round there is room again, and rotations go on within 5 s, before the process
/// is killed; in the others it is killed while the disk is full. The file is whole each time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_16_a_disk_that_fills_and_kills_corrupt_nothing() {
    let Some(disk) = SmallDisk::mount(32) else { return };
    let rounds = extent(2, 200);
    let mut rig = Rig::new(disk.path()).await;
    let (mut refused, mut slowest) = (0, Duration::ZERO);
    for round in 0..rounds {
        let (serving, mut writers) = rig.serve().await;
        for _ in 0..5 + round * 7 % 20 {
            let answer = writers.next().await;
            rig.note(&answer);
        }
        disk.fill_all_but(2);
        let mut in_a_row = 0;
        while in_a_row < 10 {
            let answer = writers.next().await;
            in_a_row = if matches!(answer, Answer::Rotated(..)) { 0 } else { in_a_row + 1 };
            refused += usize::from(matches!(answer, Answer::Refused));
            rig.note(&answer);
        }
        if round % 2 == 0 {
            disk.free();
            let freed = Stopwatch::start();
            loop {
                let answer = writers.next().await;
                rig.note(&answer);
                if matches!(answer, Answer::Rotated(..)) {
                    break;
                }
            }
            slowest = slowest.max(freed.elapsed());
        }
        serving.kill();
        for answer in writers.rest().await {
            rig.note(&answer);
        }
        rig.assert_durable(round).await;
        disk.free();
    }
    assert!(slowest <= Duration::from_secs(5), "writes went on after {slowest:?}");
    assert!(refused >= rounds, "the disk was never full");
    let seen = format!(
        "{rounds} rounds: the file whole each time, none of {} rotations and {} revocations lost; {refused} \
         answers of 503; writes again within {slowest:.1?} of room",
        rig.rotations, rig.revocations
    );
    figure("REL-16", "the disk fills under load, then `kill -9`", &seen);
}
