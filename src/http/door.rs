//! What holds for every request, whatever it asks for, in one pass from the outside in: a line in the
//! log and an id; no panic beyond the request; headers of every answer; the body read before
//! anything answers; and only for hosts that are ours. What is for a server behind us leaves the rest here.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use futures::FutureExt as _;
use tracing::Instrument as _;

use crate::broker::Broker;

use super::params::LARGEST_BODY;
use super::proxied::Place;
use super::request_log::Line;
use super::{answer, body, headers, host, proxied, verify};

/// Lets a request in to the routes, and its answer out.
pub(super) async fn pass(State(broker): State<Arc<Broker>>, mut request: Request, next: Next) -> Response {
    let line = Line::begin(&mut request);
    // What a panic leaves behind is dropped with the request; what is shared guards itself.
    let answered = AssertUnwindSafe(answered(&broker, request, next)).catch_unwind();
    let response = answered.instrument(line.span()).await;
    line.end(response.unwrap_or_else(answer::after_panic))
}

async fn answered(broker: &Arc<Broker>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let place = proxied::place(broker, &parts);
    let request = Request::from_parts(parts, body);
    let mut response = match place {
        // Its body goes on as it comes. Apart, because it is large: every other request would carry its place along.
        Place::Server(addressed) => Box::pin(proxied::answer(broker, &addressed, request)).await,
        Place::Nowhere => proxied::nothing(),
        Place::Question => Box::pin(verify::decide(broker, body::discarded(request).await)).await,
        Place::Metadata | Place::Elsewhere => {
            let request = body::arrived(request, LARGEST_BODY).await;
            if matches!(place, Place::Metadata) || host::may_ask(broker, &request) {
                next.run(request).await
            } else {
                answer::wrong_host(broker, &request)
            }
        }
    };
    headers::add(broker, response.headers_mut());
    response
}
