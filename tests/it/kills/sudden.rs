//! Kills in the middle of the work.

use super::Rig;
use crate::harness::extent::{extent, figure};
use crate::harness::temp_dir::TempDir;

/// REL-17, SEC-165: whoever was told that a grant is over, or got a successor, before the process was killed
/// was told the truth: it is in the file that the kill left.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_17_acknowledged_rotations_and_revocations_survive_a_kill() {
    let kills = extent(3, 1000);
    let folder = TempDir::new();
    let mut rig = Rig::new(folder.path()).await;
    for life in 0..kills {
        let (serving, mut writers) = rig.serve().await;
        // In the middle of the work, after a different number of answers each time.
        for _ in 0..20 + life * 7 % 40 {
            let answer = writers.next().await;
            rig.note(&answer);
        }
        serving.kill();
        for answer in writers.rest().await {
            rig.note(&answer);
        }
        rig.assert_durable(life).await;
    }
    let (rotations, revocations) = (rig.rotations, rig.revocations);
    assert!(rotations > kills && revocations > 0, "{rotations} {revocations}");
    let seen = format!("{kills} kills: none of {rotations} rotations and {revocations} revocations lost");
    figure("REL-17", "`kill -9` of the program with its file, under load", &seen);
}
