//! Which headers arrive, and which come back.

use axum::response::IntoResponse as _;

use super::{Scene, page, token_for};
use crate::harness::backend::Backend;
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Browser;
use crate::harness::client::TestClient;

/// SEC-147: what the client showed us stays here.
#[tokio::test]
async fn sec_147_the_client_s_credential_is_not_passed_on() {
    let scene = Scene::plain().await;
    let shown = [
        ("x-api-key", "k"),
        ("x-api-secret", "s"),
        ("cookie", "a=1; __session=jwt; __session_x=jwt; __Host-gl_session=ours; gl_form=ours; b=\"2\""),
        ("cookie", "__session=jwt"),
        ("proxy-authorization", "Basic x"),
        ("x_api_key", "k"),
    ];
    let request = shown
        .iter()
        .fold(scene.request("POST", "/mcp"), |request, (name, value)| request.header(*name, *value));
    assert_eq!(page(request).await.status, 200);
    let arrived = scene.backend.only();
    for name in ["authorization", "x-api-key", "x-api-secret", "proxy-authorization", "x_api_key"] {
        assert!(arrived.all(name).is_empty(), "{name}");
    }
    assert_eq!(arrived.all("cookie"), ["a=1; b=\"2\""]);
    assert!(!format!("{arrived:?}").contains(&scene.tokens.access), "in no header, path or body");
}

/// SEC-147: unless the operator says so.
#[tokio::test]
async fn sec_147_only_where_the_operator_says_so_it_is() {
    let scene = Scene::with(Backend::plain().await, &["forward_credential: true"]).await;
    let request =
        scene.request("POST", "/mcp").header("x-api-key", "k").header("cookie", "__session=j; gl_form=x");
    assert_eq!(page(request).await.status, 200);
    let arrived = scene.backend.only();
    assert_eq!(arrived.all("authorization"), [scene.bearer()]);
    assert_eq!((arrived.all("x-api-key"), arrived.all("cookie")), (vec!["k"], vec!["__session=j"]));
}

/// SEC-154, SEC-155: who asks is what we say, whatever the client writes, spells or takes away.
#[tokio::test]
async fn sec_155_connection_strips_no_identity() {
    let scene = Scene::plain().await;
    let forged = [
        ("x-auth-user", "root"),
        ("X-Auth-Scopes", "all"),
        ("x-auth-admin", "yes"),
        ("x-auth-tenant", "acme"),
        ("x_auth_user", "root"),
        ("x-auth_user", "root"),
        ("x-forwarded-user", "root"),
        ("x_forwarded_for", "192.0.2.1"),
        ("x-original-url", "/admin"),
        ("x-rewrite-url", "/admin"),
        ("forwarded", "for=192.0.2.1"),
        ("x-real-ip", "192.0.2.1"),
        ("x-http-method-override", "DELETE"),
        ("connection", "x-auth-user, X-Auth-Email, x-forwarded-for, x-mine"),
        ("x-mine", "1"),
        ("x-other", "2"),
    ];
    let request = forged
        .iter()
        .fold(scene.request("POST", "/mcp"), |request, (name, value)| request.header(*name, *value));
    assert_eq!(page(request).await.status, 200);
    let arrived = scene.backend.only();
    let claims = scene.tokens.claims();
    assert_eq!(arrived.all("x-auth-user"), [claims["sub"].as_str().unwrap()]);
    assert_eq!(arrived.all("x-auth-email"), ["alice@example.com"]);
    assert_eq!(arrived.all("x-auth-client"), [scene.client.id.as_str()]);
    assert_eq!(arrived.all("x-auth-scopes"), [claims["scope"].as_str().unwrap()]);
    assert_eq!(arrived.all("x-auth-tenant"), [""]);
    assert_eq!(arrived.all("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(arrived.all("x-other"), ["2"]);
    let ours = [
        "x-auth-user",
        "x-auth-email",
        "x-auth-client",
        "x-auth-scopes",
        "x-auth-tenant",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-proto",
    ];
    for name in arrived.headers.keys().map(http::HeaderName::as_str) {
        let about_us =
            ["x-auth", "x-forwarded", "x-original", "x-rewrite", "x-real", "x-mine", "x-http", "forwarded"];
        assert!(ours.contains(&name) || !about_us.iter().any(|begin| name.starts_with(begin)), "{name}");
        assert!(!name.contains('_') && name != "connection", "{name}");
    }
}

/// SEC-155: what concerns one connection stays there, both ways (RFC 9110 section 7.6.1).
#[tokio::test]
async fn sec_155_what_concerns_a_connection_stays_there() {
    let answer = |_: &_| {
        let headers = [
            ("connection", "x-hop"),
            ("x-hop", "1"),
            ("keep-alive", "timeout=5"),
            ("x-auth-user", "root"),
            ("alt-svc", "h3=\":443\""),
            ("access-control-allow-origin", "https://internal.example"),
            ("access-control-allow-credentials", "true"),
            ("x-stays", "1"),
            ("set-cookie", "a=1"),
        ];
        (headers, "served").into_response()
    };
    let scene = Scene::with(Backend::answering(answer).await, &[]).await;
    let hops = [
        ("te", "trailers"),
        ("trailer", "x"),
        ("keep-alive", "1"),
        ("upgrade", "websocket"),
        ("connection", "upgrade"),
        ("expect", "100-continue"),
    ];
    let request = hops.iter().fold(scene.request("POST", "/mcp").body("{}"), |request, (name, value)| {
        request.header(*name, *value)
    });
    let answer = page(request).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "served"));
    let arrived = scene.backend.only();
    for name in ["te", "trailer", "keep-alive", "upgrade", "connection", "expect"] {
        assert!(arrived.all(name).is_empty(), "{name}");
    }
    assert_eq!(arrived.body, "{}");
    for name in ["x-hop", "keep-alive", "x-auth-user", "alt-svc", "access-control-allow-credentials"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!((answer.header("x-stays"), answer.header("set-cookie")), ("1", "a=1"));
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(!answer.headers.contains_key("content-security-policy"));
}

/// A server on our own origin cannot become us: no cookies, no scripts.
#[tokio::test]
async fn sec_160_a_server_beside_us_speaks_not_for_us() {
    let answer = |_: &_| {
        let headers = [
            ("content-type", "text/html"),
            ("set-cookie", "__Host-gl_session=planted; Path=/; Secure"),
            ("clear-site-data", "\"*\""),
            ("service-worker-allowed", "/"),
            ("content-security-policy", "script-src *"),
        ];
        (headers, "<script>").into_response()
    };
    let backend = Backend::answering(answer).await;
    let usual = Setup::default();
    let resources = format!(
        "  - url: \"{{issuer}}/notes\"\n    name: Notes\n    scopes: {{ mcp:read: Read, mcp:write: Write, mcp:admin: Admin }}\n    upstream_url: {}\n",
        backend.url("/mcp")
    );
    let broker = TestBroker::with(Setup { resources, ..usual }).await;
    let client = TestClient::register(&broker).await;
    let token = token_for(&broker, &client, &format!("{}/notes", broker.issuer), "mcp:read").await;
    let answer = page(Browser::new().http().get(broker.url("/notes")).header("authorization", token)).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "<script>"));
    for name in ["set-cookie", "clear-site-data", "service-worker-allowed"] {
        assert!(!answer.headers.contains_key(name), "{name}");
    }
    let policies: Vec<_> = answer.headers.get_all("content-security-policy").iter().collect();
    assert_eq!(policies, ["default-src 'none'; frame-ancestors 'none'; sandbox"]);
}
