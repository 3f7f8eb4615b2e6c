//! The whole request first, then its answer.

use std::time::Duration;

use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::Request;
use futures::{future, stream};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

/// How long a body may take to arrive.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Reads the body, up to `largest` bytes and for 10 s, before anything answers.
///
/// When an answer overtakes its request's body the connection is closed, and by then the answer
/// cannot say so. A client that sends head and body apart is reset at its next request. What is
/// longer or slower, or broke off, becomes a body that fails where it is read.
pub async fn arrived(request: Request, largest: usize) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let (parts, body) = request.into_parts();
    let body = match timeout(LONGEST_WAIT, to_bytes(body, largest)).await {
        Ok(Ok(bytes)) => Body::from(bytes),
        Ok(Err(error)) => failing(error.into()),
        Err(elapsed) => failing(elapsed.into()),
    };
    Request::from_parts(parts, body)
}

/// Lets go of a body that nobody reads, within 10 s: left where it is, it would end the connection.
pub async fn discarded(request: Request) -> Request {
    if request.body().is_end_stream() {
        return request;
    }
    let (parts, mut body) = request.into_parts();
    let _ = timeout(LONGEST_WAIT, async { while let Some(Ok(_)) = body.frame().await {} }).await;
    Request::from_parts(parts, Body::empty())
}

fn failing(error: axum::BoxError) -> Body {
    Body::from_stream(stream::once(future::ready(Err::<Vec<u8>, _>(error))))
}
