//! Okta: the exact server, and a list of groups that may have been cut.

use serde_json::json;

use crate::harness::provider::Person;

use super::{assert_refused, product, scopes};

const ACCESS: &str = "  rules:\n    - { groups: [platform], scopes: [mcp:write] }\n    - { groups: [Everyone], scopes: [mcp:read] }\n";

/// An ID token as Okta shapes it.
fn person(groups: &[&str]) -> Person {
    Person::new("00u1a2b3c4d5e6f7g8h9", "alice@example.com")
        .in_groups(groups)
        .with("ver", json!(1))
        .with("amr", json!(["pwd", "mfa"]))
        .with("idp", json!("00o1a2b3c4"))
        .with("preferred_username", json!("alice@example.com"))
}

/// IDP-okta: the organisation's server and a custom one are two issuers; each is compared exactly.
#[tokio::test]
async fn idp_okta_the_issuer_is_one_server_exactly() {
    for path in ["", "/oauth2/default", "/oauth2/aus1a2b3c4"] {
        let broker = product(path, "okta", "    allowed_domains: [example.com]\n", ACCESS).await;
        assert_eq!(scopes(&broker, person(&["Everyone"])).await.unwrap(), "mcp:read", "{path}");
        let issuer = broker.provider.issuer().to_owned();
        for other in
            [format!("{issuer}/"), format!("{issuer}/oauth2/default"), issuer.replace("/oauth2/", "/")]
        {
            if other != issuer {
                let foreign = person(&["Everyone"]).with("iss", json!(other));
                assert_refused(scopes(&broker, foreign).await, "502");
            }
        }
    }
}

/// IDP-okta: of a hundred groups nobody knows whether there are more: those that are told grant,
/// the absence of one is no fact, and the person reads why.
#[tokio::test]
async fn idp_okta_a_hundred_groups_may_have_been_cut() {
    let broker = product("", "okta", "    allowed_domains: [example.com]\n", ACCESS).await;
    let many: Vec<String> = (0..100).map(|n| format!("team-{n}")).collect();
    let mut many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_refused(scopes(&broker, person(&many)).await, "did not tell all groups");
    assert_refused(scopes(&broker, person(&many[..99])).await, "no rule");
    many.push("platform");
    assert_eq!(scopes(&broker, person(&many)).await.unwrap(), "mcp:read mcp:write");
}

/// IDP-okta: nobody escapes a rule that denies a group by being in so many that the list is cut.
#[tokio::test]
async fn idp_okta_a_denied_group_is_not_escaped_by_many_groups() {
    let access = "  default_scopes: [mcp:read]\n  rules:\n    - { groups: [contractors], deny: true }\n";
    let broker = product("", "okta", "    allowed_domains: [example.com]\n", access).await;
    let many: Vec<String> = (0..100).map(|n| format!("team-{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_refused(scopes(&broker, person(&many)).await, "did not tell all groups");
    assert_eq!(scopes(&broker, person(&many[..99])).await.unwrap(), "mcp:read");
    assert_refused(scopes(&broker, person(&["contractors"])).await, "denies");
}
