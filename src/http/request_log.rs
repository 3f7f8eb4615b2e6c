//! One line per request, with an id that the answer carries too. Never the query: codes and
//! states stand there (SEC-162).

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderValue;
use http::header::USER_AGENT;
use tracing::Instrument as _;

use crate::secret::random;

/// Names one request, in the log, in `X-Request-Id` and on error pages.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Logs a request when it has been answered.
pub(super) async fn log(mut request: Request, next: Next) -> Response {
    let id = random::id();
    request.extensions_mut().insert(RequestId(id.clone()));
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let agent = request.headers().get(USER_AGENT).map(|agent| {
        let text = String::from_utf8_lossy(agent.as_bytes());
        text.escape_debug().take(120).collect::<String>()
    });
    let span = tracing::info_span!("request", request_id = %id);
    #[expect(clippy::disallowed_methods, reason = "a duration is measured, no date is read")]
    let started = std::time::Instant::now();
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    let _entered = span.enter();
    tracing::info!(
        target: "request",
        method = %method,
        path = %path.escape_debug(),
        status = response.status().as_u16(),
        micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX),
        agent = agent.as_deref(),
        "answered"
    );
    response
}
