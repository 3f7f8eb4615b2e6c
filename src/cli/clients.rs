//! `gatelodge clients`: the clients that the operator adds, and those that wait for the operator's word.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::app;
use crate::config::Config;
use crate::domain::{Application, Client, ClientId, Decision};
use crate::secret::Secret;

use super::ConfigFile;
use super::new_client::Add;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Clients {
    /// Add a client. Its secret, if it has one, is shown once.
    Add(Box<Add>),
    /// List the clients that were added, or with --waiting, --decided: those of `require_approval`.
    List(List),
    /// Give a client another secret, which is shown once; the old one counts for 24 hours more.
    RotateSecret(Rotate),
    /// Remove a client that was added; its grants end.
    Remove(One),
    /// Let the application with this code in, and whatever says the same about itself.
    Approve(Code),
    /// Refuse the application with this code, also one that was approved before.
    Refuse(Code),
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// The applications that wait for approval.
    #[arg(long)]
    waiting: bool,
    /// The applications that were approved or refused.
    #[arg(long, conflicts_with = "waiting")]
    decided: bool,
    /// Print one JSON array.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct One {
    #[command(flatten)]
    file: ConfigFile,
    /// The client, as it is listed.
    #[arg(value_name = "CLIENT_ID")]
    id: String,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rotate {
    #[command(flatten)]
    which: One,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Code {
    #[command(flatten)]
    file: ConfigFile,
    /// The code that the person was shown.
    #[arg(value_name = "CODE")]
    code: String,
}

pub(super) fn run(command: &Clients) -> ExitCode {
    let file = match command {
        Clients::Add(add) => &add.file,
        Clients::List(List { file, .. })
        | Clients::RotateSecret(Rotate { which: One { file, .. }, .. })
        | Clients::Remove(One { file, .. })
        | Clients::Approve(Code { file, .. })
        | Clients::Refuse(Code { file, .. }) => file,
    };
    super::answered("clients", file, async |config| answer(&config, command).await)
}

async fn answer(config: &Config, command: &Clients) -> Result<String, Box<dyn std::error::Error>> {
    Ok(match command {
        Clients::Add(add) => {
            let new = add.client()?;
            let (client, secret) = app::add_client(config, new).await?;
            let secret = secret.as_ref().map(Secret::expose);
            if add.json { with_secret(&client, secret) } else { added(&client, secret) }
        }
        Clients::List(List { waiting: true, json, .. }) => {
            let all = app::applications(config).await?;
            let one =
                |application: &Application| (application_json(application), application_text(application));
            list(all.iter().map(one), *json, "No application waits.")
        }
        Clients::List(List { decided: true, json, .. }) => {
            let all = app::decisions(config).await?;
            list(all.iter().map(decision), *json, "No application was decided.")
        }
        Clients::List(List { json, .. }) => {
            let all = app::clients_by_command(config).await?;
            list(all.iter().map(|client| (as_json(client), as_text(client))), *json, "No client was added.")
        }
        Clients::RotateSecret(Rotate { which: One { id, .. }, json }) => {
            let secret = app::rotate_client_secret(config, &ClientId::new(id)).await?;
            if *json {
                format!("{:#}\n", json!({ "client_id": id, "client_secret": secret.expose() }))
            } else {
                format!(
                    "client_secret  {}\n\nThe secret is not shown again. The old one counts for 24 hours more.\n",
                    secret.expose()
                )
            }
        }
        Clients::Remove(One { id, .. }) => {
            app::remove_client(config, &ClientId::new(id)).await?;
            format!("removed {id}; its grants have ended\n")
        }
        Clients::Approve(Code { code, .. }) => {
            let application = app::decide_client(config, code, true).await?;
            format!("approved\n{}", application_text(&application))
        }
        Clients::Refuse(Code { code, .. }) => {
            let application = app::decide_client(config, code, false).await?;
            format!("refused\n{}", application_text(&application))
        }
    })
}

fn list(all: impl Iterator<Item = (Value, String)>, json: bool, none: &str) -> String {
    let (values, texts): (Vec<Value>, Vec<String>) = all.unzip();
    match (json, texts.is_empty()) {
        (true, _) => format!("{:#}\n", Value::Array(values)),
        (false, true) => format!("{none}\n"),
        (false, false) => texts.concat(),
    }
}

fn added(client: &Client, secret: Option<&str>) -> String {
    let once = secret.map_or_else(String::new, |secret| {
        format!("  {:<13} {secret}\n\nThe secret is not shown again.\n", "client_secret")
    });
    format!("{}{once}", as_text(client))
}

fn with_secret(client: &Client, secret: Option<&str>) -> String {
    let mut value = as_json(client);
    if let (Some(members), Some(secret)) = (value.as_object_mut(), secret) {
        members.insert("client_secret".into(), secret.into());
    }
    format!("{value:#}\n")
}

fn as_text(client: &Client) -> String {
    let limits = &client.limits;
    let places = client.redirect_uris.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let scopes = limits.scopes.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
    let resources = limits.resources.as_ref().map_or_else(
        || "all".to_owned(),
        |resources| resources.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    );
    let refreshes = if client.may_refresh { "yes" } else { "no" };
    let rows = [
        ("name", shown(client.name.as_deref())),
        ("auth", client.auth.as_str().to_owned()),
        ("redirects", places),
        ("scopes", scopes),
        ("resources", resources),
        ("refreshes", refreshes.to_owned()),
        ("added", client.created_at.to_string()),
    ];
    format!("{}\n{}", client.id, table(&rows))
}

fn as_json(client: &Client) -> Value {
    json!({
        "client_id": client.id,
        "client_name": client.name,
        "token_endpoint_auth_method": client.auth.as_str(),
        "redirect_uris": client.redirect_uris,
        "scope": client.limits.scopes.as_ref().map(ToString::to_string),
        "resources": client.limits.resources,
        "refreshes": client.may_refresh,
        "added": client.created_at.to_string(),
    })
}

fn application_text(application: &Application) -> String {
    let places = application.redirect_uris.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let rows = [
        ("calls itself", shown(application.name.as_deref())),
        ("client", shown(Some(application.client_id.as_str()))),
        ("redirects", places),
        ("asked", application.asked_at.to_string()),
    ];
    format!("{}\n{}", application.code(), table(&rows))
}

fn application_json(application: &Application) -> Value {
    json!({
        "code": application.code(),
        "client_name": application.name,
        "client_id": application.client_id,
        "redirect_uris": application.redirect_uris,
        "asked": application.asked_at.to_string(),
    })
}

fn decision(decision: &Decision) -> (Value, String) {
    let mut value = application_json(&decision.application);
    let said = if decision.is_approved { "approved" } else { "refused" };
    if let Some(members) = value.as_object_mut() {
        members.insert("decision".into(), said.into());
        members.insert("decided".into(), decision.decided_at.to_string().into());
    }
    let rows = table(&[(said, decision.decided_at.to_string())]);
    (value, format!("{}{rows}", application_text(&decision.application)))
}

fn table(rows: &[(&str, String)]) -> String {
    let rows: Vec<String> = rows.iter().map(|(name, value)| format!("  {name:<13} {value}\n")).collect();
    rows.concat()
}

/// What strangers wrote, without what a terminal would obey or lay out otherwise.
fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "-".to_owned(), |text| text.escape_debug().to_string())
}
