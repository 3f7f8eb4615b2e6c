//! Clerk: a pinned organisation, and ID tokens that leave out what userinfo has.

use serde_json::{Value, json};

use crate::harness::keys::object;
use crate::harness::provider::Person;

use super::{assert_refused, outcome, product, scopes};

const ACCESS: &str = "  default_scopes: [mcp:read]\n";
const PINNED: &str = "    organizations: [org_2acme]\n";

/// A person as Clerk shapes one; `org_id` is the organisation that was chosen.
fn person(org: Value) -> Person {
    Person::new("user_2abcDEF", "alice@example.com").with("org_id", org).with("org_slug", json!("org_2acme"))
}

/// IDP-clerk: the organisation decides by its id; a slug or a name is a label that anyone chooses.
#[tokio::test]
async fn idp_clerk_another_organisation_is_denied() {
    let broker = product("", "clerk", PINNED, ACCESS).await;
    assert_eq!(scopes(&broker, person(json!("org_2acme"))).await.unwrap(), "mcp:read");
    for other in [json!("org_2evil"), json!("ORG_2ACME"), json!(null), json!(""), json!({"id": "org_2acme"})]
    {
        let refused = scopes(&broker, person(other.clone())).await;
        assert_refused(refused, "none of the organisations");
    }
    let asked = &broker.provider.authorize_requests()[0];
    assert!(asked["scope"].split(' ').any(|scope| scope == "user:org:read"), "{asked:?}");
}

/// IDP-clerk: where the ID token is thin, userinfo is asked, about the same subject; what it says
/// of the organisation decides as well.
#[tokio::test]
async fn idp_clerk_a_thin_token_is_completed_by_userinfo() {
    let broker = product("", "clerk", PINNED, ACCESS).await;
    let thin = || {
        object(json!({"email": null, "email_verified": null, "name": null, "org_id": null, "groups": null}))
    };
    broker.provider.misbehave(|m| m.claims = thin());
    let tokens = outcome(&broker, person(json!("org_2acme"))).await.unwrap();
    assert_eq!(tokens.claims()["email"], "alice@example.com");
    assert_eq!(broker.provider.fetches().userinfo, 1);
    assert_refused(outcome(&broker, person(json!("org_2evil"))).await, "none of the organisations");
    // The organisation of the ID token is not overruled by userinfo.
    broker.provider.misbehave(|m| {
        m.claims = object(json!({"email": null, "org_id": "org_2evil"}));
        m.userinfo = object(json!({"org_id": "org_2acme"}));
    });
    assert_refused(outcome(&broker, person(json!("org_2acme"))).await, "none of the organisations");
}
