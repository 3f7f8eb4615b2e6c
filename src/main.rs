//! The `gatelodge` command.

use std::process::ExitCode;

use clap::Parser as _;

/// Every request allocates and frees some hundred small pieces, from several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    gatelodge::cli::run(&gatelodge::cli::Cli::parse())
}
