//! An OpenID provider in process that misbehaves on request.
//!
//! - this file: [`TestProvider`], what a test says to it and asks it.
//! - [`misbehaviour`]: the knobs.
//! - `endpoints`: what it answers over HTTP.
//! - `refresh`: its refresh tokens, which serve once; whoever uses one twice is a thief.
//! - `tokens`: its ID tokens and access tokens, honest and forged.

mod endpoints;
mod misbehaviour;
mod refresh;
mod tests;
mod tokens;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

use gatelodge::clock::Clock;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::keys::{self, TestKey};
use refresh::Refresh;

pub(crate) use misbehaviour::{Documents, Misbehaviour, ResponseIss, Signing, TokenAnswer};

/// Whom its access tokens are made out to.
pub(crate) const AUDIENCE: &str = "https://api.example.com";

const CLIENT_ID: &str = "gatelodge-test";
const CLIENT_SECRET: &str = "upstream-secret-canary-5f1b9e7c";

/// Who signs in next.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Person {
    /// The subject.
    pub(crate) sub: String,
    /// The email address, if the provider tells one.
    pub(crate) email: Option<String>,
    /// `email_verified` as it stands in the token; `Value::Null` stands there as `null`.
    pub(crate) email_verified: Value,
    /// The name.
    pub(crate) name: String,
    /// The groups.
    pub(crate) groups: Vec<String>,
    /// Any other claims (`hd`, `tid`, `acr`, ...).
    pub(crate) extra: Map<String, Value>,
}

impl Person {
    /// A person with a verified email address and no groups.
    pub(crate) fn new(sub: &str, email: &str) -> Self {
        Self {
            sub: sub.to_owned(),
            email: Some(email.to_owned()),
            email_verified: json!(true),
            name: sub.to_owned(),
            groups: Vec::new(),
            extra: Map::new(),
        }
    }

    /// Puts the person into groups.
    pub(crate) fn in_groups(mut self, groups: &[&str]) -> Self {
        self.groups = groups.iter().map(ToString::to_string).collect();
        self
    }

    /// Adds or replaces a claim.
    pub(crate) fn with(mut self, claim: &str, value: Value) -> Self {
        self.extra.insert(claim.to_owned(), value);
        self
    }

    fn claims(&self) -> Map<String, Value> {
        let mut claims = keys::object(json!({
            "sub": self.sub, "email_verified": self.email_verified, "name": self.name, "groups": self.groups
        }));
        if let Some(email) = &self.email {
            claims.insert("email".into(), json!(email));
        }
        claims.extend(self.extra.clone());
        claims
    }
}

/// One call of the token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenRequest {
    /// The form.
    pub(crate) form: BTreeMap<String, String>,
    /// Was there an `Authorization` header?
    pub(crate) authorization_header: bool,
}

/// How often what was fetched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fetches {
    /// The discovery document.
    pub(crate) discovery: usize,
    /// The JWK set.
    pub(crate) jwks: usize,
    /// Userinfo.
    pub(crate) userinfo: usize,
    /// Pages of groups.
    pub(crate) graph: usize,
}

/// The provider; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct TestProvider {
    shared: Arc<Shared>,
    server: tokio::task::AbortHandle,
}

impl TestProvider {
    /// Listens on a port that the kernel chooses. To be called inside a runtime.
    pub(crate) fn start(clock: Arc<dyn Clock>) -> Self {
        Self::start_below(clock, "")
    }

    /// The same below a path, which is part of the issuer: one with a slash at its end, or a
    /// tenant.
    pub(crate) fn start_below(clock: Arc<dyn Clock>, path: &str) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("an address");
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener in the runtime");
        let issuer = format!("http://{address}{path}");
        let (state, turned) = (Mutex::new(State::new()), Notify::new());
        let shared = Arc::new(Shared { issuer, clock, state, turned });
        let router = endpoints::router(shared.clone(), path.trim_end_matches('/'));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { shared, server }
    }

    /// The issuer identifier.
    pub(crate) fn issuer(&self) -> &str {
        &self.shared.issuer
    }

    /// The one registered client.
    #[expect(clippy::unused_self, reason = "a test asks the provider, whichever one it has")]
    pub(crate) fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// Its secret: a canary that must never appear in an answer or a log (SEC-058, SEC-162).
    #[expect(clippy::unused_self, reason = "a test asks the provider, whichever one it has")]
    pub(crate) fn client_secret(&self) -> &'static str {
        CLIENT_SECRET
    }

    /// From now on this person signs in, without a page.
    pub(crate) fn sign_in_as(&self, person: Person) {
        self.shared.state().person = person;
    }

    /// Turns knobs: `provider.misbehave(|m| m.signing = Signing::Unsigned)`.
    pub(crate) fn misbehave(&self, turn: impl FnOnce(&mut Misbehaviour)) {
        turn(&mut self.shared.state().misbehaviour);
        self.shared.turned.notify_waiters();
    }

    /// Turns every knob back.
    pub(crate) fn behave(&self) {
        self.misbehave(|m| *m = Misbehaviour::default());
    }

    /// Replaces the signing keys; the old ones are no longer published.
    pub(crate) fn rotate_keys(&self) {
        let mut state = self.shared.state();
        state.generation += 1;
        let generation = state.generation;
        let stale = std::mem::replace(&mut state.es256, TestKey::es256(&format!("es-{generation}")));
        state.stale = Some(stale);
        state.rs256 = TestKey::rs256(&format!("rs-{generation}"));
    }

    /// The query of every authorization request so far.
    pub(crate) fn authorize_requests(&self) -> Vec<BTreeMap<String, String>> {
        self.shared.state().authorize_requests.clone()
    }

    /// Every call of the token endpoint so far.
    pub(crate) fn token_requests(&self) -> Vec<TokenRequest> {
        self.shared.state().token_requests.clone()
    }

    /// What was fetched so far.
    pub(crate) fn fetches(&self) -> Fetches {
        self.shared.state().fetches
    }

    /// What its group API answers (Microsoft Graph), page by page; without it, 403.
    pub(crate) fn answer_graph(&self, pages: Value) {
        self.shared.state().graph = Some(pages);
    }

    /// Every token and code that it gave out so far: none may leave the broker (SEC-058).
    pub(crate) fn given_out(&self) -> Vec<String> {
        self.shared.state().given_out.clone()
    }

    /// An access token of `carol` for [`AUDIENCE`], with `patch` laid over its claims; `null` removes one.
    pub(crate) fn access_token(&self, patch: Value) -> String {
        tokens::access_token(&self.shared, &keys::object(patch))
    }

    /// A back-channel logout token for a subject, with `patch` laid over its claims; `null`
    /// removes one (SEC-060).
    pub(crate) fn logout_token(&self, sub: &str, patch: &Map<String, Value>) -> String {
        tokens::logout_token(&self.shared, sub, patch)
    }
}

impl Drop for TestProvider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
struct Shared {
    issuer: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// A knob was turned.
    turned: Notify,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the provider")
    }

    /// Waits until the token endpoint is no longer held.
    async fn release(&self) {
        loop {
            let turned = self.turned.notified();
            let is_held =
                matches!(self.state().misbehaviour.token, TokenAnswer::Held | TokenAnswer::RefreshHeld);
            if !is_held {
                return;
            }
            turned.await;
        }
    }
}

#[derive(Debug)]
struct State {
    person: Person,
    misbehaviour: Misbehaviour,
    generation: u32,
    es256: TestKey,
    rs256: TestKey,
    stale: Option<TestKey>,
    codes: HashMap<String, Code>,
    sign_ins: HashMap<String, Person>,
    authorize_requests: Vec<BTreeMap<String, String>>,
    token_requests: Vec<TokenRequest>,
    fetches: Fetches,
    given_out: Vec<String>,
    graph: Option<Value>,
    refresh: Refresh,
}

impl State {
    fn new() -> Self {
        Self {
            person: Person::new("alice", "alice@example.com"),
            misbehaviour: Misbehaviour::default(),
            generation: 1,
            es256: TestKey::es256("es-1"),
            rs256: TestKey::rs256("rs-1"),
            stale: None,
            codes: HashMap::new(),
            sign_ins: HashMap::new(),
            authorize_requests: Vec::new(),
            token_requests: Vec::new(),
            fetches: Fetches::default(),
            given_out: Vec::new(),
            graph: None,
            refresh: Refresh::default(),
        }
    }
}

/// What a code stands for.
#[derive(Debug)]
struct Code {
    person: Person,
    redirect_uri: String,
    nonce: Option<String>,
    challenge: Option<String>,
    /// Was a refresh token asked for?
    is_offline: bool,
}
