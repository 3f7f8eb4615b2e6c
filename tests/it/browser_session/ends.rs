//! When a session ends, and what ends none.

use std::time::Duration;

use gatelodge::domain::Revoked;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;

use super::{HOUR, code_of, now, offers, page_with, person_of, session_cookie, signed_in, through_upstream};

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
        Operation::StoredClient,
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
