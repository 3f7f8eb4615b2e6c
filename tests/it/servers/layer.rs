//! The layer in front of any service: what it takes away and puts in, and where its keys come from.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::get;
use futures::FutureExt as _;
use futures::future::join_all;
use gatelodge::clock::Clock as _;
use gatelodge::resource_server::{Caller, KeyLoader, Refused, ResourceServer, ResourceServerLayer, require};
use http_body_util::{BodyExt as _, Empty, Full};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::client::TestClient;
use crate::harness::clock::TestClock;
use crate::harness::keys::{TestKey, object};

const ISSUER: &str = "https://auth.example.com";

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

/// Sends a request through the layer to a service that tells what reached it. Neither is axum's.
async fn ask(layer: &ResourceServerLayer, request: Request<Empty<Bytes>>) -> Answer {
    let inner = service_fn(async |request: Request<Empty<Bytes>>| {
        let caller = request.extensions().get::<Caller>().expect("who calls");
        let names: Vec<&str> = request.headers().keys().map(http::HeaderName::as_str).collect();
        let writes = match require(request.extensions(), "mcp:write") {
            Ok(_) => "writes".to_owned(),
            Err(refused) => refused.response().headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned(),
        };
        let told = json!({"subject": caller.subject(), "headers": names, "writes": writes});
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(told.to_string()))))
    });
    let answered = layer.layer(inner).oneshot(request).await.expect("an answer");
    let (parts, body) = answered.into_parts();
    let bytes = body.collect().await.expect("a body").to_bytes();
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    Answer { status: parts.status.as_u16(), headers: parts.headers, text }
}

fn with(token: &str) -> Request<Empty<Bytes>> {
    let request =
        Request::post("/mcp").header("x-other", "1").header(AUTHORIZATION, format!("Bearer {token}"));
    request.body(Empty::new()).expect("a request")
}

fn token(key: &TestKey, clock: &TestClock, scope: &str) -> String {
    let now = clock.now().as_unix();
    let claims = json!({"iss": ISSUER, "sub": "p_1", "aud": RESOURCE, "iat": now, "exp": now + 60, "jti": "j",
        "client_id": "c", "scope": scope});
    key.sign(&key.header("at+jwt"), &object(claims))
}

/// An issuer's keys that a test changes, and how often they were asked for. `None`: it does not answer.
#[derive(Default)]
struct Published {
    document: Mutex<Option<Value>>,
    asked: AtomicUsize,
}

impl Published {
    fn set(&self, document: Option<Value>) {
        *self.document.lock().unwrap() = document;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn loader(self: &Arc<Self>) -> KeyLoader {
        let published = Arc::clone(self);
        Arc::new(move || {
            published.asked.fetch_add(1, Ordering::SeqCst);
            let document = published.document.lock().unwrap().clone().ok_or("down".to_owned());
            async move {
                tokio::task::yield_now().await;
                document
            }
            .boxed()
        })
    }
}

fn layer(published: &Arc<Published>, clock: &Arc<TestClock>) -> ResourceServerLayer {
    let server = ResourceServer::new(RESOURCE, ISSUER).scopes_supported("mcp:read mcp:write");
    server.keys(published.loader()).clock(clock.clone()).layer().expect("a layer")
}

fn keys(keys: &[&TestKey]) -> Value {
    json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()})
}

/// SEC-147: who calls reaches the service, the token does not; INT-25: a handler can ask for more.
#[tokio::test]
async fn sec_147_the_service_sees_the_caller_and_no_token() {
    let (clock, key, published) = (TestClock::new(), TestKey::es256("k"), Arc::new(Published::default()));
    published.set(Some(keys(&[&key])));
    let layer = layer(&published, &clock);
    let answer = ask(&layer, with(&token(&key, &clock, "mcp:read"))).await;
    let told: Value = serde_json::from_str(&answer.text).expect("JSON");
    assert_eq!((answer.status, &told["subject"]), (200, &json!("p_1")));
    assert_eq!(told["headers"], json!(["x-other"]));
    let challenge = told["writes"].as_str().expect("a challenge");
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", "), "{challenge}");
    assert!(challenge.ends_with("scope=\"mcp:read mcp:write\""), "{challenge}");
    let writer = ask(&layer, with(&token(&key, &clock, "mcp:read mcp:write"))).await;
    assert!(writer.text.contains("\"writes\":\"writes\""), "{}", writer.text);
}

/// Whatever path it has, a request does not pass unasked; only the metadata is for everybody.
#[tokio::test]
async fn every_path_is_guarded() {
    let layer = layer(&Arc::default(), &TestClock::new());
    for path in ["/", "/mcp", "/mcp/", "/mcp/x", "/health", "//mcp", "/MCP", "/.well-known/other", "/%2e"] {
        let request = Request::get(path).body(Empty::new()).expect("a request");
        assert_eq!(ask(&layer, request).await.status, 401, "{path}");
    }
    let elsewhere = "/.well-known/oauth-protected-resource/other";
    assert_eq!(ask(&layer, Request::get(elsewhere).body(Empty::new()).unwrap()).await.status, 404);
    assert!(layer.serves("/mcp/") && layer.serves("/mcp") && !layer.serves("/") && !layer.serves("/mcp/x"));
}

/// A handler that nothing stands in front of lets nobody through.
#[test]
fn unchecked_requests_have_no_caller() {
    let bare = http::Extensions::new();
    assert_eq!(require(&bare, ""), Err(Refused::Unchecked));
    assert_eq!(Refused::Unchecked.response().status(), StatusCode::INTERNAL_SERVER_ERROR);
}

/// What cannot be granted must not be left out of what is required.
#[test]
fn a_wrong_description_is_refused() {
    let of = |resource: &str, issuer: &str, scopes: &str| {
        let server = ResourceServer::new(resource, issuer).required_scopes(scopes);
        server.layer().err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    assert!(of("mcp", ISSUER, "").contains("URL"));
    assert!(of(RESOURCE, "http://auth.example.com", "").contains("issuer"));
    assert!(!of(RESOURCE, ISSUER, "mcp:read \"all\"").is_empty());
    assert_eq!(of(RESOURCE, ISSUER, "mcp:read"), "");
}

/// A layer in front answers browsers, where the operator wants that.
#[tokio::test]
async fn cors_can_be_left_to_others() {
    let server = ResourceServer::new(RESOURCE, ISSUER).without_cors().layer().expect("a layer");
    let preflight = Request::options("/mcp").body(Empty::new()).expect("a request");
    let answer = ask(&server, preflight).await;
    assert_eq!(answer.status, 401);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}

/// PRIN-5: without a key nobody is refused for good, one request asks for all, and not more than once a second.
#[tokio::test]
async fn prin_5_no_key_yet_is_503_and_one_request_asks() {
    let (clock, key, published) = (TestClock::new(), TestKey::es256("k"), Arc::new(Published::default()));
    let layer = layer(&published, &clock);
    let good = token(&key, &clock, "");
    let all = join_all((0..20).map(|_| ask(&layer, with(&good)))).await;
    for answer in all {
        assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &"5".parse().unwrap()));
        assert!(!answer.headers.contains_key(WWW_AUTHENTICATE));
    }
    assert_eq!(published.asked(), 1);
    // An answer without keys is none.
    published.set(Some(json!({"keys": []})));
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&layer, with(&good)).await.status, 503);
    published.set(Some(keys(&[&key])));
    clock.advance(Duration::from_secs(1));
    assert!(
        join_all((0..20).map(|_| ask(&layer, with(&good)))).await.iter().all(|answer| answer.status == 200)
    );
    assert_eq!(published.asked(), 3);
}

/// Keys are renewed while they are used, last through an outage, and one that was withdrawn does not count
/// after a quiet time.
#[tokio::test]
async fn keys_are_renewed_and_outlast_an_outage() {
    let (clock, published) = (TestClock::new(), Arc::new(Published::default()));
    let (old, new) = (TestKey::es256("old"), TestKey::es256("new"));
    published.set(Some(keys(&[&old])));
    let layer = layer(&published, &clock);
    let status = async |key: &TestKey| ask(&layer, with(&token(key, &clock, ""))).await.status;
    assert_eq!((status(&old).await, published.asked()), (200, 1));
    clock.advance(Duration::from_secs(299));
    assert_eq!((status(&old).await, published.asked()), (200, 1));
    // Not yet fresh, not yet stale: used, and renewed beside.
    clock.advance(Duration::from_secs(1));
    assert_eq!(status(&old).await, 200);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    assert_eq!(published.asked(), 2);
    // An outage: the issuer is asked now and then, and everybody goes on.
    published.set(None);
    for _ in 0..40 {
        clock.advance(Duration::from_secs(60));
        assert_eq!(status(&old).await, 200);
    }
    // For a day: then what was known of its keys is too old to be believed.
    clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(status(&old).await, 503);
    // It is back, without the old key.
    published.set(Some(keys(&[&new])));
    clock.advance(Duration::from_secs(60));
    assert_eq!(status(&new).await, 200);
    assert_eq!(status(&old).await, 401);
    // Withdrawn while nobody asked: the first request does not use what was known.
    published.set(Some(keys(&[&old])));
    clock.advance(Duration::from_secs(3600));
    assert_eq!(status(&new).await, 401);
}

/// RFC 8414: the keys are found by the issuer's metadata, below a path, too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_a_real_broker_are_discovered() {
    for issuer_path in ["", "/tenant"] {
        let setup = Setup { issuer_path: issuer_path.to_owned(), ..Setup::default() };
        let broker = TestBroker::with(setup).await;
        let tokens = TestClient::register(&broker).await.tokens(&broker).await;
        let server = ResourceServer::new(RESOURCE, &broker.issuer).clock(broker.clock.clone());
        let answer = ask(&server.layer().expect("a layer"), with(&tokens.access)).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

/// RFC 8414 section 3.3: metadata of another issuer is none.
#[tokio::test]
async fn metadata_of_another_issuer_is_not_believed() {
    let (clock, key) = (TestClock::new(), TestKey::es256("k"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    let claimed = Arc::new(Mutex::new(ISSUER.to_owned()));
    let (named, jwks, keys) = (Arc::clone(&claimed), format!("{origin}/keys"), json!({"keys": [key.jwk()]}));
    let metadata = move || {
        let issuer = named.lock().unwrap().clone();
        async move { Json(json!({"issuer": issuer, "jwks_uri": jwks})) }
    };
    let router = axum::Router::new()
        .route("/.well-known/oauth-authorization-server", get(metadata))
        .route("/keys", get(|| async move { Json(keys) }));
    tokio::spawn(axum::serve(listener, router).into_future());
    let layer = ResourceServer::new(RESOURCE, &origin).clock(clock.clone()).layer().expect("a layer");
    let mut claims = object(json!({"sub": "p", "aud": RESOURCE, "jti": "j", "client_id": "c"}));
    let now = clock.now().as_unix();
    claims.extend(object(json!({"iss": origin, "iat": now, "exp": now + 60})));
    let good = key.sign(&key.header("at+jwt"), &claims);
    assert_eq!(ask(&layer, with(&good)).await.status, 503);
    (*claimed.lock().unwrap()).clone_from(&origin);
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&layer, with(&good)).await.status, 200);
}
