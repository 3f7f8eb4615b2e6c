//! Cookies, security headers and CORS (section O, INT-68 to INT-70).

use axum::body::Body;
use http::{Request, Response};
use tower::ServiceExt as _;

use crate::harness::broker::{Setup, TestBroker, https_router};
use crate::harness::client::TestClient;

/// Sends a request to a broker whose issuer is https, past the network.
async fn ask_https(request: http::request::Builder) -> Response<Body> {
    let request = request.header("host", "auth.example.com").body(Body::empty()).expect("a request");
    https_router().await.oneshot(request).await.expect("an answer")
}

const AUTHORIZE: &str = "/oauth/authorize?response_type=code&client_id=known&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";

fn header(response: &Response<Body>, name: &str) -> String {
    response.headers().get(name).map_or_else(String::new, |value| value.to_str().expect("text").to_owned())
}

/// SEC-159: over https the cookie has the `__Host-` prefix and everything that it stands for.
#[tokio::test]
async fn sec_159_cookies_over_https() {
    let response = ask_https(Request::get(AUTHORIZE)).await;
    assert_eq!(response.status(), 200);
    let cookie = header(&response, "set-cookie");
    assert!(cookie.starts_with("__Host-gl_form="), "{cookie}");
    for part in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{part}: {cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

/// SEC-160, SEC-035: headers of a page.
#[tokio::test]
async fn sec_160_sec_035_headers_of_a_page() {
    for path in [AUTHORIZE, "/oauth/authorize?client_id=nobody", "/", "/nothing-here"] {
        let response = ask_https(Request::get(path).header("accept", "text/html")).await;
        let policy = header(&response, "content-security-policy");
        for part in ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert_eq!(header(&response, "x-frame-options"), "DENY", "{path}");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert_eq!(header(&response, "referrer-policy"), "no-referrer");
        assert_eq!(header(&response, "cache-control"), "no-store");
        assert!(header(&response, "strict-transport-security").starts_with("max-age="));
        assert!(!header(&response, "x-request-id").is_empty());
    }
}

/// SEC-161: an HTTP/1.1 request for another host, over https too.
#[tokio::test]
async fn sec_161_a_foreign_host_is_misdirected() {
    let broker = TestBroker::with(Setup {
        extra: "allowed_hosts: [inside.example:9400]\n".into(),
        ..Setup::default()
    });
    let broker = broker.await;
    let ask = async |host: &str| {
        let request = broker.browser().http().get(broker.url("/")).header("host", host).send().await;
        request.expect("an answer").status().as_u16()
    };
    assert_eq!(ask("evil.example").await, 421);
    assert_eq!(ask("inside.example:9400").await, 200);
    assert_eq!(ask("INSIDE.example:9400").await, 200);
}

/// INT-68, INT-69, INT-70: preflight without credentials, and any origin may read the answer.
#[tokio::test]
async fn int_68_to_70_cors_on_machine_endpoints() {
    let broker = TestBroker::start().await;
    let browser = broker.browser();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/jwks.json",
        "/oauth/token",
        "/oauth/register",
        "/oauth/revoke",
        "/token",
        "/register",
    ] {
        let url = broker.url(path);
        let preflight =
            browser.http().request(reqwest::Method::OPTIONS, &url).header("origin", "https://a.example");
        let answer = preflight.send().await.expect("an answer");
        assert_eq!(answer.status(), 204, "{path}");
        let text = |name: &str| answer.headers()[name].to_str().expect("text").to_owned();
        assert_eq!(text("access-control-allow-origin"), "*");
        for name in
            ["Authorization", "Content-Type", "MCP-Protocol-Version", "Mcp-Session-Id", "Last-Event-ID"]
        {
            assert!(text("access-control-allow-headers").contains(name), "{path}: {name}");
        }
        assert!(answer.headers().get("access-control-allow-credentials").is_none());
        let actual = browser.get(&url).await;
        assert_eq!(actual.header("access-control-allow-origin"), "*", "{path}: {}", actual.status);
        assert!(actual.header("access-control-expose-headers").contains("WWW-Authenticate"));
    }
    let client = TestClient::register(&broker).await;
    let dead = client.refresh(&broker, "glr_dead").await;
    assert_eq!(dead.header("access-control-allow-origin"), "*", "on errors too");
}

/// `/healthz` is the process, `/readyz` the store.
#[tokio::test]
async fn health_is_the_process_and_readiness_the_store() {
    let broker = TestBroker::start().await;
    let ask = async |path: &str| broker.browser().get(&broker.url(path)).await.status;
    assert_eq!((ask("/healthz").await, ask("/readyz").await), (200, 200));
    broker.store.fail_everything();
    assert_eq!((ask("/healthz").await, ask("/readyz").await), (200, 503));
}
