//! REL-14: clocks that differ: of replicas on one store, and of an identity provider.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock;
use gatelodge::telemetry::LogStyle;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::extent::figure;
use crate::harness::front::Front;
use crate::harness::provider::TestProvider;
use crate::harness::redis_server::{self, fresh_prefix};
use crate::logs::Capture;

const SERVER: (&str, &str) = ("notes-server", "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9");

/// Two replicas on one Redis; the clock of the second is ahead.
struct Pair {
    front: Front,
    brokers: [TestBroker; 2],
}

impl Pair {
    /// None: there is no `redis-server`.
    async fn start(ahead: u64) -> Option<Self> {
        let redis = redis_server::shared()?;
        let (id, secret) = SERVER;
        let setup = Setup {
            store: format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix()),
            extra: format!(
                "clients:\n  - {{ id: {id}, name: N, secret: {secret}, introspects: {RESOURCE} }}\n"
            ),
            ..Setup::default()
        };
        let clocks = [TestClock::new(), TestClock::new()];
        clocks[1].advance(Duration::from_secs(ahead));
        let provider = Arc::new(TestProvider::start(Arc::clone(&clocks[0]) as Arc<dyn Clock>));
        let front = Front::start().await;
        let mut brokers = Vec::new();
        for clock in clocks {
            let listener = front.add().await;
            let (setup, provider) = (setup.clone(), Arc::clone(&provider));
            brokers.push(TestBroker::behind(setup, clock, provider, listener, &front.origin).await);
        }
        Some(Self { front, brokers: brokers.try_into().ok()? })
    }

    /// The public issuer, and from now on the answers of this replica.
    fn at(&self, replica: usize) -> &TestBroker {
        self.front.to(replica);
        &self.brokers[replica]
    }

    async fn is_active(&self, replica: usize, tokens: &Tokens) -> bool {
        let url = self.at(replica).url("/oauth/introspect");
        let request = Browser::new().http().post(&url).basic_auth(SERVER.0, Some(SERVER.1));
        let page = Page::of(&url, request.form(&[("token", &tokens.access)]).send().await.unwrap()).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()["active"] == true
    }
}

/// Replicas a minute apart share a sign-in, its code, its family and its tokens, whichever of them is
/// ahead. Only a code that is redeemed on the clock that is ahead has to have a second left of its
/// minute, which is as long as it may live.
#[tokio::test]
async fn rel_14_replicas_a_minute_apart_work_as_one() {
    for (apart, code_crosses) in [(59, true), (60, false)] {
        let Some(pair) = Pair::start(apart).await else { return };
        for (one, other) in [(0, 1), (1, 0)] {
            let client = TestClient::register(pair.at(one)).await;
            let browser = Browser::new();
            let consent = browser.get(&client.authorize_url(pair.at(other))).await;
            pair.at(one);
            let away = browser.press(&consent, "upstream", "idp").await;
            let at_provider = browser.get(&away.location().unwrap()).await;
            pair.at(other);
            let back = browser.get(&at_provider.location().unwrap()).await;
            assert_eq!(back.status, 303, "{}", back.body);
            let code = &query(&back.location().unwrap())["code"];
            let redeemer = if code_crosses { one } else { other };
            let first = Tokens::of(&client.redeem(pair.at(redeemer), code).await);
            let second = Tokens::of(&client.refresh(pair.at(other), &first.refresh).await);
            let again = Tokens::of(&client.refresh(pair.at(one), &first.refresh).await);
            assert_eq!(again.refresh, second.refresh, "one successor");
            let third = Tokens::of(&client.refresh(pair.at(one), &second.refresh).await);
            for tokens in [&first, &second, &again, &third] {
                for replica in [one, other] {
                    assert!(pair.is_active(replica, tokens).await, "{apart} s, at {replica}");
                }
            }
            assert_eq!(client.revoke(pair.at(other), &third.access).await.status, 200);
            assert!(!pair.is_active(one, &third).await);
            assert_eq!(client.refresh(pair.at(one), &third.refresh).await.error(), "invalid_grant");
        }
    }
    figure(
        "REL-14",
        "replicas 59 s and 60 s apart",
        "sign-in, code, refresh, introspection, revocation all work",
    );
}

/// Farther apart, a token of the replica that is ahead does not count at the other, and the log says
/// by how much the clocks differ. It is a fault of the clocks: nobody is signed out by it.
#[tokio::test]
async fn rel_14_a_token_from_too_far_ahead_names_the_skew() {
    let Some(pair) = Pair::start(61).await else { return };
    let capture = Capture::begin(LogStyle::Text);
    let client = TestClient::register(pair.at(0)).await;
    let tokens = client.tokens(pair.at(0)).await;
    let ahead = Tokens::of(&client.refresh(pair.at(1), &tokens.refresh).await);
    assert!(pair.is_active(1, &ahead).await);
    assert!(!capture.text().contains("ahead of our clock"));
    assert!(!pair.is_active(0, &ahead).await);
    let log = capture.text();
    let line = log.lines().find(|line| line.contains("61 s ahead of our clock"));
    assert!(line.is_some_and(|line| line.contains("WARN")), "{log}");
    let next = Tokens::of(&client.refresh(pair.at(0), &ahead.refresh).await);
    assert!(pair.is_active(0, &next).await);
    figure("REL-14", "replicas 61 s apart", "the token is not active at the other; the log says 61 s");
}

/// An identity provider whose clock is a minute off is believed; beyond, the sign-in fails and the log
/// says by how much.
#[tokio::test]
async fn rel_14_a_provider_a_minute_off_is_believed() {
    let broker = TestBroker::start().await;
    let capture = Capture::begin(LogStyle::Text);
    let client = TestClient::register(&broker).await;
    let now = broker.clock.now().as_unix();
    let dated = |iat: u64, exp: u64| {
        broker.provider.misbehave(|m| {
            m.claims = serde_json::Map::from_iter([("iat".into(), iat.into()), ("exp".into(), exp.into())]);
        });
    };
    for (iat, exp) in [(now + 60, now + 360), (now - 359, now - 59)] {
        dated(iat, exp);
        client.tokens(&broker).await;
    }
    for (iat, exp, said) in
        [(now + 61, now + 361, "61 s ahead of our clock"), (now - 361, now - 61, "61 s ago by our clock")]
    {
        dated(iat, exp);
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(&broker)).await;
        let away = browser.press(&consent, "upstream", "idp").await;
        let page = browser.follow(away, &client.redirect).await;
        assert_eq!(page.status, 502, "{}", page.body);
        assert!(capture.text().contains(said), "{said}: {}", capture.text());
    }
    figure(
        "REL-14",
        "an identity provider 60 s and 61 s off",
        "believed; then refused, and the log says 61 s",
    );
}
