//! Microsoft Entra: tenants, objects, addresses that prove nothing, and too many groups.

use serde_json::json;

use crate::harness::broker::TestBroker;
use crate::harness::provider::Person;

use super::{assert_refused, outcome, product, scopes};

const OURS: &str = "8f14e45f-ceea-467f-9575-0a1b2c3d4e5f";
const FOREIGN: &str = "6512bd43-d9ca-a6e0-2c99-0b0a82652dca";
const OBJECT: &str = "c20ad4d7-6fe9-7759-aa27-a0c99bff6710";
const PLATFORM: &str = "c51ce410-c124-a10e-0db5-e4b97fc2af39";

fn access() -> String {
    format!("  default_scopes: [mcp:read]\n  rules:\n    - {{ groups: [{PLATFORM}], scopes: [mcp:write] }}\n")
}

/// A broker for several tenants, of which one is listed.
async fn shared(lines: &str) -> TestBroker {
    let lines = format!("    tenants: [{OURS}]\n{lines}");
    let broker = product("/organizations/v2.0", "entra", &lines, &access()).await;
    let template = broker.provider.issuer().replace("/organizations/", "/{tenantid}/");
    broker.provider.misbehave(|m| drop(m.discovery.insert("issuer".into(), json!(template))));
    broker
}

/// An ID token of a tenant as Entra shapes it: `sub` differs for each application, and no
/// `email_verified`.
fn person(broker: &TestBroker, tenant: &str) -> Person {
    let issuer = broker.provider.issuer().replace("/organizations/", &format!("/{tenant}/"));
    let mut person = Person::new("pairwise-AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "alice@example.com")
        .with("iss", json!(issuer))
        .with("tid", json!(tenant))
        .with("oid", json!(OBJECT))
        .with("preferred_username", json!("alice@example.com"))
        .with("upn", json!("alice@example.com"))
        .with("ver", json!("2.0"));
    person.email_verified = json!(null);
    person
}

/// IDP-entra: the issuer is the template with the token's own tenant in it, and the tenant is one
/// that is listed; a stranger's tenant with a victim's address gets nothing.
#[tokio::test]
async fn idp_entra_a_foreign_tenant_is_denied() {
    let broker = shared("").await;
    assert_eq!(scopes(&broker, person(&broker, OURS)).await.unwrap(), "mcp:read");
    let foreign = person(&broker, FOREIGN).with("xms_edov", json!(true));
    assert_refused(outcome(&broker, foreign).await, "a tenant that is not admitted");
    // The tenant and the issuer disagree, or one of them is missing or something else.
    let ours = person(&broker, OURS);
    let issuer = ours.extra["iss"].as_str().unwrap().to_owned();
    let cases = [
        person(&broker, FOREIGN).with("tid", json!(OURS)),
        ours.clone().with("tid", json!(FOREIGN)),
        ours.clone().with("tid", json!(null)),
        ours.clone().with("tid", json!(OURS.to_uppercase())),
        ours.clone().with("tid", json!("organizations")).with("iss", json!(broker.provider.issuer())),
        ours.clone().with("iss", json!(issuer.replace(OURS, "{tenantid}"))),
        ours.clone().with("iss", json!(format!("https://sts.windows.net/{OURS}/"))),
        ours.clone().with("oid", json!(null)),
        ours.with("oid", json!("")),
    ];
    for case in cases {
        let said = format!("{:?}", case.extra);
        assert!(outcome(&broker, case).await.is_err_and(|page| page.starts_with("502")), "{said}");
    }
}

/// IDP-entra: one tenant's own issuer; its metadata names it without a template.
#[tokio::test]
async fn idp_entra_a_single_tenant() {
    let broker = product(&format!("/{OURS}/v2.0"), "entra", "", &access()).await;
    assert_eq!(scopes(&broker, person(&broker, OURS)).await.unwrap(), "mcp:read");
    assert_refused(outcome(&broker, person(&broker, FOREIGN)).await, "502");
    let lying = person(&broker, OURS).with("tid", json!(FOREIGN));
    assert_refused(outcome(&broker, lying).await, "502");
}

/// IDP-entra: the account is tenant and object: `sub` is another one for each application.
#[tokio::test]
async fn idp_entra_the_account_is_tenant_and_object() {
    let broker = shared("").await;
    let account = async |change: fn(Person) -> Person| {
        outcome(&broker, change(person(&broker, OURS))).await.unwrap().claims()["sub"].clone()
    };
    let alice = account(|person| person).await;
    let elsewhere = account(|mut person| {
        person.sub = "another-pairwise".into();
        person.email = Some("renamed@example.com".into());
        person
    });
    assert_eq!(alice, elsewhere.await);
    assert_ne!(
        alice,
        account(|person| person.with("oid", json!("aab32389-22bc-c25a-6f60-6eb525ffdc56"))).await
    );
}

/// IDP-entra: an address decides only if the tenant owns its domain, which `xms_edov` says with the
/// boolean `true`; `upn`, `preferred_username` and `email_verified` never do.
#[tokio::test]
async fn idp_entra_an_address_needs_a_domain_owner() {
    let broker = shared("    allowed_domains: [example.com]\n").await;
    for said in [json!(null), json!(false), json!("true"), json!("1"), json!(1)] {
        let mut alice = person(&broker, OURS).with("xms_edov", said.clone());
        alice.email_verified = json!(true);
        let refused = outcome(&broker, alice).await;
        assert_refused(refused, "vouches for no organisation domain");
    }
    let owner = person(&broker, OURS).with("xms_edov", json!(true));
    let tokens = outcome(&broker, owner).await.unwrap();
    assert_eq!(tokens.claims()["email"], "alice@example.com");
    // Userinfo could only say what decides nothing, so it is not asked.
    assert_eq!(broker.provider.fetches().userinfo, 0);
}

/// What a token says instead of more than two hundred groups.
fn overage(person: Person) -> Person {
    person
        .with("groups", json!(null))
        .with("_claim_names", json!({"groups": "src1"}))
        .with("_claim_sources", json!({"src1": {"endpoint": "https://evil.example/getMemberObjects"}}))
}

/// IDP-entra: too many groups for a token are fetched from Graph, all pages, from Graph's own
/// address and from no address that the token names.
#[tokio::test]
async fn idp_entra_groups_that_do_not_fit_come_from_graph() {
    let broker = shared("    api_url: '{issuer}/graph'\n").await;
    let next = format!(
        "{}/graph/me/transitiveMemberOf/microsoft.graph.group?$skiptoken=1",
        broker.provider.issuer()
    );
    let first = json!({"value": [{"id": "a"}, {"id": null}, {}], "@odata.nextLink": next});
    broker.provider.answer_graph(json!([first, {"value": [{"id": PLATFORM}]}]));
    for flagged in [overage(person(&broker, OURS)), person(&broker, OURS).with("hasgroups", json!(true))] {
        assert_eq!(scopes(&broker, flagged).await.unwrap(), "mcp:read mcp:write");
    }
    assert_eq!(broker.provider.fetches().graph, 4);

    // A page elsewhere would get the person's token.
    for elsewhere in
        ["https://evil.example/page".to_owned(), format!("{}/graphs/x", broker.provider.issuer())]
    {
        broker.provider.answer_graph(json!([{"value": [], "@odata.nextLink": elsewhere}]));
        assert_refused(outcome(&broker, overage(person(&broker, OURS))).await, "503");
    }
}

/// IDP-entra: what Graph refuses is not "no groups": the rule that asks for a group says so. A
/// Graph that is away is a fault on the way, and nobody is let in with less than is known.
#[tokio::test]
async fn idp_entra_an_overage_without_graph_is_never_no_groups() {
    let access = format!("  rules:\n    - {{ groups: [{PLATFORM}], scopes: [mcp:write] }}\n");
    let lines = format!("    tenants: [{OURS}]\n    api_url: '{{issuer}}/graph'\n");
    let broker = product("/organizations/v2.0", "entra", &lines, &access).await;
    let template = broker.provider.issuer().replace("/organizations/", "/{tenantid}/");
    broker.provider.misbehave(|m| drop(m.discovery.insert("issuer".into(), json!(template))));
    assert_refused(outcome(&broker, overage(person(&broker, OURS))).await, "did not tell all groups");
    broker.provider.answer_graph(json!(["not a page"]));
    assert_refused(outcome(&broker, overage(person(&broker, OURS))).await, "503");
}

/// IDP-entra: Microsoft's keys say whose tokens they sign; one of a stranger's tenant signs none of
/// ours.
#[tokio::test]
async fn idp_entra_a_key_signs_for_its_own_tenant() {
    let template = |broker: &TestBroker| broker.provider.issuer().replace("/organizations/", "/{tenantid}/");
    let of = |broker: &TestBroker, tenant: &str| template(broker).replace("{tenantid}", tenant);
    for (issuer, believed) in [
        (&template as &dyn Fn(&TestBroker) -> String, true),
        (&|broker: &TestBroker| of(broker, OURS), true),
        (&|broker: &TestBroker| of(broker, FOREIGN), false),
    ] {
        let broker = shared("").await;
        let issuer = issuer(&broker);
        broker.provider.misbehave(|m| m.key_issuer = Some(issuer.clone()));
        if believed {
            assert!(outcome(&broker, person(&broker, OURS)).await.is_ok(), "{issuer}");
        } else {
            let client = crate::harness::client::TestClient::register(&broker).await;
            let browser = broker.browser();
            let consent = browser.get(&client.authorize_url(&broker)).await;
            super::assert_page(&browser.press(&consent, "upstream", "idp").await, 503, &issuer);
        }
    }
}

/// The address that the client expects goes along, and its domain as a hint.
#[tokio::test]
async fn idp_entra_hints_go_along() {
    let broker = shared("").await;
    let client = crate::harness::client::TestClient::register(&broker).await;
    let browser = broker.browser();
    let request = client.request_with(&[("login_hint", "alice@example.com")]);
    let consent = browser.get(&crate::harness::client::authorize_url(&broker, &request)).await;
    let away = browser.press(&consent, "upstream", "idp").await.location().unwrap();
    let asked: std::collections::BTreeMap<String, String> = crate::harness::browser::query(&away);
    assert_eq!(asked["login_hint"], "alice@example.com");
    assert_eq!(asked["domain_hint"], "example.com");
}
