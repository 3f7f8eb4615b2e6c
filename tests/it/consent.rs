//! Consent: our own page first, bound to one browser, answered once (section B).

use gatelodge::protocol::ScopeSet;
use serde_json::json;

use crate::harness::broker::TestBroker;
use crate::harness::browser::query;
use crate::harness::client::{REDIRECT, TestClient};
use crate::harness::provider::Person;

/// SEC-027, SEC-028: whoever has a live session at the provider still sees our page, and until
/// the button no provider knows of it and no cookie for its answer is set.
#[tokio::test]
async fn sec_027_sec_028_our_page_comes_before_any_upstream() {
    let broker = TestBroker::start().await;
    let first = TestClient::register(&broker).await;
    let browser = broker.browser();
    first.sign_in(&broker, &browser).await;
    let asked = broker.provider.authorize_requests().len();
    let second = TestClient::register(&broker).await;
    let page = browser.get(&second.authorize_url(&broker)).await;
    assert_eq!(page.status, 200);
    assert_eq!(broker.provider.authorize_requests().len(), asked, "no upstream hit");
    assert!(!page.header("set-cookie").contains("gl_login"), "{}", page.header("set-cookie"));
    let away = browser.press(&page, "upstream", "idp").await;
    assert!(away.header("set-cookie").starts_with("gl_login_"), "{}", away.header("set-cookie"));
    assert!(away.header("set-cookie").contains("HttpOnly; SameSite=Lax"));
}

/// SEC-029, CVE-2026-27124: a captured upstream URL is worth nothing in another browser.
#[tokio::test]
async fn sec_029_the_answer_must_come_in_the_browser_that_approved() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let attacker = broker.browser();
    let page = attacker.get(&client.authorize_url(&broker)).await;
    let captured = attacker.press(&page, "upstream", "idp").await.location().expect("a redirect");
    let victim = broker.browser();
    victim.get(&client.authorize_url(&broker)).await;
    let at_provider = victim.get(&captured).await;
    let end = victim.follow(at_provider, &client.redirect).await;
    assert_eq!(end.status, 400);
    assert!(end.location().is_none());
    assert!(end.text("h1").contains("another browser"), "{}", end.text("h1"));
    assert!(broker.provider.token_requests().is_empty(), "no upstream token call");
}

/// SEC-030, SEC-031: client, destination, server, scopes, and the mark of an unknown client.
#[tokio::test]
async fn sec_030_sec_031_the_page_says_what_is_approved() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let page = broker.browser().get(&client.authorize_url(&broker)).await;
    let text = page.text("main");
    for part in
        ["Test client", "127.0.0.1:39999", "Example tools", "mcp.example.com/mcp", "Read notes", "mcp:admin"]
    {
        assert!(text.contains(part), "{part} is missing from: {text}");
    }
    assert!(text.contains("Self-registered"), "{text}");
    assert!(text.contains("on this computer"), "the loopback warning: {text}");
    assert!(text.contains(&client.id), "{text}");
}

/// SEC-032: what a client says about itself is hostile.
#[tokio::test]
async fn sec_032_hostile_names_are_shown_harmless() {
    let broker = TestBroker::start().await;
    for name in ["<script>alert(1)</script>", "\u{202e}evil\u{200b}", &"x".repeat(10_000), "\"><img src=x>"] {
        let metadata = json!({ "client_name": name, "redirect_uris": [REDIRECT] });
        let client = TestClient::register_with(&broker, metadata).await;
        let page = broker.browser().get(&client.authorize_url(&broker)).await;
        assert_eq!(page.status, 200);
        for raw in ["<script", "<img src=x", "\u{202e}", "\u{200b}", &"x".repeat(200)] {
            assert!(!page.body.contains(raw), "{raw:?} reached the page");
        }
    }
}

/// SEC-033, SEC-161: the form counts from its own browser, with its own token, from our page.
#[tokio::test]
async fn sec_033_a_missing_foreign_or_cross_site_form_is_403() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    let other = browser.get(&client.authorize_url(&broker)).await;
    let (action, fields) = page.form();
    let (_, foreign) = other.form();
    let login = fields["login"].as_str();
    for form in [
        vec![("login", login), ("upstream", "idp")],
        vec![("login", login), ("form_token", ""), ("upstream", "idp")],
        vec![("login", login), ("form_token", foreign["form_token"].as_str()), ("upstream", "idp")],
        vec![("login", "nonsense"), ("form_token", fields["form_token"].as_str()), ("upstream", "idp")],
        vec![("login", login), ("form_token", fields["form_token"].as_str())],
    ] {
        assert_eq!(browser.post(&action, &form).await.status, 403, "{form:?}");
    }
    let stranger = broker.browser();
    assert_eq!(stranger.press(&page, "upstream", "idp").await.status, 403, "no cookie");
    stranger.get(&client.authorize_url(&broker)).await;
    assert_eq!(stranger.press(&page, "upstream", "idp").await.status, 403, "another cookie");
    for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let form = [("login", login), ("form_token", fields["form_token"].as_str()), ("upstream", "idp")];
        let request = browser.http().post(&action).header(header, value).form(&form);
        assert_eq!(request.send().await.expect("an answer").status(), 403, "{header}");
    }
    assert!(broker.provider.authorize_requests().is_empty());
    assert_eq!(browser.press(&page, "upstream", "idp").await.status, 303, "none of this used it up");
}

/// SEC-034: approving is a POST.
#[tokio::test]
async fn sec_034_get_is_405() {
    let broker = TestBroker::start().await;
    assert_eq!(broker.browser().get(&broker.url("/oauth/consent?upstream=idp")).await.status, 405);
}

/// SEC-014: who declines goes back with `access_denied`, state and iss, and no upstream knows.
#[tokio::test]
async fn declining_returns_access_denied() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = browser.press(&page, "action", "deny").await;
    assert_eq!(back.status, 303);
    let answer = query(&back.location().expect("a redirect"));
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "st/ate=="));
    assert_eq!(answer["iss"], broker.issuer);
    assert!(broker.provider.authorize_requests().is_empty());
    assert_eq!(browser.press(&page, "action", "deny").await.status, 403, "once");
}

/// A consent page lives ten minutes (SEC-042), by our clock and not by the store's (PRIN-7).
#[tokio::test]
async fn a_consent_page_expires() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    broker.clock.advance(std::time::Duration::from_secs(600));
    assert_eq!(browser.press(&page, "upstream", "idp").await.status, 403);
}

/// SEC-018: asked ∩ granted, and the answer says so; a person who may have something, but none of
/// what was asked, reads that.
#[tokio::test]
async fn sec_018_scopes_are_narrowed_by_policy() {
    let broker = TestBroker::start().await;
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com").in_groups(&["platform"]));
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    let claims = tokens.claims();
    let held = ScopeSet::parse_lenient(claims["scope"].as_str().expect("a text"));
    assert_eq!(held.to_string(), "mcp:read mcp:write");

    let browser = broker.browser();
    let url = crate::harness::client::authorize_url(&broker, &client.request_with(&[("scope", "mcp:admin")]));
    let page = browser.get(&url).await;
    let away = browser.press(&page, "upstream", "idp").await;
    let end = browser.follow(away, &client.redirect).await;
    assert_eq!(end.status, 403);
    assert!(end.text("main").contains("asks for mcp:admin"), "{}", end.text("main"));
    assert!(!end.text("main").contains("alice@example.com"), "who is an admin is nobody's business");
}
