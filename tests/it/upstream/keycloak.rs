//! Keycloak: realm roles, client roles and group paths, byte for byte.

use serde_json::json;

use crate::harness::provider::Person;

use super::{assert_refused, outcome, product, scopes};

/// An ID token as a realm with the usual mappers shapes it.
fn person() -> Person {
    Person::new("f:9a0c2f1e:alice", "alice@example.com")
        .with("typ", json!("ID"))
        .with("sid", json!("b1946ac9-2492-4d23-8f6a-1c2d3e4f5a6b"))
        .with("acr", json!("1"))
        .with("preferred_username", json!("alice"))
        .with("realm_access", json!({"roles": ["default-roles-acme", "editor"]}))
        .with(
            "resource_access",
            json!({"gatelodge-test": {"roles": ["editor", "admin"]}, "account": {"roles": ["view-profile"]}}),
        )
}

const ACCESS: &str = "  rules:\n    - { groups: [/platform], scopes: [mcp:write] }\n    - { groups: [admin], scopes: [mcp:admin] }\n    - { domains: [example.com], scopes: [mcp:read] }\n";

/// IDP-keycloak: `/a/admin` is not `admin`, and `/Platform` is not `/platform`.
#[tokio::test]
async fn idp_keycloak_groups_are_paths() {
    let broker = product("/realms/acme", "keycloak", "    allowed_domains: [example.com]\n", ACCESS).await;
    for (groups, granted) in [
        (&["/a/admin", "/Platform", "/platform/"][..], "mcp:read"),
        (&["/platform"], "mcp:read mcp:write"),
        (&["/platform", "admin"], "mcp:admin mcp:read mcp:write"),
    ] {
        assert_eq!(scopes(&broker, person().in_groups(groups)).await.unwrap(), granted, "{groups:?}");
    }
}

/// IDP-keycloak: an address that the realm has not verified admits nobody, a brokered one neither.
#[tokio::test]
async fn idp_keycloak_an_unverified_email_is_denied() {
    let broker = product("/realms/acme", "keycloak", "    allowed_domains: [example.com]\n", ACCESS).await;
    for said in [json!(false), json!("true"), json!(null)] {
        let mut person = person();
        person.email_verified = said;
        assert_refused(scopes(&broker, person).await, "vouches for no organisation domain");
    }
}

/// IDP-keycloak: the realm is the issuer; another realm's token is nobody's here.
#[tokio::test]
async fn idp_keycloak_another_realm_is_another_issuer() {
    let broker = product("/realms/acme", "keycloak", "    allowed_domains: [example.com]\n", ACCESS).await;
    let other = broker.provider.issuer().replace("/realms/acme", "/realms/master");
    assert_refused(outcome(&broker, person().with("iss", json!(other))).await, "502");
}

/// The configured hint tells Keycloak which of its own providers to use, and proves nothing.
#[tokio::test]
async fn idp_keycloak_the_hint_goes_along() {
    let lines = "    allowed_domains: [example.com]\n    idp_hint: corporate-saml\n";
    let broker = product("/realms/acme", "keycloak", lines, ACCESS).await;
    assert_eq!(scopes(&broker, person()).await.unwrap(), "mcp:read");
    assert_eq!(broker.provider.authorize_requests()[0]["kc_idp_hint"], "corporate-saml");
}

/// IDP-keycloak: roles of the realm and of a client, and a claim by its path, decide from the token
/// or from userinfo.
#[tokio::test]
async fn idp_keycloak_roles_and_claims_reach_the_rules() {
    let access = "  rules:\n    - { roles: [editor], scopes: [mcp:read] }\n    - { roles: [gatelodge-test/admin], scopes: [mcp:write] }\n    - { claims: { department.code: '42' }, scopes: [mcp:admin] }\n";
    let broker = product("/realms/acme", "keycloak", "    allowed_domains: [example.com]\n", access).await;
    assert_eq!(scopes(&broker, person()).await.unwrap(), "mcp:read mcp:write");
    let mut realm_alone = person();
    realm_alone.extra.remove("resource_access");
    assert_eq!(scopes(&broker, realm_alone).await.unwrap(), "mcp:read");
    let chief = person().with("department", json!({"code": 42}));
    assert_eq!(scopes(&broker, chief.clone()).await.unwrap(), "mcp:admin mcp:read mcp:write");
    broker.provider.misbehave(|m| drop(m.claims.insert("department".into(), json!(null))));
    assert_eq!(scopes(&broker, chief).await.unwrap(), "mcp:admin mcp:read mcp:write");
}
