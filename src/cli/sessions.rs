//! `gatelodge sessions`: what one person has granted, and the end of one of these grants.

use std::process::ExitCode;

use clap::ArgGroup;
use serde_json::{Value, json};

use crate::app;
use crate::config::Config;
use crate::domain::{Grant, GrantId, GrantState, PersonId};

use super::ConfigFile;
use super::whose::Whose;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Sessions {
    /// List a person's sessions: which client, at which server, with which scopes, until when.
    List(List),
    /// End one session of a person. All of them: `gatelodge revoke`.
    Revoke(End),
}

#[derive(Debug, clap::Args)]
#[command(group = ArgGroup::new("who").required(true).args(["person", "issuer"]))]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    whose: Whose,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct End {
    #[command(flatten)]
    file: ConfigFile,
    /// The session, as it is listed.
    #[arg(value_name = "SESSION", value_parser = session, allow_hyphen_values = true)]
    session: GrantId,
}

fn session(text: &str) -> Result<GrantId, &'static str> {
    GrantId::parse(text).ok_or("a session is named by 22 characters, as `gatelodge sessions list` shows")
}

pub(super) fn run(command: &Sessions) -> ExitCode {
    let (Sessions::List(List { file, .. }) | Sessions::Revoke(End { file, .. })) = command;
    super::answered("sessions", file, async |config| answer(&config, command).await)
}

async fn answer(config: &Config, command: &Sessions) -> Result<String, Box<dyn std::error::Error>> {
    match command {
        Sessions::List(List { whose, json, .. }) => {
            let person = whose.person().ok_or("name a person")?;
            let grants = app::sessions(config, &person).await?;
            Ok(if *json { as_json(&grants) } else { as_text(&person, &grants) })
        }
        Sessions::Revoke(End { session, .. }) => {
            if app::end_session(config, session).await? {
                return Ok(format!("ended {session}\n"));
            }
            Err("there is no such session, or no longer".into())
        }
    }
}

fn as_text(person: &PersonId, grants: &[Grant]) -> String {
    if grants.is_empty() {
        return format!("{person} has no session.\n");
    }
    grants.iter().map(one_as_text).collect()
}

fn one_as_text(grant: &Grant) -> String {
    let last_used = last_used(grant).unwrap_or_else(|| "not yet".to_owned());
    let rows = [
        ("person", grant.identity.label()),
        ("upstream", grant.identity.upstream.to_string()),
        ("client", grant.client_id.to_string()),
        ("server", grant.resource.to_string()),
        ("scopes", grant.scopes.to_string()),
        ("signed in", grant.created_at.to_string()),
        ("last used", last_used),
        ("ends", grant.expires_at.min(grant.ends_at).to_string()),
    ];
    let rows: String = rows.map(|(name, value)| format!("  {name:<10} {value}\n")).concat();
    format!("{}\n{rows}", grant.id)
}

fn as_json(grants: &[Grant]) -> String {
    let one = |grant: &Grant| {
        json!({
            "session": grant.id,
            "person": grant.identity.person(),
            "email": grant.identity.email,
            "upstream": grant.identity.upstream,
            "client_id": grant.client_id,
            "resource": grant.resource,
            "scope": grant.scopes.to_string(),
            "signed_in": grant.created_at.to_string(),
            "last_used": last_used(grant),
            "ends": grant.expires_at.min(grant.ends_at).to_string(),
        })
    };
    format!("{:#}\n", Value::Array(grants.iter().map(one).collect()))
}

fn last_used(grant: &Grant) -> Option<String> {
    match grant.state {
        GrantState::AwaitingCode => None,
        GrantState::Active { rotated_at, .. } => Some(rotated_at.to_string()),
    }
}
