//! The `gatelodge` command.

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;

/// A request allocates about a hundred times; this makes an eighth of its time of what the C library
/// takes, which matters most where that is a static one.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    gatelodge::cli::run(&gatelodge::cli::Cli::parse())
}
