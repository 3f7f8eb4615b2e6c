//! `gatelodge explain`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::app::{self, ExplainedRule, Explanation, Supposed, Who};
use crate::protocol::Members;

use super::ConfigFile;

#[derive(Debug, clap::Args)]
pub(super) struct Explain {
    #[command(flatten)]
    file: ConfigFile,
    /// The identity provider, by its id in the configuration.
    #[arg(long, value_name = "ID", required_unless_present = "credential", requires = "claims")]
    upstream: Option<String>,
    /// What is shown in place of a sign-in, by its id in the configuration; or `api_key`, of whoever signs in with
    /// `--upstream`.
    #[arg(long, value_name = "ID", conflicts_with = "client")]
    credential: Option<String>,
    /// A file with the payload of an ID token, or of a token that is the credential: a JSON object of claims. Of
    /// an introspection or a remote endpoint it is the answer. Never the token itself.
    #[arg(long, value_name = "FILE")]
    claims: Option<PathBuf>,
    /// The protected server, by its URL.
    #[arg(long, value_name = "URL")]
    resource: String,
    /// The client; without one, a rule for clients does not apply.
    #[arg(long, value_name = "CLIENT_ID")]
    client: Option<String>,
    /// What the client asks for, or the API key has; without it, everything.
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(question: &Explain) -> ExitCode {
    let config = match question.file.load() {
        Ok(config) => config,
        Err(code) => return code,
    };
    let explained = question.claims().and_then(|claims| {
        let supposed = Supposed {
            who: question.who(claims.as_ref())?,
            resource: &question.resource,
            client: question.client.as_deref(),
            scope: question.scope.as_deref(),
        };
        app::explain(&config, supposed).map_err(|fault| fault.to_string())
    });
    match explained {
        Ok(explained) if question.json => {
            // Texts and lists always become JSON.
            println!("{}", serde_json::to_string_pretty(&explained).unwrap_or_default());
            ExitCode::SUCCESS
        }
        Ok(explained) => {
            print!("{}", told(&explained));
            ExitCode::SUCCESS
        }
        Err(fault) => {
            eprintln!("gatelodge explain: {fault}");
            ExitCode::FAILURE
        }
    }
}

impl Explain {
    fn claims(&self) -> Result<Option<Members>, String> {
        let Some(path) = &self.claims else { return Ok(None) };
        let name = path.display();
        let text = std::fs::read_to_string(path).map_err(|fault| format!("{name}: {fault}"))?;
        // serde's own words could quote a claim.
        serde_json::from_str(&text).map(Some).map_err(|fault| {
            let place = format!("line {}, column {}", fault.line(), fault.column());
            format!(
                "{name}: not a JSON object of claims ({place})\n    \
                 write the payload of an ID token: its middle part, decoded from base64url"
            )
        })
    }

    fn who<'a>(&'a self, claims: Option<&'a Members>) -> Result<Who<'a>, String> {
        match (self.credential.as_deref(), self.upstream.as_deref(), claims) {
            (None, Some(upstream), Some(claims)) => Ok(Who::SignsIn(upstream, claims)),
            (Some("api_key"), Some(upstream), Some(claims)) => Ok(Who::HasApiKey(upstream, claims)),
            (Some("api_key"), _, _) => {
                Err("of an API key its owner counts: say --upstream and --claims".into())
            }
            (Some(id), None, claims) => Ok(Who::Shows(id, claims)),
            (Some(_), Some(_), _) => Err("nobody signs in with a credential: leave --upstream out".into()),
            (None, _, _) => Err("say --upstream and --claims, or --credential".into()),
        }
    }
}

/// The explanation for a terminal, which claims cannot steer.
fn told(explained: &Explanation) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        let value = if value.is_empty() { "-" } else { &value };
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let list = |all: &BTreeSet<String>| all.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    line("person", &explained.person);
    match explained.issuer.as_str() {
        "" => line("account", "- (it stands in the configuration, and policy is not asked)"),
        issuer => line("account", &format!("{issuer}|{}", explained.subject)),
    }
    line("upstream", &explained.upstream);
    line("email", explained.email.as_deref().unwrap_or("- (none that is verified)"));
    line("domain", explained.domain.as_deref().unwrap_or("- (none that the provider is the authority for)"));
    line("groups", &list(&explained.groups));
    line("roles", &list(&explained.roles));
    for (path, values) in &explained.claims {
        line("claim", &format!("{path} = {}", list(values)));
    }
    line("resource", &explained.resource);
    line("client", explained.client.as_deref().unwrap_or("- (none is named)"));
    line("rules", "+ applies, ! denies, - does not apply");
    for rule in &explained.rules {
        line(&format!("  {}", mark(rule)), &said(rule));
    }
    if !explained.implied.is_empty() {
        line("implied", &explained.implied);
    }
    line("allowed", &explained.allowed);
    if let Some(named) = &explained.named {
        line("named", named);
    }
    if let Some(asked) = &explained.asked {
        line("asked", asked);
    }
    line("granted", &explained.granted);
    if !explained.tenants.is_empty() {
        line("tenants", &explained.tenants.join(", "));
    }
    if let Some(refusal) = &explained.refusal {
        line("refusal", refusal);
    } else if let Some(seconds) = explained.session_seconds {
        line("session", &duration(seconds));
    }
    if let Some(address) = &explained.pinned_address {
        line("pinned", &format!("{address} makes an admin of the account that signs in with it first"));
    }
    text
}

fn mark(rule: &ExplainedRule) -> char {
    match (rule.applied, rule.effect) {
        (true, "deny") => '!',
        (true, _) => '+',
        (false, _) => '-',
    }
}

fn said(rule: &ExplainedRule) -> String {
    let gives = match (rule.effect, rule.scopes.as_str()) {
        ("grant", "") => " → nothing on this server".to_owned(),
        ("grant", scopes) => format!(" → {scopes}"),
        ("deny", _) => " → denies".to_owned(),
        _ => String::new(),
    };
    format!("{}: {}{gives}", rule.rule, rule.why)
}

/// In the largest unit that is whole, as the configuration would write it.
fn duration(seconds: u64) -> String {
    let units = [(86_400, 'd'), (3600, 'h'), (60, 'm')];
    let whole = units.into_iter().find(|(unit, _)| seconds.is_multiple_of(*unit));
    whole.map_or_else(|| format!("{seconds}s"), |(unit, letter)| format!("{}{letter}", seconds / unit))
}
