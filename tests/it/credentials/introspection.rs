//! Tokens that their authorization server is asked about (RFC 7662).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatelodge::domain::PersonId;
use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::client::TestClient;
use crate::harness::keys::{object, patched};
use crate::harness::oracle::{Oracle, Said};
use crate::harness::provider::AUDIENCE;
use crate::harness::question::{NOTES, ask};

use super::{Scene, assert_invalid, assert_undecided};

const SECRET: &str = "introspection canary: 9f/8e+7d";

/// An answer for carol's token, changed.
fn active(scene: &Scene, patch: Value) -> Said {
    let usual = json!({"active": true, "iss": scene.other.issuer(), "aud": AUDIENCE, "sub": "carol",
        "scope": "api.read mcp:read", "token_type": "Bearer"});
    Said::Json(200, Value::Object(patched(object(usual), &object(patch))))
}

async fn scene(more: &str) -> (Scene, Oracle) {
    let oracle = Oracle::start(Said::Json(200, json!({"active": false}))).await;
    let partner = format!(
        "  - id: partner\n    type: introspection\n    issuer: ISSUER\n    url: {}\n    client_id: us:them\n    \
         client_secret: '{SECRET}'\n    audience: https://api.example.com\n{more}",
        oracle.url
    );
    let scene = Scene::with("partner, access_token", &partner, "  default_scopes: [mcp:read]\n").await;
    oracle.says(active(&scene, json!({})));
    (scene, oracle)
}

async fn shows(scene: &Scene, token: &str) -> Page {
    ask(&scene.broker, &NOTES, &format!("Bearer {token}")).await
}

/// The server is asked as RFC 7662 says, once for a while, and policy decides about the account.
#[tokio::test]
async fn an_opaque_token_is_asked_about() {
    let (scene, oracle) = scene("").await;
    let page = shows(&scene, "opaque-1").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.header("x-auth-user"), PersonId::of(scene.other.issuer(), "carol").as_str());
    assert_eq!(page.header("x-auth-scopes"), "mcp:read");
    let asked = oracle.asked();
    assert_eq!(asked[0].body, "token=opaque-1&token_type_hint=access_token");
    let pair = STANDARD.encode("us%3Athem:introspection+canary%3A+9f%2F8e%2B7d");
    assert_eq!(asked[0].header("authorization"), format!("Basic {pair}"));
    assert_eq!(asked[0].header("content-type"), "application/x-www-form-urlencoded");
    for _ in 0..5 {
        assert_eq!(shows(&scene, "opaque-1").await.status, 200);
    }
    assert_eq!(oracle.asked().len(), 1);
}

/// A revoked token counts no longer than `cache`; a refusal is forgotten within a second.
#[tokio::test]
async fn a_revoked_token_is_refused_after_the_cache() {
    let (scene, oracle) = scene("").await;
    assert_eq!(shows(&scene, "opaque-1").await.status, 200);
    oracle.says(Said::Json(200, json!({"active": false})));
    scene.broker.clock.advance(Duration::from_secs(9));
    assert_eq!(shows(&scene, "opaque-1").await.status, 200, "ten seconds");
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_invalid(&shows(&scene, "opaque-1").await, "revoked");
    for _ in 0..5 {
        assert_invalid(&shows(&scene, "opaque-1").await, "revoked");
    }
    assert_eq!(oracle.asked().len(), 2, "one question a second");
    oracle.says(active(&scene, json!({})));
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_eq!(shows(&scene, "opaque-1").await.status, 200);
}

/// The answer is not believed past the token's own end.
#[tokio::test]
async fn a_token_is_not_believed_past_its_end() {
    let (scene, oracle) = scene("    cache: 60s\n").await;
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    oracle.says(active(&scene, json!({"exp": now + 5})));
    for _ in 0..3 {
        assert_eq!(shows(&scene, "opaque-1").await.status, 200);
    }
    assert_eq!(oracle.asked().len(), 1);
    scene.broker.clock.advance(Duration::from_secs(5));
    assert_eq!(shows(&scene, "opaque-1").await.status, 200, "the clocks may differ, but it is asked");
    assert_eq!(shows(&scene, "opaque-1").await.status, 200);
    assert_eq!(oracle.asked().len(), 3);
    scene.broker.clock.advance(Duration::from_secs(60));
    assert_invalid(&shows(&scene, "opaque-1").await, "expired");
}

/// SEC-143: for another server, of another issuer, expired, bound to a key, or no access token at all.
#[tokio::test]
async fn sec_143_an_active_token_must_be_for_here() {
    let (scene, oracle) = scene("    required_scopes: api.read\n").await;
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    let patches = [
        json!({"aud": "https://other.example"}),
        json!({"aud": null}),
        json!({"aud": []}),
        json!({"iss": "https://evil.example"}),
        json!({"exp": now - 60}),
        json!({"exp": "x"}),
        json!({"nbf": now + 61}),
        json!({"sub": null}),
        json!({"sub": ""}),
        json!({"scope": "other"}),
        json!({"cnf": {"jkt": "k"}}),
        json!({"token_type": "DPoP"}),
        json!({"token_use": "refresh_token"}),
        json!({"typ": "Refresh"}),
    ];
    for (number, patch) in patches.into_iter().enumerate() {
        oracle.says(active(&scene, patch.clone()));
        assert_invalid(&shows(&scene, &format!("opaque-{number}")).await, &patch.to_string());
    }
    oracle.says(active(&scene, json!({"iss": null, "aud": ["x", AUDIENCE]})));
    assert_eq!(shows(&scene, "opaque-good").await.status, 200);
}

/// PRIN-5: a server that is away, refuses our client, or says what cannot be read, refuses nobody's token; and
/// nothing of it is taken for good.
#[tokio::test]
async fn a_server_that_cannot_be_asked_refuses_nobody() {
    let (scene, oracle) = scene("    timeout: 1s\n").await;
    let answers = [
        Said::Json(500, json!({"active": true})),
        Said::Json(401, json!({"active": false})),
        Said::Json(400, json!({"error": "invalid_request"})),
        Said::Json(201, json!({"active": true})),
        Said::Json(200, json!({"active": "true"})),
        Said::Json(200, json!({"active": 1})),
        Said::Json(200, json!({})),
        Said::Json(200, json!([true])),
        Said::Text("<html>".into()),
        Said::Text(format!("{{\"active\":true,\"x\":\"{}\"}}", "x".repeat(300_000))),
        Said::Redirect("https://evil.example/ask".into()),
        Said::Silence,
    ];
    for (number, answer) in answers.into_iter().enumerate() {
        let what = format!("{answer:?}").chars().take(60).collect::<String>();
        oracle.says(answer);
        assert_undecided(&shows(&scene, &format!("opaque-{number}")).await, &what);
    }
    drop(oracle);
    assert_undecided(&shows(&scene, "opaque-gone").await, "nobody listens");
}

/// What is ours, somebody else's, or no token at all, is shown to nobody; and strangers do not make us call
/// without bound, nor keep a known token from being asked about.
#[tokio::test]
async fn nobody_is_asked_in_vain() {
    let (scene, oracle) = scene("    most_calls: 20\n").await;
    let client = TestClient::register(&scene.broker).await;
    let own = client.tokens(&scene.broker).await.access;
    assert_eq!(shows(&scene, &own).await.status, 200);
    let spoilt = format!("{}x", &own[..own.len() - 1]);
    for token in [spoilt.as_str(), "glk_a_key_of_ours", "a token", "é", "", &"a".repeat(20_000)] {
        assert_invalid(&shows(&scene, token).await, token);
    }
    let foreign = scene.other.access_token(json!({"iss": "https://elsewhere.example"}));
    assert_invalid(&shows(&scene, &foreign).await, "of another issuer");
    assert!(oracle.asked().is_empty());
    assert_eq!(shows(&scene, "opaque-known").await.status, 200);
    oracle.says(Said::Json(200, json!({"active": false})));
    let mut undecided = 0;
    for number in 0..50 {
        let page = shows(&scene, &format!("invented-{number}")).await;
        undecided += usize::from(page.status == 503);
        assert!([401, 503].contains(&page.status));
    }
    assert_eq!((oracle.asked().len(), undecided), (20, 31));
    oracle.says(active(&scene, json!({})));
    scene.broker.clock.advance(Duration::from_secs(10));
    for _ in 0..10 {
        // The minute gives a few back.
        let _ = shows(&scene, "invented-again").await;
    }
    assert_eq!(shows(&scene, "opaque-known").await.status, 200);
}

/// The fallback of a JWT: both are named in `accepts`. What is signed is verified here, what is opaque is asked
/// about; where the one cannot be told, the other still is.
#[tokio::test]
async fn introspection_stands_beside_signatures() {
    let oracle = Oracle::start(Said::Json(200, json!({"active": false}))).await;
    let both = format!(
        "  - id: partner\n    type: jwt\n    issuer: ISSUER\n    audience: https://api.example.com\n  \
         - id: opaque\n    type: introspection\n    issuer: ISSUER\n    url: {}\n    client_id: us\n    \
         client_secret: s\n    auth: client_secret_post\n    audience: https://api.example.com\n",
        oracle.url
    );
    let access = "  default_scopes: [mcp:read]\n  rules:\n    - { upstreams: [opaque], groups: [platform], scopes: [mcp:write] }\n";
    let scene = Scene::with("opaque, partner", &both, access).await;
    let signed = scene.other.access_token(json!({"groups": ["platform"]}));
    let page = shows(&scene, &signed).await;
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, "mcp:read"));
    assert!(oracle.asked().is_empty(), "what can be told here is sent nowhere");
    oracle.says(active(&scene, json!({"groups": ["platform"]})));
    let page = shows(&scene, "opaque-1").await;
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, "mcp:read mcp:write"));
    assert_eq!(
        oracle.asked()[0].body,
        "token=opaque-1&token_type_hint=access_token&client_id=us&client_secret=s"
    );
    assert_eq!(oracle.asked()[0].header("authorization"), "");
    oracle.says(Said::Json(500, json!({})));
    assert_undecided(&shows(&scene, "opaque-2").await, "opaque");
    assert_eq!(shows(&scene, &scene.other.access_token(json!({}))).await.status, 200, "signed");
}

/// Without `url` the issuer's metadata names the endpoint, and is asked for once.
#[tokio::test]
async fn the_endpoint_is_discovered() {
    let oracle = Oracle::start(Said::Json(200, json!({"active": false}))).await;
    let partner = "  - id: partner\n    type: introspection\n    issuer: ISSUER\n    client_id: us\n    client_secret: s\n    \
                   audience: https://api.example.com\n";
    let scene = Scene::with("partner", partner, "  default_scopes: [mcp:read]\n").await;
    assert_undecided(&shows(&scene, "opaque-1").await, "the metadata names none");
    let endpoint = json!(oracle.url);
    scene.other.misbehave(|m| drop(m.discovery.insert("introspection_endpoint".into(), endpoint)));
    oracle.says(active(&scene, json!({})));
    for number in 0..3 {
        assert_eq!(shows(&scene, &format!("opaque-{number}")).await.status, 200);
    }
    assert_eq!((scene.other.fetches().discovery, oracle.asked().len()), (2, 3));
}
