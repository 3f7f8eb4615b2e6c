//! A broker in process on a port of the kernel's choice, wired from configuration like the real
//! one, with a clock that is moved by hand and a provider that misbehaves on request.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use gatelodge::app::{Connections, Patience, State, wire};
use gatelodge::broker::Broker;
use gatelodge::clock::Clock;
use gatelodge::config;
use gatelodge::outbound::documents::Documents;
use gatelodge::store::Store;
use gatelodge::store::faulty::FaultyStore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::browser::Browser;
use super::clock::TestClock;
use super::eventually::eventually_async;
use super::provider::{Person, TestProvider};
use super::recorder::{self, Recorder};

/// The server that tests protect.
pub(crate) const RESOURCE: &str = "https://mcp.example.com/mcp";

/// What a test may change before the broker starts.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// Lines of `access:`, indented by two.
    pub(crate) access: String,
    /// Further top-level YAML.
    pub(crate) extra: String,
    /// Path below the origin: `""` or `/tenant`.
    pub(crate) issuer_path: String,
    /// `store:`, and `store_prefix:` where it is Redis.
    pub(crate) store: String,
    /// The operator's secret: replicas share it.
    pub(crate) secret: String,
    /// A second provider, named `other`.
    pub(crate) two_upstreams: bool,
    /// Lines of `resources:`; `{issuer}` stands for the broker's own.
    pub(crate) resources: String,
    /// The preset of the providers.
    pub(crate) preset: &'static str,
    /// Lines of each usual upstream about how it is asked again.
    pub(crate) recheck: &'static str,
    /// Lines of `upstreams:` in place of the usual ones.
    pub(crate) upstreams: String,
    /// What fetches clients' documents, in place of the usual.
    pub(crate) documents: Option<Documents>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            access: "  default_scopes: [mcp:read]\n  admin_users: [alice@example.com]\n  \
                     admin_scopes: [mcp:read, mcp:write, mcp:admin]\n  rules:\n    \
                     - { groups: [platform], scopes: [mcp:write] }\n  contact: it@example.com\n"
                .into(),
            extra: String::new(),
            issuer_path: String::new(),
            store: "store: memory\n".into(),
            secret: "Zq8vXw3nT5yKb2Lr9sJd4Hf7Gc1Pm6Ea0Uo".into(),
            two_upstreams: false,
            resources: format!(
                "  - url: {RESOURCE}\n    name: Example tools\n    scopes:\n      \
                 mcp:read: Read notes\n      mcp:write: Write notes\n      mcp:admin: Erase notes\n"
            ),
            preset: "oidc",
            recheck: "",
            upstreams: String::new(),
            documents: None,
        }
    }
}

/// A running broker.
pub(crate) struct TestBroker {
    /// Its issuer.
    pub(crate) issuer: String,
    /// Its clock.
    pub(crate) clock: Arc<TestClock>,
    /// Its first identity provider, named `idp`.
    pub(crate) provider: Arc<TestProvider>,
    /// Its second one, named `other`, if there is one.
    pub(crate) other: Option<Arc<TestProvider>>,
    /// Its store; may be told to fail.
    pub(crate) store: Arc<FaultyStore>,
    /// Its parts.
    pub(crate) parts: Arc<Broker>,
    /// What it was asked and answered.
    pub(crate) exchanges: Arc<Recorder>,
    ending: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl TestBroker {
    /// A broker with everything as usual.
    pub(crate) async fn start() -> Self {
        Self::with(Setup::default()).await
    }

    /// A broker that differs from the usual.
    pub(crate) async fn with(setup: Setup) -> Self {
        let clock = TestClock::new();
        let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        provider.sign_in_as(Person::new("alice", "alice@example.com"));
        Self::replica(setup, clock, provider).await
    }

    /// One more broker over the same provider and clock; it shares a store if `setup` says so.
    pub(crate) async fn replica(setup: Setup, clock: Arc<TestClock>, provider: Arc<TestProvider>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        Self::behind(setup, clock, provider, listener, &origin).await
    }

    /// A broker whose public origin is not its own address: a load balancer stands in front.
    pub(crate) async fn behind(
        setup: Setup,
        clock: Arc<TestClock>,
        provider: Arc<TestProvider>,
        listener: TcpListener,
        origin: &str,
    ) -> Self {
        gatelodge::app::install_crypto();
        let issuer = format!("{origin}{}", setup.issuer_path);
        let other = setup.two_upstreams.then(|| {
            let other = TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>);
            other.sign_in_as(Person::new("alice", "alice@example.com"));
            Arc::new(other)
        });
        let text = yaml(&setup, &issuer, &provider, other.as_deref());
        let config = config::parse(&text, "test.yaml", &|_| None)
            .unwrap_or_else(|faults| panic!("the test's configuration is wrong:\n{faults}\n{text}"));
        let mut state = State::open(&config, clock.now()).await.expect("the store opens");
        if let Some(documents) = setup.documents {
            state.documents = documents;
        }
        let store = Arc::new(FaultyStore::new(Arc::clone(&state.store)));
        state.store = Arc::clone(&store) as Arc<dyn Store>;
        let broker =
            wire(&config, &state, Arc::clone(&clock) as Arc<dyn Clock>).expect("the broker is wired");
        let parts = Arc::new(broker);
        let exchanges = Arc::new(Recorder::default());
        let recording = axum::middleware::from_fn_with_state(Arc::clone(&exchanges), recorder::record);
        let router = gatelodge::http::router(Arc::clone(&parts)).layer(recording);
        let (ending, ended) = oneshot::channel::<()>();
        let listeners = parts.ending.clone();
        let end = async move {
            let _ = ended.await;
            listeners.send_replace(true);
        };
        let (most, time) = (config.max_connections, Arc::clone(&clock) as Arc<dyn Clock>);
        let connections = Connections::new(router, most, Patience::default(), time);
        let server = Some(tokio::spawn(connections.serve(listener, end)));
        Self { issuer, clock, provider, other, store, parts, exchanges, ending: Some(ending), server }
    }

    /// The URL of a path below the issuer.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// Ends the broker gracefully: nothing holds its store afterwards.
    pub(crate) async fn stop(mut self) {
        drop(self.ending.take());
        if let Some(server) = self.server.take() {
            server.await.expect("the server ends");
            self.parts.journal.settled().await;
        }
        let store = Arc::downgrade(&self.store);
        drop(self);
        // What works on beside requests lets go of it, too.
        let is_free = async || store.strong_count() == 0;
        eventually_async("the store is let go of", Duration::from_secs(5), is_free).await;
    }

    /// A new browser, without cookies.
    #[expect(clippy::unused_self, reason = "reads as a sentence")]
    pub(crate) fn browser(&self) -> Browser {
        Browser::new()
    }
}

impl Drop for TestBroker {
    fn drop(&mut self) {
        if let Some(server) = &self.server {
            server.abort();
        }
    }
}

/// The routes of a broker whose issuer is `https://auth.example.com`, without a network.
pub(crate) async fn https_router() -> axum::Router {
    let broker = TestBroker::start().await;
    let text = format!(
        "issuer: https://auth.example.com\nstore: memory\nupstreams:\n  - id: idp\n    preset: oidc\n    \
         issuer: {}\n    client_id: x\nresources:\n  - {{ url: https://mcp.example.com/mcp, name: T, scopes: {{ mcp:read: R }} }}\n\
         access: {{ default_scopes: [mcp:read] }}\nclients:\n  - {{ id: known, name: K, redirect_uris: [https://known.example/cb] }}\n",
        broker.provider.issuer()
    );
    let config = gatelodge::config::parse(&text, "test.yaml", &|_| None).expect("a configuration");
    let state = gatelodge::app::State::open(&config, broker.clock.now()).await.expect("a store");
    let wired = gatelodge::app::wire(&config, &state, broker.clock.clone()).expect("a broker");
    gatelodge::http::router(Arc::new(wired))
}

/// The configuration file of a broker.
pub(crate) fn yaml(
    setup: &Setup,
    issuer: &str,
    provider: &TestProvider,
    other: Option<&TestProvider>,
) -> String {
    let mut text = format!("issuer: {issuer}\nsecret: {}\n{}upstreams:\n", setup.secret, setup.store);
    let usual = setup.upstreams.is_empty();
    text.push_str(&setup.upstreams);
    let named = [
        Some(("idp", "Example SSO", provider)).filter(|_| usual),
        other.map(|other| ("other", "Other SSO", other)),
    ];
    for (id, name, provider) in named.into_iter().flatten() {
        write!(
            text,
            "  - id: {id}\n    name: {name}\n    preset: {}\n    issuer: {}\n    client_id: {}\n    \
             client_secret: {}\n    allowed_domains: [example.com]\n{}",
            setup.preset,
            provider.issuer(),
            provider.client_id(),
            provider.client_secret(),
            setup.recheck
        )
        .expect("writing to text");
    }
    let resources = setup.resources.replace("{issuer}", issuer);
    write!(text, "resources:\n{resources}access:\n{}{}", setup.access, setup.extra).expect("writing to text");
    text
}
