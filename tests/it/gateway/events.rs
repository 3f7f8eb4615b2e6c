//! The older transport (HTTP+SSE of 2024-11-05), and streams in pieces of every size.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::{future, stream};

use super::{HOST, Scene, page, token_for};
use crate::harness::backend::Backend;
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Browser;
use crate::harness::client::TestClient;

/// A server that sends this as a stream of events, in pieces of this size.
async fn speaking(text: String, size: usize) -> Backend {
    let speak = move |_: Request| {
        let pieces: Vec<_> =
            text.as_bytes().chunks(size).map(|piece| Ok::<_, Infallible>(piece.to_vec())).collect();
        let response = Response::builder().header("content-type", "text/event-stream; charset=utf-8");
        future::ready(response.body(Body::from_stream(stream::iter(pieces))).expect("a response"))
    };
    Backend::serving(Router::new().fallback(speak)).await
}

/// GET /sse names an address for messages; outside it is another one, below the resource.
#[tokio::test]
async fn the_older_transport_s_messages_find_their_way() {
    for (named, told) in [
        ("/messages/?session_id=1", "/mcp/messages/?session_id=1"),
        ("messages?x=y", "/mcp/messages?x=y"),
        ("https://elsewhere.example/m", "https://elsewhere.example/m"),
    ] {
        for size in [1, 1024] {
            let rest = "event: message\ndata: {\"id\":1}\n\nevent: endpoint\ndata: /messages\n\n";
            let text = format!(": hi\n\nevent: endpoint\ndata: {named}\n\n{rest}");
            let usual = Setup::default();
            let backend = speaking(text, size).await;
            let resources = format!("{}    upstream_url: {}\n", usual.resources, backend.url(""));
            let broker = TestBroker::with(Setup { resources, ..usual }).await;
            let client = TestClient::register(&broker).await;
            let token = token_for(&broker, &client, super::RESOURCE, "mcp:read").await;
            let request = Browser::new().http().get(broker.url("/mcp/sse")).header("host", HOST);
            let answer = page(request.header("authorization", token)).await;
            assert_eq!(answer.body, format!(": hi\n\nevent: endpoint\ndata: {told}\n\n{rest}"), "{size}");
        }
    }
}

const LIST: &str = r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_note","x":1.0},{"name":"delete_note"},{"name":"whoami"}]}}"#;
const SHORT: &str =
    r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[{"name":"read_note","x":1.0},{"name":"whoami"}]}}"#;

/// Lists of tools lose what the caller may not call, wherever the stream's pieces begin and end; everything
/// else stays byte for byte.
#[tokio::test]
async fn lists_in_a_stream_are_shortened_in_pieces_of_every_size() {
    let rules = "tools: { \"delete_*\": mcp:admin, \"*_note\": mcp:read }";
    for end in ["\n", "\r\n", "\r"] {
        let event = |lines: &[&str]| format!("{}{end}{end}", lines.join(end));
        let same = [
            event(&[": comment"]),
            event(&["id: 1", "data:"]),
            event(&[
                "data: {\"method\":\"notifications/x\",",
                "data:\"params\":{\"tools\":[{\"name\":\"delete_note\"}]}}",
            ]),
            event(&["data: nonsense"]),
        ]
        .concat();
        let (before, after) =
            LIST.split_once("{\"name\"").map(|(before, _)| LIST.split_at(before.len())).unwrap();
        let list = event(&["id: 2", "event: message", &format!("data: {LIST}")]);
        let split = event(&[&format!("data:{before}"), "retry: 10", &format!("data:{after}")]);
        let text = format!("{same}{list}{same}{split}{same}");
        for size in [1, 3, 64, 100_000] {
            let scene = Scene::with(speaking(text.clone(), size).await, &[rules]).await;
            let narrow = scene.narrow("mcp:read").await;
            let request = scene.anybody("GET", "/mcp").header("authorization", narrow);
            let answer = page(request).await;
            let shortened =
                format!("id: 2\nevent: message\ndata: {SHORT}\n\n{same}retry: 10\ndata: {SHORT}\n\n");
            assert_eq!(answer.body, format!("{same}{shortened}{same}"), "{size} {end:?}");
            let everything = scene.ask("GET", "/mcp").await;
            assert_eq!(everything.body, text, "who may call everything sees everything: {size}");
        }
    }
}
