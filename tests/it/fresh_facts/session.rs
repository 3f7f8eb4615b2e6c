//! The browser's session: whoever is signed in here gets a new grant by what the upstream says now.

use gatelodge::store::Store as _;

use crate::harness::broker::TestBroker;
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens};

use super::{MINUTE, bob};

/// Bob's browser, signed in, and a client that has not been seen there.
async fn at_home() -> (TestBroker, TestClient, Browser) {
    let broker = TestBroker::start().await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&["platform"]));
    let browser = broker.browser();
    TestClient::register(&broker).await.sign_in(&broker, &browser).await;
    let client = TestClient::register(&broker).await;
    broker.clock.advance(MINUTE);
    (broker, client, browser)
}

async fn allowed(broker: &TestBroker, client: &TestClient, browser: &Browser) -> Page {
    let page = browser.get(&client.authorize_url(broker)).await;
    browser.press(&page, "action", "allow").await
}

/// SEC-090: a group that is lost is lost for the next client, too.
#[tokio::test]
async fn sec_090_a_new_grant_is_by_what_the_upstream_says_now() {
    let (broker, client, browser) = at_home().await;
    broker.provider.change(bob(&[]));
    let back = allowed(&broker, &client, &browser).await;
    let code = query(&back.location().expect("back at the client"))["code"].clone();
    assert_eq!(Tokens::of(&client.redeem(&broker, &code).await).answer["scope"], "mcp:read");
}

/// SEC-090: an account that is disabled gets no more from its browser's session, which is over.
#[tokio::test]
async fn sec_090_a_disabled_account_s_browser_session_is_over() {
    let (broker, client, browser) = at_home().await;
    broker.provider.disable("bob", true);
    let page = allowed(&broker, &client, &browser).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.location().is_none() && !page.body.contains("value=\"allow\""), "{}", page.body);
    let again = browser.get(&client.authorize_url(&broker)).await;
    assert!(!again.body.contains("value=\"allow\""), "nobody is signed in: {}", again.body);
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(10).await.unwrap();
    assert!(
        events.iter().any(|event| event.reason.as_deref().unwrap_or_default().contains("no longer vouches"))
    );
}

/// REL-12: an upstream that is down signs nobody out; past the bound the page says what is wrong, and the
/// session is there when the upstream is back.
#[tokio::test]
async fn rel_12_an_outage_ends_no_browser_session() {
    let extra = "browser_sessions: { idle: 48h, absolute: 72h }\n".to_owned();
    let broker = TestBroker::with(crate::harness::broker::Setup { extra, ..Default::default() }).await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&["platform"]));
    let browser = broker.browser();
    TestClient::register(&broker).await.sign_in(&broker, &browser).await;
    let client = TestClient::register(&broker).await;
    broker.provider.misbehave(|m| m.token = crate::harness::provider::TokenAnswer::ServerError);
    broker.clock.advance(MINUTE * 60);
    let back = allowed(&broker, &client, &browser).await;
    assert!(query(&back.location().expect("the last facts serve")).contains_key("code"));
    broker.clock.advance(MINUTE * 60 * 24);
    assert_eq!(allowed(&broker, &client, &browser).await.status, 503);
    broker.provider.behave();
    broker.clock.advance(MINUTE);
    let back = allowed(&broker, &client, &browser).await;
    assert!(query(&back.location().expect("still signed in")).contains_key("code"));
}

/// A rule's `session` counts from the sign-in, also for a grant that the browser's session opened later,
/// and where the rule applies only since then.
#[tokio::test]
async fn a_rule_s_session_counts_from_the_sign_in_at_refresh_too() {
    let access = "  default_scopes: [mcp:read]\n  rules:\n    - { groups: [guests], scopes: [mcp:write], session: 2h }\n";
    let extra = "browser_sessions: { idle: 6h, absolute: 12h }\n".to_owned();
    let setup = crate::harness::broker::Setup { access: access.into(), extra, ..Default::default() };
    let broker = TestBroker::with(setup).await;
    broker.provider.offer_refresh(true);
    broker.provider.sign_in_as(bob(&[]));
    let browser = broker.browser();
    TestClient::register(&broker).await.sign_in(&broker, &browser).await;
    broker.clock.advance(MINUTE * 90);
    let client = TestClient::register(&broker).await;
    let back = allowed(&broker, &client, &browser).await;
    let code = query(&back.location().expect("back at the client"))["code"].clone();
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    broker.provider.change(bob(&["guests"]));
    broker.clock.advance(MINUTE * 25);
    let young = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    broker.clock.advance(MINUTE * 10);
    assert_eq!(client.refresh(&broker, &young.refresh).await.status, 400, "two hours after the sign-in");
}
