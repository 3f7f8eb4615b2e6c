//! Streams that somebody listens to, for as long as they may: before a piece goes on, and once a second at
//! most, it is decided again about the request that opened the stream. What was let in to be answered is
//! answered, for ten minutes; who only listens hears nothing any more once access has ended, or once we are to end.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures::{StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, Method};

use crate::access::{Addressed, Carried};
use crate::broker::Broker;
use crate::gateway::names_listening;
use crate::protocol::ResourceUri;

use super::address;

/// How long a decision holds: as for every other request.
const HOLDS: Duration = Duration::from_secs(1);

/// How long the last one holds while nothing can be decided: a store that is away for a moment must not end
/// every stream.
const OUTAGE: Duration = Duration::from_secs(30);

/// How long a call may be answered that was let in, whatever becomes of its caller. What it really asks for, a
/// server may read otherwise than its headers say.
const CALL: Duration = Duration::from_secs(600);

/// What a stream of events is sent as.
const EVENTS: &[u8] = b"text/event-stream";

/// The request that opened a stream.
pub(super) struct Opened {
    broker: Arc<Broker>,
    headers: HeaderMap,
    query: Option<String>,
    is_local: bool,
    resource: ResourceUri,
    listens: bool,
    /// Until when nothing is asked: a call that was let in may be answered.
    free_until: Duration,
    /// When it was decided about.
    decided: Duration,
    /// When that was last tried.
    asked: Duration,
}

impl Opened {
    /// The request. It only listens if it is a GET of the transports before MCP 2026-07-28, or what took its
    /// place.
    pub(super) fn by(broker: &Arc<Broker>, parts: &Parts, addressed: &Addressed<'_>) -> Self {
        let calls = parts.method == Method::POST && !names_listening(&parts.headers);
        let now = broker.login.clock.elapsed();
        Self {
            listens: !calls,
            free_until: if calls { now + CALL } else { now },
            broker: Arc::clone(broker),
            headers: parts.headers.clone(),
            query: parts.uri.query().map(str::to_owned),
            is_local: address::is_local(parts, &broker.trusted_proxies),
            resource: addressed.resource.url.clone(),
            decided: now,
            asked: now,
        }
    }

    /// The answer, watched if it is a stream of events.
    pub(super) fn watch(self, response: Response) -> Response {
        let kind = response.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        let start = kind.and_then(|kind| kind.get(..EVENTS.len()));
        if !start.is_some_and(|start| start.eq_ignore_ascii_case(EVENTS)) {
            return response;
        }
        response.map(|body| {
            let (mut ending, listens) = (self.broker.ending.subscribe(), self.listens);
            let pieces = stream::unfold(Some((self, body.into_data_stream())), |state| async move {
                let (mut opened, mut pieces) = state?;
                let piece: Result<Bytes, BoxError> = match pieces.next().await? {
                    Err(fault) => Err(fault.into()),
                    Ok(_) if !opened.still_may().await => Err("access has ended".into()),
                    Ok(piece) => Ok(piece),
                };
                let goes_on = piece.is_ok().then_some((opened, pieces));
                Some((piece, goes_on))
            });
            // Nobody's request is cut: the stream is over, and clients open it again elsewhere.
            Body::from_stream(pieces.take_until(async move {
                let _ = ending.wait_for(|is_asked| *is_asked && listens).await;
            }))
        })
    }

    async fn still_may(&mut self) -> bool {
        let now = self.broker.login.clock.elapsed();
        let age = now.saturating_sub(self.decided);
        if age < HOLDS || now < self.free_until {
            return true;
        }
        let Some(resource) = self.broker.resources.find(&self.resource) else { return false };
        let guard = &self.broker.guard;
        if now.saturating_sub(self.asked) < HOLDS {
            return age < OUTAGE;
        }
        self.asked = now;
        let (headers, query, is_local) = (&self.headers, self.query.as_deref(), self.is_local);
        let addressed = Addressed { resource, spelt: Cow::Borrowed(&resource.url) };
        match guard.still_allows(&Carried { headers, query, is_local }, &addressed).await {
            Ok(true) => {
                self.decided = now;
                true
            }
            Ok(false) => {
                tracing::info!(resource = %self.resource, "a stream ends: whoever listens may no longer");
                false
            }
            Err(fault) => {
                tracing::error!(%fault, "a stream cannot be decided about");
                age < OUTAGE
            }
        }
    }
}
