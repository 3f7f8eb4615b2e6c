//! The `gatelodge` command.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    gatelodge::cli::run(&gatelodge::cli::Cli::parse())
}
