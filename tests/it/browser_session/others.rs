//! Somebody else, and somebody who has to show themselves again.

use std::time::Duration;

use gatelodge::store::Store as _;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::query;
use crate::harness::client::{TestClient, Tokens, authorize_url};
use crate::harness::provider::Person;

use super::{code_of, now, offers, page_with, person_of, session_cookie, signed_in, through_upstream};

/// Whom policy denies has no session, and may come as somebody else; who was signed in before stays.
#[tokio::test]
async fn a_sign_in_that_policy_denies_makes_no_session() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    broker.provider.sign_in_as(Person::new("eve", "eve@elsewhere.example"));
    let page = browser.get(&client.authorize_url(&broker)).await;
    let denied = through_upstream(&client, &browser, &page, "idp").await;
    assert_eq!(denied.status, 403);
    assert!(session_cookie(&denied).is_none());
    let link = denied.body.split("href=\"").find(|rest| rest.contains("select_account")).unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&").replace("&#38;", "&");
    assert!(link.starts_with(&broker.url("/oauth/authorize?")), "{link}");
    broker.provider.sign_in_as(Person::new("alice", "alice@example.com"));
    let page = browser.get(&link).await;
    assert!(!offers(&page));
    let back = through_upstream(&client, &browser, &page, "idp").await;
    let asked = broker.provider.authorize_requests();
    assert_eq!(asked.last().unwrap()["prompt"], "select_account");
    assert_eq!(query(&back.location().unwrap())["state"], "st/ate==", "the same request");
    assert_eq!(client.redeem(&broker, &code_of(&back)).await.status, 200);
    // Now eve, beside alice: denied, and alice is still signed in.
    broker.provider.sign_in_as(Person::new("eve", "eve@elsewhere.example"));
    let page = browser.get(&client.authorize_url(&broker)).await;
    assert_eq!(through_upstream(&client, &browser, &page, "idp").await.status, 403);
    let page = browser.get(&client.authorize_url(&broker)).await;
    assert!(page.text("main").contains("signed in as alice@example.com"));
}

/// Whoever chooses a provider while signed in means another account: the provider is told to ask. Both
/// halves of a double click say so.
#[tokio::test]
async fn another_account_is_asked_for_at_the_provider() {
    for (preset, prompt) in [("oidc", "select_account"), ("okta", "login"), ("keycloak", "login")] {
        let broker = TestBroker::with(Setup { preset, ..Setup::default() }).await;
        let client = TestClient::register(&broker).await;
        let browser = broker.browser();
        signed_in(&broker, &client, &browser).await;
        let asked = broker.provider.authorize_requests();
        assert!(!asked.last().unwrap().contains_key("prompt"), "{preset}: not at a first sign-in");
        let page = browser.get(&client.authorize_url(&broker)).await;
        let first = browser.press(&page, "upstream", "idp").await.location().unwrap();
        let second = browser.press(&page, "upstream", "idp").await.location().unwrap();
        assert_eq!(query(&first)["prompt"], prompt, "{preset}");
        assert_eq!(first, second, "{preset}");
    }
}

/// SEC-056: signing in as somebody else while signed in never merges two accounts: one address at two
/// identity providers is two people, with sessions and grants of their own.
#[tokio::test]
async fn sec_056_signing_in_elsewhere_merges_nobody() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let first = signed_in(&broker, &client, &browser).await;
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = through_upstream(&client, &browser, &page, "other").await;
    let second = session_cookie(&back).unwrap();
    let other = broker.other.as_ref().unwrap();
    let here = person_of(&broker, "alice");
    let there = gatelodge::domain::PersonId::of(other.issuer(), "alice");
    assert_ne!(here, there);
    let tokens = Tokens::of(&client.redeem(&broker, &code_of(&back)).await);
    assert_eq!(tokens.claims()["sub"], there.as_str());
    assert!(!offers(&page_with(&broker, &client, &first).await), "the browser left the first account");
    assert!(offers(&page_with(&broker, &client, &second).await));
    for person in [&here, &there] {
        let grants = broker.store.grants_of(person, now(&broker)).await.unwrap();
        assert_eq!(grants.len(), 1);
    }
    assert_eq!(broker.store.browser_sessions_of(&here, now(&broker)).await.unwrap(), []);
    assert_eq!(broker.store.browser_sessions_of(&there, now(&broker)).await.unwrap().len(), 1);
}

/// `absolute: 0s`: there are no sessions.
#[tokio::test]
async fn without_sessions_every_request_is_a_sign_in() {
    let extra = "browser_sessions: { absolute: 0s }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = through_upstream(&client, &browser, &page, "idp").await;
    assert!(session_cookie(&back).is_none());
    assert!(!offers(&browser.get(&client.authorize_url(&broker)).await));
    assert!(!browser.get(&broker.url("/oauth/logout")).await.body.contains("<form"));
}

/// OpenID Connect Core section 3.1.2.1: `prompt` and `max_age` against a live session.
#[tokio::test]
async fn prompt_and_max_age_meet_a_session() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    broker.clock.advance(Duration::from_secs(600));
    let with = |name: &str, value: &str| authorize_url(&broker, &client.request_with(&[(name, value)]));
    for (name, value, offered) in [
        ("prompt", "login", false),
        ("prompt", "select_account", false),
        ("prompt", "select_account consent", false),
        ("prompt", "consent", true),
        ("prompt", "create", true),
        ("max_age", "0", false),
        ("max_age", "599", false),
        ("max_age", "600", true),
    ] {
        let page = browser.get(&with(name, value)).await;
        assert_eq!(offers(&page), offered, "{name}={value}");
        let away = browser.press(&page, "upstream", "idp").await.location().unwrap();
        assert_eq!(query(&away)["prompt"], "select_account", "{name}={value}");
    }
    // Without a session nothing but the client's own wish is passed on, and `consent` never (INT-50).
    let stranger = broker.browser();
    for (value, passed) in [("consent", None), ("login", Some("select_account"))] {
        let page = stranger.get(&with("prompt", value)).await;
        let away = stranger.press(&page, "upstream", "idp").await.location().unwrap();
        assert_eq!(query(&away).get("prompt").map(String::as_str), passed, "{value}");
    }
    for (name, value) in [("prompt", "none login"), ("max_age", "soon")] {
        let page = browser.get(&with(name, value)).await;
        assert!(page.text("main").contains("invalid_request"), "{name}={value}: {}", page.text("main"));
    }
}

/// The page of whoever is signed in says what policy would give of what is asked; a look at it asks no
/// upstream and pins no address.
#[tokio::test]
async fn the_page_says_what_would_be_granted() {
    let broker = TestBroker::start().await;
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com").in_groups(&["platform"]));
    let (client, browser) = (TestClient::register(&broker).await, broker.browser());
    let page = browser.get(&client.authorize_url(&broker)).await;
    assert!(!page.body.contains("Not for you"), "nobody is signed in");
    through_upstream(&client, &browser, &page, "idp").await;
    let page = browser.get(&client.authorize_url(&broker)).await;
    let withheld: Vec<bool> = ["admin", "read", "write"]
        .map(|name| format!("mcp:{name} Not for you"))
        .iter()
        .map(|text| page.text(".scopes li").contains(text.as_str()))
        .collect();
    assert_eq!(withheld, [true, false, false], "{}", page.text(".scopes"));
    let asks = client.request_with(&[("scope", "mcp:read")]);
    let page = browser.get(&crate::harness::client::authorize_url(&broker, &asks)).await;
    assert!(!page.body.contains("Not for you"), "{}", page.body);
}

/// SEC-027, SEC-039: a page that was shown for one account allows nothing for another, however often its
/// button is pressed: the page that names the other one has a form of its own.
#[tokio::test]
async fn sec_039_a_stale_page_pressed_twice_allows_nothing_for_somebody_else() {
    let broker = TestBroker::start().await;
    let (client, browser) = (TestClient::register(&broker).await, broker.browser());
    signed_in(&broker, &client, &browser).await;
    let stale = browser.get(&client.authorize_url(&broker)).await;
    assert!(stale.text("main").contains("alice@example.com"));
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    let other = browser.get(&client.authorize_url(&broker)).await;
    through_upstream(&client, &browser, &other, "idp").await;
    let once = browser.press(&stale, "action", "allow").await;
    assert_eq!(once.status, 200, "{}", once.body);
    assert!(once.text("main").contains("bob@example.com"));
    let twice = browser.press(&stale, "action", "allow").await;
    assert_eq!((twice.status, twice.location()), (403, None), "{}", twice.body);
    // Who reads the new page may allow it.
    let back = browser.press(&once, "action", "allow").await;
    assert_eq!(back.status, 303, "{}", back.body);
}

/// INT-50: where the client wants a new sign-in, a forged Allow does not spare it.
#[tokio::test]
async fn int_50_allow_does_not_spare_a_sign_in_that_is_wanted() {
    let broker = TestBroker::start().await;
    let (client, browser) = (TestClient::register(&broker).await, broker.browser());
    signed_in(&broker, &client, &browser).await;
    let asks = client.request_with(&[("prompt", "login")]);
    let mut page = browser.get(&authorize_url(&broker, &asks)).await;
    for _ in 0..3 {
        assert!(!offers(&page), "{}", page.body);
        page = browser.press(&page, "action", "allow").await;
        assert_eq!((page.status, page.location()), (200, None), "{}", page.body);
    }
}
