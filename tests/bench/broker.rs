//! `gatelodge serve` with a configuration of its own, as an operator would run it: the request
//! log is written, to a file. Only the identity provider is not asked again at refresh: what is
//! measured is the broker, and its peer asks nobody.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use gatelodge::secret::random;

use crate::Fault;
use crate::contestant::GATE;
use crate::process::Process;
use crate::provider::Provider;
use crate::work::RESOURCE;

/// Where the identity provider sends people back to.
pub(crate) fn callback(origin: &str) -> String {
    format!("{origin}/oauth/callback/bench")
}

/// Starts it. Without Redis it keeps a file in `folder`.
pub(crate) fn start(
    binary: &Path,
    origin: &str,
    folder: &Path,
    (provider, redis): (&Provider, Option<&str>),
    (signing_key, behind): (&str, Option<&str>),
) -> Result<Process, Fault> {
    let behind = behind.map_or_else(String::new, |url| {
        format!(
            "  - {{ url: {origin}{GATE}, name: Gate, scopes: {{ mcp:read: Read }}, upstream_url: {url} }}\n"
        )
    });
    let key_file = folder.join("signing.pem");
    fs::write(&key_file, signing_key)?;
    let embedded = folder.join("gatelodge.db").display().to_string();
    let config = format!(
        "\
issuer: {origin}
listen: {listen}
secret: {secret}
store: {store}
upstreams:
  - id: bench
    name: the identity provider
    preset: oidc
    issuer: {issuer}
    client_id: {client_id}
    client_secret: {client_secret}
    allowed_domains: [example.com]
    recheck: false
resources:
  - url: {RESOURCE}
    name: Tools
    scopes: {{ mcp:read: Read, mcp:write: Change }}
{behind}access:
  default_scopes: [mcp:read, mcp:write]
trusted_proxies: [127.0.0.1]
forward_auth: true
registration: {{ per_address: 1000000 }}
sign_ins: {{ per_address: 1000000, most_pending: 1000000 }}
signing: {{ key_file: {key_file} }}
",
        key_file = key_file.display(),
        listen = origin.trim_start_matches("http://"),
        secret = random::token(),
        store = redis.unwrap_or(&embedded),
        issuer = provider.issuer,
        client_id = provider.client_id,
        client_secret = provider.client_secret,
    );
    let file = folder.join("gatelodge.yaml");
    fs::write(&file, config)?;
    let log = File::create(folder.join("gatelodge.log"))?;
    Process::start(Command::new(binary).arg("serve").arg("--config").arg(file).stderr(log))
}
