//! Auth0: an issuer with a slash, organisations, namespaced claims, connections.

use serde_json::json;

use crate::harness::provider::Person;

use super::{assert_refused, outcome, product, scopes};

/// An ID token as Auth0 shapes it; an action put the roles under a namespace.
fn person(sub: &str) -> Person {
    Person::new(sub, "alice@example.com")
        .with("nickname", json!("alice"))
        .with("updated_at", json!("2026-01-01T00:00:00.000Z"))
        .with("org_id", json!("org_acme"))
        .with("https://example.com/groups", json!(["platform"]))
}

const ACCESS: &str =
    "  default_scopes: [mcp:read]\n  rules:\n    - { groups: [platform], scopes: [mcp:write] }\n";

/// IDP-auth0: the issuer ends with a slash, and the token must say so, too.
#[tokio::test]
async fn idp_auth0_the_slash_belongs_to_the_issuer() {
    let broker = product("/", "auth0", "    allowed_domains: [example.com]\n", ACCESS).await;
    assert!(broker.provider.issuer().ends_with('/'));
    assert_eq!(scopes(&broker, person("auth0|1")).await.unwrap(), "mcp:read");
    let without = broker.provider.issuer().trim_end_matches('/').to_owned();
    assert_refused(outcome(&broker, person("auth0|1").with("iss", json!(without))).await, "502");
}

/// IDP-auth0: the organisation is asked for and then checked: what was asked proves nothing.
#[tokio::test]
async fn idp_auth0_the_organisation_is_checked() {
    let lines = "    organizations: [org_acme]\n    idp_hint: acme-saml\n";
    let broker = product("/", "auth0", lines, ACCESS).await;
    assert_eq!(scopes(&broker, person("samlp|acme|1")).await.unwrap(), "mcp:read");
    let asked = &broker.provider.authorize_requests()[0];
    assert_eq!((asked["organization"].as_str(), asked["connection"].as_str()), ("org_acme", "acme-saml"));
    let elsewhere = person("samlp|acme|1").with("org_id", json!("org_evil"));
    assert_refused(outcome(&broker, elsewhere).await, "none of the organisations");
}

/// IDP-auth0: a claim whose name holds dots and slashes is found by its whole name.
#[tokio::test]
async fn idp_auth0_namespaced_claims() {
    let lines = "    allowed_domains: [example.com]\n    groups_claim: https://example.com/groups\n";
    let broker = product("/", "auth0", lines, ACCESS).await;
    assert_eq!(scopes(&broker, person("auth0|1")).await.unwrap(), "mcp:read mcp:write");
}

/// IDP-auth0: one address over two connections is two accounts.
#[tokio::test]
async fn idp_auth0_two_connections_are_two_accounts() {
    let broker = product("/", "auth0", "    allowed_domains: [example.com]\n", ACCESS).await;
    let mut accounts = Vec::new();
    for sub in ["auth0|1", "google-oauth2|1", "auth0|1"] {
        accounts.push(outcome(&broker, person(sub)).await.unwrap().claims()["sub"].clone());
    }
    assert!(accounts[0] != accounts[1] && accounts[0] == accounts[2], "{accounts:?}");
}
