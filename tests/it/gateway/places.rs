//! What one caller may have under way: streams and calls, whatever they are opened with.

use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt as _, future, stream};
use http::Method;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;

use super::{Scene, page};
use crate::harness::backend::Backend;
use crate::harness::broker::Setup;
use crate::harness::provider::Person;

const LONG: Duration = Duration::from_secs(20);
const LISTEN: (&str, &str) = ("mcp-method", "subscriptions/listen");

/// What the server behind tells of its requests: one has come, one is over.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Begun,
    Over,
}

/// Tells when it is dropped.
struct Open(UnboundedSender<Told>);

impl Drop for Open {
    fn drop(&mut self) {
        let _ = self.0.send(Told::Over);
    }
}

/// A server that answers with a stream without end where somebody listens, and below `/mcp/stream`; never below
/// `/mcp/wait`; and else with a word.
async fn backend() -> (Backend, UnboundedReceiver<Told>) {
    let (tell, told) = unbounded_channel();
    let speak = move |request: Request| {
        let tell = tell.clone();
        async move {
            let path = request.uri().path();
            let listens = *request.method() == Method::GET || request.headers().contains_key(LISTEN.0);
            if !listens && !path.ends_with("/stream") && !path.ends_with("/wait") {
                return Response::new(Body::from("served"));
            }
            tell.send(Told::Begun).expect("somebody hears");
            let open = Open(tell);
            if path.ends_with("/wait") {
                let _open = open;
                return future::pending().await;
            }
            let hello = stream::once(future::ready(Ok::<_, Infallible>("data: 1\n\n")));
            let rest = stream::once(async move {
                let _open = open;
                future::pending().await
            });
            let answer = Response::builder().header("content-type", "text/event-stream");
            answer.body(Body::from_stream(hello.chain(rest))).expect("a response")
        }
    };
    (Backend::serving(Router::new().fallback(speak)).await, told)
}

/// Opens a stream.
async fn open(request: reqwest::RequestBuilder) -> reqwest::Response {
    let mut answer = request.send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.chunk().await.expect("a piece").expect("more"), "data: 1\n\n");
    answer
}

async fn refused(request: reqwest::RequestBuilder) {
    let answer = page(request).await;
    assert_eq!((answer.status, answer.error().as_str()), (429, "slow_down"), "{}", answer.body);
    assert_eq!(answer.header("retry-after"), "60");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
}

async fn next(told: &mut UnboundedReceiver<Told>) -> Told {
    timeout(LONG, told.recv()).await.expect("in time").expect("it tells")
}

/// As many streams as somebody may listen to: one more is refused before the server hears of it, whatever it is
/// asked with; their calls and everybody else go on; and who closes one may open another.
#[tokio::test]
async fn streams_are_counted_by_person() {
    let (backend, mut told) = backend().await;
    let scene = Scene::with(backend, &["streams: 2"]).await;
    let get = || scene.request("GET", "/mcp");
    let listen = || scene.request("POST", "/mcp").header(LISTEN.0, LISTEN.1);
    let first = open(get()).await;
    let _second = open(listen()).await;
    assert_eq!((next(&mut told).await, next(&mut told).await), (Told::Begun, Told::Begun));
    refused(get()).await;
    refused(listen()).await;
    let another = scene.client.tokens(&scene.broker).await;
    refused(scene.anybody("GET", "/mcp").bearer_auth(&another.access)).await;
    for _ in 0..5 {
        assert_eq!(scene.ask("POST", "/mcp").await.status, 200, "a call goes through");
    }
    scene.broker.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    let bob = scene.client.tokens(&scene.broker).await;
    assert_ne!(bob.claims()["sub"], another.claims()["sub"]);
    let _bob_s = open(scene.anybody("GET", "/mcp").bearer_auth(&bob.access)).await;
    assert_eq!(next(&mut told).await, Told::Begun, "of all that, only this reached the server");

    drop(first);
    assert_eq!(next(&mut told).await, Told::Over);
    let _third = open(get()).await;
    refused(get()).await;
}

/// Calls have places of their own, also those that are answered by a stream. One that is given up, before its
/// answer or in the middle, gives its place back, and so does one that fails.
#[tokio::test]
async fn calls_are_counted_apart() {
    let (backend, mut told) = backend().await;
    let scene = Scene::with(backend, &["streams: 1", "upstream_timeout: 1s"]).await;
    let call = |path: &str| scene.request("POST", path).body("{}");
    let _listening = open(scene.request("GET", "/mcp")).await;
    assert_eq!(next(&mut told).await, Told::Begun);
    let streaming = open(call("/mcp/stream")).await;
    assert_eq!(next(&mut told).await, Told::Begun);
    refused(call("/mcp")).await;
    drop(streaming);
    assert_eq!(next(&mut told).await, Told::Over);

    let waiting = tokio::spawn(call("/mcp/wait").send());
    assert_eq!(next(&mut told).await, Told::Begun);
    refused(call("/mcp")).await;
    waiting.abort();
    assert_eq!(next(&mut told).await, Told::Over);

    assert_eq!(page(call("/mcp/wait")).await.status, 504);
    assert_eq!(page(call("/mcp")).await.status, 200);
    assert_eq!(page(scene.request("TRACE", "/mcp")).await.status, 405);
    assert_eq!(page(call("/mcp")).await.status, 200);
}

/// Who shows nothing, where that is enough, is one caller.
#[tokio::test]
async fn those_who_show_nothing_are_bounded_as_well() {
    let (backend, mut told) = backend().await;
    let extra = "credentials:\n  - { id: dev, type: none, scopes: [mcp:read] }\n".to_owned();
    let setup = Setup { extra, ..Setup::default() };
    let scene = Scene::set_up(backend, &["streams: 1", "accepts: [access_token, dev]"], setup).await;
    let nobody_s = open(scene.anybody("GET", "/mcp")).await;
    refused(scene.anybody("GET", "/mcp")).await;
    let _alice_s = open(scene.request("GET", "/mcp")).await;
    assert_eq!((next(&mut told).await, next(&mut told).await), (Told::Begun, Told::Begun));
    drop(nobody_s);
    assert_eq!(next(&mut told).await, Told::Over);
    open(scene.anybody("GET", "/mcp")).await;
}
