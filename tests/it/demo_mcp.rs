//! The demo's MCP server, asked as MCP clients ask it; tokens are signed by a test key.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures::FutureExt as _;
use gatelodge::clock::Clock as _;
use gatelodge::demo::mcp_server::McpServer;
use gatelodge::resource_server::{KeyLoader, ResourceServer};
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use crate::harness::body::noticed;
use crate::harness::clock::TestClock;
use crate::harness::keys::{TestKey, object, patched};

const RESOURCE: &str = "http://127.0.0.1:9402/mcp";
const ISSUER: &str = "http://127.0.0.1:9400";
const METADATA: &str = "http://127.0.0.1:9402/.well-known/oauth-protected-resource/mcp";
const FIRST: &str = "Bearer resource_metadata=\"http://127.0.0.1:9402/.well-known/oauth-protected-resource/mcp\", \
     scope=\"mcp:read mcp:write\"";

struct Mcp {
    clock: Arc<TestClock>,
    key: TestKey,
    fetches: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        assert!(self.headers.get_all(name).iter().count() <= 1, "{name} stands there twice");
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    fn challenge(&self) -> &str {
        self.header(WWW_AUTHENTICATE.as_str())
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    /// What a tool said.
    fn tool_text(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        self.json()["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    }
}

impl Mcp {
    fn new() -> Self {
        let (clock, key) = (TestClock::new(), TestKey::es256("k1"));
        let (fetches, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let document = json!({"keys": [key.jwk()]});
        let loader: KeyLoader = {
            let (fetches, broken) = (fetches.clone(), broken.clone());
            Arc::new(move || {
                fetches.fetch_add(1, Ordering::SeqCst);
                let document =
                    if broken.load(Ordering::SeqCst) { Err("down".into()) } else { Ok(document.clone()) };
                async move { document }.boxed()
            })
        };
        let guarded = ResourceServer::new(RESOURCE, ISSUER).keys(loader).clock(clock.clone());
        let server = McpServer::new(guarded).unwrap();
        Self { router: server.router(), clock, key, fetches, broken }
    }

    fn token(&self, scope: &str, patch: Value) -> String {
        self.signed_by(&self.key, scope, &object(patch))
    }

    fn signed_by(&self, key: &TestKey, scope: &str, patch: &Map<String, Value>) -> String {
        let now = self.clock.now().as_unix();
        let claims =
            object(json!({"iss": ISSUER, "sub": "p_1", "aud": RESOURCE, "iat": now, "exp": now + 60,
            "jti": "j", "client_id": "c", "scope": scope, "email": "alice@example.com"}));
        key.sign(&key.header("at+jwt"), &patched(claims, patch))
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn ask(&self, method: Method, path: &str, authorization: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header(HOST, "127.0.0.1:9402");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    async fn post(&self, token: &str, body: String) -> Answer {
        let request = Request::post("/mcp")
            .header(HOST, "127.0.0.1:9402")
            .header(CONTENT_TYPE, "application/json")
            .header("accept", "application/json, text/event-stream")
            .header("mcp-protocol-version", "2025-06-18")
            .header(AUTHORIZATION, format!("Bearer {token}"));
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    async fn call(&self, token: &str, tool: &str, arguments: Value) -> Answer {
        self.post(token, call(tool, &arguments).to_string()).await
    }
}

fn call(tool: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
}

/// INT-17, INT-19, INT-21, INT-24, SEC-145: the challenge is the first answer to everything, has
/// no error code, one header, and the everyday scopes.
#[tokio::test]
async fn int_17_the_challenge_comes_before_every_other_check() {
    let mcp = Mcp::new();
    for method in [Method::GET, Method::HEAD, Method::POST, Method::DELETE, Method::PUT] {
        let answer = mcp.ask(method.clone(), "/mcp", None).await;
        assert_eq!((answer.status.as_u16(), answer.challenge()), (401, FIRST), "{method}");
    }
    // Another scheme is no credential of ours (RFC 6750 section 3.1).
    let basic = mcp.ask(Method::GET, "/mcp", Some("Basic YTpi")).await;
    assert_eq!((basic.status.as_u16(), basic.challenge()), (401, FIRST));
    assert_eq!(mcp.fetches.load(Ordering::SeqCst), 0);
}

/// INT-17: first, and still not before the body has arrived: a client that sends it late must
/// find the connection alive for its next request.
#[tokio::test]
async fn int_17_the_challenge_leaves_the_connection_usable() {
    let mcp = Mcp::new();
    let (body, noticed) = noticed("{}");
    let request = Request::post("/mcp").header(HOST, "127.0.0.1:9402").body(body).unwrap();
    assert_eq!(mcp.send(request).await.status, StatusCode::UNAUTHORIZED);
    assert!(noticed.was_read());
}

/// INT-18, INT-27, SEC-141: bad and expired tokens are 401 `invalid_token`.
#[tokio::test]
async fn int_27_bad_and_expired_tokens_are_invalid() {
    let mcp = Mcp::new();
    let now = mcp.clock.now().as_unix();
    let id_token = mcp.key.sign(&mcp.key.header("JWT"), &object(json!({"iss": ISSUER, "aud": RESOURCE})));
    let stranger = mcp.signed_by(&TestKey::es256("k1"), "mcp:read", &Map::new());
    let everywhere = mcp.token("mcp:read", json!({"aud": "http://127.0.0.1:9402/"}));
    let expired = mcp.token("mcp:read", json!({"exp": now}));
    for bad in ["", "x", "a.b.c", &id_token, &stranger, &everywhere, &expired] {
        for method in [Method::GET, Method::HEAD, Method::POST] {
            let answer = mcp.ask(method, "/mcp", Some(&format!("Bearer {bad}"))).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
            assert!(
                answer.challenge().starts_with("Bearer error=\"invalid_token\", "),
                "{}",
                answer.challenge()
            );
            assert!(answer.challenge().ends_with(&FIRST["Bearer ".len()..]));
        }
    }
}

/// SEC-146: the scheme has no case, a token in the query counts for nothing, two are refused.
#[tokio::test]
async fn sec_146_one_method_only() {
    let mcp = Mcp::new();
    let token = mcp.token("mcp:read", json!({}));
    let query = format!("/mcp?access_token={token}");
    assert_eq!(mcp.get(&query).await.challenge(), FIRST);
    let both = mcp.ask(Method::GET, &query, Some(&format!("Bearer {token}"))).await;
    assert_eq!(both.status, StatusCode::BAD_REQUEST);
    assert!(both.challenge().contains("error=\"invalid_request\""));
    let twice = Request::get("/mcp")
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(mcp.send(twice.body(Body::empty()).unwrap()).await.status, StatusCode::BAD_REQUEST);
    // The token passes; the server has no stream to offer.
    for method in [Method::GET, Method::HEAD] {
        let odd = mcp.ask(method, "/mcp", Some(&format!("bEaReR {token}"))).await;
        assert_eq!((odd.status.as_u16(), odd.challenge()), (405, ""));
    }
}

/// INT-22, INT-23, INT-09: the metadata is at every place, and `resource` is what was typed.
#[tokio::test]
async fn int_22_int_23_metadata_wherever_clients_look() {
    let mcp = Mcp::new();
    let known = "/.well-known/oauth-protected-resource";
    for (path, resource) in [
        (format!("{known}/mcp"), RESOURCE.to_owned()),
        (format!("{known}/mcp/"), format!("{RESOURCE}/")),
        (known.to_owned(), RESOURCE.to_owned()),
        (format!("{known}/"), RESOURCE.to_owned()),
        (format!("/mcp{known}"), RESOURCE.to_owned()),
        (format!("/mcp{known}/"), RESOURCE.to_owned()),
    ] {
        let answer = mcp.get(&path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (200, "application/json"),
            "{path}"
        );
        let expected = json!({"resource": resource, "authorization_servers": [ISSUER],
            "scopes_supported": ["mcp:admin", "mcp:read", "mcp:write"], "bearer_methods_supported": ["header"],
            "resource_name": "Demo notes"});
        assert_eq!(answer.json(), expected, "{path}");
        assert_eq!(mcp.ask(Method::HEAD, &path, None).await.status, StatusCode::OK);
        assert_eq!(mcp.ask(Method::POST, &path, None).await.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    // The challenge of each spelling leads to the document of that spelling, which names it.
    assert!(mcp.get("/mcp").await.challenge().contains(&format!("\"{METADATA}\"")));
    assert!(mcp.get("/mcp/").await.challenge().contains(&format!("\"{METADATA}/\"")));
}

/// INT-05, INT-07: everything else is JSON 404.
#[tokio::test]
async fn int_07_everything_else_is_json_404() {
    let mcp = Mcp::new();
    for path in [
        "/",
        "/mcpx",
        "/mcp//",
        "/mcp/x",
        "/.well-known/oauth-authorization-server",
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-protected-resourcemcp",
        "/other/.well-known/oauth-protected-resource",
    ] {
        let answer = mcp.get(path).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (404, json!({"error": "not_found"})), "{path}");
    }
}

/// INT-68, INT-69, INT-70: a browser may ask without a token, and read answers and errors.
#[tokio::test]
async fn int_68_int_69_int_70_browsers() {
    let mcp = Mcp::new();
    for path in ["/mcp", "/mcp/", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = mcp.ask(Method::OPTIONS, path, None).await;
        assert_eq!((answer.status.as_u16(), answer.challenge()), (204, ""), "{path}");
        assert_eq!(
            answer.header("access-control-allow-headers"),
            "Authorization, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID, X-API-Key, X-API-Secret"
        );
        assert!(answer.header("access-control-allow-methods").contains("POST"));
    }
    let token = mcp.token("", json!({}));
    let whoami = mcp.call(&token, "whoami", json!({})).await;
    let metadata = mcp.get("/.well-known/oauth-protected-resource").await;
    for answer in [mcp.get("/mcp").await, mcp.get("/nothing").await, whoami, metadata] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("access-control-allow-credentials"), "");
        assert_eq!(
            answer.header("access-control-expose-headers"),
            "WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, RateLimit, RateLimit-Policy, Retry-After, X-Request-Id"
        );
    }
}

/// INT-25, SEC-145: a missing scope is 403 and names what is needed and what is there already.
#[tokio::test]
async fn int_25_each_tool_needs_its_scope() {
    let mcp = Mcp::new();
    let note = json!({"title": "t", "text": "x"});
    for (tool, arguments, scope) in [
        ("read_note", json!({"title": "welcome"}), "mcp:read"),
        ("write_note", note.clone(), "mcp:write"),
        ("reset_notes", json!({}), "mcp:admin"),
        ("whoami", json!({}), ""),
    ] {
        let answer = mcp.call(&mcp.token(scope, json!({})), tool, arguments).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["result"]["isError"]),
            (200, &json!(false)),
            "{tool}"
        );
    }
    let reader = mcp.token("mcp:read", json!({}));
    let refused = mcp.call(&reader, "write_note", note.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(
        refused.challenge(),
        format!(
            "Bearer error=\"insufficient_scope\", resource_metadata=\"{METADATA}\", scope=\"mcp:read mcp:write\""
        )
    );
    let refused = mcp.call(&reader, "reset_notes", json!({})).await;
    assert!(refused.challenge().ends_with("scope=\"mcp:admin mcp:read\""), "{}", refused.challenge());
    // A batch needs the sum of its calls.
    let batch = json!([call("read_note", &json!({})), call("write_note", &note)]).to_string();
    assert_eq!(mcp.post(&reader, batch).await.status, StatusCode::FORBIDDEN);
}

/// Two parsers that read one body in two ways: the tool itself asks again.
#[tokio::test]
async fn a_body_with_two_faces_does_not_slip_through() {
    let mcp = Mcp::new();
    let reader = mcp.token("mcp:read", json!({}));
    for params in [
        r#"{"name":"reset_notes","name":"whoami","arguments":{}}"#,
        r#"{"name":"whoami","name":"reset_notes","arguments":{}}"#,
        r#"{"name":"reset\u005fnotes","arguments":{}}"#,
    ] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{params}}}"#);
        let answer = mcp.post(&reader, body).await;
        assert!(!answer.text.contains("in the beginning"), "{params}: {}", answer.text);
    }
}

/// The notes are there, change, and begin again; `whoami` tells what the token says.
#[tokio::test]
async fn the_tools_work() {
    let mcp = Mcp::new();
    let token = mcp.token("mcp:read mcp:write mcp:admin", json!({}));
    let initialize = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}});
    let hello = mcp.post(&token, initialize.to_string()).await;
    assert_eq!(hello.json()["result"]["serverInfo"]["name"], "gatelodge-demo-notes", "{}", hello.text);
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let listed = mcp.post(&token, list.to_string()).await.json();
    let names: Vec<&str> = listed["result"]["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["read_note", "reset_notes", "whoami", "write_note"]);

    mcp.call(&token, "write_note", json!({"title": "plan", "text": "ship"})).await;
    assert_eq!(mcp.call(&token, "read_note", json!({"title": "plan"})).await.tool_text(), "ship");
    assert_eq!(mcp.call(&token, "read_note", json!({})).await.tool_text(), "plan\nwelcome");
    mcp.call(&token, "reset_notes", json!({})).await.tool_text();
    assert_eq!(mcp.call(&token, "read_note", json!({})).await.tool_text(), "welcome");

    let whoami = mcp.call(&token, "whoami", json!({})).await.json();
    let expected = json!({"subject": "p_1", "email": "alice@example.com", "name": null, "client": "c",
        "scopes": ["mcp:admin", "mcp:read", "mcp:write"], "audience": RESOURCE});
    assert_eq!(whoami["result"]["structuredContent"], expected);
}

/// SEC-144, SEC-161: a body over the limit, and a foreign `Host`.
#[tokio::test]
async fn sec_161_hosts_and_sizes() {
    let mcp = Mcp::new();
    let token = mcp.token("mcp:read", json!({}));
    let long = mcp.call(&token, "whoami", json!({"x": "x".repeat(1024 * 1024)})).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let foreign =
        Request::post("/mcp").header(HOST, "evil.example").header(AUTHORIZATION, format!("Bearer {token}"));
    assert_eq!(mcp.send(foreign.body(Body::empty()).unwrap()).await.status, StatusCode::FORBIDDEN);
}

/// SEC-052's rule at the resource: unknown keys cause one fetch per 30 s, however many there are.
/// PRIN-5: without keys the answer is 503, never 401.
#[tokio::test]
async fn keys_are_fetched_rarely_and_their_absence_is_not_the_clients_fault() {
    let mcp = Mcp::new();
    mcp.broken.store(true, Ordering::SeqCst);
    let token = mcp.token("", json!({}));
    let down = mcp.call(&token, "whoami", json!({})).await;
    assert_eq!((down.status.as_u16(), down.challenge(), down.header("retry-after")), (503, "", "5"));
    mcp.broken.store(false, Ordering::SeqCst);
    assert_eq!(mcp.call(&token, "whoami", json!({})).await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(mcp.fetches.load(Ordering::SeqCst), 1);
    mcp.clock.advance(Duration::from_secs(1));
    assert_eq!(mcp.call(&token, "whoami", json!({})).await.status, StatusCode::OK);
    assert_eq!(mcp.fetches.load(Ordering::SeqCst), 2);

    for i in 0..50 {
        let bogus = mcp.signed_by(&TestKey::es256(&format!("bogus-{i}")), "", &Map::new());
        assert_eq!(mcp.call(&bogus, "whoami", json!({})).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(mcp.fetches.load(Ordering::SeqCst), 2);
    mcp.clock.advance(Duration::from_secs(30));
    for i in 0..50 {
        let bogus = mcp.signed_by(&TestKey::es256(&format!("bogus-{i}")), "", &Map::new());
        assert_eq!(mcp.call(&bogus, "whoami", json!({})).await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(mcp.fetches.load(Ordering::SeqCst), 3);
    // While the issuer is down, known keys go on.
    mcp.broken.store(true, Ordering::SeqCst);
    mcp.clock.advance(Duration::from_secs(30));
    let bogus = mcp.signed_by(&TestKey::es256("bogus"), "", &Map::new());
    assert_eq!(mcp.call(&bogus, "whoami", json!({})).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(mcp.call(&mcp.token("", json!({})), "whoami", json!({})).await.status, StatusCode::OK);
}
