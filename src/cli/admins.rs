//! `gatelodge admins`: to whom the addresses of `admin_users` are pinned.

use std::process::ExitCode;

use crate::app;
use crate::config::Config;
use crate::domain::EmailAddress;

use super::ConfigFile;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Admins {
    /// List the addresses of `admin_users`, and the account that each is pinned to.
    List(ConfigFile),
    /// Take a pin out: the account that signs in with the address next becomes the admin.
    Unpin(Unpin),
}

#[derive(Debug, clap::Args)]
pub(super) struct Unpin {
    /// The address.
    email: EmailAddress,
    #[command(flatten)]
    file: ConfigFile,
}

pub(super) fn run(command: &Admins) -> ExitCode {
    let (Admins::List(file) | Admins::Unpin(Unpin { file, .. })) = command;
    super::answered("admins", file, async |config| answer(&config, command).await)
}

async fn answer(config: &Config, command: &Admins) -> Result<String, Box<dyn std::error::Error>> {
    match command {
        Admins::List(_) => {
            let line = |(email, person): (EmailAddress, Option<_>)| {
                let person = person.map_or_else(|| "-".to_owned(), |person| format!("{person}"));
                format!("{:<40}  {person}\n", email.to_string())
            };
            let pins = app::admin_pins(config).await?;
            let lines: String = pins.into_iter().map(line).collect();
            Ok(format!("{:<40}  PINNED TO\n{lines}", "ADDRESS"))
        }
        Admins::Unpin(Unpin { email, .. }) => Ok(match app::unpin_admin(config, email).await? {
            None => format!("{email} is not pinned\n"),
            Some(person) => format!(
                "{email} was pinned to {person}: whoever signs in with it next is the admin\n\
                 grants of the old account go on; to end them: gatelodge revoke --person {person}\n"
            ),
        }),
    }
}
