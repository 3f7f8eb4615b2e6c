//! The provider's keys: asked for again when needed, and not more often.

use std::time::Duration;

use crate::harness::broker::TestBroker;
use crate::harness::client::TestClient;
use crate::harness::extent::{extent, figure};
use crate::harness::provider::Signing;

use super::{Answered, has_code};

/// SEC-052: key names that nobody published cost at most one fetch of the keys in 30 s of the
/// injected clock. 200 sign-ins stand for the requirement's 1,000: the bound does not depend on
/// their number.
#[tokio::test]
async fn sec_052_bogus_key_names_cost_one_fetch_in_thirty_seconds() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    broker.provider.misbehave(|m| m.signing = Signing::UnknownKid);
    let bogus = async |times: usize| {
        for _ in 0..times {
            let page = Answered::of(&broker, client.clone(), "idp").await.arrive().await;
            assert_eq!(page.status, 502, "{}", page.body);
        }
        broker.provider.fetches().jwks
    };
    // One fetch came with discovery, in this same second.
    assert_eq!(bogus(100).await, 2);
    broker.clock.advance(Duration::from_secs(29));
    assert_eq!(bogus(10).await, 2);
    broker.clock.advance(Duration::from_secs(1));
    assert_eq!(bogus(90).await, 3);
    broker.clock.advance(Duration::from_secs(30));
    assert_eq!(bogus(2).await, 4);
    assert_eq!(broker.provider.fetches().discovery, 1);
}

/// SEC-052, REL-13: the provider changes its keys between two sign-ins, right after the broker
/// learnt them, and nobody notices: one more fetch. The old key, no longer published, is no longer believed.
#[tokio::test]
async fn sec_052_new_keys_at_the_provider_are_found_by_their_name() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let sign_in = async || Answered::of(&broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&sign_in().await));
    broker.provider.rotate_keys();
    for signing in [Signing::Es256, Signing::Rs256] {
        broker.provider.misbehave(|m| m.signing = signing);
        assert!(has_code(&sign_in().await), "{signing:?}");
    }
    assert_eq!(broker.provider.fetches().jwks, 2);
}

/// REL-13: however often the provider changes its keys, nobody's sign-in fails, and the keys are
/// fetched once for each change.
#[tokio::test]
async fn rel_13_key_rotations_at_the_provider_are_invisible() {
    let rotations = extent(5, 300);
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for number in 0..rotations {
        for signing in [Signing::Es256, Signing::Rs256] {
            broker.provider.misbehave(|m| m.signing = signing);
            let page = Answered::of(&broker, client.clone(), "idp").await.arrive().await;
            assert!(has_code(&page), "rotation {number}, {signing:?}: {}", page.body);
        }
        broker.provider.rotate_keys();
        broker.clock.advance(Duration::from_secs(30));
    }
    let fetches = broker.provider.fetches().jwks;
    assert!(fetches <= rotations, "more than one fetch in 30 s: {fetches}");
    let (sign_ins, seconds) = (2 * rotations, 30 * rotations);
    let seen =
        format!("{rotations} rotations: 0 of {sign_ins} sign-ins failed; {fetches} fetches in {seconds} s");
    figure("REL-13", "an identity provider rotates its keys", &seen);
}

/// REL-13, SEC-052: logout tokens that anybody can invent do not use up the one fetch that finds the
/// keys of a genuine sign-in; and they cost one fetch in 30 s themselves.
#[tokio::test]
async fn rel_13_invented_logout_tokens_do_not_hide_new_keys_from_sign_ins() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let sign_in = async || Answered::of(&broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&sign_in().await));
    broker.provider.misbehave(|m| m.signing = Signing::UnknownKid);
    let invented = broker.provider.logout_token("alice", &serde_json::Map::new());
    broker.provider.misbehave(|m| m.signing = Signing::Es256);
    let before = broker.provider.fetches().jwks;
    let url = broker.url("/oauth/backchannel-logout/idp");
    for _ in 0..10 {
        assert_eq!(broker.browser().post(&url, &[("logout_token", &invented)]).await.status, 400);
    }
    assert_eq!(broker.provider.fetches().jwks, before + 1);
    broker.provider.rotate_keys();
    assert!(has_code(&sign_in().await), "the new keys were not looked for");
    assert_eq!(broker.provider.fetches().jwks, before + 2);
}

/// REL-13: while the provider serves neither metadata nor keys, the last good ones serve; after
/// a day they no longer do, and the person is told that the provider is away.
#[tokio::test]
async fn rel_13_the_last_good_keys_serve_for_a_day() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let sign_in = async || Answered::of(&broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&sign_in().await));
    broker.provider.misbehave(|m| (m.discovery_fails, m.jwks_fails) = (true, true));
    broker.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert!(has_code(&sign_in().await));
    broker.clock.advance(Duration::from_secs(1));
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let page = browser.press(&consent, "upstream", "idp").await;
    super::assert_page(&page, 503, "after a day");
    assert_eq!(page.header("retry-after"), "5");
    let seen = "the last good ones served until 23:59:59 h, no longer at 24 h";
    figure("REL-13", "an identity provider serves no keys any more", seen);
}
