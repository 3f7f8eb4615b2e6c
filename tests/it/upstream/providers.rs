//! Several providers: one that is down hurts nobody else; one that was re-pointed is another one.

use std::sync::Arc;

use serde_json::json;

use gatelodge::clock::Clock;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::{Misbehaviour, Person, TestProvider};
use crate::harness::redis_server;

use super::{Answered, assert_page, has_code};

/// SEC-047: discovery that names another issuer, however alike, or that fails: people see that
/// this provider is away, nobody is sent there, and the other provider serves.
#[tokio::test]
async fn sec_047_a_provider_with_another_issuer_is_unhealthy_and_the_other_one_serves() {
    type Turn = fn(&mut Misbehaviour, &str);
    let named: Turn = |m, issuer| drop(m.discovery.insert("issuer".into(), json!(issuer)));
    let fails: Turn = |m, _| m.discovery_fails = true;
    let no_keys: Turn = |m, _| m.jwks_fails = true;
    let cases: [(Turn, fn(&str) -> String); 6] = [
        (named, |own| format!("{own}/")),
        (named, |own| own.replace("http:", "HTTP:")),
        (named, |own| own.replace("127.0.0.1", "localhost")),
        (named, |_| "https://idp.example".into()),
        (fails, |_| "discovery fails".into()),
        (no_keys, |_| "the keys are not served".into()),
    ];
    for (turn, said) in cases {
        let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
        let said = said(broker.provider.issuer());
        broker.provider.misbehave(|m| turn(m, &said));
        let client = TestClient::register(&broker).await;
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(&broker)).await;
        assert_page(&browser.press(&consent, "upstream", "idp").await, 503, &said);
        assert_eq!(broker.provider.authorize_requests(), [], "{said}");
        // The same page, the other button.
        let away = browser.press(&consent, "upstream", "other").await;
        assert!(has_code(&browser.follow(away, &client.redirect).await), "{said}");
        // And the first one serves again as soon as it is right.
        broker.provider.behave();
        assert!(has_code(&Answered::of(&broker, client, "idp").await.arrive().await), "{said}");
    }
}

/// REL-12: a provider that is down, or answers nonsense, ends nobody's session: our refresh tokens
/// go on without it, and so does the other provider.
#[tokio::test]
async fn rel_12_sessions_live_while_their_provider_is_down() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    broker.provider.misbehave(|m| (m.discovery_fails, m.jwks_fails) = (true, true));
    // Longer than metadata and keys are kept without the provider.
    for _ in 0..60 {
        broker.clock.advance(std::time::Duration::from_secs(3600));
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    let other = Answered::of(&broker, client.clone(), "other").await;
    assert!(has_code(&other.arrive().await));
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    assert_page(&browser.press(&consent, "upstream", "idp").await, 503, "the one that is down");
}

/// SEC-055: the operator points a provider's name at another issuer, or takes the provider away.
/// Grants from before are of the old provider: they get nothing at the next refresh, and a
/// sign-in that was under way does not end at the new one.
#[tokio::test]
async fn sec_055_a_repointed_or_removed_provider_stops_refresh() {
    let Some(redis) = redis_server::shared() else { return };
    let prefix = redis_server::fresh_prefix();
    let store = format!("store: {}\nstore_prefix: '{prefix}'\n", redis.url().expose());
    let setup = Setup { store, ..Setup::default() };
    let broker = TestBroker::with(setup.clone()).await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    let again = |provider: &Arc<TestProvider>| {
        TestBroker::replica(setup.clone(), Arc::clone(&broker.clock), Arc::clone(provider))
    };

    let unchanged = again(&broker.provider).await;
    let tokens = Tokens::of(&client.refresh(&unchanged, &tokens.refresh).await);

    let stranger = Arc::new(TestProvider::start(Arc::clone(&broker.clock) as Arc<dyn Clock>));
    stranger.sign_in_as(Person::new("alice", "alice@example.com"));
    let repointed = again(&stranger).await;
    let refused = client.refresh(&repointed, &tokens.refresh).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"), "{}", refused.body);
    let code = client.code(&broker).await;
    let refused = client.redeem(&repointed, &code).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"), "{}", refused.body);
    // There the same person is another account, and may sign in.
    assert_eq!(client.tokens(&repointed).await.claims()["iss"], repointed.issuer);

    // The old configuration still serves the old grant: it was the provider that decided.
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}
