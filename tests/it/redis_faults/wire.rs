//! A broker whose way to Redis goes through a proxy, and callers who look at what they get.

use std::time::Duration;

use gatelodge::protocol::{KeySet, ResourceUri};
use gatelodge::tokens::AccessTokenVerifier;

use super::LONGEST;
use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens, VERIFIER};
use crate::harness::eventually::Stopwatch;
use crate::harness::fault_proxy::FaultProxy;
use crate::harness::redis_server::RedisServer;

const SERVER: (&str, &str) = ("notes-server", "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9");

/// The broker, what it stands on, and a client.
pub(super) struct Wired {
    pub(super) broker: TestBroker,
    pub(super) client: TestClient,
    pub(super) wire: FaultProxy,
    pub(super) redis: RedisServer,
    /// Made once: making one takes longer than a request.
    http: Browser,
}

impl Wired {
    pub(super) async fn start() -> Self {
        let redis = RedisServer::start();
        let wire = FaultProxy::start(&[redis.port]);
        let (id, secret) = SERVER;
        let setup = Setup {
            store: format!("store: redis://127.0.0.1:{}/\n", wire.port),
            extra: format!(
                "clients:\n  - {{ id: {id}, name: Notes, secret: {secret}, introspects: {RESOURCE} }}\n"
            ),
            ..Setup::default()
        };
        let broker = TestBroker::with(setup).await;
        let client = TestClient::register(&broker).await;
        Self { broker, client, wire, redis, http: Browser::new() }
    }

    /// People who are signed in, each with a family.
    pub(super) async fn people(&self, count: usize) -> Vec<Tokens> {
        let mut people = Vec::new();
        for _ in 0..count {
            people.push(self.client.tokens(&self.broker).await);
        }
        people
    }

    pub(super) async fn refresh(&self, tokens: &Tokens) -> Page {
        let form = [("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)];
        self.post("/oauth/token", &form).await
    }

    pub(super) async fn redeem(&self, code: &str) -> Page {
        let form = [("grant_type", "authorization_code"), ("code", code), ("code_verifier", VERIFIER)];
        self.post("/oauth/token", &form).await
    }

    pub(super) async fn revoke(&self, tokens: &Tokens) -> Page {
        self.post("/oauth/revoke", &[("token", &tokens.refresh)]).await
    }

    async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let form: Vec<_> = form.iter().chain(&[("client_id", self.client.id.as_str())]).copied().collect();
        self.http.post(&self.broker.url(path), &form).await
    }

    pub(super) async fn introspect(&self, tokens: &Tokens) -> Page {
        let url = self.broker.url("/oauth/introspect");
        let request = self.http.http().post(&url).basic_auth(SERVER.0, Some(SERVER.1));
        Page::of(&url, request.form(&[("token", &tokens.access)]).send().await.expect("an answer")).await
    }

    pub(super) async fn is_active(&self, tokens: &Tokens) -> bool {
        let page = self.introspect(tokens).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()["active"] == true
    }

    pub(super) async fn get(&self, path: &str) -> Page {
        self.http.get(&self.broker.url(path)).await
    }

    /// What a server does that only checks the JWT: fetch the keys and look.
    pub(super) async fn server_accepts(&self, tokens: &Tokens) -> bool {
        let keys = KeySet::from_jwks(&self.get("/oauth/jwks").await.json());
        let resource = ResourceUri::parse(RESOURCE).unwrap();
        let now = gatelodge::clock::Clock::now(&*self.broker.clock);
        AccessTokenVerifier::new(&self.broker.issuer, keys).verify(&tokens.access, &resource, now).is_ok()
    }
}

/// How long an answer took.
pub(super) async fn timed(answer: impl Future<Output = Page>) -> (Page, Duration) {
    let begin = Stopwatch::start();
    let page = answer.await;
    (page, begin.elapsed())
}

/// 503 in time, and when to come again; never an answer on which a client throws its tokens away.
pub(super) fn assert_shed((page, took): &(Page, Duration)) {
    assert_unavailable(page);
    assert!(*took <= LONGEST, "{}: {took:?}", page.url);
}

/// 503 and when to come again: JSON for programs, a page for people.
pub(super) fn assert_unavailable(page: &Page) {
    assert_eq!(page.status, 503, "{}: {}", page.url, page.body);
    assert!(page.header("retry-after").parse::<u32>().is_ok(), "{}", page.url);
    if page.header("content-type").starts_with("application/json") {
        assert_eq!(page.error(), "temporarily_unavailable", "{}", page.url);
    } else {
        assert!(page.text("main").contains("Signing in is not possible right now"), "{}", page.body);
    }
}
