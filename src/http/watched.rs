//! Streams that somebody listens to, for as long as they may: before a piece goes on, and once a second at
//! most, it is decided again about the request that opened the stream. What was let in to be answered is
//! answered to its end; who only listens hears nothing any more once access has ended, or once we are to end.

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
use crate::protocol::ResourceUri;

use super::address;

/// How long a decision holds: as for every other request.
const HOLDS: Duration = Duration::from_secs(1);

/// How long the last one holds while nothing can be decided: a store that is away for a moment must not end
/// every stream.
const OUTAGE: Duration = Duration::from_secs(30);

/// The request that opened a stream.
pub(super) struct Opened {
    broker: Arc<Broker>,
    headers: HeaderMap,
    query: Option<String>,
    is_local: bool,
    resource: ResourceUri,
    /// When it was decided about.
    decided: Duration,
}

impl Opened {
    /// The request, if it only listens: a GET of the transports before MCP 2026-07-28, or what took its place.
    pub(super) fn by(broker: &Arc<Broker>, parts: &Parts, addressed: &Addressed<'_>) -> Option<Self> {
        let named = parts.headers.get("mcp-method").map(http::HeaderValue::as_bytes);
        let listens = parts.method == Method::GET || named == Some(b"subscriptions/listen");
        listens.then(|| Self {
            broker: Arc::clone(broker),
            headers: parts.headers.clone(),
            query: parts.uri.query().map(str::to_owned),
            is_local: address::is_local(parts, &broker.trusted_proxies),
            resource: addressed.resource.url.clone(),
            decided: broker.login.clock.elapsed(),
        })
    }

    /// The answer, watched if it is a stream of events.
    pub(super) fn watch(self, response: Response) -> Response {
        let kind = response.headers().get(CONTENT_TYPE).map(http::HeaderValue::as_bytes);
        if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
            return response;
        }
        response.map(|body| {
            let mut ending = self.broker.ending.subscribe();
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
                let _ = ending.wait_for(|is_asked| *is_asked).await;
            }))
        })
    }

    async fn still_may(&mut self) -> bool {
        let now = self.broker.login.clock.elapsed();
        let age = now.saturating_sub(self.decided);
        if age < HOLDS {
            return true;
        }
        let Some(resource) = self.broker.resources.find(&self.resource) else { return false };
        let guard = &self.broker.guard;
        let (headers, query, is_local) = (&self.headers, self.query.as_deref(), self.is_local);
        let addressed = Addressed { resource, spelt: Cow::Borrowed(&resource.url) };
        let Ok(presented) = guard.presented(&Carried { headers, query, is_local }, &addressed) else {
            return false;
        };
        match guard.still_allows(presented, resource, &resource.required).await {
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
