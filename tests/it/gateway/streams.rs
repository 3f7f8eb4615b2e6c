//! Bodies both ways: as fast as the slower side, as long as both sides want, and never without end.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use futures::{StreamExt as _, future, stream};
use gatelodge::store::faulty::Operation;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Scene, page};
use crate::harness::backend::Backend;
use crate::harness::eventually::eventually_async;

const LONG: Duration = Duration::from_secs(20);
const PIECE: usize = 64 * 1024;
/// More than the sockets on the way hold, by far.
const HELD_AT_MOST: usize = 48 * 1024 * 1024;

/// Says when it is dropped.
struct Dropped(Option<oneshot::Sender<()>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.take().expect("once").send(());
    }
}

fn dropped() -> (Dropped, oneshot::Receiver<()>) {
    let (sender, receiver) = oneshot::channel();
    (Dropped(Some(sender)), receiver)
}

fn events(body: Body) -> Response {
    Response::builder().header("content-type", "text/event-stream").body(body).expect("a response")
}

/// Waits until a count does not grow any more.
async fn held_up(count: &AtomicUsize) -> usize {
    let (mut last, mut same) = (0, 0);
    eventually_async("it is held up", LONG, async || {
        let now = count.load(Ordering::SeqCst);
        same = if now == last && now > 0 { same + 1 } else { 0 };
        last = now;
        same == 10
    })
    .await;
    last
}

/// A server that speaks without end waits for a client that does not read, and goes on when it does.
#[tokio::test]
async fn a_client_that_does_not_read_holds_the_server_up() {
    let made = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&made);
    let speak = move |_: Request| {
        let count = Arc::clone(&count);
        let pieces = stream::repeat_with(move || {
            count.fetch_add(PIECE, Ordering::SeqCst);
            Ok::<_, Infallible>(Bytes::from(vec![b'\n'; PIECE]))
        });
        future::ready(events(Body::from_stream(pieces.take(4096))))
    };
    let scene = Scene::with(Backend::serving(Router::new().fallback(speak)).await, &[]).await;
    let mut answer = scene.request("POST", "/mcp").send().await.expect("an answer");
    assert_eq!(answer.headers()["x-accel-buffering"], "no");
    let before = held_up(&made).await;
    assert!(before < HELD_AT_MOST, "{before} bytes were taken of a server that nobody reads");
    let mut read = 0;
    while read < before + PIECE {
        read += answer.chunk().await.expect("a piece").expect("more").len();
    }
    assert!(made.load(Ordering::SeqCst) > before, "it goes on");
}

/// The same the other way: a server that does not read holds its client up.
#[tokio::test]
async fn a_server_that_does_not_read_holds_the_client_up() {
    let never = |request: Request| async move {
        let _unread = request;
        future::pending::<Response>().await
    };
    let backend = Backend::serving(Router::new().fallback(never)).await;
    let scene = Scene::with(backend, &["body_limit: 64MiB"]).await;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let pieces = stream::repeat_with(move || {
        count.fetch_add(PIECE, Ordering::SeqCst);
        Ok::<_, Infallible>(vec![b'x'; PIECE])
    });
    let body = reqwest::Body::wrap_stream(pieces.take(1020));
    let request = tokio::spawn(scene.request("POST", "/mcp").body(body).send());
    let before = held_up(&sent).await;
    assert!(before < HELD_AT_MOST, "{before} bytes were taken for a server that does not read");
    request.abort();
}

/// Events arrive one by one, while the stream is open.
#[tokio::test]
async fn an_event_is_not_held_back() {
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
    let speak = move |_: Request| {
        let receiver = Arc::clone(&receiver);
        let pieces = stream::unfold(receiver, |receiver| async move {
            let piece = receiver.lock().await.recv().await?;
            Some((Ok::<_, Infallible>(piece), receiver))
        });
        future::ready(events(Body::from_stream(pieces)))
    };
    let scene = Scene::with(Backend::serving(Router::new().fallback(speak)).await, &[]).await;
    let mut answer = scene.request("GET", "/mcp").send().await.expect("an answer");
    for event in [": hello\n\n", "data: {\"id\":1}\n\n", "id: 7\ndata: x\n\n"] {
        sender.send(Bytes::from(event)).await.expect("somebody listens");
        let piece = timeout(LONG, answer.chunk()).await.expect("in time").expect("a piece");
        assert_eq!(piece.expect("more"), event);
    }
}

/// SEC-134, SEC-156: who only listens hears nothing any more once access has ended, also in a stream that was
/// opened before; an answer that was under way is brought to its end. A store that is away for a moment ends
/// nothing.
#[tokio::test]
async fn sec_134_who_listens_hears_nothing_after_the_end_of_access() {
    let (sender, _) = tokio::sync::broadcast::channel::<&'static str>(8);
    let speaker = sender.clone();
    let speak = move |_: Request| {
        let pieces = stream::unfold(speaker.subscribe(), |mut heard| async move {
            let piece = heard.recv().await.ok()?;
            Some((Ok::<_, Infallible>(piece), heard))
        });
        future::ready(events(Body::from_stream(pieces)))
    };
    let scene = Scene::with(Backend::serving(Router::new().fallback(speak)).await, &[]).await;
    let mut listening = scene.request("GET", "/mcp").send().await.expect("an answer");
    let listen = scene.request("POST", "/mcp").header("mcp-method", "subscriptions/listen");
    let mut subscribed = listen.send().await.expect("an answer");
    let mut called = scene.request("POST", "/mcp").send().await.expect("an answer");
    let second = Duration::from_secs(1);
    async fn hears(answer: &mut reqwest::Response) -> Option<Bytes> {
        timeout(LONG, answer.chunk()).await.expect("in time").ok().flatten()
    }

    sender.send("data: 1\n\n").expect("listeners");
    for answer in [&mut listening, &mut subscribed, &mut called] {
        assert_eq!(hears(answer).await.expect("it hears"), "data: 1\n\n");
    }
    scene.broker.clock.advance(second);
    scene.broker.store.fail(Operation::Grant);
    sender.send("data: 2\n\n").expect("listeners");
    for answer in [&mut listening, &mut subscribed, &mut called] {
        assert_eq!(hears(answer).await.expect("it hears"), "data: 2\n\n");
    }
    scene.broker.store.heal();
    scene.client.revoke(&scene.broker, &scene.tokens.refresh).await;
    scene.broker.clock.advance(second);
    sender.send("data: 3\n\n").expect("listeners");
    assert_eq!(hears(&mut listening).await, None);
    assert_eq!(hears(&mut subscribed).await, None);
    assert_eq!(hears(&mut called).await.expect("it hears"), "data: 3\n\n");
}

/// REL-21: the end waits for whoever is being answered, and not for those who only listen, who may listen for
/// hours: their streams are over, and nothing in them is cut.
#[tokio::test]
async fn rel_21_the_end_does_not_wait_for_those_who_only_listen() {
    let speak = |_: Request| {
        let hello = stream::once(future::ready(Ok::<_, Infallible>("data: 1\n\n")));
        future::ready(events(Body::from_stream(hello.chain(stream::pending()))))
    };
    let scene = Scene::with(Backend::serving(Router::new().fallback(speak)).await, &[]).await;
    let mut listening = scene.request("GET", "/mcp").send().await.expect("an answer");
    let listen = scene.request("POST", "/mcp").header("mcp-method", "subscriptions/listen");
    let mut subscribed = listen.send().await.expect("an answer");
    for answer in [&mut listening, &mut subscribed] {
        let piece = timeout(LONG, answer.chunk()).await.expect("in time").expect("a piece");
        assert_eq!(piece.expect("it hears"), "data: 1\n\n");
    }
    let heard = async {
        for answer in [&mut listening, &mut subscribed] {
            assert_eq!(timeout(LONG, answer.chunk()).await.expect("in time").expect("whole"), None);
        }
    };
    let (ended, ()) = tokio::join!(timeout(LONG, scene.broker.stop()), heard);
    ended.expect("it ends");
}

/// A client that has gone ends the request at the server: in the middle of an answer, and before it.
#[tokio::test]
async fn a_client_that_has_gone_ends_the_request_at_the_server() {
    let (guard, mut streaming) = dropped();
    let (waiting_guard, mut waiting) = dropped();
    let (begun, has_begun) = oneshot::channel();
    let kept = Arc::new(std::sync::Mutex::new((Some(guard), Some((waiting_guard, begun)))));
    let speak = move |request: Request| {
        let kept = Arc::clone(&kept);
        async move {
            if request.uri().path() == "/mcp/wait" {
                let (guard, begun) = kept.lock().unwrap().1.take().expect("once");
                let _ = begun.send(());
                let _guard = guard;
                return future::pending::<Response>().await;
            }
            let guard = kept.lock().unwrap().0.take().expect("once");
            let pieces = stream::once(future::ready(Ok::<_, Infallible>("data: 1\n\n"))).chain(stream::once(
                async move {
                    let _guard = guard;
                    future::pending().await
                },
            ));
            events(Body::from_stream(pieces))
        }
    };
    let scene = Scene::with(Backend::serving(Router::new().fallback(speak)).await, &[]).await;
    let mut answer = scene.request("GET", "/mcp").send().await.expect("an answer");
    assert!(answer.chunk().await.expect("a piece").is_some());
    assert!(streaming.try_recv().is_err(), "the stream is open");
    drop(answer);
    timeout(LONG, streaming).await.expect("the server hears of it").expect("it was dropped");

    let request = tokio::spawn(scene.request("POST", "/mcp/wait").send());
    timeout(LONG, has_begun).await.expect("in time").expect("it arrived");
    assert!(waiting.try_recv().is_err(), "the server is at it");
    request.abort();
    timeout(LONG, waiting).await.expect("the server hears of it").expect("it was dropped");
}

/// A body that is too long is refused: by its length at once, and without one when it has become too long.
#[tokio::test]
async fn a_body_that_is_too_long_is_413() {
    for lines in [&["body_limit: 1KiB"][..], &["body_limit: 1KiB", "tools: { x: mcp:read }"]] {
        let scene = Scene::with(Backend::plain().await, lines).await;
        let fits = format!("{{\"method\":\"{}\"}}", "x".repeat(1024 - 13));
        assert_eq!(scene.post(&scene.bearer(), &fits).await.status, 200, "{}", fits.len());
        let answer = scene.post(&scene.bearer(), &format!("{fits} ")).await;
        assert_eq!((answer.status, answer.error().as_str()), (413, "invalid_request"));
        let pieces = stream::iter([Ok::<_, Infallible>(fits.clone()), Ok(" ".to_owned())]);
        let request = scene.request("POST", "/mcp").body(reqwest::Body::wrap_stream(pieces));
        assert_eq!(page(request).await.status, 413);
        scene.backend.arrived();
    }
}

/// A server that is not there is 502, and so is one that speaks no HTTP; neither is the client's fault.
#[tokio::test]
async fn a_server_that_is_not_there_is_502() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let mut backend = Backend::plain().await;
    backend.address = address;
    let gone = Scene::with(backend, &[]).await;
    let answer = gone.ask("POST", "/mcp").await;
    assert_eq!((answer.status, answer.error().as_str()), (502, "bad_gateway"));
    assert!(!answer.headers.contains_key("www-authenticate"));
    assert!(!answer.body.contains(&address.port().to_string()), "nobody outside learns where it is");
    let listener = TcpListener::bind(address).await.expect("the same port");
    let garbage = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        connection.write_all(b"nonsense\r\n\r\n").await.expect("written");
    });
    let answer = gone.ask("POST", "/mcp").await;
    assert_eq!((answer.status, answer.error().as_str()), (502, "bad_gateway"));
    garbage.await.expect("it ends");
}

/// A server that does not begin to answer is 504.
#[tokio::test]
async fn a_server_that_does_not_answer_is_504() {
    let never = |_: Request| future::pending::<Response>();
    let backend = Backend::serving(Router::new().fallback(never)).await;
    let scene = Scene::with(backend, &["upstream_timeout: 1s"]).await;
    let answer = scene.ask("POST", "/mcp").await;
    assert_eq!((answer.status, answer.error().as_str()), (504, "gateway_timeout"));
}

/// A server that goes in the middle of its answer: what was there arrives, and then the answer breaks off. It
/// never looks whole.
#[tokio::test]
async fn an_answer_that_breaks_off_does_not_look_whole() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let (go, gone) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let (mut connection, _) = listener.accept().await.expect("a connection");
        let mut head = [0; 4096];
        let _ = connection.read(&mut head).await.expect("a request");
        let answer =
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n\
            9\r\ndata: 1\n\n\r\n";
        connection.write_all(answer).await.expect("written");
        let _ = gone.await;
    });
    let mut backend = Backend::plain().await;
    backend.address = address;
    let scene = Scene::with(backend, &[]).await;
    let mut answer = scene.request("POST", "/mcp").send().await.expect("an answer");
    assert_eq!(answer.chunk().await.expect("a piece").expect("more"), "data: 1\n\n");
    go.send(()).expect("it waits");
    server.await.expect("it ends");
    assert!(timeout(LONG, answer.chunk()).await.expect("in time").is_err(), "it broke off");
}
