//! Bodies, both ways: a piece is asked for when the other side has taken the last one, and nothing is kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::BoxError;
use axum::body::{Body, Bytes, HttpBody as _};
use futures::{Stream, StreamExt as _, stream};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use super::Refused;
use super::places::Place;

/// What became of a request's body.
#[derive(Clone, Default)]
pub(super) struct Fate(Arc<AtomicU8>);

const TOO_LARGE: u8 = 1;
const BROKE_OFF: u8 = 2;

impl Fate {
    /// Why the request failed, if that is why.
    pub(super) fn refused(&self, limit: usize) -> Option<Refused> {
        match self.0.load(Ordering::SeqCst) {
            TOO_LARGE => Some(Refused::TooLarge(limit)),
            BROKE_OFF => Some(Refused::BrokeOff),
            _ => None,
        }
    }

    fn is(&self, fate: u8) {
        self.0.store(fate, Ordering::SeqCst);
    }
}

/// A request's body on its way, as far as it may go; none if there is none.
pub(super) fn upload(
    body: Body,
    limit: usize,
) -> (Option<impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static>, Fate) {
    let fate = Fate::default();
    if body.is_end_stream() {
        return (None, fate);
    }
    let told = fate.clone();
    let mut left = limit;
    let counted = body.into_data_stream().map(move |piece| match piece {
        Ok(piece) if piece.len() > left => {
            told.is(TOO_LARGE);
            Err("the body is too long".into())
        }
        Ok(piece) => {
            left -= piece.len();
            Ok(piece)
        }
        Err(fault) => {
            told.is(BROKE_OFF);
            Err(fault.into())
        }
    });
    (Some(counted), fate)
}

/// An answer's body on its way. Trailers stay behind; so does a stream that says nothing for too long.
/// The place of its caller is taken until it ends.
pub(super) fn answer(
    body: reqwest::Body,
    idle: Duration,
    server: String,
    place: Place,
) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
    stream::unfold(Some((body, server, place)), move |state| async move {
        let (mut body, server, place) = state?;
        loop {
            match timeout(idle, body.frame()).await {
                Ok(None) => return None,
                Ok(Some(Ok(frame))) => {
                    if let Ok(piece) = frame.into_data() {
                        return Some((Ok(piece), Some((body, server, place))));
                    }
                }
                Ok(Some(Err(fault))) => {
                    tracing::warn!(%server, fault = %fault.without_url(), "an answer broke off");
                    return Some((Err("the answer broke off".into()), None));
                }
                Err(_) => {
                    tracing::info!(%server, "a stream was silent for too long");
                    return Some((Err("the stream was silent for too long".into()), None));
                }
            }
        }
    })
}
