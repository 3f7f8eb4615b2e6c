//! A request body that notices whether it was read.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use futures::stream;

/// Whether the body that came with it was read to its end.
pub(crate) struct Noticed(Arc<AtomicBool>);

impl Noticed {
    pub(crate) fn was_read(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A body of this text, which arrives after the request's head.
pub(crate) fn noticed(text: &'static str) -> (Body, Noticed) {
    let end = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&end);
    let chunks = stream::unfold(Some(text), move |left| {
        let seen = Arc::clone(&seen);
        async move {
            if left.is_none() {
                seen.store(true, Ordering::SeqCst);
            }
            left.map(|text| (Ok::<_, std::convert::Infallible>(text), None))
        }
    });
    (Body::from_stream(chunks), Noticed(end))
}
