//! `gatelodge api-keys`: what programs show in place of a person.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::access::WantedApiKey;
use crate::access::admin_api::{ApiKeyCreated, ApiKeyView};
use crate::app::{self, NamedOwner};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::Config;
use crate::domain::{ApiKey, ApiKeyId, ApiKeyLifetime, PersonId};
use crate::protocol::ResourceUri;

use super::ConfigFile;

#[derive(Debug, clap::Subcommand)]
pub(super) enum ApiKeys {
    /// Make a key for a person who has signed in before, with no more than they may do. It is shown once.
    Create(Create),
    /// List a person's keys, also those that count no longer.
    List(List),
    /// Revoke a key for ever.
    Revoke(Revoke),
}

#[derive(Debug, clap::Args)]
pub(super) struct Create {
    #[command(flatten)]
    file: ConfigFile,
    /// Whose key it is: p_…, issuer|subject, or the address of one of `admin_users`.
    #[arg(long, value_name = "PERSON", value_parser = owner)]
    owner: NamedOwner,
    /// What it is called.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// A server that it is for, by URL. May be given several times.
    #[arg(long = "resource", value_name = "URL", required = true, value_parser = ResourceUri::parse)]
    resources: Vec<ResourceUri>,
    /// A scope of these servers, or `read` or `write`. May be given several times.
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<String>,
    /// How long it lives: never, 7d, 30d, 90d or 1y.
    #[arg(long, value_name = "TIME", default_value = "90d")]
    expires: ApiKeyLifetime,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Whose keys: p_…, issuer|subject, or the address of one of `admin_users`.
    #[arg(long, value_name = "PERSON", value_parser = owner)]
    owner: NamedOwner,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    file: ConfigFile,
    /// The key's id, as it is listed: what stands between glk_ and the next _.
    #[arg(value_name = "ID", value_parser = id)]
    id: ApiKeyId,
}

fn owner(text: &str) -> Result<NamedOwner, &'static str> {
    let person = || PersonId::parse(text).map(NamedOwner::Person);
    let account = || text.parse().ok().map(NamedOwner::Account);
    let email = || text.parse().ok().map(NamedOwner::Email);
    person().or_else(account).or_else(email).ok_or("write p_…, issuer|subject, or an email address")
}

fn id(text: &str) -> Result<ApiKeyId, &'static str> {
    ApiKeyId::parse(text).ok_or("a key is named by 19 characters, as `gatelodge api-keys list` shows")
}

pub(super) fn run(command: &ApiKeys) -> ExitCode {
    let (ApiKeys::Create(Create { file, .. })
    | ApiKeys::List(List { file, .. })
    | ApiKeys::Revoke(Revoke { file, .. })) = command;
    super::answered("api-keys", file, async |config| answer(&config, command).await)
}

async fn answer(config: &Config, command: &ApiKeys) -> Result<String, Box<dyn std::error::Error>> {
    let now = SystemClock.now();
    match command {
        ApiKeys::Create(Create { owner, name, resources, scopes, expires, json, .. }) => {
            let wanted = WantedApiKey {
                name: name.clone(),
                resources: resources.clone(),
                scopes: scopes.clone(),
                lifetime: *expires,
            };
            let (key, text) = app::create_api_key(config, owner, &wanted).await?;
            if *json {
                return Ok(format!("{:#}\n", json!(ApiKeyCreated::of(&key, &text, now))));
            }
            Ok(format!("{}\n{}\n\nThe key is not shown again.\n", as_text(&key, now), text.expose()))
        }
        ApiKeys::List(List { owner, json, .. }) => {
            let keys = app::api_keys(config, owner).await?;
            if *json {
                let all = keys.iter().map(|key| json!(ApiKeyView::of(key, now)));
                return Ok(format!("{:#}\n", Value::Array(all.collect())));
            }
            if keys.is_empty() {
                return Ok("There is no key of this person.\n".to_owned());
            }
            Ok(keys.iter().map(|key| as_text(key, now)).collect())
        }
        ApiKeys::Revoke(Revoke { id, .. }) => {
            let revoked = app::revoke_api_key(config, id).await?;
            revoked.map(|_| format!("revoked {id}\n")).ok_or_else(|| "there is no such key".into())
        }
    }
}

fn as_text(key: &ApiKey, now: Timestamp) -> String {
    let date = |at: Option<Timestamp>, none: &str| at.map_or_else(|| none.to_owned(), |at| at.to_string());
    let servers = key.resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let rows = [
        ("name", key.name.escape_debug().to_string()),
        ("state", key.state(now).as_str().to_owned()),
        ("owner", format!("{} ({})", key.owner.label().escape_debug(), key.owner.person())),
        ("servers", servers),
        ("scopes", key.scopes.to_string()),
        ("created", key.created_at.to_string()),
        ("expires", date(key.expires_at, "never")),
        ("last used", date(key.last_used_at, "not yet")),
        ("revoked", date(key.revoked_at, "no")),
    ];
    let rows: String = rows.map(|(name, value)| format!("  {name:<10} {value}\n")).concat();
    format!("{}\n{rows}", key.id)
}
