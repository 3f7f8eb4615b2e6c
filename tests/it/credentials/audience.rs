//! Tokens of others that are made out to one server, where several accept their issuer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::keys::object;
use crate::harness::oracle::{Oracle, Said};
use crate::harness::question::{Asked, NOTES, WIKI, ask};

use super::{RESOURCE, Scene};

const WIKI_URL: &str = "https://wiki.example.com/mcp";
const BELOW: &str = "https://mcp.example.com/mcp/archive";
const JWT: &str = "  - { id: partner, type: jwt, issuer: 'ISSUER' }\n";

async fn scene(credential: &str) -> Scene {
    let server = |url: &str| {
        format!(
            "  - {{ url: '{url}', name: N, scopes: {{ mcp:read: R }}, accepts: [access_token, partner] }}\n"
        )
    };
    let resources = [RESOURCE, WIKI_URL, BELOW].map(server).concat();
    Scene::of(resources, credential, "  default_scopes: [mcp:read]\n").await
}

async fn shows(scene: &Scene, at: &Asked<'_>, token: &str) -> Page {
    ask(&scene.broker, at, &format!("Bearer {token}")).await
}

fn token(scene: &Scene, aud: &Value) -> String {
    scene.other.access_token(Value::Object(object(json!({"sub": "dave", "aud": aud}))))
}

#[track_caller]
fn is_refused(page: &Page, host: &str) {
    let expected = format!(
        "Bearer error=\"invalid_token\", \
         resource_metadata=\"https://{host}.example.com/.well-known/oauth-protected-resource/mcp\", scope=\"mcp:read\""
    );
    assert_eq!((page.status, page.header("www-authenticate")), (401, expected.as_str()), "{}", page.body);
}

/// SEC-143, SEC-157: without an `audience`, a token for one server is none at another, whichever is asked first.
#[tokio::test]
async fn sec_143_a_token_for_one_server_is_none_at_another() {
    let scene = scene(JWT).await;
    let for_notes = token(&scene, &json!(RESOURCE));
    for _ in 0..2 {
        is_refused(&shows(&scene, &WIKI, &for_notes).await, "wiki");
        assert_eq!(shows(&scene, &NOTES, &for_notes).await.status, 200);
    }
    let below = [NOTES[0], NOTES[1], ("x-forwarded-uri", "/mcp/archive")];
    assert_eq!(shows(&scene, &below, &for_notes).await.status, 401, "a server of its own");
    let for_both = token(&scene, &json!([RESOURCE, WIKI_URL]));
    assert_eq!(shows(&scene, &NOTES, &for_both).await.status, 200);
    assert_eq!(shows(&scene, &WIKI, &for_both).await.status, 200);
}

/// SEC-016: the spellings of one URL are one server, and nothing else is.
#[tokio::test]
async fn sec_016_the_audience_is_this_server_s_url() {
    let scene = scene(JWT).await;
    for good in ["https://mcp.example.com/mcp/", "HTTPS://MCP.example.com:443/mcp"] {
        assert_eq!(shows(&scene, &NOTES, &token(&scene, &json!(good))).await.status, 200, "{good}");
    }
    for bad in [
        json!("https://mcp.example.com"),
        json!("https://mcp.example.com/mcp/archive"),
        json!("https://mcp.example.com/mcp?x"),
        json!("https://mcp.example.com/mcp#x"),
        json!("https://mcp.example.com/MCP"),
        json!("https://a@mcp.example.com/mcp"),
        json!("http://mcp.example.com/mcp"),
        json!("https://mcp.example.com.evil.example/mcp"),
        json!("https://mcp.example.com/mcp https://wiki.example.com/mcp"),
        json!("mcp.example.com/mcp"),
        json!("*"),
        json!(""),
        json!([]),
        json!(null),
        json!({ RESOURCE: 1 }),
        json!([[RESOURCE]]),
    ] {
        is_refused(&shows(&scene, &NOTES, &token(&scene, &bad)).await, "mcp");
    }
}

/// SEC-157: one answer about a token is judged at each server by itself, and what is no good there is not asked
/// about again at once.
#[tokio::test]
async fn sec_157_an_answer_is_judged_at_each_server() {
    let oracle =
        Oracle::start(Said::Json(200, json!({"active": true, "sub": "carol", "aud": RESOURCE}))).await;
    let credential = format!(
        "  - {{ id: partner, type: introspection, issuer: 'ISSUER', url: '{}', client_id: us, client_secret: s }}\n",
        oracle.url
    );
    let scene = scene(&credential).await;
    let [wiki, notes] = [&WIKI, &NOTES].map(|at| shows(&scene, at, "opaque"));
    let (wiki, notes) = tokio::join!(wiki, notes);
    is_refused(&wiki, "wiki");
    assert_eq!(notes.status, 200, "{}", notes.body);
    let before = oracle.asked().len();
    for _ in 0..3 {
        is_refused(&shows(&scene, &WIKI, "opaque").await, "wiki");
        assert_eq!(shows(&scene, &NOTES, "opaque").await.status, 200);
    }
    assert_eq!(oracle.asked().len(), before);
    scene.broker.clock.advance(Duration::from_secs(1));
    oracle.says(Said::Json(200, json!({"active": true, "sub": "carol", "aud": [WIKI_URL]})));
    assert_eq!(shows(&scene, &WIKI, "opaque").await.status, 200, "what is issued now counts now");
}
