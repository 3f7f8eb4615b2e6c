//! `gatelodge schema`.

use std::process::ExitCode;

pub(super) fn run() -> ExitCode {
    println!("{}", crate::config::schema());
    ExitCode::SUCCESS
}
