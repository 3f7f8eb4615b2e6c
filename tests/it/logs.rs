//! What stands in the log, and what must not. The log is the broker's own, at its most talkative,
//! in both formats; the broker, the provider and the client run on the test's one thread, so the
//! capture holds this test's events and no other's.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatelodge::domain::AuditKind;
use gatelodge::secret::MasterSecret;
use gatelodge::store::faulty::Operation;
use gatelodge::store::{RedisStore, Store as _};
use gatelodge::telemetry::{self, LogStyle};
use serde_json::json;
use tracing::Dispatch;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{REDIRECT, TestClient, Tokens, VERIFIER, authorize_url, register};
use crate::harness::provider::{Person, ResponseIss, TokenAnswer};
use crate::harness::redis_server::{self, RedisServer};
use crate::harness::sample::NOW;

const STYLES: [LogStyle; 2] = [LogStyle::Json, LogStyle::Text];

/// The log of this thread.
pub(crate) struct Capture {
    bytes: Arc<Mutex<Vec<u8>>>,
    _guard: tracing::subscriber::DefaultGuard,
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// While there is one dispatcher alone, a callsite that another thread meets first is judged by
/// that thread's, where nobody listens, and stays silent for good. So there is always this one, too.
static SECOND_LISTENER: LazyLock<Dispatch> = LazyLock::new(|| {
    Dispatch::new(telemetry::subscriber(LogStyle::Text, "trace", false, std::io::sink).unwrap())
});

impl Capture {
    pub(crate) fn begin(style: LogStyle) -> Self {
        LazyLock::force(&SECOND_LISTENER);
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let target = Arc::clone(&bytes);
        let writer = move || Sink(Arc::clone(&target));
        let subscriber = telemetry::subscriber(style, "trace", false, writer).unwrap();
        let guard = tracing::subscriber::set_default(subscriber);
        // Other tests may have met a callsite first, when nobody listened.
        tracing::callsite::rebuild_interest_cache();
        Self { bytes, _guard: guard }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.bytes.lock().unwrap().clone()).expect("the log is UTF-8")
    }
}

/// What must not be found, by name, and the answers in which to look besides the log.
#[derive(Default)]
struct Search {
    secrets: Vec<(&'static str, String)>,
    errors: Vec<Page>,
}

impl Search {
    fn secret(&mut self, name: &'static str, value: impl Into<String>) {
        let value = value.into();
        assert!(value.len() >= 16, "{name} is too short to look for: {value}");
        self.secrets.push((name, value));
    }

    fn cookies(&mut self, page: &Page) {
        for cookie in page.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let value = pair.split_once('=').unwrap().1;
            if !value.is_empty() {
                self.secret("cookie", value);
            }
        }
    }

    /// An answer that is an error: its status, and no secret inside.
    fn error(&mut self, page: Page, status: u16) {
        assert_eq!(page.status, status, "{}", page.body);
        self.errors.push(page);
    }

    fn assert_no_hits(&self, log: &str) {
        for (name, secret) in &self.secrets {
            assert!(!log.contains(secret), "the log holds the {name}: {}", line_of(log, secret));
            // The way back to the client carries the client's own state.
            for page in self.errors.iter().filter(|_| *name != "client's state") {
                let (headers, body) = (format!("{:?}", page.headers), &page.body);
                assert!(!body.contains(secret) && !headers.contains(secret), "{name} at {}", page.url);
            }
        }
    }
}

fn line_of<'l>(log: &'l str, text: &str) -> &'l str {
    log.lines().find(|line| line.contains(text)).unwrap_or_default()
}

/// Consent, then the provider, then our callback: everything secret on the way is noted.
async fn sign_in(broker: &TestBroker, client: &TestClient, state: &str, search: &mut Search) -> Page {
    let browser = broker.browser();
    let consent = browser.get(&authorize_url(broker, &client.request_with(&[("state", state)]))).await;
    search.secret("form token", &consent.form().1["form_token"]);
    search.cookies(&consent);
    let away = browser.press(&consent, "upstream", "idp").await;
    search.cookies(&away);
    let at_provider = browser.get(&away.location().unwrap()).await;
    let asked = broker.provider.authorize_requests().pop().unwrap();
    search.secret("upstream state", &asked["state"]);
    search.secret("upstream nonce", &asked["nonce"]);
    let callback = at_provider.location().unwrap();
    // Nobody else can use it, and neither can the log tell it.
    let stranger = broker.browser().get(&callback).await;
    search.error(stranger, 400);
    let back = browser.get(&callback).await;
    search.cookies(&back);
    back
}

/// Signed in already: allowed, refused, signed out here and at the provider.
async fn by_session(broker: &TestBroker, client: &TestClient, search: &mut Search) {
    let browser = broker.browser();
    let url = client.authorize_url(broker);
    let consent = browser.get(&url).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    search.cookies(&browser.follow(away, &client.redirect).await);
    let consent = browser.get(&url).await;
    search.secret("form token", &consent.form().1["form_token"]);
    broker.store.fail(Operation::OpenGrant);
    search.error(browser.press(&consent, "action", "allow").await, 503);
    broker.store.heal();
    let allowed = browser.press(&consent, "action", "allow").await;
    search.secret("code", &query(&allowed.location().unwrap())["code"]);
    search.error(browser.press(&consent, "action", "deny").await, 403);
    let leaving = browser.get(&broker.url("/oauth/logout")).await;
    let token = leaving.form().1["form_token"].clone();
    search.secret("sign-out token", &token);
    search
        .error(broker.browser().post(&leaving.url, &[("form_token", "a-guessed-sign-out-token")]).await, 200);
    search.error(browser.post(&leaving.url, &[("form_token", "a-guessed-sign-out-token")]).await, 403);
    let left = browser.post(&leaving.url, &[("form_token", &token)]).await;
    let sent = query(&left.location().unwrap());
    search.secret("ID token", &sent["id_token_hint"]);
}

async fn whole_way(broker: &TestBroker, search: &mut Search) {
    let metadata = json!({ "client_name": "Canary", "redirect_uris": [REDIRECT],
        "token_endpoint_auth_method": "client_secret_basic" });
    let client = TestClient::register_with(broker, metadata).await;
    let secret = client.secret.clone().unwrap();
    search.secret("Basic credential", STANDARD.encode(format!("{}:{secret}", client.id)));
    search.secret("client secret", secret);
    search.secret("client's verifier", VERIFIER);
    search.secret("client's state", "canary-client-state-7d1f");
    search.secret("upstream client secret", broker.provider.client_secret());

    let endpoint = json!({ "end_session_endpoint": "https://idp.example/end" });
    broker.provider.misbehave(|m| m.discovery = crate::harness::keys::object(endpoint));
    by_session(broker, &client, search).await;
    let back = sign_in(broker, &client, "canary-client-state-7d1f", search).await;
    let code = query(&back.location().unwrap())["code"].clone();
    search.secret("code", &code);
    search.error(client.redeem_with(broker, &code, &[("code_verifier", &"v".repeat(43))]).await, 400);
    broker.store.fail(Operation::RedeemCode);
    search.error(client.redeem(broker, &code).await, 503);
    broker.store.heal();
    let tokens = Tokens::of(&client.redeem(broker, &code).await);
    let next = Tokens::of(&client.refresh(broker, &tokens.refresh).await);
    for tokens in [&tokens, &next] {
        search.secret("access token", &tokens.access);
        search.secret("refresh token", &tokens.refresh);
    }
    broker.store.fail(Operation::RotateRefresh);
    search.error(client.refresh(broker, &next.refresh).await, 503);
    broker.store.heal();
    let in_url = format!("{}?refresh_token={}", broker.url("/oauth/token"), next.refresh);
    search.error(Browser::new().post(&in_url, &[("client_id", &client.id)]).await, 400);
    let stranger = TestClient::register(broker).await;
    search.error(stranger.refresh(broker, &next.refresh).await, 400);
    assert_eq!(client.revoke(broker, &next.access).await.status, 200);
    search.error(client.refresh(broker, &next.refresh).await, 400);
    search.error(client.redeem(broker, &code).await, 400);
    search.secret("guessed secret", "a-guessed-client-secret");
    let guesser = TestClient { secret: Some("a-guessed-client-secret".into()), ..client.clone() };
    search.error(guesser.refresh(broker, &next.refresh).await, 401);
    search.error(register(broker, &json!({"client_secret": "a-guessed-client-secret"})).await, 400);

    // Everything that can go wrong at the provider, with the same secrets under way.
    let state = "canary-client-state-7d1f";
    for (status, turn) in [
        (502, Box::new(|m: &mut _| set(m, TokenAnswer::InvalidGrant)) as Box<dyn FnOnce(&mut _)>),
        (503, Box::new(|m: &mut _| set(m, TokenAnswer::ServerError))),
        (503, Box::new(|m: &mut _| set(m, TokenAnswer::Huge))),
        (502, Box::new(|m: &mut _| set(m, TokenAnswer::NoIdToken))),
        (502, Box::new(|m: &mut Knobs| m.claims = crate::harness::keys::object(json!({"nonce": "x"})))),
        (502, Box::new(|m: &mut Knobs| m.authorize_error = Some(("server_error".into(), "no".into())))),
    ] {
        broker.provider.misbehave(turn);
        let page = sign_in(broker, &client, state, search).await;
        search.error(page, status);
        broker.provider.behave();
    }
    broker.store.fail(Operation::OpenGrant);
    let page = sign_in(broker, &client, state, search).await;
    search.error(page, 503);
    broker.store.heal();
    for request in broker.provider.token_requests() {
        search.secret("upstream verifier", &request.form["code_verifier"]);
    }
    for token in broker.provider.given_out() {
        search.secret("upstream code or token", token);
    }
}

type Knobs = crate::harness::provider::Misbehaviour;

fn set(knobs: &mut Knobs, answer: TokenAnswer) {
    knobs.token = answer;
}

/// SEC-162: the whole way at trace level, with every error on it, and no secret stands in the
/// log, nor in an error's page, JSON or headers. SEC-058: the provider's tokens are among them.
#[tokio::test]
async fn sec_162_no_secret_stands_in_the_log_or_in_an_error() {
    for style in STYLES {
        let log = Capture::begin(style);
        let broker = TestBroker::start().await;
        let mut search = Search::default();
        search.secret("operator's secret", Setup::default().secret);
        whole_way(&broker, &mut search).await;
        let log = log.text();
        // The capture is not empty of what it is about.
        for expected in ["TRACE", "hyper_util", "/oauth/token", "/oauth/callback/idp", "client_registered"] {
            assert!(log.contains(expected), "{style:?}: {expected} is not in the log");
        }
        assert!(search.secrets.len() > 60 && search.errors.len() > 15, "{}", search.secrets.len());
        search.assert_no_hits(&log);
    }
}

/// A line that an attacker would like to see in the log, after whatever stands before it.
const FORGED: &str = "x\r\nFORGED line\u{1b}[2J\u{9b}31m\u{2028}FORGED";

/// SEC-163: line breaks and terminal sequences in whatever strangers send are escaped, in both
/// formats: one record is one line, and none is forged.
#[tokio::test]
async fn sec_163_strangers_cannot_write_lines_or_terminal_sequences() {
    for style in STYLES {
        let log = Capture::begin(style);
        let broker = TestBroker::start().await;
        send_forgeries(&broker).await;
        let log = log.text();
        assert!(log.matches("FORGED").count() > 10, "the forgeries reach the log: {log}");
        for line in log.lines() {
            let inert = |c: char| !c.is_control() && c != '\u{2028}';
            assert!(line.chars().all(inert), "{style:?}: {}", line.escape_debug());
            assert!(!line.starts_with("FORGED"), "{style:?}: {line}");
            match style {
                LogStyle::Json => drop(serde_json::from_str::<serde_json::Value>(line).expect(line)),
                LogStyle::Text => assert!(line.starts_with("20"), "not the beginning of a record: {line}"),
            }
        }
    }
}

/// SEC-163: who asks for a long path fills no log with it.
#[tokio::test]
async fn sec_163_a_long_path_is_cut() {
    let log = Capture::begin(LogStyle::Json);
    let broker = TestBroker::start().await;
    broker.browser().get(&broker.url(&format!("/{}", "x".repeat(5000)))).await;
    let log = log.text();
    let line: serde_json::Value = serde_json::from_str(line_of(&log, "/xxx")).expect("JSON");
    assert_eq!(line["path"], format!("/{}", "x".repeat(1023)));
}

async fn send_forgeries(broker: &TestBroker) {
    let named = json!({ "client_name": FORGED, "redirect_uris": [REDIRECT], "scope": FORGED });
    let client = TestClient::register_with(broker, named).await;
    register(broker, &json!({ "client_name": FORGED, "redirect_uris": [FORGED] })).await;
    let browser = broker.browser();
    for name in ["state", "client_id", "redirect_uri", "scope", "resource", "response_type", "prompt"] {
        browser.get(&authorize_url(broker, &client.request_with(&[(name, FORGED)]))).await;
    }
    let encoded: String = url::form_urlencoded::byte_serialize(FORGED.as_bytes()).collect();
    browser.get(&broker.url(&format!("/oauth/callback/{encoded}?state={encoded}"))).await;
    browser.get(&broker.url(&format!("/{encoded}"))).await;
    let agent = browser.http().get(broker.url("/")).header("user-agent", "FORGED \u{9b}31m\u{2028}");
    assert_eq!(agent.send().await.unwrap().status(), 200);
    for form in [[("grant_type", FORGED)], [("code", FORGED)], [("client_id", FORGED)], [(FORGED, FORGED)]] {
        client.token(broker, &form).await;
    }
    client.refresh(broker, FORGED).await;
    client.redeem(broker, FORGED).await;
    // What the identity provider says is hostile too.
    let mut search = Search::default();
    broker.provider.misbehave(|m| m.authorize_error = Some((FORGED.into(), FORGED.into())));
    assert_eq!(sign_in(broker, &client, FORGED, &mut search).await.status, 502);
    broker.provider.behave();
    broker.provider.misbehave(|m| m.response_iss = ResponseIss::Wrong(FORGED.into()));
    sign_in(broker, &client, FORGED, &mut search).await;
    broker.provider.behave();
    broker.provider.misbehave(|m| m.token = TokenAnswer::Error(FORGED.into()));
    assert_eq!(sign_in(broker, &client, FORGED, &mut search).await.status, 502);
    broker.provider.behave();
    let mut person = Person::new(FORGED, "eve@other.example").in_groups(&[FORGED]);
    person.name = FORGED.into();
    broker.provider.sign_in_as(person);
    assert_eq!(sign_in(broker, &client, FORGED, &mut search).await.status, 403);
}

/// SEC-163: each thing that matters leaves one audit event in the store and one line in the log.
#[tokio::test]
async fn sec_163_every_turn_leaves_an_audit_event() {
    let log = Capture::begin(LogStyle::Json);
    let broker = TestBroker::start().await;
    let mut search = Search::default();
    let client = TestClient::register(&broker).await;
    let back = sign_in(&broker, &client, "s", &mut search).await;
    let code = query(&back.location().unwrap())["code"].clone();
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    client.refresh(&broker, &tokens.refresh).await;
    broker.clock.advance(Duration::from_secs(300));
    client.refresh(&broker, &tokens.refresh).await;
    let replayed = client.code(&broker).await;
    client.redeem(&broker, &replayed).await;
    client.redeem(&broker, &replayed).await;
    let revoked = client.tokens(&broker).await;
    client.revoke(&broker, &revoked.refresh).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    browser.press(&consent, "action", "deny").await;
    broker.provider.sign_in_as(Person::new("eve", "eve@other.example"));
    sign_in(&broker, &client, "s", &mut search).await;

    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(1000).await.unwrap();
    let kinds: BTreeSet<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let expected = [
        AuditKind::ConsentGiven,
        AuditKind::ConsentDenied,
        AuditKind::SignedIn,
        AuditKind::SignInDenied,
        AuditKind::TokenIssued,
        AuditKind::RefreshReused,
        AuditKind::CodeReplayed,
        AuditKind::GrantRevoked,
    ];
    assert_eq!(kinds, expected.map(AuditKind::as_str).into());
    let log = log.text();
    let lines = log.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect(line));
    let lines = lines.filter(|line| line["target"] == "audit");
    let (alone, both): (Vec<_>, Vec<_>) = lines
        .map(|line| line["kind"].as_str().expect("a kind").to_owned())
        .partition(|kind| ["client_registered", "token_refreshed"].contains(&kind.as_str()));
    assert_eq!(both.len(), events.len(), "one line for each event");
    // What happens all the time, or at anybody's will, would push the others out of the stream.
    assert_eq!(alone, ["client_registered", "token_refreshed"]);
    assert!(events.iter().all(|event| event.client.as_ref().is_some_and(|id| id.as_str() == client.id)));
    let person = |kind: AuditKind| events.iter().find(|event| event.kind == kind).unwrap().person.is_some();
    assert!([AuditKind::SignedIn, AuditKind::TokenIssued, AuditKind::RefreshReused].map(person) == [true; 3]);
}

/// REL-07: a Redis that begins to evict is an error line under the target `alarm`, each time that it
/// is seen.
#[tokio::test]
async fn rel_07_eviction_is_an_alarm_each_time() {
    if !redis_server::installed() {
        return;
    }
    let redis = RedisServer::start();
    let sealer = MasterSecret::generate().sealer();
    let store = RedisStore::connect(&redis.servers(), "gl:", sealer).await.unwrap();
    let log = Capture::begin(LogStyle::Json);
    let alarms = || log.text().lines().filter(|line| line.contains(r#""target":"alarm""#)).count();
    gatelodge::app::tend(&store, NOW).await;
    assert_eq!(alarms(), 0, "{}", log.text());
    redis.ask::<()>("CONFIG SET maxmemory-policy volatile-ttl");
    for seen in 1..=2 {
        gatelodge::app::tend(&store, NOW).await;
        assert_eq!(alarms(), seen, "{}", log.text());
    }
    assert!(log.text().contains("ERROR") && log.text().contains("volatile-ttl"), "{}", log.text());
}
