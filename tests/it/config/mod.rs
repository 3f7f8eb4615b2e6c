//! The configuration: which faults are found, where, and what they say.

mod access;
mod api_keys;
mod basics;
mod client_documents;
mod client_policy;
mod credentials;
mod example;
mod forwarding;
mod people;
mod secrets;
mod server;
mod signing;
mod store;
mod tenants;

use gatelodge::config::{Config, Faults, parse};

/// A configuration without faults, in parts that a test can replace.
const GOOD: &str = "\
issuer: https://auth.example.com
store: memory
upstreams:
  - id: okta
    preset: okta
    issuer: https://acme.okta.com
    client_id: gatelodge
    client_secret: from-okta
    allowed_domains: [example.com]
resources:
  - url: https://mcp.example.com/mcp
    name: Acme tools
    scopes:
      mcp:read: Read documents
      mcp:write: Change documents
access:
  default_scopes: [mcp:read]
";

/// What environment the tests run in.
/// Without this nobody would ask us about requests.
const ASKED: &str = "trusted_proxies: [127.0.0.1]\nforward_auth: true\n";

fn env(name: &str) -> Option<String> {
    match name {
        "SECRET" => Some("c4n4ry-0a1b2c3d4e5f6g7h8i9j-k1l2m3n4".into()),
        "SHORT" => Some("c4n4ry".into()),
        "TRUE" => Some("true".into()),
        "DOMAIN" => Some("example.com".into()),
        "EMPTY" => Some(String::new()),
        _ => None,
    }
}

fn good(text: &str) -> Config {
    parse(text, "test.yaml", &env).unwrap_or_else(|faults| panic!("{faults}"))
}

fn bad(text: &str) -> Faults {
    let faults = parse(text, "test.yaml", &env).expect_err("there should be a fault");
    assert!(!faults.list.is_empty());
    faults
}

/// [`GOOD`] with one passage replaced; the passage must be there.
fn with(passage: &str, replacement: &str) -> String {
    assert!(GOOD.contains(passage), "{passage}");
    GOOD.replacen(passage, replacement, 1)
}

/// [`GOOD`] and more.
fn plus(more: &str) -> String {
    format!("{GOOD}{more}")
}

/// Every fault as `line path: problem`, without what to write instead.
fn told(text: &str) -> Vec<String> {
    let line = |fault: &gatelodge::config::Fault| format!("{} {}: {}", fault.line, fault.path, fault.problem);
    bad(text).list.iter().map(line).collect()
}

/// The text has exactly this one fault; `problem` is part of what is said.
#[track_caller]
fn only_fault(text: &str, line: u32, path: &str, problem: &str) {
    let told = told(text);
    let [only] = told.as_slice() else { panic!("expected one fault, found {told:#?}") };
    assert!(only.starts_with(&format!("{line} {path}: ")) && only.contains(problem), "found {only}");
}
