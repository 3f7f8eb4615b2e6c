//! Several providers: one that is down hurts nobody else; one that was re-pointed is another one.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use gatelodge::clock::Clock;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::eventually::Stopwatch;
use crate::harness::extent::{extent, figure};
use crate::harness::provider::{Documents, Misbehaviour, Person, TestProvider, TokenAnswer};
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
    let hours = extent(60, 1000);
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    broker.provider.misbehave(|m| (m.discovery_fails, m.jwks_fails) = (true, true));
    // Longer than metadata and keys are kept without the provider.
    for _ in 0..hours {
        broker.clock.advance(Duration::from_secs(3600));
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    let other = Answered::of(&broker, client.clone(), "other").await;
    assert!(has_code(&other.arrive().await));
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let begin = Stopwatch::start();
    assert_page(&browser.press(&consent, "upstream", "idp").await, 503, "the one that is down");
    let seen = format!(
        "{hours} of {hours} refreshes over {hours} h served; a new sign-in there is told so after {:.0?}, one \
         at another provider succeeds",
        begin.elapsed()
    );
    figure("REL-12", "an identity provider serves neither metadata nor keys", &seen);
}

/// REL-12, INT-67: a provider that takes the call and never answers costs those who sign in there at
/// most ten seconds, also when there are many of them, and those who sign in elsewhere nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_12_a_provider_that_hangs_holds_up_nobody_else() {
    let sign_ins = extent(5, 100);
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let elsewhere = async || {
        let begin = Stopwatch::start();
        for _ in 0..sign_ins {
            assert!(has_code(&Answered::of(&broker, client.clone(), "other").await.arrive().await));
        }
        begin.elapsed()
    };
    elsewhere().await;
    let before = elsewhere().await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::Hang);
    let token = Answered::of(&broker, client.clone(), "idp").await;
    let token = told_within_ten_seconds(async { token.arrive().await });
    // Another broker, which does not know its provider yet.
    let beginner = TestBroker::start().await;
    beginner.provider.misbehave(|m| m.documents = Documents::Hang);
    let stranger = TestClient::register(&beginner).await;
    let browsers: Vec<_> = (0..3).map(|_| beginner.browser()).collect();
    let discovery = join_all(browsers.iter().map(|browser| async {
        let consent = browser.get(&stranger.authorize_url(&beginner)).await;
        told_within_ten_seconds(browser.press(&consent, "upstream", "idp")).await
    }));
    let (token, discovery, meanwhile) = tokio::join!(token, discovery, elsewhere());
    let longest = discovery.into_iter().chain([token]).max().expect("somebody waited");
    let seen = format!(
        "everybody told within {longest:.1?}; {sign_ins} sign-ins at another provider took {before:.1?} before \
         and {meanwhile:.1?} meanwhile"
    );
    figure("REL-12", "an identity provider takes the call and never answers", &seen);
}

async fn told_within_ten_seconds(page: impl Future<Output = Page>) -> Duration {
    let begin = Stopwatch::start();
    assert_page(&page.await, 503, "a provider that hangs");
    let told = begin.elapsed();
    assert!(told <= Duration::from_secs(10), "told after {told:?}");
    told
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
