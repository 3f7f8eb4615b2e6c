//! The authorization endpoint: what is shown, what is returned, what is refused (section A).

use gatelodge::protocol::S256Challenge;
use serde_json::json;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Page, query};
use crate::harness::client::{TestClient, VERIFIER, authorize_url};

/// A client that the operator vouches for: errors may go straight back to it.
async fn with_configured_client() -> (TestBroker, TestClient) {
    let extra = "clients:\n  - id: known\n    name: Known\n    redirect_uris: [https://known.example/cb]\n";
    let broker = TestBroker::with(Setup { extra: extra.into(), ..Setup::default() }).await;
    let redirect = "https://known.example/cb".to_owned();
    (broker, TestClient { id: "known".into(), secret: None, redirect })
}

async fn ask(broker: &TestBroker, client: &TestClient, changes: &[(&str, &str)]) -> Page {
    broker.browser().get(&authorize_url(broker, &client.request_with(changes))).await
}

fn assert_page(page: &Page, what: &str) {
    assert_eq!(page.status, 400, "{what}: {}", page.body);
    assert!(page.location().is_none(), "{what} redirects");
    assert!(page.header("content-type").starts_with("text/html"), "{what}");
}

/// SEC-001, SEC-003, INT-45, CVE-2025-4143: a redirect that is not the client's own is a page of
/// status exactly 400, and so is an unknown client.
#[tokio::test]
async fn sec_001_sec_003_a_foreign_redirect_or_client_never_redirects() {
    let (broker, client) = with_configured_client().await;
    for redirect in [
        "https://known.example/cb/",
        "https://KNOWN.example/cb",
        "https://known.example/c%62",
        "https://known.example/../cb",
        "https://known.example/cb?x=1",
        "https://known.example@evil.example/cb",
        "https://known.example.evil.tld/cb",
        "https://knownXexample/cb",
        "http://known.example/cb",
        "javascript:alert(1)",
    ] {
        assert_page(&ask(&broker, &client, &[("redirect_uri", redirect)]).await, redirect);
    }
    for id in ["nobody", "", "known ", "KNOWN"] {
        assert_page(&ask(&broker, &client, &[("client_id", id)]).await, id);
    }
    assert_eq!(ask(&broker, &client, &[]).await.status, 200);
}

/// SEC-002, INT-39, INT-51: a loopback client gets its answer at the port that it asked for.
#[tokio::test]
async fn sec_002_on_loopback_only_the_port_varies() {
    let broker = TestBroker::start().await;
    let client =
        TestClient::register_with(&broker, json!({ "redirect_uris": ["http://127.0.0.1/cb"] })).await;
    let moved = TestClient { redirect: "http://127.0.0.1:40123/cb".into(), ..client.clone() };
    let answer = moved.sign_in(&broker, &broker.browser()).await;
    assert!(answer.contains_key("code"));
    for other in ["http://127.0.0.1:1/other", "https://127.0.0.1:1/cb", "http://localhost:1/cb"] {
        assert_page(&ask(&broker, &client, &[("redirect_uri", other)]).await, other);
    }
}

/// SEC-004: several registered and none sent.
#[tokio::test]
async fn sec_004_an_ambiguous_redirect_is_a_page() {
    let broker = TestBroker::start().await;
    let uris = json!({ "redirect_uris": ["http://127.0.0.1/a", "http://127.0.0.1/b"] });
    let two = TestClient::register_with(&broker, uris).await;
    assert_page(&ask(&broker, &two, &[("redirect_uri", "")]).await, "two");
    let one = TestClient::register(&broker).await;
    assert_eq!(ask(&broker, &one, &[("redirect_uri", "")]).await.status, 200);
}

/// SEC-005, SEC-006, SEC-007, SEC-008, SEC-009, SEC-011, SEC-014, SEC-015, SEC-018, SEC-025,
/// INT-46: what is wrong with a request goes to the client, with its state and our iss.
#[tokio::test]
async fn sec_005_to_011_errors_go_to_a_known_client_with_state_and_iss() {
    let (broker, client) = with_configured_client().await;
    let padded = format!("{}=", S256Challenge::of_verifier(VERIFIER).as_str());
    for (change, error) in [
        (("response_type", ""), "invalid_request"),
        (("response_type", "token"), "unsupported_response_type"),
        (("response_type", "code token"), "unsupported_response_type"),
        (("response_mode", "fragment"), "invalid_request"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge", &padded), "invalid_request"),
        (("code_challenge", &padded[..42]), "invalid_request"),
        (("code_challenge_method", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("resource", "https://other.example/mcp"), "invalid_target"),
        (("resource", "/mcp"), "invalid_target"),
        (("resource", "https://mcp.example.com/mcp#x"), "invalid_target"),
        (("scope", "unknown:scope"), "invalid_scope"),
        (("request", "eyJ"), "request_not_supported"),
        (("request_uri", "http://169.254.169.254/"), "request_uri_not_supported"),
        (("prompt", "none"), "login_required"),
    ] {
        let page = ask(&broker, &client, &[change]).await;
        assert_eq!(page.status, 303, "{change:?}: {}", page.body);
        let to = page.location().expect("a redirect");
        assert!(to.starts_with("https://known.example/cb?"), "{to}");
        let answer = query(&to);
        assert_eq!(answer["error"], error, "{change:?}");
        assert_eq!(answer["state"], "st/ate==");
        assert_eq!(answer["iss"], broker.issuer);
        assert!(!answer.contains_key("code"));
    }
    assert!(broker.provider.authorize_requests().is_empty(), "no upstream was asked");
    assert_eq!(broker.provider.fetches().discovery, 0, "SEC-025: nothing was fetched");
}

/// SEC-010: a repeated parameter; of client and redirect it is a page, `resource` may repeat.
#[tokio::test]
async fn sec_010_repeated_parameters() {
    let (broker, client) = with_configured_client().await;
    let twice = |name: &str, value: &str| {
        let mut request = client.request();
        request.push((name.to_owned(), value.to_owned()));
        authorize_url(&broker, &request)
    };
    let browser = broker.browser();
    assert_page(&browser.get(&twice("client_id", "known")).await, "client_id");
    assert_page(&browser.get(&twice("redirect_uri", &client.redirect)).await, "redirect_uri");
    let scope = browser.get(&twice("scope", "mcp:read")).await;
    assert_eq!(query(&scope.location().expect("a redirect"))["error"], "invalid_request");
    assert_eq!(browser.get(&twice("resource", RESOURCE)).await.status, 200);
    let two = browser.get(&twice("resource", "https://other.example/")).await;
    assert_eq!(query(&two.location().expect("a redirect"))["error"], "invalid_target");
}

/// SEC-012, SEC-016, SEC-017, INT-47, INT-50: what does not matter does not disturb.
#[tokio::test]
async fn sec_012_sec_016_int_47_requests_that_are_as_good() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for change in [
        ("unknown_parameter", "x"),
        ("resource", "HTTPS://MCP.example.com/mcp"),
        ("resource", "https://mcp.example.com:443/mcp/"),
        ("resource", ""),
        ("scope", ""),
        ("scope", "mcp:read unknown:scope offline_access"),
        ("prompt", "consent"),
        ("state", ""),
    ] {
        let url = authorize_url(&broker, &client.request_with(&[change]));
        let answer = client.sign_in_at(&broker, &broker.browser(), &url).await;
        let tokens = client.redeem(&broker, &answer["code"]).await;
        assert_eq!(tokens.status, 200, "{change:?}: {}", tokens.body);
        let claims = crate::harness::client::Tokens::of(&tokens).claims();
        assert_eq!(claims["aud"], RESOURCE, "{change:?}: the configured string");
        assert_eq!(answer.get("state").map(String::as_str), (change.0 != "state").then_some("st/ate=="));
    }
}

/// SEC-017: several servers and none named: no guess, and never an audience for all.
#[tokio::test]
async fn sec_017_no_resource_among_several_is_invalid_target() {
    let resources = "  - { url: https://a.example/mcp, name: A, scopes: { mcp:read: R, mcp:write: W, mcp:admin: A } }\n  \
                     - { url: https://b.example/mcp, name: B, scopes: { mcp:read: R } }\n";
    let broker = TestBroker::with(Setup { resources: resources.into(), ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let page = ask(&broker, &client, &[("resource", "")]).await;
    assert!(page.body.contains("invalid_target"), "{}", page.body);
    assert_eq!(ask(&broker, &client, &[("resource", "https://b.example/mcp")]).await.status, 200);
}

/// SEC-013, INT-48: state comes back byte for byte, and splits no header.
#[tokio::test]
async fn sec_013_state_is_byte_exact() {
    let (broker, client) = with_configured_client().await;
    let long = "x".repeat(4096);
    for state in ["a\r\nSet-Cookie: x=y", "\"quotes\"&amp;=", "é漢字 /+=%", long.as_str()] {
        let page = ask(&broker, &client, &[("state", state), ("scope", "none:such")]).await;
        assert_eq!(query(&page.location().expect("a redirect"))["state"], state);
        assert!(page.headers.get("set-cookie").is_none());
    }
    assert_page(&ask(&broker, &client, &[("state", &"x".repeat(4097))]).await, "too long");
}

/// SEC-019: a client that anyone can register cannot bounce people without an act of theirs.
#[tokio::test]
async fn sec_019_no_automatic_redirect_to_a_self_registered_client() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for change in
        [("scope", "none:such"), ("prompt", "none"), ("response_type", "token"), ("code_challenge", "")]
    {
        let page = ask(&broker, &client, &[change]).await;
        assert!(page.location().is_none(), "{change:?}");
        assert_ne!(page.status, 400, "400 means an unknown client to fastmcp");
        assert!(page.body.contains(&client.redirect), "a link leads back: {}", page.body);
        assert!(page.body.contains("error="), "{}", page.body);
    }
}

/// SEC-020, SEC-021: 303 after POST, and no CORS for people's pages.
#[tokio::test]
async fn sec_020_sec_021_see_other_and_no_cors() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    assert!(consent.headers.get("access-control-allow-origin").is_none());
    let preflight = browser.http().request(reqwest::Method::OPTIONS, broker.url("/oauth/authorize"));
    let preflight = preflight.header("origin", "https://evil.example").send().await.expect("an answer");
    assert!(preflight.headers().get("access-control-allow-origin").is_none());
    assert_eq!(browser.press(&consent, "upstream", "idp").await.status, 303);
}

/// SEC-022, INT-49: a code lives 60 s.
#[tokio::test]
async fn sec_022_a_code_lives_sixty_seconds() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for (wait, status) in [(59, 200), (60, 400)] {
        let code = client.code(&broker).await;
        broker.clock.advance(std::time::Duration::from_secs(wait));
        assert_eq!(client.redeem(&broker, &code).await.status, status, "after {wait} s");
    }
}

/// SEC-026, INT-44: tabs are independent, GET is repeatable, HEAD begins nothing.
#[tokio::test]
async fn sec_026_tabs_are_independent_and_head_begins_nothing() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let url = client.authorize_url(&broker);
    let first = browser.get(&url).await;
    let second = browser.get(&url).await;
    for tab in [&first, &second] {
        let away = browser.press(tab, "upstream", "idp").await;
        let back = browser.follow(away, &client.redirect).await;
        assert!(query(&back.location().expect("a redirect")).contains_key("code"));
    }
    broker.store.fail_everything();
    let head = browser.http().head(&url).send().await.expect("an answer");
    assert_eq!(head.status(), 200, "HEAD asks no store");
    assert!(head.headers().get("set-cookie").is_none());
}
