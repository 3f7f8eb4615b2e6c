//! One line per request, with an id that the answer carries too. Never the query: codes and
//! states stand there (SEC-162).

use std::borrow::Cow;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::Request;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::USER_AGENT;
use http::{HeaderValue, Method};
use tracing::Span;

use super::asking::About;

/// Names one request, in the log, in `X-Request-Id` and on error pages.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Unlike that of any other request, and no secret: a number that counts up, hashed with keys of this process, so
/// that it does not tell how many there have been. Of a small request the operating system's generator would take a
/// fiftieth.
fn fresh_id() -> String {
    static KEYS: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let halves = [0_u8, 1].map(|half| KEYS.hash_one((half, count)).to_be_bytes());
    URL_SAFE_NO_PAD.encode(halves.concat())
}

/// How much of a path stands in the log: no path of ours is as long.
const LONGEST_PATH: usize = 1024;

/// How much of what a program calls itself stands in the log.
const LONGEST_AGENT: usize = 120;

/// What a stranger wrote, as text that a terminal shows and does not obey, cut. Nearly always it is that
/// already.
fn printable(bytes: &[u8], longest: usize) -> Cow<'_, str> {
    let is_plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\'' | b'\\');
    match str::from_utf8(bytes) {
        Ok(text) if text.len() <= longest && bytes.iter().all(is_plain) => Cow::Borrowed(text),
        _ => Cow::Owned(String::from_utf8_lossy(bytes).escape_debug().take(longest).collect()),
    }
}

/// The line of a request that is being answered.
pub(super) struct Line {
    id: String,
    method: Method,
    path: String,
    agent: Option<HeaderValue>,
    span: Span,
    started: Instant,
}

impl Line {
    /// Names the request.
    pub(super) fn begin(request: &mut Request) -> Self {
        let id = fresh_id();
        request.extensions_mut().insert(RequestId(id.clone()));
        let agent = request.headers().get(USER_AGENT).cloned();
        #[expect(clippy::disallowed_methods, reason = "a duration is measured, no date is read")]
        let started = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let span = tracing::info_span!("request", request_id = %id);
        Self { id, method, path, agent, span, started }
    }

    /// What belongs to the request is logged inside this.
    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// Writes the line, and names the request in its answer.
    pub(super) fn end(self, mut response: Response) -> Response {
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            response.headers_mut().insert("x-request-id", value);
        }
        let about = response.extensions_mut().remove::<About>();
        let entered = self.span.enter();
        tracing::info!(
            target: "request",
            method = %self.method,
            path = &*printable(self.path.as_bytes(), LONGEST_PATH),
            status = response.status().as_u16(),
            micros = u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            resource = about.as_ref().map(|about| about.resource.as_str()),
            credential = about.as_ref().and_then(|about| about.credential.as_deref()),
            tenant = about.as_ref().and_then(|about| about.tenant.as_ref()).map(|tenant| tenant.name.as_str()),
            from = about.as_ref().map(|about| tracing::field::display(about.from)),
            agent = self.agent.as_ref().map(|agent| printable(agent.as_bytes(), LONGEST_AGENT)).as_deref(),
            "answered"
        );
        drop(entered);
        response
    }
}
