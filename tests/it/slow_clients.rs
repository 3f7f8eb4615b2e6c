//! Clients that are slow, silent or many: nobody else waits for them, and they are not waited for without end.
//! Bounds are short where they are to be reached, and an hour where they are not; when they are reached nobody asks.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::routing::get;
use gatelodge::app::{Connections, Patience};
use gatelodge::clock::Clock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::harness::clock::TestClock;

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(50);
/// What only a broken test waits for.
const LONG: Duration = Duration::from_secs(20);

const PATIENT: Patience =
    Patience { first: HOUR, head: HOUR, idle: HOUR, ping: HOUR, pong: HOUR, drain: HOUR };

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a.example\r\n\r\n";
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// A frame of HTTP/2: settings, none.
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];

/// Something that says to everybody where they come from, and counts.
struct Served {
    address: SocketAddr,
    answered: Arc<AtomicUsize>,
    ending: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

impl Served {
    async fn to(most: u32, patience: Patience) -> Self {
        let answered = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&answered);
        let say = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move {
            count.fetch_add(1, Ordering::SeqCst);
            peer.to_string()
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let most = NonZeroU32::new(most).expect("one at least");
        let clock: Arc<dyn Clock> = TestClock::new();
        let connections = Connections::new(Router::new().route("/", get(say)), most, patience, clock);
        let (ending, ended) = oneshot::channel::<()>();
        let end = async {
            let _ = ended.await;
        };
        let server = tokio::spawn(connections.serve(listener, end));
        Self { address, answered, ending: Some(ending), server }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.expect("a connection")
    }

    /// One that has said this much.
    async fn saying(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.expect("written");
        stream
    }
}

/// Asks, and reads the whole answer, which ends with the asker's address.
async fn ask(stream: &mut TcpStream) {
    stream.write_all(REQUEST).await.expect("written");
    hear(stream).await;
}

async fn hear(stream: &mut TcpStream) {
    let own = stream.local_addr().expect("an address").to_string();
    let mut answer = String::new();
    while !answer.ends_with(&own) {
        let mut piece = [0; 1024];
        let read = timeout(LONG, stream.read(&mut piece)).await.expect("in time").expect("no reset");
        assert!(read > 0, "it was closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&piece[..read]).expect("text"));
    }
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Waits until the other end has closed.
async fn closed(stream: &mut TcpStream) {
    let mut rest = Vec::new();
    // Either an end or a reset.
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("it is closed");
}

/// A head that is never finished, of whatever HTTP, ends its connection; meanwhile others are served, and who
/// idles longer than a head may take is not taken for one who sends it.
#[tokio::test]
async fn a_head_that_is_never_finished_is_not_waited_for() {
    let served = Served::to(100, Patience { head: SOON, ..PATIENT }).await;
    let mut idle = served.connect().await;
    ask(&mut idle).await;
    for begun in [&b"G"[..], b"GET / HTTP/1.1\r\nhost: a.exam", b"P", b"PRI * HTTP/2.0\r\n", PREFACE] {
        let mut slow = served.saying(begun).await;
        ask(&mut served.connect().await).await;
        closed(&mut slow).await;
    }
    ask(&mut idle).await;
    // A later head, too.
    idle.write_all(&REQUEST[..10]).await.expect("written");
    closed(&mut idle).await;
}

/// Whoever connects and says nothing is not waited for, nor who says nothing more after an answer.
#[tokio::test]
async fn silence_is_not_waited_for() {
    let served = Served::to(100, Patience { first: SOON, ..PATIENT }).await;
    let mut answered = served.connect().await;
    ask(&mut answered).await;
    closed(&mut served.connect().await).await;
    ask(&mut answered).await;

    let served = Served::to(100, Patience { idle: SOON, ..PATIENT }).await;
    let mut silent = served.connect().await;
    let mut answered = served.connect().await;
    ask(&mut answered).await;
    closed(&mut answered).await;
    ask(&mut silent).await;
}

/// HTTP/2 is spoken to those who know of it; and whoever does not answer a ping is gone.
#[tokio::test]
async fn http_2_is_spoken_to_those_who_are_there() {
    let served = Served::to(100, PATIENT).await;
    #[expect(clippy::disallowed_methods, reason = "a test's client, not the broker's")]
    let client = reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().expect("a client");
    for _ in 0..2 {
        let answer = client.get(format!("http://{}/", served.address)).send().await.expect("an answer");
        assert_eq!((answer.status().as_u16(), answer.version()), (200, http::Version::HTTP_2));
        assert!(answer.text().await.expect("text").starts_with("127.0.0.1:"));
    }

    let served = Served::to(100, Patience { ping: SOON, pong: SOON, ..PATIENT }).await;
    closed(&mut served.saying(&[PREFACE, SETTINGS].concat()).await).await;
}

/// As many connections are open as may be; one more waits, and is served when another has gone.
#[tokio::test]
async fn beyond_the_bound_a_connection_waits_for_its_place() {
    let served = Served::to(2, PATIENT).await;
    let (mut first, mut second) = (served.connect().await, served.connect().await);
    ask(&mut first).await;
    ask(&mut second).await;
    let mut third = served.saying(REQUEST).await;
    for _ in 0..20 {
        ask(&mut first).await;
    }
    assert_eq!(served.answered.load(Ordering::SeqCst), 22, "the third was let in");
    drop(second);
    hear(&mut third).await;
    ask(&mut first).await;
}

/// REL-21: the end closes those who ask for nothing.
#[tokio::test]
async fn rel_21_the_end_does_not_wait_for_the_silent() {
    let mut served = Served::to(100, PATIENT).await;
    let mut idle = served.connect().await;
    ask(&mut idle).await;
    let silent = served.connect().await;
    drop(served.ending.take());
    let all = async {
        for mut stream in [idle, silent] {
            closed(&mut stream).await;
        }
    };
    let (ended, ()) = tokio::join!(timeout(LONG, &mut served.server), all);
    ended.expect("it ends").expect("without a panic");
}

/// REL-21: and nobody who does not finish holds it up for ever.
#[tokio::test]
async fn rel_21_the_end_waits_so_long_and_no_longer() {
    let mut served = Served::to(100, Patience { drain: SOON, ..PATIENT }).await;
    let mut half = served.connect().await;
    ask(&mut half).await;
    half.write_all(&REQUEST[..3]).await.expect("written");
    drop(served.ending.take());
    timeout(LONG, &mut served.server).await.expect("it ends").expect("without a panic");
}
