//! Tokens that an endpoint of the operator's own is asked about.

use std::time::Duration;

use gatelodge::domain::PersonId;
use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::client::TestClient;
use crate::harness::oracle::{Oracle, Said};
use crate::harness::question::{NOTES, ask};

use super::{Scene, assert_invalid, assert_undecided};

async fn scene(more: &str) -> (Scene, Oracle) {
    let oracle = Oracle::start(valid(json!({}))).await;
    let partner = format!(
        "  - id: partner\n    type: remote\n    url: {}\n    authorization: Bearer between-us-0815\n{more}",
        oracle.url
    );
    let access = "  default_scopes: [mcp:read]\n  rules:\n    \
                  - { upstreams: [partner], groups: [platform], scopes: [mcp:write] }\n    \
                  - { upstreams: [partner], claims: { banned: 'true' }, deny: true }\n";
    (Scene::with("partner, access_token", &partner, access).await, oracle)
}

/// An answer about grace, with members laid over.
fn valid(patch: Value) -> Said {
    let mut said = crate::harness::keys::object(json!({"valid": true, "subject": "grace"}));
    said.extend(crate::harness::keys::object(patch));
    Said::Json(200, Value::Object(said))
}

async fn shows(scene: &Scene, token: &str) -> Page {
    ask(&scene.broker, &NOTES, &format!("Bearer {token}")).await
}

/// It is asked as agreed, once for a while; its own address stands in the place of an issuer.
#[tokio::test]
async fn a_remote_endpoint_says_who_it_is() {
    let (scene, oracle) = scene("").await;
    oracle.says(valid(json!({"claims": {"groups": ["platform"], "name": "Grace"}, "metadata": {"x": 1}})));
    let page = shows(&scene, "opaque-1").await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.header("x-auth-user"), PersonId::of(&oracle.url, "grace").as_str());
    assert_eq!(page.header("x-auth-scopes"), "mcp:read mcp:write");
    let asked = oracle.asked();
    assert_eq!((asked.len(), asked[0].body.as_str()), (1, "{\"token\":\"opaque-1\"}"));
    assert_eq!(asked[0].header("authorization"), "Bearer between-us-0815");
    assert_eq!(asked[0].header("content-type"), "application/json");
    assert_eq!(shows(&scene, "opaque-1").await.status, 200);
    assert_eq!(oracle.asked().len(), 1);
    oracle.says(valid(json!({"claims": {"banned": true}})));
    assert_eq!(shows(&scene, "opaque-2").await.status, 403, "policy denies the account");
}

/// Revoked, expired, or never good.
#[tokio::test]
async fn what_it_calls_invalid_is_refused() {
    let (scene, oracle) = scene("    required_scopes: [api.read]\n    scopes_from: token\n").await;
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    oracle.says(valid(json!({"scopes": ["api.read", "mcp:read"]})));
    let page = shows(&scene, "opaque-1").await;
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, "mcp:read"));
    oracle.says(Said::Json(200, json!({"valid": false, "subject": "grace"})));
    scene.broker.clock.advance(Duration::from_secs(10));
    assert_invalid(&shows(&scene, "opaque-1").await, "revoked");
    for (number, patch) in [
        json!({"scopes": ["other"]}),
        json!({}),
        json!({"scopes": ["api.read"], "claims": {"exp": now - 60}}),
        json!({"scopes": ["api.read"], "claims": {"cnf": {"jkt": "k"}}}),
    ]
    .into_iter()
    .enumerate()
    {
        oracle.says(valid(patch.clone()));
        assert_invalid(&shows(&scene, &format!("bad-{number}")).await, &patch.to_string());
    }
    oracle.says(valid(json!({"scopes": ["api.read"]})));
    assert_eq!(shows(&scene, "nothing-of-ours").await.status, 403);
}

/// PRIN-5: only a whole answer of the agreed form is one; anything else passes nobody and refuses nobody.
#[tokio::test]
async fn an_answer_of_another_form_is_none() {
    let (scene, oracle) = scene("    timeout: 1s\n").await;
    for (number, answer) in [
        Said::Json(200, json!({"valid": "true", "subject": "grace"})),
        Said::Json(200, json!({"valid": 1, "subject": "grace"})),
        Said::Json(200, json!({"subject": "grace"})),
        valid(json!({"subject": ""})),
        valid(json!({"subject": null})),
        valid(json!({"subject": 7})),
        valid(json!({"scopes": "mcp:read"})),
        valid(json!({"claims": []})),
        Said::Json(401, json!({"valid": true, "subject": "grace"})),
        Said::Json(500, json!({"valid": true, "subject": "grace"})),
        Said::Text("{\"valid\":false,\"valid\":true,\"subject\":\"grace\"}".into()),
        Said::Text("valid".into()),
        Said::Text(format!(
            "{{\"valid\":true,\"subject\":\"grace\",\"metadata\":\"{}\"}}",
            "x".repeat(300_000)
        )),
        Said::Redirect("https://evil.example/ask".into()),
        Said::Silence,
    ]
    .into_iter()
    .enumerate()
    {
        let what = format!("{answer:?}").chars().take(60).collect::<String>();
        oracle.says(answer);
        assert_undecided(&shows(&scene, &format!("opaque-{number}")).await, &what);
    }
    drop(oracle);
    assert_undecided(&shows(&scene, "opaque-gone").await, "nobody listens");
    let client = TestClient::register(&scene.broker).await;
    let own = client.tokens(&scene.broker).await.access;
    assert_eq!(shows(&scene, &own).await.status, 200, "our own tokens need nobody");
}

/// It may speak of the accounts of an issuer, where the operator says so.
#[tokio::test]
async fn it_may_speak_of_an_issuer_s_accounts() {
    let (scene, oracle) = scene("    issuer: https://accounts.example.com\n    allowed_domains: [partner.example]\n    trust_email: true\n").await;
    oracle.says(valid(json!({"claims": {"email": "grace@partner.example"}})));
    let page = shows(&scene, "opaque-1").await;
    assert_eq!(page.header("x-auth-user"), PersonId::of("https://accounts.example.com", "grace").as_str());
    assert_eq!(page.header("x-auth-email"), "grace@partner.example");
}
