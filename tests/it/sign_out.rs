//! Signing out: asked first, here and at the identity provider, by nobody else's page.

use gatelodge::clock::Clock as _;
use gatelodge::domain::PersonId;
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::TestBroker;
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::keys::object;

const END_SESSION: &str = "https://idp.example/end?client=1";

/// A broker, a client that has tokens, and the browser in which alice is signed in.
async fn signed_in(end_session: bool) -> (TestBroker, TestClient, Tokens, Browser) {
    let broker = TestBroker::start().await;
    if end_session {
        let discovery = object(json!({ "end_session_endpoint": END_SESSION }));
        broker.provider.misbehave(|m| m.discovery = discovery);
    }
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let answer = client.sign_in(&broker, &browser).await;
    let tokens = Tokens::of(&client.redeem(&broker, &answer["code"]).await);
    (broker, client, tokens, browser)
}

async fn page(broker: &TestBroker, browser: &Browser) -> Page {
    let page = browser.get(&broker.url("/oauth/logout")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page
}

async fn is_signed_in(broker: &TestBroker, browser: &Browser) -> bool {
    page(broker, browser).await.body.contains("<form")
}

async fn send(page: &Page, browser: &Browser, more: &[(&str, &str)]) -> Page {
    let (action, fields) = page.form();
    let fields: Vec<_> =
        fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain(more.iter().copied()).collect();
    browser.post(&action, &fields).await
}

/// The page asks, and ends nothing; the button ends the session here, clears the cookie, and leaves what
/// applications may do.
#[tokio::test]
async fn signing_out_where_the_provider_has_no_place_for_it() {
    let (broker, client, tokens, browser) = signed_in(false).await;
    let asked = page(&broker, &browser).await;
    let shown = asked.text("main");
    assert!(shown.contains("alice@example.com") && shown.contains("Example SSO"), "{shown}");
    assert_eq!(asked.header("cache-control"), "no-store");
    assert_eq!(asked.header("x-frame-options"), "DENY");
    assert!(is_signed_in(&broker, &browser).await, "asking ends nothing");
    let out = send(&asked, &browser, &[]).await;
    assert_eq!(out.status, 200);
    assert!(out.text("h1").contains("You are signed out"), "{}", out.body);
    assert!(out.header("set-cookie").starts_with("gl_session=;"), "{}", out.header("set-cookie"));
    assert!(!is_signed_in(&broker, &browser).await);
    let consent = browser.get(&client.authorize_url(&broker)).await;
    assert!(!consent.body.contains("value=\"allow\""));
    let refreshed = client.refresh(&broker, &tokens.refresh).await;
    assert_eq!(refreshed.status, 200, "applications stay connected");
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    assert!(events.iter().any(|event| event.kind.as_str() == "signed_out"));
    // The button once more, or Back and reload: nothing, kindly.
    assert_eq!(send(&asked, &browser, &[]).await.status, 200);
}

/// The cookie of a session that has ended is worth nothing, also to who kept a copy.
#[tokio::test]
async fn sec_159_a_copy_of_the_cookie_is_dead() {
    let (broker, client, _, browser) = signed_in(false).await;
    let other = broker.browser();
    let url = client.authorize_url(&broker);
    let consent = other.get(&url).await;
    let away = other.press(&consent, "upstream", "idp").await;
    let back = other.follow(away, &client.redirect).await;
    let copies: Vec<_> = back.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    let copy = copies.iter().find(|cookie| cookie.starts_with("gl_session=")).unwrap().to_string();
    let copy = copy.split(';').next().unwrap();
    send(&page(&broker, &other).await, &other, &[]).await;
    let request = Browser::new().http().get(&url).header("cookie", copy);
    let stolen = Page::of(&url, request.send().await.unwrap()).await;
    assert!(!stolen.body.contains("value=\"allow\""));
    assert!(is_signed_in(&broker, &browser).await, "another browser stays");
}

/// OpenID Connect RP-Initiated Logout 1.0 section 2: the session here is over first, then the browser
/// goes to the provider's page, with the ID token, and comes back to ours.
#[tokio::test]
async fn signing_out_at_the_provider_too() {
    let (broker, _, _, browser) = signed_in(true).await;
    let away = send(&page(&broker, &browser).await, &browser, &[]).await;
    assert_eq!(away.status, 303);
    assert!(away.header("set-cookie").starts_with("gl_session=;"));
    let url = away.location().unwrap();
    assert!(url.starts_with(END_SESSION), "{url}");
    let sent = query(&url);
    assert_eq!(sent["client"], "1");
    assert_eq!(sent["client_id"], broker.provider.client_id());
    assert_eq!(sent["post_logout_redirect_uri"], broker.url("/oauth/logout/done"));
    assert!(broker.provider.given_out().contains(&sent["id_token_hint"]), "the token of that sign-in");
    assert!(!is_signed_in(&broker, &browser).await, "whatever the provider does");
    let done = |state: &str| format!("{}?state={state}", broker.url("/oauth/logout/done"));
    let back = browser.get(&done(&sent["state"])).await;
    assert_eq!(back.status, 200);
    assert!(back.text("main").contains("you have left Example SSO, too"), "{}", back.text("main"));
    for forged in ["", "idp", "idp.", "idp.AAAA", "%3Cscript%3E.x"] {
        let page = browser.get(&done(forged)).await;
        assert!(page.text("h1").contains("signed out") && !page.body.contains("Example SSO"), "{forged}");
    }
}

/// Whoever opens the page of the end while signed in is not told otherwise.
#[tokio::test]
async fn the_last_page_says_nothing_untrue() {
    let (broker, _, _, browser) = signed_in(false).await;
    let done = browser.get(&broker.url("/oauth/logout/done")).await;
    assert!(done.text("h1").contains("Sign out?"), "{}", done.text("main"));
    let nobody = broker.browser().get(&broker.url("/oauth/logout")).await;
    assert!(nobody.text("h1").contains("You are signed out"), "{}", nobody.body);
}

/// A provider that does not answer, or whose metadata leads astray, keeps nobody signed in here.
#[tokio::test]
async fn a_provider_that_is_away_keeps_nobody_signed_in() {
    for endpoint in
        [json!("http://127.0.0.1:1/ok-over-http"), json!("javascript:alert(1)"), json!("nonsense")]
    {
        let broker = TestBroker::start().await;
        let discovery = object(json!({ "end_session_endpoint": endpoint }));
        broker.provider.misbehave(|m| m.discovery = discovery);
        let client = TestClient::register(&broker).await;
        let browser = broker.browser();
        client.sign_in(&broker, &browser).await;
        let out = send(&page(&broker, &browser).await, &browser, &[]).await;
        // The test's provider is itself on plain http.
        let leads_on = endpoint.as_str().unwrap().starts_with("http:");
        assert_eq!(out.status, if leads_on { 303 } else { 200 }, "{endpoint}");
        assert!(!is_signed_in(&broker, &browser).await);
    }
    let (broker, _, _, browser) = signed_in(true).await;
    broker.clock.advance(std::time::Duration::from_secs(3599));
    let asked = page(&broker, &browser).await;
    broker.provider.misbehave(|m| m.discovery_fails = true);
    broker.clock.advance(std::time::Duration::from_secs(0));
    assert_eq!(send(&asked, &browser, &[]).await.status, 303, "the last good metadata serves");
}

/// With the box ticked, everything that applications hold in the person's name ends, too; nobody else's.
#[tokio::test]
async fn ending_the_access_of_all_applications() {
    let (broker, client, tokens, browser) = signed_in(false).await;
    let elsewhere = client.tokens(&broker).await;
    broker.provider.sign_in_as(crate::harness::provider::Person::new("bob", "bob@example.com"));
    let bobs = client.tokens(&broker).await;
    broker.provider.sign_in_as(crate::harness::provider::Person::new("alice", "alice@example.com"));
    let other = broker.browser();
    client.sign_in(&broker, &other).await;
    let asked = page(&broker, &browser).await;
    // A fault in between: still signed in, to try again.
    broker.store.fail(Operation::EndGrant);
    assert_eq!(send(&asked, &browser, &[("end_access", "yes")]).await.status, 503);
    broker.store.heal();
    assert!(is_signed_in(&broker, &browser).await);
    assert_eq!(send(&asked, &browser, &[("end_access", "yes")]).await.status, 200);
    for ended in [&tokens, &elsewhere] {
        assert_eq!(client.refresh(&broker, &ended.refresh).await.error(), "invalid_grant");
    }
    assert_eq!(client.refresh(&broker, &bobs.refresh).await.status, 200);
    assert!(!is_signed_in(&broker, &other).await, "nor in another browser");
    let alice = PersonId::of(broker.provider.issuer(), "alice");
    assert_eq!(broker.store.grants_of(&alice, broker.clock.now()).await.unwrap(), []);
}

/// SEC-033, SEC-161: no other site can sign anybody out: the form's token is this session's, and the
/// browser says where the form came from. A refusal leaves the cookie, too.
#[tokio::test]
async fn sec_033_no_other_page_signs_anybody_out() {
    let (broker, client, _, browser) = signed_in(true).await;
    let other = broker.browser();
    client.sign_in(&broker, &other).await;
    let own = page(&broker, &browser).await;
    let (action, fields) = page(&broker, &other).await.form();
    let foreign = fields["form_token"].clone();
    let (_, fields) = own.form();
    let token = fields["form_token"].clone();
    for form in [
        vec![],
        vec![("form_token", "")],
        vec![("form_token", "x")],
        vec![("form_token", foreign.as_str())],
        vec![("form_token", token.as_str()), ("form_token", token.as_str())],
    ] {
        let refused = browser.post(&action, &form).await;
        assert_eq!(refused.status, 403, "{form:?}");
        assert!(refused.headers.get("set-cookie").is_none(), "{form:?}");
    }
    for (header, value) in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")] {
        let request =
            browser.http().post(&action).header(header, value).form(&[("form_token", token.as_str())]);
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), 403, "{header}");
        assert!(answer.headers().get("set-cookie").is_none(), "{header}");
        // Also without the session's cookie, as SameSite has it.
        let request = Browser::new().http().post(&action).header(header, value).form(&[("a", "b")]);
        assert!(request.send().await.unwrap().headers().get("set-cookie").is_none(), "{header}");
    }
    assert_eq!(browser.get(&format!("{action}?form_token={token}")).await.status, 200);
    assert!(is_signed_in(&broker, &browser).await && is_signed_in(&broker, &other).await);
    assert_eq!(send(&own, &browser, &[]).await.status, 303, "none of this used it up");
}

/// PRIN-5: a store that is away is a page and 503, and the session stays.
#[tokio::test]
async fn prin_5_a_fault_while_signing_out() {
    let (broker, _, _, browser) = signed_in(false).await;
    let asked = page(&broker, &browser).await;
    for operation in [Operation::BrowserSession, Operation::EndBrowserSessions] {
        broker.store.fail(operation);
        let fault = send(&asked, &browser, &[]).await;
        assert_eq!(fault.status, 503, "{operation:?}");
        assert!(fault.headers.get("set-cookie").is_none());
        broker.store.heal();
    }
    broker.store.fail(Operation::BrowserSession);
    for path in ["/oauth/logout", "/oauth/logout/done"] {
        assert_eq!(browser.get(&broker.url(path)).await.status, 503, "{path}");
    }
    broker.store.heal();
    assert!(is_signed_in(&broker, &browser).await);
}

/// SEC-137: what is not offered to clients is not advertised.
#[tokio::test]
async fn sec_137_sign_out_is_for_people_and_not_advertised() {
    let broker = TestBroker::start().await;
    let metadata = broker.browser().get(&broker.url("/.well-known/oauth-authorization-server")).await;
    assert!(!metadata.body.contains("end_session") && !metadata.body.contains("prompt_values"));
}
