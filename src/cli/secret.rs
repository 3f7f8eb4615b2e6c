//! `gatelodge secret`.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::app;
use crate::secret::MasterSecret;

#[derive(Debug, clap::Args)]
pub(super) struct NewSecret {
    /// Keep it in this file, readable by its owner only. A secret that is there already stays.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

pub(super) fn run(wanted: &NewSecret) -> ExitCode {
    let Some(path) = &wanted.file else {
        println!("{}", MasterSecret::generate().expose());
        return ExitCode::SUCCESS;
    };
    match app::kept_secret(path) {
        Ok(_) => {
            println!("{}: the secret is there; back it up, and give every replica the same", path.display());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("gatelodge secret: {fault}");
            ExitCode::FAILURE
        }
    }
}
