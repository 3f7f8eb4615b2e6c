//! `gatelodge revoke`.

use std::process::ExitCode;

use crate::app;
use crate::domain::{ClientId, PersonId, Revoked};

use super::ConfigFile;

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    what: What,
    /// The person's `sub` at their identity provider.
    #[arg(long, value_name = "SUBJECT", requires = "issuer")]
    subject: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Of this person, at every client: `person` in the audit log, the `sub` of their tokens.
    #[arg(long, value_name = "p_…", value_parser = person)]
    person: Option<PersonId>,
    /// Of the person whom this identity provider calls --subject.
    #[arg(long, value_name = "URL", requires = "subject")]
    issuer: Option<String>,
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

impl Revoke {
    fn revoked(&self) -> Revoked {
        let What { person, issuer, client, .. } = &self.what;
        match (person, issuer.as_ref().zip(self.subject.as_ref()), client) {
            (Some(person), _, _) => Revoked::Person(person.clone()),
            (None, Some((issuer, subject)), _) => Revoked::Person(PersonId::of(issuer, subject)),
            (None, None, Some(client)) => Revoked::Client(ClientId::new(client)),
            (None, None, None) => Revoked::Everything,
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
