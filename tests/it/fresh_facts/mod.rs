//! Staying true after sign-in: at every refresh policy decides by what the upstream says then.
//!
//! - this file: groups, accounts, and what is asked for at sign-in.
//! - `answers`: which answers are believed, and what an answer that is not changes: nothing.
//! - `once`: an upstream's refresh token is used once, by one caller of one replica.
//! - `outage`: an upstream that is down, slow, or does not know us.
//! - `session`: the browser's session.
//! - `sealed`: the tokens stand in no log, no answer and no dump.

mod answers;
mod once;
mod outage;
mod sealed;
mod session;

use std::time::Duration;

use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;

/// Longer than facts are young.
const MINUTE: Duration = Duration::from_secs(60);

fn bob(groups: &[&str]) -> Person {
    Person::new("bob", "bob@example.com").in_groups(groups)
}

/// A broker whose provider gives refresh tokens, and bob, of the group `platform`, signed in.
async fn signed_in() -> (TestBroker, TestClient, Tokens) {
    signed_in_with(Setup::default()).await
}

async fn signed_in_with(setup: Setup) -> (TestBroker, TestClient, Tokens) {
    let broker = TestBroker::with(setup).await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&["platform"]));
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    (broker, client, tokens)
}

/// Refreshes, a minute later; the new tokens.
async fn refreshed(broker: &TestBroker, client: &TestClient, tokens: &Tokens) -> Tokens {
    broker.clock.advance(MINUTE);
    Tokens::of(&client.refresh(broker, &tokens.refresh).await)
}

#[track_caller]
fn assert_dead(page: &Page) {
    assert_eq!((page.status, page.error().as_str()), (400, "invalid_grant"), "{}", page.body);
}

/// 503, with a time to come back: nothing has ended.
#[track_caller]
fn assert_unavailable(page: &Page) {
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    assert!(page.header("retry-after").parse::<u32>().is_ok());
}

/// Why refreshes were refused, the newest first.
async fn denials(broker: &TestBroker) -> Vec<String> {
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(100).await.unwrap();
    let denied = events.into_iter().filter(|event| event.kind.as_str() == "refresh_denied");
    denied.map(|event| event.reason.expect("a reason")).collect()
}

/// SEC-090, "For all of them": a group that is lost takes its scopes along at the next refresh, and
/// brings them back when it comes back. Facts younger than a minute are not asked for again.
#[tokio::test]
async fn sec_090_a_group_that_is_lost_takes_its_scopes_along() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.change(bob(&[]).with("name", json!("Robert")));
    broker.clock.advance(Duration::from_secs(59));
    let young = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(young.answer["scope"], "mcp:read mcp:write");
    assert_eq!(broker.provider.refreshed().len(), 0);
    broker.clock.advance(Duration::from_secs(1));
    let lost = Tokens::of(&client.refresh(&broker, &young.refresh).await);
    assert_eq!(lost.answer["scope"], "mcp:read");
    assert_eq!((&lost.claims()["name"], &lost.claims()["sub"]), (&json!("Robert"), &tokens.claims()["sub"]));
    broker.provider.change(bob(&["platform"]));
    assert_eq!(refreshed(&broker, &client, &lost).await.answer["scope"], "mcp:read mcp:write");
    assert_eq!(broker.provider.refreshed().len(), 2);
}

/// "For all of them": the organisation is lost. The provider still knows the person, so the refresh is
/// refused and the family stays: whoever comes back goes on.
#[tokio::test]
async fn sec_090_whoever_loses_the_organisation_gets_nothing() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.change(Person::new("bob", "bob@other.example"));
    broker.clock.advance(MINUTE);
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
    assert!(denials(&broker).await[0].contains("policy grants nothing any more"));
    broker.provider.change(bob(&[]));
    assert_eq!(refreshed(&broker, &client, &tokens).await.answer["scope"], "mcp:read");
}

/// "For all of them": an account that is disabled ends the family at its next refresh, and the person's
/// other families at theirs; nobody else's. A new sign-in is a new beginning.
#[tokio::test]
async fn sec_090_a_disabled_account_ends_every_family() {
    let (broker, client, first) = signed_in().await;
    let second = client.tokens(&broker).await;
    broker.provider.sign_in_as(Person::new("alice", "alice@example.com"));
    let alice = client.tokens(&broker).await;
    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    assert_dead(&client.refresh(&broker, &first.refresh).await);
    let denied = denials(&broker).await;
    assert!(denied[0].contains("no longer vouches") && denied[0].contains("invalid_grant"), "{denied:?}");
    let person = gatelodge::domain::PersonId::parse(first.claims()["sub"].as_str().unwrap()).unwrap();
    let left = async || {
        broker.store.grants_of(&person, gatelodge::clock::Clock::now(&*broker.clock)).await.unwrap().len()
    };
    assert_eq!(left().await, 1, "the family has ended, and is not only refused");

    broker.provider.disable("bob", false);
    let asked = broker.provider.refreshed().len();
    assert_dead(&client.refresh(&broker, &second.refresh).await);
    assert_eq!(left().await, 0);
    assert_eq!(broker.provider.refreshed().len(), asked, "what was refused is not asked again");
    Tokens::of(&client.refresh(&broker, &alice.refresh).await);

    broker.provider.sign_in_as(bob(&["platform"]));
    let again = client.tokens(&broker).await;
    assert_eq!(refreshed(&broker, &client, &again).await.answer["scope"], "mcp:read mcp:write");
    assert_dead(&client.refresh(&broker, &first.refresh).await);
}

/// A session that ends at the provider is not the person's end: the sign-in before speaks for them.
#[tokio::test]
async fn a_session_that_ends_there_is_not_the_person_s_end() {
    let (broker, client, older) = signed_in().await;
    let newer = client.tokens(&broker).await;
    broker.provider.end_newest_sign_in();
    broker.provider.change(bob(&[]));
    let older = refreshed(&broker, &client, &older).await;
    assert_eq!(older.answer["scope"], "mcp:read");
    refreshed(&broker, &client, &newer).await;
    assert_eq!(broker.provider.thefts(), 0);
    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    assert_dead(&client.refresh(&broker, &older.refresh).await);
}

/// A sign-in brings newer facts for all of the person's families, and keeps the token that is there
/// where it brings none.
#[tokio::test]
async fn a_sign_in_without_a_refresh_token_keeps_the_older_one() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.offer_refresh(false);
    broker.provider.sign_in_as(bob(&[]));
    let other = client.tokens(&broker).await;
    assert_eq!(other.answer["scope"], "mcp:read");
    let first = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(first.answer["scope"], "mcp:read", "the newest facts hold for all");
    assert_eq!(broker.provider.refreshed().len(), 0);
    broker.provider.change(bob(&["platform"]));
    assert_eq!(refreshed(&broker, &client, &first).await.answer["scope"], "mcp:read mcp:write");
    assert_eq!(broker.provider.refreshed().len(), 1);
}

/// What is asked for at sign-in: `offline_access` only where the provider knows it, Google's own
/// parameters, and nothing where the operator wants none; then the store is not asked either.
#[tokio::test]
async fn offline_access_is_asked_for_where_it_is_wanted_and_known() {
    let asked = |broker: &TestBroker| broker.provider.authorize_requests().pop().unwrap();
    let (broker, ..) = signed_in().await;
    assert_eq!(asked(&broker)["scope"], "openid email profile offline_access");

    let unknown = TestBroker::start().await;
    let client = TestClient::register(&unknown).await;
    let tokens = client.tokens(&unknown).await;
    assert_eq!(asked(&unknown)["scope"], "openid email profile");
    refreshed(&unknown, &client, &tokens).await;
    assert_eq!(unknown.provider.refreshed().len(), 0);

    let access = "  default_scopes: [mcp:read]\n".to_owned();
    let google = TestBroker::with(Setup { preset: "google", access, ..Setup::default() }).await;
    google.provider.offer_refresh(true);
    google.provider.sign_in_as(Person::new("1", "alice@example.com").with("hd", json!("example.com")));
    let client = TestClient::register(&google).await;
    let tokens = client.tokens(&google).await;
    let request = asked(&google);
    assert_eq!((&*request["access_type"], &*request["prompt"]), ("offline", "select_account consent"));
    refreshed(&google, &client, &tokens).await;
    assert_eq!(google.provider.refreshed().len(), 1);

    let unwanted = TestBroker::with(Setup { recheck: "    recheck: false\n", ..Setup::default() }).await;
    unwanted.provider.offer_refresh(true);
    let client = TestClient::register(&unwanted).await;
    for operation in [Operation::UpstreamGrants, Operation::KeepUpstreamGrant] {
        unwanted.store.fail(operation);
    }
    let tokens = client.tokens(&unwanted).await;
    assert_eq!(asked(&unwanted)["scope"], "openid email profile");
    refreshed(&unwanted, &client, &tokens).await;
    assert_eq!(unwanted.provider.refreshed().len(), 0);
}

/// `recheck_after: 0s` asks at every refresh.
#[tokio::test]
async fn recheck_after_may_be_nothing() {
    let (broker, client, mut tokens) =
        signed_in_with(Setup { recheck: "    recheck_after: 0s\n", ..Setup::default() }).await;
    for asked in 1..=3 {
        broker.clock.advance(Duration::from_secs(1));
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        assert_eq!(broker.provider.refreshed().len(), asked);
    }
}

/// The session and the date of a sign-in are the sign-in's: a logout that names the session ends what
/// was granted in it, however often facts were renewed.
#[tokio::test]
async fn sec_060_a_renewed_person_is_still_in_the_session_of_the_sign_in() {
    let broker = TestBroker::start().await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&[]).with("sid", json!("first")));
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    broker.provider.change(bob(&[]).with("sid", json!("of the refresh")));
    let tokens = refreshed(&broker, &client, &tokens).await;
    let logout = async |sid: &str| {
        let patch = crate::harness::keys::object(json!({"sub": Value::Null, "sid": sid}));
        let token = broker.provider.logout_token("bob", &patch);
        let url = broker.url("/oauth/backchannel-logout/idp");
        let page = broker.browser().post(&url, &[("logout_token", &token)]).await;
        assert_eq!(page.status, 200, "{}", page.body);
    };
    logout("of the refresh").await;
    let tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    logout("first").await;
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
}

/// A session of the browser opens new grants by what the upstream says then; whom it refuses, the session
/// signs in nowhere any more, and only a new sign-in helps.
#[tokio::test]
async fn sec_090_a_browser_session_opens_grants_by_fresh_facts() {
    let broker = TestBroker::start().await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&["platform"]));
    let browser = broker.browser();
    TestClient::register(&broker).await.sign_in(&broker, &browser).await;
    let by_session = async || {
        let client = TestClient::register(&broker).await;
        let page = browser.get(&client.authorize_url(&broker)).await;
        let back = browser.press(&page, "action", "allow").await;
        (client, back)
    };
    broker.provider.change(bob(&[]));
    broker.clock.advance(MINUTE);
    let (client, back) = by_session().await;
    let code = crate::harness::browser::query(&back.location().expect("an answer"))["code"].clone();
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    assert_eq!(tokens.answer["scope"], "mcp:read");

    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    let (client, page) = by_session().await;
    assert_eq!((page.status, page.location()), (200, None), "{}", page.text("main"));
    assert!(!page.body.contains("value=\"allow\""), "only a new sign-in helps");
    let again = browser.get(&client.authorize_url(&broker)).await;
    assert!(!again.body.contains("value=\"allow\""), "the session is over");
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(broker.provider.refreshed().len(), 2);
}

/// A grant that a session opens long after its sign-in is asked about to its end, too.
#[tokio::test]
async fn sec_090_what_is_known_lasts_as_long_as_the_last_grant_of_a_session() {
    let day = Duration::from_secs(24 * 3600);
    let setup = Setup { extra: "browser_sessions: { idle: 7d, absolute: 7d }\n".into(), ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&["platform"]));
    let browser = broker.browser();
    TestClient::register(&broker).await.sign_in(&broker, &browser).await;
    broker.clock.advance(day * 6);
    let client = TestClient::register(&broker).await;
    let page = browser.get(&client.authorize_url(&broker)).await;
    let back = browser.press(&page, "action", "allow").await;
    let code = crate::harness::browser::query(&back.location().expect("an answer"))["code"].clone();
    let mut tokens = Tokens::of(&client.redeem(&broker, &code).await);
    for _ in 0..3 {
        broker.clock.advance(day * 29);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    broker.provider.disable("bob", true);
    broker.clock.advance(day * 2);
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
    assert!(denials(&broker).await[0].contains("no longer vouches"));
}
