//! The browser session: signed in once, for every client, for a while.

use std::time::Duration;

use gatelodge::domain::{BrowserSessionId, Revoked};
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker, https_router};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens, authorize_url};
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

/// Idle and absolute ends, by our clock: use moves the first and not the second.
#[tokio::test]
async fn a_session_has_an_idle_and_an_absolute_end() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let used = signed_in(&broker, &client, &broker.browser()).await;
    signed_in(&broker, &client, &browser).await;
    for half_hours in 1..24 {
        broker.clock.advance(HOUR / 2);
        assert!(offers(&browser.get(&client.authorize_url(&broker)).await), "after {half_hours} half hours");
        assert!(offers(&page_with(&broker, &client, &used).await), "looking is using, too");
    }
    broker.clock.advance(HOUR / 2);
    assert!(!offers(&browser.get(&client.authorize_url(&broker)).await), "twelve hours");
    let idle = signed_in(&broker, &client, &broker.browser()).await;
    broker.clock.advance(Duration::from_secs(3599));
    assert!(offers(&page_with(&broker, &client, &idle).await));
    broker.clock.advance(HOUR);
    assert!(!offers(&page_with(&broker, &client, &idle).await), "an hour unused");
}

/// Using a session writes only when it moves its end by enough.
#[tokio::test]
async fn a_session_is_not_written_at_every_look() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    broker.store.fail(Operation::KeepBrowserSession);
    broker.clock.advance(Duration::from_secs(179));
    assert!(offers(&browser.get(&client.authorize_url(&broker)).await));
    broker.clock.advance(Duration::from_secs(1));
    assert_eq!(browser.get(&client.authorize_url(&broker)).await.status, 503);
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

fn person_of(broker: &TestBroker, subject: &str) -> gatelodge::domain::PersonId {
    gatelodge::domain::PersonId::of(broker.provider.issuer(), subject)
}

fn now(broker: &TestBroker) -> gatelodge::clock::Timestamp {
    gatelodge::clock::Clock::now(&*broker.clock)
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

/// An operator's revocation, and the provider's back-channel logout by person and by session, end
/// browser sessions at once.
#[tokio::test]
async fn sec_060_an_end_elsewhere_ends_the_session_here() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let alice = |sid: &str| Person::new("alice", "alice@example.com").with("sid", json!(sid));
    let sign_in = async |sid: &str| {
        broker.provider.sign_in_as(alice(sid));
        signed_in(&broker, &client, &broker.browser()).await
    };
    let (laptop, phone) = (sign_in("laptop").await, sign_in("phone").await);
    let logout = async |patch: serde_json::Value| {
        let token = broker.provider.logout_token("alice", &crate::harness::keys::object(patch));
        let url = broker.url("/oauth/backchannel-logout/idp");
        assert_eq!(broker.browser().post(&url, &[("logout_token", &token)]).await.status, 200);
    };
    logout(json!({"sub": null, "sid": "laptop"})).await;
    assert!(!offers(&page_with(&broker, &client, &laptop).await), "by session");
    assert!(offers(&page_with(&broker, &client, &phone).await), "not another session's");
    logout(json!({})).await;
    assert!(!offers(&page_with(&broker, &client, &phone).await), "by person");
    for what in [Revoked::Person(person_of(&broker, "alice")), Revoked::Everything] {
        let tablet = sign_in("tablet").await;
        assert!(offers(&page_with(&broker, &client, &tablet).await));
        broker.parts.login.revocations.revoke(&what, now(&broker), HOUR).await.unwrap();
        assert!(!offers(&page_with(&broker, &client, &tablet).await), "{what:?}");
        broker.clock.advance(Duration::from_secs(6));
    }
}

/// A rule's `session` caps the browser's session, and counts from the sign-in: no grant outlives it,
/// however late it was opened.
#[tokio::test]
async fn a_rule_s_session_counts_from_the_sign_in() {
    let access = "  rules:\n    - { domains: [example.com], scopes: [mcp:read], session: 2h }\n";
    let extra = "browser_sessions: { idle: 4h, absolute: 12h }\n";
    let setup = Setup { access: access.into(), extra: extra.into(), ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    broker.clock.advance(HOUR);
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = browser.press(&page, "action", "allow").await;
    let tokens = Tokens::of(&client.redeem(&broker, &code_of(&back)).await);
    broker.clock.advance(HOUR);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.error(), "invalid_grant");
    assert!(!offers(&browser.get(&client.authorize_url(&broker)).await));
}

/// PRIN-5: a store that is away is a page and 503, and signs nobody out.
#[tokio::test]
async fn prin_5_a_store_fault_signs_nobody_out() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    signed_in(&broker, &client, &browser).await;
    broker.clock.advance(Duration::from_secs(600));
    let url = client.authorize_url(&broker);
    for operation in [Operation::BrowserSession, Operation::NotBefore, Operation::KeepBrowserSession] {
        broker.store.fail(operation);
        let page = browser.get(&url).await;
        assert_eq!(page.status, 503, "{operation:?}");
        assert!(page.headers.get("set-cookie").is_none(), "{operation:?}");
        broker.store.heal();
        broker.clock.advance(Duration::from_secs(2));
    }
    let page = browser.get(&url).await;
    assert!(offers(&page));
    broker.clock.advance(Duration::from_secs(240));
    for operation in [
        Operation::Login,
        Operation::BrowserSession,
        Operation::NotBefore,
        Operation::Client,
        Operation::PinAdmin,
        Operation::OpenGrant,
        Operation::KeepBrowserSession,
        Operation::AdvanceLogin,
    ] {
        broker.store.fail(operation);
        let fault = browser.press(&page, "action", "allow").await;
        assert_eq!(fault.status, 503, "{operation:?}: {}", fault.body);
        broker.store.heal();
        broker.clock.advance(Duration::from_secs(2));
    }
    let back = browser.press(&page, "action", "allow").await;
    assert_eq!(client.redeem(&broker, &code_of(&back)).await.status, 200, "the same page, the same grant");
    // A sign-in whose session cannot be begun is no sign-in.
    for operation in [Operation::BeginBrowserSession, Operation::EndBrowserSessions] {
        let page = browser.get(&url).await;
        broker.store.fail(operation);
        let fault = through_upstream(&client, &browser, &page, "idp").await;
        assert_eq!((fault.status, session_cookie(&fault)), (503, None), "{operation:?}");
        broker.store.heal();
    }
    assert!(offers(&browser.get(&url).await), "the old session holds");
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
