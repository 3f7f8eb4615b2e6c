//! Everything that a broker was asked and answered, so that a test can search all of it.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{CONTENT_TYPE, LOCATION, SET_COOKIE};

/// One request and its answer.
#[derive(Debug, Clone)]
pub(crate) struct Exchange {
    /// The path that was asked.
    pub(crate) path: String,
    /// The status.
    pub(crate) status: u16,
    /// `Location`, or nothing.
    pub(crate) location: String,
    /// Every `Set-Cookie`, one a line.
    pub(crate) cookies: String,
    /// Every other header, one a line.
    pub(crate) headers: String,
    /// The body.
    pub(crate) body: String,
}

impl Exchange {
    /// The whole answer as text.
    pub(crate) fn answer(&self) -> String {
        format!("{}\n{}\n{}\n{}", self.location, self.cookies, self.headers, self.body)
    }
}

/// What was exchanged so far.
#[derive(Debug, Default)]
pub(crate) struct Recorder(Mutex<Vec<Exchange>>);

impl Recorder {
    /// Every exchange so far.
    pub(crate) fn all(&self) -> Vec<Exchange> {
        self.0.lock().expect("no panic while recording").clone()
    }

    /// Begins anew, where there are so many that nobody searches them.
    pub(crate) fn forget(&self) {
        self.0.lock().expect("no panic while recording").clear();
    }
}

/// Records in front of the whole router.
pub(crate) async fn record(State(recorder): State<Arc<Recorder>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let (parts, body) = next.run(request).await.into_parts();
    // What has no end is not waited for.
    let kind = parts.headers.get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
    if kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return Response::from_parts(parts, body);
    }
    let bytes = to_bytes(body, usize::MAX).await.expect("a body in memory");
    let lines = |wanted: &dyn Fn(&http::HeaderName) -> bool| {
        let found = parts.headers.iter().filter(|(name, _)| wanted(name));
        found.map(|(_, value)| String::from_utf8_lossy(value.as_bytes()).into_owned()).collect::<Vec<_>>()
    };
    let exchange = Exchange {
        path,
        status: parts.status.as_u16(),
        location: lines(&|name| name == LOCATION).join("\n"),
        cookies: lines(&|name| name == SET_COOKIE).join("\n"),
        headers: lines(&|name| name != LOCATION && name != SET_COOKIE).join("\n"),
        body: String::from_utf8_lossy(&bytes).into_owned(),
    };
    recorder.0.lock().expect("no panic while recording").push(exchange);
    Response::from_parts(parts, Body::from(bytes))
}
