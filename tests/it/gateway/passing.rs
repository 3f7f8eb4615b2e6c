//! What is passed on, and to whom.

use std::time::Duration;

use axum::response::{IntoResponse as _, Response};
use gatelodge::store::faulty::Operation;
use http::StatusCode;

use super::{HOST, RESOURCE, Scene, page, token_for};
use crate::harness::backend::Backend;
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::TestClient;

const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// INT-17, INT-19 to INT-21, INT-24: nobody learns anything before the challenge.
#[tokio::test]
async fn int_17_the_challenge_comes_before_anything_else() {
    let scene = Scene::plain().await;
    let expected = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp:admin mcp:read mcp:write\"");
    for method in ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH", "TRACE"] {
        for path in ["/mcp", "/mcp/sse"] {
            let answer = page(scene.anybody(method, path).header("accept", "x/y").body("nonsense")).await;
            assert_eq!(
                (answer.status, answer.header("www-authenticate")),
                (401, expected.as_str()),
                "{method}"
            );
            assert_eq!(answer.headers.get_all("www-authenticate").iter().count(), 1, "INT-19");
            assert_eq!(answer.header("access-control-allow-origin"), "*", "INT-69");
        }
    }
    let slashed = page(scene.anybody("POST", "/mcp/")).await;
    assert!(slashed.header("www-authenticate").contains(&format!("{METADATA}/\"")), "INT-23");
    assert!(scene.backend.arrived().is_empty());
}

/// INT-18, INT-27, SEC-146, SEC-157: a token that is not good here is 401, and nothing arrives.
#[tokio::test]
async fn int_18_a_bad_token_is_401() {
    let scene = Scene::plain().await;
    for bad in
        ["Bearer", "Bearer x", &format!("{}x", scene.bearer()), &format!("Bearer {}", scene.tokens.refresh)]
    {
        let answer = page(scene.anybody("POST", "/mcp").header("authorization", bad)).await;
        assert_eq!(answer.status, 401, "{bad}");
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""), "{bad}");
    }
    let twice = scene.request("POST", "/mcp?access_token=x");
    assert_eq!(page(twice).await.status, 400, "SEC-146");
    scene.broker.clock.advance(Duration::from_secs(30 * 60));
    let answer = scene.ask("POST", "/mcp").await;
    assert_eq!(answer.status, 401);
    assert!(answer.header("www-authenticate").contains("invalid_token"), "INT-27");
    assert!(scene.backend.arrived().is_empty());
}

/// INT-22, INT-23: the metadata stands wherever clients look, under the server's own name.
#[tokio::test]
async fn int_22_the_metadata_of_a_server_behind_us() {
    let scene = Scene::plain().await;
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
        "/mcp/.well-known/oauth-protected-resource",
    ] {
        let answer = page(scene.anybody("GET", path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.json()["resource"], RESOURCE, "{path}");
        assert_eq!(answer.json()["authorization_servers"][0], scene.broker.issuer, "{path}");
    }
    let slashed = page(scene.anybody("GET", "/.well-known/oauth-protected-resource/mcp/")).await;
    assert_eq!(slashed.json()["resource"], format!("{RESOURCE}/"));
    assert!(scene.backend.arrived().is_empty());
}

/// INT-25: what every request needs is asked for with all that is there already.
#[tokio::test]
async fn int_25_what_every_request_needs() {
    let scene = Scene::with(Backend::plain().await, &["required_scopes: [mcp:write]"]).await;
    let narrow = scene.narrow("mcp:read").await;
    let answer = scene.post(&narrow, "{}").await;
    assert_eq!(answer.status, 403);
    let challenge = answer.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("mcp:read mcp:write"),
        "{challenge}"
    );
    assert!(scene.backend.arrived().is_empty());
    assert_eq!(scene.ask("POST", "/mcp").await.status, 200);
}

/// Methods, paths, queries and bodies arrive as they were; a new token is good at once (INT-26).
#[tokio::test]
async fn int_26_requests_arrive_as_they_were() {
    let scene = Scene::plain().await;
    for (method, path, goes) in [
        ("POST", "/mcp", "/mcp"),
        ("GET", "/mcp/", "/mcp"),
        ("DELETE", "/mcp?x=1&y=%2F", "/mcp?x=1&y=%2F"),
        ("PUT", "/mcp/files/a%20b", "/mcp/files/a%20b"),
        ("GET", "/mcp/sse", "/mcp/sse"),
    ] {
        let answer =
            page(scene.request(method, path).header("mcp-session-id", "s1").body("{\"a\" : 1}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "served"), "{method} {path}");
        let arrived = scene.backend.only();
        assert_eq!((arrived.method.as_str(), arrived.uri.as_str()), (method, goes));
        assert_eq!(arrived.body, "{\"a\" : 1}");
        assert_eq!(arrived.all("mcp-session-id"), ["s1"]);
        assert_eq!(arrived.all("host"), [scene.backend.address.to_string()]);
    }
}

/// SEC-153, SEC-161: only the server's own host and path lead to it, and only in one spelling.
#[tokio::test]
async fn sec_153_only_its_own_place_leads_to_a_server() {
    let scene = Scene::plain().await;
    for path in [
        "/",
        "/mcpx",
        "/other",
        "/mcp//x",
        "/mcp/%2e%2e/x",
        "/mcp/../x",
        "/mcp/..;/x",
        "/mcp;x",
        "/x/../mcp",
        "/x/%2e%2e/mcp",
        "/x/%2E./mcp",
        "/mcp%2fx",
        "/MCP",
        "/oauth/token",
    ] {
        assert_eq!(scene.exactly(path).await, 404, "{path}");
    }
    let url = scene.broker.url("/mcp");
    let wrong = Browser::new()
        .http()
        .post(&url)
        .header("host", "evil.example")
        .header("authorization", scene.bearer());
    assert_eq!(page(wrong).await.status, 421);
    let ours = Browser::new().http().post(&url).header("authorization", scene.bearer());
    assert_eq!(page(ours).await.status, 404, "the broker's own host has no such path");
    assert!(scene.backend.arrived().is_empty());
}

/// SEC-151: another host and scheme count only if a proxy of ours says them.
#[tokio::test]
async fn sec_151_only_our_proxies_say_which_host_was_asked() {
    for (trusted, status) in [("127.0.0.1", 200), ("192.0.2.1", 404)] {
        let extra = format!("trusted_proxies: [{trusted}]\n");
        let setup = Setup { extra, ..Setup::default() };
        let scene = Scene::set_up(Backend::plain().await, &[], setup).await;
        let through = |headers: &[(&str, &str)]| {
            let mut request =
                Browser::new().http().post(scene.broker.url("/mcp")).header("authorization", scene.bearer());
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            page(request)
        };
        let usual =
            [("x-forwarded-host", HOST), ("x-forwarded-proto", "https"), ("x-forwarded-for", "198.51.100.7")];
        assert_eq!(through(&usual).await.status, status, "{trusted}");
        if status == 200 {
            let arrived = scene.backend.only();
            assert_eq!(arrived.all("x-forwarded-for"), ["198.51.100.7"]);
            assert_ne!(
                through(&[("x-forwarded-host", HOST), ("x-forwarded-proto", "http")]).await.status,
                200,
                "another scheme"
            );
            assert_ne!(through(&[usual[0], usual[0], usual[1]]).await.status, 200, "two hosts");
            assert_ne!(
                through(&[usual[0], ("x-forwarded-proto", "https,http")]).await.status,
                200,
                "two schemes"
            );
        }
        // By its own name it is found without any of that, and nobody else's word goes on.
        let direct = scene.request("POST", "/mcp").header("x-forwarded-for", "198.51.100.7");
        assert_eq!(page(direct).await.status, 200);
        let arrived = scene.backend.only();
        assert_eq!(
            arrived.all("x-forwarded-for"),
            [if status == 200 { "198.51.100.7" } else { "127.0.0.1" }]
        );
        assert_eq!(
            (arrived.all("x-forwarded-host"), arrived.all("x-forwarded-proto")),
            (vec![HOST], vec!["https"])
        );
    }
}

/// SEC-157: several servers by path and by host; a token for one passes at no other.
#[tokio::test]
async fn sec_157_several_servers_by_path_and_by_host() {
    let (notes, wiki, deep) = (Backend::plain().await, Backend::plain().await, Backend::plain().await);
    let usual = Setup::default();
    let scope = "    scopes: { mcp:read: Read }\n";
    let resources = format!(
        "{}    upstream_url: {}\n  - url: \"{{issuer}}/wiki\"\n    name: Wiki\n{scope}    upstream_url: {}\n  \
         - url: \"{{issuer}}/wiki/deep\"\n    name: Deep\n{scope}    upstream_url: {}\n",
        usual.resources,
        notes.url("/mcp"),
        wiki.url("/"),
        deep.url("/d")
    );
    let broker = TestBroker::with(Setup { resources, ..usual }).await;
    let client = TestClient::register(&broker).await;
    let (own, below) = (format!("{}/wiki", broker.issuer), format!("{}/wiki/deep", broker.issuer));
    let tokens = [
        token_for(&broker, &client, RESOURCE, "mcp:read").await,
        token_for(&broker, &client, &own, "mcp:read").await,
        token_for(&broker, &client, &below, "mcp:read").await,
    ];
    for (i, (host, path)) in
        [(Some(HOST), "/mcp/x"), (None, "/wiki/x"), (None, "/wiki/deep/x")].into_iter().enumerate()
    {
        for (j, token) in tokens.iter().enumerate() {
            let mut request = Browser::new().http().post(broker.url(path)).header("authorization", token);
            if let Some(host) = host {
                request = request.header("host", host);
            }
            assert_eq!(page(request).await.status, if i == j { 200 } else { 401 }, "{path} {j}");
        }
    }
    assert_eq!(notes.only().uri, "/mcp/x");
    assert_eq!(wiki.only().uri, "/x");
    assert_eq!(deep.only().uri, "/d/x");
    // The broker itself is still there.
    assert_eq!(Browser::new().get(&broker.url("/.well-known/oauth-authorization-server")).await.status, 200);
    let metadata = Browser::new().get(&broker.url("/.well-known/oauth-protected-resource/wiki/deep")).await;
    assert_eq!(metadata.json()["resource"], below);
}

/// INT-68: a browser asks first, without a token; the server is not asked.
#[tokio::test]
async fn int_68_preflights_are_answered_here() {
    let scene = Scene::plain().await;
    let answer = page(scene.anybody("OPTIONS", "/mcp").header("origin", "https://app.example")).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
    assert!(answer.header("access-control-allow-headers").contains("Mcp-Method"));
    assert!(scene.backend.arrived().is_empty());
}

/// SEC-156, PRIN-5: what cannot be decided does not pass, and is not the client's fault.
#[tokio::test]
async fn sec_156_a_store_that_is_away_lets_nobody_pass() {
    let scene = Scene::plain().await;
    assert_eq!(scene.ask("POST", "/mcp").await.status, 200);
    scene.backend.arrived();
    scene.broker.clock.advance(Duration::from_secs(1));
    scene.broker.store.fail(Operation::Grant);
    let answer = scene.ask("POST", "/mcp").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, "5"), "{}", answer.body);
    assert!(scene.backend.arrived().is_empty());
}

/// The limits of a server count here too, and every answer tells how they stand.
#[tokio::test]
async fn requests_are_counted_and_one_too_many_is_429() {
    let scene = Scene::with(Backend::plain().await, &["limits: { per_credential: 2 }"]).await;
    for left in ["1", "0"] {
        let answer = scene.ask("POST", "/mcp").await;
        assert_eq!(answer.status, 200);
        assert!(answer.header("ratelimit").starts_with(&format!("\"credential\";r={left};")), "{answer:?}");
    }
    scene.backend.arrived();
    let answer = scene.ask("POST", "/mcp").await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "slow_down"));
    assert!(answer.headers.contains_key("retry-after") && scene.backend.arrived().is_empty());
}

/// SEC-134: what was ended passes no more within a second.
#[tokio::test]
async fn sec_134_what_was_ended_passes_no_more() {
    let scene = Scene::plain().await;
    assert_eq!(scene.ask("POST", "/mcp").await.status, 200);
    scene.client.revoke(&scene.broker, &scene.tokens.refresh).await;
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_eq!(scene.ask("POST", "/mcp").await.status, 401);
}

fn by_path(path: &str) -> Response {
    match path {
        "/mcp/401" => {
            (StatusCode::UNAUTHORIZED, [("www-authenticate", "Basic realm=\"x\"")], "no").into_response()
        }
        "/mcp/403" => (StatusCode::FORBIDDEN, [("www-authenticate", "Bearer")], "not you").into_response(),
        "/mcp/404" => (StatusCode::NOT_FOUND, "{\"gone\":1}").into_response(),
        "/mcp/307" => (StatusCode::TEMPORARY_REDIRECT, [("location", "/mcp/there?x=1")]).into_response(),
        "/mcp/308" => {
            (StatusCode::PERMANENT_REDIRECT, [("location", "https://example.org/")]).into_response()
        }
        _ => (StatusCode::ACCEPTED, [("cache-control", "private"), ("mcp-session-id", "s1")]).into_response(),
    }
}

/// PRIN-5: what the server says of the request comes back; that it does not believe us is not the client's
/// fault, and nobody but us challenges.
#[tokio::test]
async fn int_18_a_401_of_the_server_is_no_401_of_ours() {
    let scene = Scene::with(Backend::answering(|arrived| by_path(&arrived.uri)).await, &[]).await;
    let answer = scene.ask("POST", "/mcp/401").await;
    assert_eq!((answer.status, answer.error().as_str()), (502, "bad_gateway"));
    let answer = scene.ask("POST", "/mcp/403").await;
    assert_eq!((answer.status, answer.body.as_str()), (403, "not you"));
    assert!(!answer.headers.contains_key("www-authenticate"));
    let answer = scene.ask("POST", "/mcp/404").await;
    assert_eq!((answer.status, answer.body.as_str()), (404, "{\"gone\":1}"));
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = scene.ask("POST", "/mcp/307").await;
    assert_eq!((answer.status, answer.header("location")), (307, "https://mcp.example.com/mcp/there?x=1"));
    assert_eq!(scene.ask("POST", "/mcp/308").await.header("location"), "https://example.org/");
    let answer = scene.ask("POST", "/mcp").await;
    assert_eq!(
        (answer.status, answer.header("cache-control"), answer.header("mcp-session-id")),
        (202, "private", "s1")
    );
    let scene =
        Scene::with(Backend::answering(|arrived| by_path(&arrived.uri)).await, &["forward_credential: true"])
            .await;
    let answer: Page = scene.ask("POST", "/mcp/401").await;
    assert_eq!(answer.status, 401, "the server judges the credential itself");
    assert!(
        answer.header("www-authenticate").starts_with("Bearer error=\"invalid_token\", resource_metadata=")
    );
}
