//! What tools need: decided before the server sees the call, whatever the body looks like.

use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::{Scene, page};
use crate::harness::backend::{Arrived, Backend};

const RULES: &str = "tools: { \"delete_*\": mcp:admin, \"*_note\": [mcp:read] }";

fn call(name: &str) -> String {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": {}}})
        .to_string()
}

fn listing(arrived: &Arrived) -> Response {
    let tool = |name: &str| json!({"name": name, "inputSchema": {"type": "object"}});
    let list = json!({"jsonrpc": "2.0", "id": 1, "result": {"tools": [tool("read_note"), tool("delete_note"), tool("whoami")]}});
    match serde_json::from_str::<Value>(&arrived.body) {
        Ok(message) if message["method"] == "tools/list" => {
            ([("content-type", "application/json")], list.to_string()).into_response()
        }
        _ => Response::new(Body::from("served")),
    }
}

async fn scene() -> Scene {
    Scene::with(Backend::answering(listing).await, &[RULES]).await
}

/// INT-25, SEC-145: a call that the token does not allow is 403 with everything that is needed, and the server
/// does not see it.
#[tokio::test]
async fn int_25_a_call_needs_what_its_tool_needs() {
    let scene = scene().await;
    let narrow = scene.narrow("mcp:read").await;
    for (tool, status) in [("read_note", 200), ("whoami", 200), ("delete_note", 403), ("delete_all", 403)] {
        let answer = scene.post(&narrow, &call(tool)).await;
        assert_eq!(answer.status, status, "{tool}: {}", answer.body);
        assert_eq!(scene.backend.arrived().len(), usize::from(status == 200), "{tool}");
    }
    let answer = scene.post(&narrow, &call("delete_note")).await;
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", resource_metadata="), "{challenge}");
    assert!(challenge.ends_with("scope=\"mcp:admin mcp:read\""), "{challenge}");
    let write = scene.narrow("mcp:write").await;
    assert_eq!(scene.post(&write, &call("read_note")).await.status, 403);
    let answer = scene.post(&scene.bearer(), &call("delete_note")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(scene.backend.only().body, call("delete_note"), "byte for byte");
}

/// Every call of a batch counts.
#[tokio::test]
async fn int_25_every_call_of_a_batch_counts() {
    let scene = scene().await;
    let narrow = scene.narrow("mcp:read").await;
    let batch = format!("[{},{}]", call("read_note"), call("whoami"));
    assert_eq!(scene.post(&narrow, &batch).await.status, 200);
    scene.backend.arrived();
    let batch = format!("[{},{}]", call("read_note"), call("delete_note"));
    let answer = scene.post(&narrow, &batch).await;
    assert_eq!(answer.status, 403);
    assert!(answer.header("www-authenticate").contains("scope=\"mcp:admin mcp:read\""));
    assert!(scene.backend.arrived().is_empty());
}

/// A body that two readers could read in two ways reaches no server, below its path neither.
#[tokio::test]
async fn sec_144_a_body_with_two_readings_is_refused() {
    let scene = scene().await;
    let narrow = scene.narrow("mcp:read").await;
    let twice = call("read_note").replacen("\"name\"", "\"name\":\"delete_note\",\"name\"", 1);
    let deep = format!("{{\"method\":\"x\",\"params\":{}{}}}", "[".repeat(500), "]".repeat(500));
    let capitals = call("delete_note").replace("\"method\"", "\"Method\"");
    for (body, code) in [
        (twice.as_str(), -32700),
        (&deep, -32700),
        ("nonsense", -32700),
        ("", -32700),
        (&capitals, -32600),
        ("{\"method\":\"tools/call\",\"id\":3}", -32600),
    ] {
        for path in ["/mcp", "/mcp/messages"] {
            let request = scene.anybody("POST", path).header("authorization", &narrow);
            let answer = page(request.header("content-type", "application/json").body(body.to_owned())).await;
            assert_eq!(answer.status, 400, "{body}");
            let error = answer.json();
            assert_eq!((&error["jsonrpc"], &error["error"]["code"]), (&json!("2.0"), &json!(code)), "{body}");
        }
    }
    let good = call("delete_note");
    for (name, value) in [
        ("content-encoding", "gzip"),
        ("content-type", "application/json; charset=utf-7"),
        ("content-type", "application/json; charset=utf-16"),
    ] {
        let request = scene.anybody("POST", "/mcp").header("authorization", &narrow).header(name, value);
        assert_eq!(page(request.body(good.clone())).await.status, 415, "{value}");
    }
    for method in ["PUT", "PATCH", "QUERY"] {
        let request = scene.anybody(method, "/mcp").header("authorization", &narrow).body(good.clone());
        let answer = page(request).await;
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, POST, DELETE"), "{method}");
    }
    assert!(scene.backend.arrived().is_empty());
    // A body where none belongs stays here.
    let request = scene.anybody("GET", "/mcp").header("authorization", &narrow).body(good.clone());
    assert_eq!(page(request).await.status, 200);
    assert_eq!(scene.backend.only().body, "");
}

/// MCP 2026-07-28: the headers say what the body says, or the request is refused with the specification's error.
#[tokio::test]
async fn headers_that_say_something_else_than_the_body_are_refused() {
    let scene = scene().await;
    let narrow = scene.narrow("mcp:read").await;
    let with = |pairs: &[(&str, &str)], body: String| {
        let request = scene.anybody("POST", "/mcp").header("authorization", &narrow);
        page(pairs.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(body))
    };
    let good =
        [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/call"), ("mcp-name", "read_note")];
    assert_eq!(with(&good, call("read_note")).await.status, 200);
    let arrived = scene.backend.only();
    assert_eq!((arrived.all("mcp-method"), arrived.all("mcp-name")), (vec!["tools/call"], vec!["read_note"]));
    let encoded = [good[1], ("mcp-name", "=?base64?cmVhZF9ub3Rl?=")];
    assert_eq!(with(&encoded, call("read_note")).await.status, 200);
    scene.backend.arrived();
    for (pairs, body) in [
        (&good[..], call("delete_note")),
        (&[good[2]], call("whoami")),
        (&[("mcp-method", "tools/list")], call("read_note")),
        (&[good[1]], json!({"id": 7, "method": "tools/list"}).to_string()),
        (&[good[1], good[1]], call("read_note")),
        (&[good[1]], format!("[{}]", call("read_note"))),
    ] {
        let answer = with(pairs, body.clone()).await;
        assert_eq!(answer.status, 400, "{pairs:?} {body}");
        let error = answer.json();
        assert_eq!(error["error"]["code"], -32020, "{pairs:?}");
        assert_eq!(error["id"], if body.starts_with('[') { Value::Null } else { json!(7) });
    }
    assert_eq!(
        with(&[good[1], ("mcp-name", "delete_note")], call("delete_note")).await.status,
        403,
        "INT-25"
    );
    assert!(scene.backend.arrived().is_empty());
}

/// Who may not call a tool does not see it.
#[tokio::test]
async fn a_list_of_tools_holds_what_the_caller_may_call() {
    let scene = scene().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let names = |answer: &crate::harness::browser::Page| {
        let tools = answer.json()["result"]["tools"].as_array().unwrap().clone();
        tools.iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&scene.post(&scene.bearer(), &list).await), "read_note delete_note whoami");
    assert_eq!(names(&scene.post(&scene.narrow("mcp:read").await, &list).await), "read_note whoami");
    let write = scene.narrow("mcp:write").await;
    let request =
        scene.anybody("POST", "/mcp").header("authorization", &write).header("accept-encoding", "gzip");
    scene.backend.arrived();
    assert_eq!(names(&page(request.body(list)).await), "whoami");
    assert!(scene.backend.only().all("accept-encoding").is_empty(), "what is packed cannot be shortened");
}
