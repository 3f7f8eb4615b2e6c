//! How much memory this process has: the broker under test is in it.

use procfs::process::Process;

/// Resident memory, in KiB.
pub(crate) fn resident() -> u64 {
    let status = Process::myself().and_then(|process| process.status()).expect("procfs");
    status.vmrss.expect("a process of its own memory")
}
