//! The browser session: signed in once, for every client, for a while.
//!
//! - `ends`: idle, absolute, by a rule, by somebody else; and faults, which end nothing.
//! - `others`: another account, another sign-in, and what a client may wish.
//! - here: single sign-on, and the cookie.

mod ends;
mod others;

use std::time::Duration;

use gatelodge::domain::{BrowserSessionId, Revoked};
use gatelodge::store::Store as _;

use crate::harness::broker::{TestBroker, https_router};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;

const HOUR: Duration = Duration::from_secs(3600);

/// Signs in, and gives back the session's cookie as the browser has it.
async fn signed_in(broker: &TestBroker, client: &TestClient, browser: &Browser) -> String {
    let page = browser.get(&client.authorize_url(broker)).await;
    let back = through_upstream(client, browser, &page, "idp").await;
    session_cookie(&back).expect("a session")
}

/// From our page to the way back to the client.
async fn through_upstream(client: &TestClient, browser: &Browser, page: &Page, upstream: &str) -> Page {
    let away = browser.press(page, "upstream", upstream).await;
    assert_eq!(away.status, 303, "{}", away.body);
    browser.follow(away, &client.redirect).await
}

/// The session's cookie that an answer sets.
fn session_cookie(page: &Page) -> Option<String> {
    let set = page.headers.get_all("set-cookie").iter().map(|value| value.to_str().unwrap());
    let mut own = set.filter_map(|cookie| cookie.strip_prefix("gl_session="));
    own.next().map(|rest| rest.split(';').next().unwrap().to_owned())
}

/// The page of a browser that has nothing but this session's cookie.
async fn page_with(broker: &TestBroker, client: &TestClient, cookie: &str) -> Page {
    let url = client.authorize_url(broker);
    let request = Browser::new().http().get(&url).header("cookie", format!("gl_session={cookie}"));
    Page::of(&url, request.send().await.unwrap()).await
}

fn offers(page: &Page) -> bool {
    assert_eq!(page.status, 200, "{}", page.body);
    page.body.contains("value=\"allow\"")
}

fn code_of(page: &Page) -> String {
    let answer = query(&page.location().unwrap_or_else(|| panic!("no redirect: {}", page.text("main"))));
    answer.get("code").unwrap_or_else(|| panic!("no code: {answer:?}")).clone()
}

fn person_of(broker: &TestBroker, subject: &str) -> gatelodge::domain::PersonId {
    gatelodge::domain::PersonId::of(broker.provider.issuer(), subject)
}

fn now(broker: &TestBroker) -> gatelodge::clock::Timestamp {
    gatelodge::clock::Clock::now(&*broker.clock)
}

/// Two clients, one visit at the identity provider: the second one is allowed on our page. Tokens are
/// the same person's, and policy decides for each.
#[tokio::test]
async fn single_sign_on_over_two_clients() {
    let broker = TestBroker::start().await;
    let (one, two) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
    let browser = broker.browser();
    let first = one.sign_in(&broker, &browser).await;
    let first = Tokens::of(&one.redeem(&broker, &first["code"]).await);
    let page = browser.get(&two.authorize_url(&broker)).await;
    assert!(offers(&page));
    let shown = page.text("main");
    assert!(shown.contains("You are signed in as alice@example.com ( Example SSO )."), "{shown}");
    assert!(shown.contains("Use another account"), "{shown}");
    let back = browser.press(&page, "action", "allow").await;
    assert_eq!(back.status, 303, "{}", back.body);
    assert_eq!(query(&back.location().unwrap())["iss"], broker.issuer);
    let second = Tokens::of(&two.redeem(&broker, &code_of(&back)).await);
    assert_eq!(broker.provider.authorize_requests().len(), 1, "one visit");
    assert_eq!(first.claims()["sub"], second.claims()["sub"]);
    assert_eq!(second.answer["scope"], first.answer["scope"]);
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    let count = |kind: &str| events.iter().filter(|event| event.kind.as_str() == kind).count();
    assert_eq!((count("signed_in"), count("signed_in_by_session"), count("consent_given")), (1, 1, 2));
}

/// Who declines is still signed in; nobody is by a page alone.
#[tokio::test]
async fn declining_as_somebody_who_is_signed_in() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = browser.press(&page, "action", "deny").await;
    assert_eq!(query(&back.location().unwrap())["error"], "access_denied");
    assert!(offers(&browser.get(&client.authorize_url(&broker)).await));
    let stranger = broker.browser();
    let page = stranger.get(&client.authorize_url(&broker)).await;
    assert!(!offers(&page));
    let denied = stranger.press(&page, "action", "allow").await;
    assert_eq!(denied.status, 200, "the page once more: {}", denied.body);
    assert!(denied.text("[role=alert]").contains("no longer signed in"));
}

/// SEC-159: each sign-in makes a new id, and the one that the browser had is dead; an id that somebody
/// planted is never taken over.
#[tokio::test]
async fn sec_159_a_new_id_at_every_sign_in_and_the_old_one_is_dead() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let first = signed_in(&broker, &client, &browser).await;
    assert!(offers(&page_with(&broker, &client, &first).await));
    let second = signed_in(&broker, &client, &browser).await;
    assert_ne!(first, second);
    assert!(!offers(&page_with(&broker, &client, &first).await), "the old one");
    assert!(offers(&page_with(&broker, &client, &second).await));
    // Another browser's session stays.
    let elsewhere = signed_in(&broker, &client, &broker.browser()).await;
    assert!(offers(&page_with(&broker, &client, &second).await));
    // Deleted on our side: the cookie is worth nothing.
    broker.store.end_browser_sessions(&[BrowserSessionId::of_cookie(&elsewhere).unwrap()]).await.unwrap();
    assert!(!offers(&page_with(&broker, &client, &elsewhere).await));
    // Fixation: an attacker's own cookie in the victim's browser ends with the victim's sign-in.
    let planted = signed_in(&broker, &client, &broker.browser()).await;
    let url = client.authorize_url(&broker);
    let victim = broker.browser();
    let page = victim.get(&url).await;
    let away = victim.press(&page, "upstream", "idp").await;
    let callback = victim.get(&away.location().unwrap()).await.location().unwrap();
    let login = away.header("set-cookie").split(';').next().unwrap().to_owned();
    let request = Browser::new().http().get(&callback);
    let request = request.header("cookie", format!("{login}; gl_session={planted}"));
    let back = Page::of(&callback, request.send().await.unwrap()).await;
    assert_ne!(session_cookie(&back).unwrap(), planted);
    assert!(!offers(&page_with(&broker, &client, &planted).await));
}

/// SEC-159: `__Host-`, `Secure`, `HttpOnly`, `SameSite=Lax`; the plain name on loopback.
#[tokio::test]
async fn sec_159_the_cookie_s_attributes() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    assert!(session_cookie(&page).is_none(), "not before a sign-in");
    let back = through_upstream(&client, &browser, &page, "idp").await;
    let set: Vec<_> = back.headers.get_all("set-cookie").iter().map(|v| v.to_str().unwrap()).collect();
    let set = set.into_iter().find(|cookie| cookie.starts_with("gl_session=")).unwrap();
    assert!(set.ends_with("; HttpOnly; SameSite=Lax; Path=/"), "{set}");
    // On https, as the sign-out page clears it.
    use tower::ServiceExt as _;
    let request = axum::http::Request::post("/oauth/logout")
        .header("host", "auth.example.com")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(axum::body::Body::empty())
        .unwrap();
    let answer = https_router().await.oneshot(request).await.unwrap();
    let cleared = answer.headers()["set-cookie"].to_str().unwrap();
    let attributes = "__Host-gl_session=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0";
    assert_eq!(cleared, attributes);
}

/// A foreign, damaged or doubled cookie is none, whatever it looks like.
#[tokio::test]
async fn a_cookie_that_is_not_ours_signs_nobody_in() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let good = signed_in(&broker, &client, &broker.browser()).await;
    let mut other = good.clone().into_bytes();
    other[40] = if other[40] == b'A' { b'B' } else { b'A' };
    let other = String::from_utf8(other).unwrap();
    let random = gatelodge::secret::random::token();
    for bad in ["", "x", "{}", &other, &random, &format!("{good}A"), &format!("{good}; gl_session={good}")] {
        assert!(!offers(&page_with(&broker, &client, bad).await), "{bad}");
    }
    assert!(offers(&page_with(&broker, &client, &good).await));
}

/// Allow counts for whom the page was shown to. Somebody else's sign-in in between, or the session's
/// end, shows the page once more.
#[tokio::test]
async fn allow_counts_only_for_whom_the_page_was_shown_to() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    let alices = browser.get(&client.authorize_url(&broker)).await;
    broker.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    signed_in(&broker, &client, &browser).await;
    let again = browser.press(&alices, "action", "allow").await;
    assert!(offers(&again), "{}", again.body);
    assert!(again.text("[role=alert]").contains("Another account"), "{}", again.text("main"));
    assert!(again.text("main").contains("signed in as bob@example.com"));
    let back = browser.press(&again, "action", "allow").await;
    let tokens = Tokens::of(&client.redeem(&broker, &code_of(&back)).await);
    assert_eq!(tokens.answer["scope"], "mcp:read", "bob's, not alice's");

    let page = browser.get(&client.authorize_url(&broker)).await;
    broker.clock.advance(HOUR);
    // The page itself is over by now; one that is not:
    assert_eq!(browser.press(&page, "action", "allow").await.status, 403);
    signed_in(&broker, &client, &browser).await;
    broker.clock.advance(Duration::from_secs(3540));
    let setup_page = browser.get(&client.authorize_url(&broker)).await;
    let person = person_of(&broker, "bob");
    broker.parts.login.revocations.revoke(&Revoked::Person(person), now(&broker), HOUR).await.unwrap();
    let over = browser.press(&setup_page, "action", "allow").await;
    assert!(!offers(&over));
    assert!(over.text("[role=alert]").contains("no longer signed in"), "{}", over.text("main"));
    // And that page's buttons work.
    broker.clock.advance(Duration::from_secs(6));
    let back = through_upstream(&client, &browser, &over, "idp").await;
    assert_eq!(client.redeem(&broker, &code_of(&back)).await.status, 200);
}

/// SEC-033, SEC-039: Allow comes from its own page and browser; both halves of a double click get the
/// same code, of one grant; later it is a replay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_039_a_double_clicked_allow_gives_one_code() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let cookie = signed_in(&broker, &client, &browser).await;
    let before = broker.store.grants_of(&person_of(&broker, "alice"), now(&broker)).await.unwrap().len();
    let page = browser.get(&client.authorize_url(&broker)).await;
    let stranger = page_from(&page, &cookie, None).await;
    assert_eq!(stranger.status, 403, "the session without the form's cookie");
    let (one, two) =
        futures::join!(browser.press(&page, "action", "allow"), browser.press(&page, "action", "allow"));
    assert_eq!(code_of(&one), code_of(&two));
    let third = browser.press(&page, "action", "allow").await;
    assert_eq!(code_of(&third), code_of(&one));
    let after = broker.store.grants_of(&person_of(&broker, "alice"), now(&broker)).await.unwrap().len();
    assert_eq!(after, before + 1, "one grant");
    assert_eq!(client.redeem(&broker, &code_of(&one)).await.status, 200);
    for (name, value) in [("upstream", "idp"), ("action", "deny")] {
        assert_eq!(browser.press(&page, name, value).await.status, 403, "{value}");
    }
    broker.clock.advance(Duration::from_secs(5));
    assert_eq!(browser.press(&page, "action", "allow").await.status, 403, "a replay");
}

/// Allow with these cookies alone.
async fn page_from(page: &Page, session: &str, form: Option<&str>) -> Page {
    let (action, fields) = page.form();
    let form = form.map(|form| format!("; gl_form={form}")).unwrap_or_default();
    let request = Browser::new().http().post(&action).header("cookie", format!("gl_session={session}{form}"));
    let fields = [("login", &*fields["login"]), ("form_token", &*fields["form_token"]), ("action", "allow")];
    Page::of(&action, request.form(&fields).send().await.unwrap()).await
}
