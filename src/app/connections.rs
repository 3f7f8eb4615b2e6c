//! Connections: accepted one after the other, as many as may be open, and ended gracefully. HTTP/1.1 and HTTP/2
//! are spoken, the latter by clients that know of it beforehand. No client waits for another one, and none is
//! waited for without end:
//!
//! | what is waited for | HTTP/1.1 | HTTP/2 |
//! |---|---|---|
//! | the first byte of a connection | `first` | `first` |
//! | the rest of a head, from its first byte on | `head` | `head`, of the first request |
//! | the next head's first byte, after an answer | `idle` | for as long as pings are answered (`ping`, `pong`) |
//! | a body | as its reader says | the same |
//! | an answer to be taken | not bounded: it only counts as a connection | the same, and by pings |
//!
//! A head that was begun before the answer to the one before counts as waiting for its first byte.

use std::fmt;
use std::future::{Future, pending};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until, timeout};
use tower::Service as _;

use crate::clock::Clock;
use crate::rate::RateLimit;

/// How long is waited after the kernel had no connection to give, for want of files for example.
const REST: Duration = Duration::from_secs(1);

/// How often the log says that there is no place for a connection.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// How long a connection may be silent until the kernel asks whether the other end is there, and how often it
/// asks then: whoever vanished without a word must not keep a place until the stream's own end.
const PROBED: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(15));

/// Requests of one connection of HTTP/2 at once: a proxy has those of many clients on one.
const MOST_AT_ONCE: u32 = 200;

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the first byte of a connection. Some load balancers open theirs beforehand.
    pub first: Duration,
    /// For the rest of a head.
    pub head: Duration,
    /// For the next request. Longer than proxies keep idle connections (nginx 1 min, Go and Traefik 90 s, Caddy
    /// 2 min, Google's load balancer 10 min): whoever closes last never meets a request on its way.
    pub idle: Duration,
    /// HTTP/2: until the other end is asked whether it is still there.
    pub ping: Duration,
    /// HTTP/2: for its answer.
    pub pong: Duration,
    /// For open requests, after the end was asked for.
    pub drain: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(75),
            head: Duration::from_secs(10),
            idle: Duration::from_secs(660),
            ping: Duration::from_secs(30),
            pong: Duration::from_secs(10),
            drain: Duration::from_secs(30),
        }
    }
}

/// What is served to whom.
pub struct Connections {
    router: Router,
    http: Builder<TokioExecutor>,
    patience: Patience,
    places: Arc<Semaphore>,
    most: NonZeroU32,
    told: RateLimit<&'static str>,
}

impl Connections {
    /// Nobody is connected yet; `most` may be at once.
    #[must_use]
    pub fn new(router: Router, most: NonZeroU32, patience: Patience, clock: Arc<dyn Clock>) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().header_read_timeout(patience.idle);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(patience.ping)
            .keep_alive_timeout(patience.pong)
            .max_concurrent_streams(MOST_AT_ONCE);
        let places = Arc::new(Semaphore::new(usize::try_from(most.get()).unwrap_or(Semaphore::MAX_PERMITS)));
        Self { router, http, patience, places, most, told: RateLimit::per_minute(NonZeroU32::MIN, clock) }
    }

    /// Serves until `end`; then open requests are finished first, as far as there is patience for it. Requests
    /// have the address of the other end (`ConnectInfo<SocketAddr>`).
    pub async fn serve(self, listener: TcpListener, end: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let mut end = pin!(end);
        loop {
            let (stream, peer, place) = tokio::select! {
                accepted = self.accept(&listener) => accepted,
                () = &mut end => break,
            };
            let connection = self.speak(stream, peer, graceful.watcher());
            tokio::spawn(async move {
                if let Err(fault) = connection.await {
                    tracing::debug!(%peer, %fault, "a connection broke off");
                }
                drop(place);
            });
        }
        drop(listener);
        if timeout(self.patience.drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("the last open requests are cut off");
        }
    }

    /// The next connection, once there is a place for it: until then it waits in the kernel.
    async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
        loop {
            let place = self.place().await;
            match listener.accept().await {
                Ok((stream, peer)) => return (stream, peer, place),
                Err(fault) if is_the_client_s(&fault) => {}
                Err(fault) => {
                    if self.told.allows(&"accept") {
                        tracing::error!(%fault, "no connection can be accepted; tried again every second");
                    }
                    let _ = timeout(REST, pending::<()>()).await;
                }
            }
        }
    }

    /// A place for a connection. While there is none, the log says so every minute.
    async fn place(&self) -> OwnedSemaphorePermit {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return place;
        }
        loop {
            if self.told.allows(&"full") {
                tracing::warn!(
                    max_connections = self.most,
                    "as many connections are open as may be; others wait"
                );
            }
            match timeout(TOLD_EVERY, Arc::clone(&self.places).acquire_owned()).await {
                Ok(Ok(place)) => return place,
                // The semaphore is never closed.
                Ok(Err(_)) => return pending().await,
                Err(_) => {}
            }
        }
    }

    /// Answers the requests of one connection.
    fn speak(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
        watcher: Watcher,
    ) -> impl Future<Output = Result<(), axum::BoxError>> + Send + use<> {
        if let Err(fault) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %fault, "small answers may be held back");
        }
        if let Err(fault) = probe(&stream) {
            tracing::debug!(%peer, %fault, "who vanishes without a word is not noticed");
        }
        let wait = Arc::new(Wait::new(self.patience));
        let mut http = self.http.clone();
        http.http1().timer(Heads(Arc::clone(&wait)));
        let stream = Heard { stream, wait: Arc::clone(&wait) };
        let router = self.router.clone();
        let service = service_fn(move |mut request: Request<Incoming>| {
            wait.is_spoken();
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().call(request)
        });
        async move { watcher.watch(http.serve_connection(TokioIo::new(stream), service)).await }
    }
}

fn probe(stream: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    let (silent, between) = PROBED;
    sockopt::set_socket_keepalive(stream, true)?;
    sockopt::set_tcp_keepidle(stream, silent)?;
    sockopt::set_tcp_keepintvl(stream, between)?;
    Ok(())
}

/// Did a client go away before it was accepted?
fn is_the_client_s(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(fault.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// How long a connection's next head is waited for. hyper has one time for a head and for the idleness before
/// it, and none until it knows which HTTP is spoken; so it is told here when bytes come.
struct Wait {
    head: Duration,
    state: Mutex<Waiting>,
}

struct Waiting {
    until: Instant,
    /// Has the head begun?
    has_begun: bool,
    /// Is it known which HTTP is spoken?
    is_spoken: bool,
    /// One for all the heads: it is moved when it would come too late, and waits on when it came too early.
    timer: Pin<Box<Sleep>>,
}

impl Wait {
    fn new(patience: Patience) -> Self {
        let until = Instant::now() + patience.first;
        let timer = Box::pin(sleep_until(until));
        let state = Waiting { until, has_begun: false, is_spoken: false, timer };
        Self { head: patience.head, state: Mutex::new(state) }
    }

    /// Nothing can fail while it is held.
    fn state(&self) -> MutexGuard<'_, Waiting> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A head is waited for until then. The first one is already.
    fn begin(&self, until: Instant) {
        let mut state = self.state();
        if state.is_spoken {
            (state.until, state.has_begun) = (until, false);
        }
        state.is_spoken = true;
    }

    fn is_spoken(&self) {
        self.state().is_spoken = true;
    }

    /// Bytes came.
    fn hear(&self) {
        let mut state = self.state();
        if !state.has_begun {
            state.has_begun = true;
            state.until = Instant::now() + self.head;
        }
    }
}

impl Waiting {
    fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() > self.until {
            self.timer.as_mut().reset(self.until);
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.timer.deadline() >= self.until {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(self.until);
        }
    }
}

/// The time of hyper's HTTP/1.1, which it has for heads alone.
struct Heads(Arc<Wait>);

impl hyper::rt::Timer for Heads {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.0.begin(deadline.into());
        Box::pin(Head(Arc::clone(&self.0)))
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into()
    }
}

/// A head that is waited for.
struct Head(Arc<Wait>);

impl Future for Head {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.state().poll_over(cx)
    }
}

impl hyper::rt::Sleep for Head {}

/// A stream that says when bytes come, and is not waited for without end while nobody knows what it speaks.
struct Heard {
    stream: TcpStream,
    wait: Arc<Wait>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            if buf.filled().len() > before {
                self.wait.hear();
            }
            return read;
        }
        let mut state = self.wait.state();
        if !state.is_spoken && state.poll_over(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        Poll::Pending
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("most", &self.most).finish_non_exhaustive()
    }
}
