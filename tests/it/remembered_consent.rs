//! Remembered consent: the same question is not asked twice, and any other is (section B).

use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::{Client, ClientAuthMethod, ClientId, PersonId, Revoked};
use gatelodge::protocol::RedirectUri;
use gatelodge::protocol::client_document::ClientKeys;
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens, authorize_url};
use crate::harness::provider::Person;

const WEB: &str = "https://app.example/callback";
const OTHER: &str = "https://app.example/other";
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn web_client(broker: &TestBroker) -> TestClient {
    let metadata = json!({ "client_name": "Web app", "redirect_uris": [WEB, OTHER] });
    TestClient::register_with(broker, metadata).await
}

/// Approves these scopes once, by a sign-in.
async fn approve(broker: &TestBroker, client: &TestClient, browser: &Browser, scopes: &str) {
    let url = authorize_url(broker, &client.request_with(&[("scope", scopes), ("prompt", "login")]));
    let answer = client.sign_in_at(broker, browser, &url).await;
    assert!(answer.contains_key("code"), "{answer:?}");
}

async fn ask(broker: &TestBroker, client: &TestClient, browser: &Browser, changes: &[(&str, &str)]) -> Page {
    browser.get(&authorize_url(broker, &client.request_with(changes))).await
}

/// Did the answer go straight to the client, with a code?
fn is_straight(page: &Page) -> bool {
    if page.status == 303 {
        let location = page.location().unwrap();
        assert!(location.starts_with("https://app.example/"), "{location}");
        assert!(query(&location).contains_key("code"), "{location}");
        return true;
    }
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains("value=\"allow\""), "asked as somebody who is signed in: {}", page.body);
    false
}

/// Who has approved it is not asked again: straight to a code, with state and iss; policy decides what
/// it is worth, and the log says how it came.
#[tokio::test]
async fn what_was_approved_is_not_asked_again() {
    let broker = TestBroker::start().await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    client.sign_in(&broker, &browser).await;
    let straight = ask(&broker, &client, &browser, &[]).await;
    assert!(is_straight(&straight));
    let answer = query(&straight.location().unwrap());
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("st/ate==", broker.issuer.as_str()));
    let tokens = Tokens::of(&client.redeem(&broker, &answer["code"]).await);
    assert_eq!(tokens.answer["scope"], "mcp:admin mcp:read mcp:write");
    assert_eq!(broker.provider.authorize_requests().len(), 1);
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    for kind in ["consent_remembered", "consent_used", "signed_in_by_session"] {
        assert_eq!(events.iter().filter(|event| event.kind.as_str() == kind).count(), 1, "{kind}");
    }
    // Also what was allowed without a sign-in is remembered.
    let second = web_client(&broker).await;
    let page = ask(&broker, &second, &browser, &[]).await;
    assert!(!is_straight(&page));
    assert_eq!(browser.press(&page, "action", "allow").await.status, 303);
    assert!(is_straight(&ask(&broker, &second, &browser, &[]).await));
    // And whoever may have nothing any more reads so.
    let third = ask(&broker, &client, &browser, &[("prompt", "consent")]).await;
    assert!(!is_straight(&third), "prompt=consent asks (INT-50)");
}

/// SEC-036: remembered for person, client, redirect, scopes and resource. An added scope, another
/// redirect, another server, another person: asked.
#[tokio::test]
async fn sec_036_another_question_is_asked() {
    let resources = format!(
        "  - url: {RESOURCE}\n    name: Example tools\n    default: true\n    scopes: {{ mcp:read: R, mcp:write: W, mcp:admin: A }}\n  \
         - url: https://wiki.example.com/mcp\n    name: Wiki\n    scopes: {{ mcp:read: R }}\n"
    );
    let broker = TestBroker::with(Setup { resources, ..Setup::default() }).await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    approve(&broker, &client, &browser, "mcp:read mcp:write").await;
    assert!(is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:read mcp:write")]).await));
    assert!(is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:read")]).await), "less of it");
    for (what, changes) in [
        ("an added scope", [("scope", "mcp:read mcp:write mcp:admin")].as_slice()),
        ("every scope", &[("scope", "")]),
        ("another redirect", &[("scope", "mcp:read"), ("redirect_uri", OTHER)]),
        ("another server", &[("scope", "mcp:read"), ("resource", "https://wiki.example.com/mcp")]),
    ] {
        assert!(!is_straight(&ask(&broker, &client, &browser, changes).await), "{what}");
    }
    // Approved bit by bit, it is remembered together.
    let page = ask(&broker, &client, &browser, &[("scope", "mcp:admin")]).await;
    assert!(!is_straight(&page));
    assert_eq!(browser.press(&page, "action", "allow").await.status, 303);
    assert!(is_straight(&ask(&broker, &client, &browser, &[]).await));
    // Another person in the same browser is asked.
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    let other = web_client(&broker).await;
    approve(&broker, &other, &browser, "mcp:read").await;
    assert!(!is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:read")]).await), "bob");
}

/// SEC-037: a client that tells something else about itself than when it was approved is asked for
/// again.
#[tokio::test]
async fn sec_037_a_client_that_has_changed_is_asked_for() {
    let broker = TestBroker::start().await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    approve(&broker, &client, &browser, "mcp:read").await;
    let now = broker.clock.now();
    let known = broker.store.client(&ClientId::new(client.id.clone()), now).await.unwrap().unwrap();
    let scope = [("scope", "mcp:read")];
    let mut renamed = known.clone();
    renamed.name = Some("Your bank".into());
    let mut further = known.clone();
    further.redirect_uris.push(RedirectUri::parse("https://evil.example/cb").unwrap());
    let signing = |kid: &str| {
        let keys = ClientKeys::Jwks(json!({ "keys": [{ "kid": kid }] }));
        let auth = ClientAuthMethod::PrivateKeyJwt { keys, required: true };
        Client { auth, ..known.clone() }
    };
    assert_ne!(signing("a").as_shown(), signing("b").as_shown(), "other keys");
    // What replicas remember of a client is a second old at most.
    let becomes = async |changed: &Client| {
        broker.store.remember_client(changed).await.unwrap();
        broker.clock.advance(Duration::from_secs(1));
    };
    for changed in [renamed, further, signing("a")] {
        becomes(&changed).await;
        assert!(!is_straight(&ask(&broker, &client, &browser, &scope).await), "{changed:?}");
        becomes(&known).await;
        assert!(is_straight(&ask(&broker, &client, &browser, &scope).await), "as it was");
    }
    // The change approved, it is the new client that is remembered.
    let mut renamed = known.clone();
    renamed.name = Some("Web app 2".into());
    becomes(&renamed).await;
    let page = ask(&broker, &client, &browser, &scope).await;
    assert!(!is_straight(&page));
    browser.press(&page, "action", "allow").await;
    assert!(is_straight(&ask(&broker, &client, &browser, &scope).await));
}

/// SEC-038 (RFC 8252 section 8.6): an answer that any program on the machine could take is approved by
/// hand, each time.
#[tokio::test]
async fn sec_038_local_programs_are_approved_each_time() {
    let broker = TestBroker::start().await;
    for redirect in [
        "http://127.0.0.1:39999/callback",
        "http://localhost:39999/cb",
        "http://[::1]:1/cb",
        "com.example.app:/cb",
    ] {
        let client = TestClient::register_with(&broker, json!({ "redirect_uris": [redirect] })).await;
        let browser = broker.browser();
        assert!(client.sign_in(&broker, &browser).await.contains_key("code"));
        for _ in 0..2 {
            let page = browser.get(&client.authorize_url(&broker)).await;
            assert_eq!(page.status, 200, "{redirect}");
            let back = browser.press(&page, "action", "allow").await;
            assert!(query(&back.location().unwrap()).contains_key("code"), "{redirect}");
        }
        let silent = authorize_url(&broker, &client.request_with(&[("prompt", "none")]));
        let page = browser.get(&silent).await;
        assert!(page.text("main").contains("consent_required"), "{redirect}: {}", page.text("main"));
    }
}

/// SEC-040: an approval is one client's. Another client with the same redirect, and the same name, is
/// asked for.
#[tokio::test]
async fn sec_040_a_swapped_client_id_is_asked_for() {
    let broker = TestBroker::start().await;
    let (client, twin) = (web_client(&broker).await, web_client(&broker).await);
    let browser = broker.browser();
    approve(&broker, &client, &browser, "mcp:read").await;
    assert!(is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:read")]).await));
    let swapped = [("scope", "mcp:read"), ("client_id", twin.id.as_str())];
    assert!(!is_straight(&ask(&broker, &client, &browser, &swapped).await));
}

/// OpenID Connect Core section 3.1.2.6: `prompt=none` shows no page; the client is told what is missing.
#[tokio::test]
async fn prompt_none_shows_no_page() {
    let extra = format!("clients:\n  - {{ id: web, name: Web app, redirect_uris: ['{WEB}'] }}\n");
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let client = TestClient { id: "web".into(), secret: None, redirect: WEB.into() };
    let browser = broker.browser();
    let silent = async |changes: &[(&str, &str)]| {
        let changes = [&[("prompt", "none")], changes].concat();
        let page = ask(&broker, &client, &browser, &changes).await;
        let answer = query(&page.location().unwrap_or_else(|| panic!("{}", page.body)));
        assert_eq!(answer["state"], "st/ate==");
        answer
            .get("error")
            .cloned()
            .unwrap_or_else(|| format!("a code of {} bytes", answer["code"].len() / 100))
    };
    assert_eq!(silent(&[]).await, "login_required");
    approve(&broker, &client, &browser, "mcp:read").await;
    assert_eq!(silent(&[]).await, "consent_required");
    assert_eq!(silent(&[("scope", "mcp:read")]).await, "a code of 1 bytes");
    assert_eq!(silent(&[("scope", "mcp:read"), ("login_hint", "bob@example.com")]).await, "consent_required");
    assert_eq!(
        silent(&[("scope", "mcp:read"), ("login_hint", "alice@example.com")]).await,
        "a code of 1 bytes"
    );
    broker.clock.advance(Duration::from_secs(61));
    assert_eq!(silent(&[("scope", "mcp:read"), ("max_age", "60")]).await, "login_required");
    broker.clock.advance(Duration::from_secs(3600));
    assert_eq!(silent(&[("scope", "mcp:read")]).await, "login_required", "the session is over");
}

/// Policy is asked each time, and says no in front of the person, or to a client that asks silently.
#[tokio::test]
async fn policy_decides_also_where_consent_is_remembered() {
    let folder = crate::harness::temp_dir::TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let extra = format!("clients:\n  - {{ id: web, name: Web app, redirect_uris: ['{WEB}'] }}\n");
    let setup = Setup { extra, store, ..Setup::default() };
    let broker = TestBroker::with(setup.clone()).await;
    let client = TestClient { id: "web".into(), secret: None, redirect: WEB.into() };
    let browser = broker.browser();
    client.sign_in(&broker, &browser).await;
    let (clock, provider) = (broker.clock.clone(), broker.provider.clone());
    let origin = broker.issuer.clone();
    broker.stop().await;
    let access = "  rules:\n    - { groups: [nobody], scopes: [mcp:read] }\n".to_owned();
    let address = origin.strip_prefix("http://").unwrap();
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    let setup = Setup { access, ..setup };
    let broker = TestBroker::behind(setup, clock, provider, listener, &origin).await;
    let page = ask(&broker, &client, &browser, &[]).await;
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.text("main").contains("Use another account"), "{}", page.text("main"));
    let silent = ask(&broker, &client, &browser, &[("prompt", "none")]).await;
    assert_eq!(query(&silent.location().unwrap())["error"], "access_denied");
}

/// It ends by itself, and with a revocation of the person, of the client, of everything.
#[tokio::test]
async fn a_remembered_consent_ends() {
    let extra = "browser_sessions: { idle: 20d, absolute: 30d, remember_consent: 10d }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    client.sign_in(&broker, &browser).await;
    broker.clock.advance(Duration::from_secs(10 * 24 * 3600 - 1));
    assert!(is_straight(&ask(&broker, &client, &browser, &[]).await));
    broker.clock.advance(Duration::from_secs(1));
    assert!(!is_straight(&ask(&broker, &client, &browser, &[]).await), "ten days");
    let alice = PersonId::of(broker.provider.issuer(), "alice");
    let other = web_client(&broker).await;
    for what in
        [Revoked::Client(ClientId::new(client.id.clone())), Revoked::Person(alice), Revoked::Everything]
    {
        for client in [&client, &other] {
            approve(&broker, client, &browser, "mcp:read").await;
            assert!(is_straight(&ask(&broker, client, &browser, &[("scope", "mcp:read")]).await), "{what:?}");
        }
        let now = broker.clock.now();
        broker.parts.login.revocations.revoke(&what, now, DAY).await.unwrap();
        broker.clock.advance(Duration::from_secs(6));
        if matches!(what, Revoked::Client(_)) {
            assert!(!is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:read")]).await));
            assert!(
                is_straight(&ask(&broker, &other, &browser, &[("scope", "mcp:read")]).await),
                "another's"
            );
            continue;
        }
        // The session ended with it: signed in again, without approving, the question is asked.
        let third = web_client(&broker).await;
        approve(&broker, &third, &browser, "mcp:read").await;
        for client in [&client, &other] {
            let page = ask(&broker, client, &browser, &[("scope", "mcp:read")]).await;
            assert!(!is_straight(&page), "{what:?}");
        }
    }
}

/// `remember_consent: 0s`: always asked.
#[tokio::test]
async fn consent_need_not_be_remembered() {
    let extra = "browser_sessions: { remember_consent: 0s }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    client.sign_in(&broker, &browser).await;
    assert!(!is_straight(&ask(&broker, &client, &browser, &[]).await));
}

/// Whoever declines, or is denied, has approved nothing.
#[tokio::test]
async fn only_an_approval_that_led_to_a_grant_is_remembered() {
    let broker = TestBroker::start().await;
    let (client, other) = (web_client(&broker).await, web_client(&broker).await);
    let browser = broker.browser();
    approve(&broker, &other, &browser, "mcp:read").await;
    let page = ask(&broker, &client, &browser, &[]).await;
    browser.press(&page, "action", "deny").await;
    assert!(!is_straight(&ask(&broker, &client, &browser, &[]).await), "declined");
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    approve(&broker, &other, &browser, "mcp:read").await;
    let page = ask(&broker, &client, &browser, &[("scope", "mcp:admin")]).await;
    assert_eq!(browser.press(&page, "action", "allow").await.status, 403);
    assert!(!is_straight(&ask(&broker, &client, &browser, &[("scope", "mcp:admin")]).await), "denied");
}

/// PRIN-5: where the store cannot say whether it was approved, nobody is asked and nothing is granted.
#[tokio::test]
async fn prin_5_a_fault_neither_asks_nor_grants() {
    let broker = TestBroker::start().await;
    let client = web_client(&broker).await;
    let browser = broker.browser();
    client.sign_in(&broker, &browser).await;
    for operation in [Operation::Consent, Operation::BrowserSession, Operation::OpenGrant] {
        broker.store.fail(operation);
        let page = ask(&broker, &client, &browser, &[]).await;
        assert_eq!(page.status, 503, "{operation:?}");
        assert!(page.location().is_none());
        broker.store.heal();
    }
    assert!(is_straight(&ask(&broker, &client, &browser, &[]).await));
}
