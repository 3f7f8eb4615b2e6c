//! Policy at sign-in and at every refresh: clients, denials, sessions, and whose an admin's
//! address is.

use std::time::Duration;

use gatelodge::domain::AuditEvent;
use gatelodge::store::Store as _;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;
use crate::harness::temp_dir::TempDir;

const HOUR: Duration = Duration::from_secs(3600);

/// A broker whose policy is this, besides `mcp:read` for everybody.
async fn with_rules(rules: &str) -> TestBroker {
    let access = format!("  default_scopes: [mcp:read]\n{rules}");
    TestBroker::with(Setup { access, extra: portal(), ..Setup::default() }).await
}

/// A client that the operator names `portal`.
fn portal() -> String {
    "clients: [{ id: portal, name: Portal, redirect_uris: ['http://127.0.0.1:39999/callback'] }]\n".into()
}

fn portal_client(like: &TestClient) -> TestClient {
    TestClient { id: "portal".into(), secret: None, ..like.clone() }
}

/// The scopes that a person gets.
async fn scope(broker: &TestBroker, client: &TestClient, person: Person) -> String {
    broker.provider.sign_in_as(person);
    client.tokens(broker).await.answer["scope"].as_str().expect("scopes").to_owned()
}

/// What a person sees who gets nothing.
async fn refused(broker: &TestBroker, client: &TestClient, person: Person) -> Page {
    broker.provider.sign_in_as(person);
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(broker)).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    let page = browser.follow(away, &client.redirect).await;
    assert_eq!((page.status, page.location()), (403, None), "{}", page.body);
    page
}

async fn events(broker: &TestBroker, kind: &str) -> Vec<AuditEvent> {
    broker.parts.journal.settled().await;
    let all = broker.store.recent_audit(100).await.expect("events");
    all.into_iter().filter(|event| event.kind.as_str() == kind).collect()
}

fn bob() -> Person {
    Person::new("bob", "bob@example.com")
}

/// A rule for a client holds for that client, at sign-in and at every refresh; the audit event
/// names the rules that applied.
#[tokio::test]
async fn a_rule_for_a_client_holds_for_no_other() {
    let broker = with_rules("  rules: [{ clients: [portal], groups: [ops], scopes: [mcp:write] }]\n").await;
    let other = TestClient::register(&broker).await;
    let portal = portal_client(&other);
    let ops = || bob().in_groups(&["ops"]);
    assert_eq!(scope(&broker, &other, ops()).await, "mcp:read");
    assert_eq!(scope(&broker, &portal, bob()).await, "mcp:read");
    broker.provider.sign_in_as(ops());
    let tokens = portal.tokens(&broker).await;
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    let again = Tokens::of(&portal.refresh(&broker, &tokens.refresh).await);
    assert_eq!(again.answer["scope"], "mcp:read mcp:write");
    let signed_in = events(&broker, "signed_in").await;
    let rules = |event: &AuditEvent| event.rules.clone().unwrap_or_default();
    assert!(rules(&signed_in[0]).contains("access.rules[0] (line "), "{signed_in:?}");
    assert!(rules(&signed_in[0]).contains("access.default_scopes"), "{signed_in:?}");
    assert!(!rules(&signed_in[1]).contains("access.rules"), "{signed_in:?}");
}

/// A denial wins over everything, and the person reads why; nobody reads who else is named.
#[tokio::test]
async fn a_denial_wins_and_is_shown() {
    let rules = "  admin_users: [bob@example.com]\n  admin_scopes: [mcp:admin]\n  rules:\n    \
                 - { groups: [contractors, leavers], deny: true, reason: Contractors use the <portal>. }\n";
    let broker = with_rules(rules).await;
    let client = TestClient::register(&broker).await;
    let page = refused(&broker, &client, bob().in_groups(&["contractors"])).await;
    assert!(page.text("main").contains("Contractors use the <portal>."), "{}", page.text("main"));
    assert!(!page.body.contains("leavers") && !page.body.contains("<portal>"), "{}", page.body);
    let denied = events(&broker, "sign_in_denied").await;
    let reason = denied[0].reason.clone().unwrap_or_default();
    assert!(reason.contains("denies: group is contractors"), "{reason}");
    assert_eq!(scope(&broker, &client, bob()).await, "mcp:admin mcp:read mcp:write");
}

/// SEC-090: a denial, also one for a client, and a shorter session take effect at the next
/// refresh.
#[tokio::test]
async fn sec_090_denials_and_sessions_reach_older_grants() {
    let folder = TempDir::new();
    let setup = |access: &str| Setup {
        store: format!("store: {}\n", folder.path().join("store.db").display()),
        access: format!("  default_scopes: [mcp:read]\n{access}"),
        extra: portal(),
        ..Setup::default()
    };
    let before = TestBroker::with(setup("")).await;
    before.provider.sign_in_as(bob().in_groups(&["ops"]));
    let other = TestClient::register(&before).await;
    let portal = portal_client(&other);
    let (in_other, in_portal) = (other.tokens(&before).await, portal.tokens(&before).await);
    let (clock, provider) = (before.clock.clone(), before.provider.clone());
    before.stop().await;
    for (access, alive) in [
        ("  rules: [{ groups: [other], deny: true }]\n", [true, true]),
        ("  rules: [{ clients: [portal], deny: true }]\n", [true, false]),
        ("  rules: [{ emails: [bob@example.com], deny: true }]\n", [false, false]),
        ("  rules: [{ groups: [ops], scopes: [mcp:write], session: 2h }]\n", [true, true]),
        ("  rules: [{ groups: [ops], scopes: [mcp:write], session: 1m }]\n", [false, false]),
    ] {
        clock.advance(Duration::from_secs(20));
        let after = TestBroker::replica(setup(access), clock.clone(), provider.clone()).await;
        for (client, tokens, is_alive) in [(&other, &in_other, alive[0]), (&portal, &in_portal, alive[1])] {
            let page = client.refresh(&after, &tokens.refresh).await;
            assert_eq!(page.status == 200, is_alive, "{access}{}", page.body);
            assert!(is_alive || page.error() == "invalid_grant");
        }
        if !alive[1] {
            let reasons = events(&after, "refresh_denied").await;
            assert!(reasons[0].reason.as_ref().is_some_and(|why| why.contains("policy")), "{reasons:?}");
        }
        after.stop().await;
    }
}

/// SEC-089: the shortest session of the rules that give something ends the family, however often
/// it is refreshed, and its access tokens with it.
#[tokio::test]
async fn sec_089_a_rule_s_session_ends_the_family() {
    let rules = "  rules:\n    - { groups: [ops], scopes: [mcp:write], session: 2h }\n    \
                 - { groups: [ops], scopes: [mcp:admin], session: 1h }\n";
    let broker = with_rules(rules).await;
    let client = TestClient::register(&broker).await;
    broker.provider.sign_in_as(bob());
    let free = client.tokens(&broker).await;
    broker.provider.sign_in_as(bob().in_groups(&["ops"]));
    let mut tokens = client.tokens(&broker).await;
    for _ in 0..3 {
        broker.clock.advance(HOUR / 4);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    assert_eq!(tokens.answer["expires_in"], 900);
    broker.clock.advance(HOUR / 4);
    let over = client.refresh(&broker, &tokens.refresh).await;
    assert_eq!((over.status, over.error().as_str()), (400, "invalid_grant"));
    assert_eq!(client.refresh(&broker, &free.refresh).await.status, 200);
}

/// Scopes imply scopes, as far as the server has them, or as the operator says.
#[tokio::test]
async fn a_scope_implies_lower_ones() {
    let admins = "  admin_users: [bob@example.com]\n  admin_scopes: [mcp:admin]\n";
    let broker = with_rules(admins).await;
    let client = TestClient::register(&broker).await;
    assert_eq!(scope(&broker, &client, bob()).await, "mcp:admin mcp:read mcp:write");
    let flat = with_rules(&format!("{admins}  scope_hierarchy: {{}}\n")).await;
    let client = TestClient::register(&flat).await;
    assert_eq!(scope(&flat, &client, bob()).await, "mcp:admin mcp:read");
}

/// IDP, "For all of them": an address of `admin_users` belongs to the account that brings it
/// first. Who gets the address later gets what anybody gets, and the log says why.
#[tokio::test]
async fn idp_a_recycled_address_makes_no_admin() {
    let setup = Setup { two_upstreams: true, ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    let client = TestClient::register(&broker).await;
    let alice = |sub: &str| Person::new(sub, "alice@example.com");
    let all = "mcp:admin mcp:read mcp:write";
    assert_eq!(scope(&broker, &client, alice("1")).await, all);
    assert_eq!(scope(&broker, &client, alice("2")).await, "mcp:read");
    assert_eq!(scope(&broker, &client, alice("1")).await, all, "the first one stays");
    let refused = events(&broker, "admin_refused").await;
    assert_eq!(refused.len(), 1, "{refused:?}");
    let [event] = refused.as_slice() else { panic!("{refused:?}") };
    assert!(event.reason.as_ref().is_some_and(|why| why.contains("pinned to p_")), "{event:?}");
    // Nor does the same subject at another provider.
    broker.other.as_ref().expect("a second provider").sign_in_as(alice("1"));
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let away = browser.press(&consent, "upstream", "other").await;
    let back = browser.follow(away, &client.redirect).await;
    let code = crate::harness::browser::query(&back.location().expect("a code"))["code"].clone();
    assert_eq!(Tokens::of(&client.redeem(&broker, &code).await).answer["scope"], "mcp:read");
}

/// An admin may be named by account: no address, and no pin.
#[tokio::test]
async fn an_admin_by_account_needs_no_address() {
    let broker = TestBroker::start().await;
    let provider = broker.provider.clone();
    let access = format!(
        "  default_scopes: [mcp:read]\n  admin_users: ['{}|7|x']\n  admin_scopes: [mcp:admin]\n",
        provider.issuer()
    );
    let setup = Setup { access, ..Setup::default() };
    let broker = TestBroker::replica(setup, broker.clock.clone(), provider).await;
    let client = TestClient::register(&broker).await;
    let admin = "mcp:admin mcp:read mcp:write";
    assert_eq!(scope(&broker, &client, Person::new("7|x", "new@example.com")).await, admin);
    assert_eq!(scope(&broker, &client, Person::new("7", "alice@example.com")).await, "mcp:read");
}

/// PRIN-5: where the pin cannot be looked up, nobody is taken for an admin, nor for nobody.
#[tokio::test]
async fn without_its_pin_an_admin_waits() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    broker.store.fail(gatelodge::store::faulty::Operation::PinAdmin);
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    let page = browser.follow(away, &client.redirect).await;
    assert_eq!((page.status, page.location()), (503, None));
    assert_eq!(scope(&broker, &client, bob()).await, "mcp:read", "others do not");
}
