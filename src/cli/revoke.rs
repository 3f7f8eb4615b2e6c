//! `gatelodge revoke`.

use std::process::ExitCode;
use std::sync::Arc;

use crate::app::State;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::domain::{AuditEvent, AuditKind, ClientId, PersonId, Revoked};
use crate::store::audit;
use crate::store::revocations::Revocations;

use super::ConfigFile;

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    what: What,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Of this person, at every client: the `sub` of their tokens, `person` in the audit log.
    #[arg(long, value_name = "p_…", value_parser = person)]
    person: Option<PersonId>,
    /// Of this client, for every person.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// Of everybody.
    #[arg(long)]
    everything: bool,
}

fn person(text: &str) -> Result<PersonId, &'static str> {
    PersonId::parse(text).ok_or("a person's identifier is p_ and 43 characters")
}

impl What {
    fn revoked(&self) -> Revoked {
        match (&self.person, &self.client) {
            (Some(person), _) => Revoked::Person(person.clone()),
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
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(fault) => return failed(&fault.to_string()),
    };
    match runtime.block_on(write(&config, &revoke.what.revoked())) {
        Ok(()) => {
            println!("revoked: grants end now, introspection says so within a second,");
            println!("and a server that only checks the JWT sees it when the token ends");
            ExitCode::SUCCESS
        }
        Err(fault) => failed(&fault.to_string()),
    }
}

fn failed(fault: &str) -> ExitCode {
    eprintln!("gatelodge revoke: {fault}");
    ExitCode::FAILURE
}

async fn write(config: &Config, what: &Revoked) -> Result<(), Box<dyn std::error::Error>> {
    let now = SystemClock.now();
    let state = State::open(config, now).await?;
    let keep = config.tokens.refresh_absolute + config.tokens.access_lifetime;
    Revocations::new(Arc::clone(&state.store)).revoke(what, now, keep).await?;
    let event = AuditEvent::new(AuditKind::AccessRevoked, now).because("by command");
    let event = match what {
        Revoked::Person(person) => event.person(person.clone()),
        Revoked::Client(client) => event.client(client),
        Revoked::Everything => event,
    };
    audit::record(state.store.as_ref(), event).await;
    Ok(())
}
