//! `gatelodge revoke`.

use std::process::ExitCode;

use clap::ArgGroup;

use crate::app;
use crate::domain::{ClientId, Revoked};

use super::ConfigFile;
use super::whose::Whose;

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("what").required(true).args(["person", "issuer", "client", "everything"]))]
pub(super) struct Revoke {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    whose: Whose,
    /// Of this client, for every person.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Of everybody.
    #[arg(long)]
    everything: bool,
}

impl Revoke {
    fn revoked(&self) -> Revoked {
        match (self.whose.person(), &self.client) {
            (Some(person), _) => Revoked::Person(person),
            (None, Some(client)) => Revoked::Client(ClientId::new(client)),
            (None, None) => Revoked::Everything,
        }
    }
}

pub(super) fn run(revoke: &Revoke) -> ExitCode {
    let config = match revoke.file.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let what = revoke.revoked();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&fault),
    };
    match runtime.block_on(app::revoke(&config, &what)) {
        Ok(done) => {
            if !done.known {
                eprintln!("gatelodge revoke: nobody knows this client; is its id right?");
            }
            println!("revoked {} in {}: grants end now, introspection", what.name(), done.store);
            println!("says so within a second, a server that only checks the JWT when the token ends");
            ExitCode::SUCCESS
        }
        Err(fault) => failed(&fault),
    }
}

fn failed(fault: &dyn std::error::Error) -> ExitCode {
    eprintln!("gatelodge revoke: {fault}");
    ExitCode::FAILURE
}
