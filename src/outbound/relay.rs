//! Requests of others that are passed on to a server which the operator names: without a limit in all, since
//! an answer may go on for hours, and without changes: no redirect is followed, nothing is unpacked.

use std::error::Error as _;
use std::time::Duration;

use http::Response;
use reqwest::{Body, Request};
use tokio::time::timeout;

use super::bare;

/// Until the connection stands.
const CONNECT: Duration = Duration::from_secs(3);

/// Connections to one server that wait for the next request.
const MOST_IDLE: usize = 64;

/// Why there is no answer. The text names no secret and no path.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// It did not begin in time.
    #[error("did not begin to answer within {0:?}")]
    TooLate(Duration),
    /// Refused, broken off, or no HTTP.
    #[error("cannot be reached: {0}")]
    Failed(String),
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Relay(reqwest::Client);

impl Relay {
    /// Builds the client. Fails where the machine has no CA certificates.
    pub fn new() -> Result<Self, reqwest::Error> {
        Ok(Self(bare(CONNECT).pool_max_idle_per_host(MOST_IDLE).build()?))
    }

    /// Sends a request; gives back the answer as soon as its head is there. Whoever drops this, or the
    /// answer's body, ends the request at the server, too.
    pub async fn send(&self, request: Request, longest: Duration) -> Result<Response<Body>, NoAnswer> {
        match timeout(longest, self.0.execute(request)).await {
            Ok(Ok(answer)) => Ok(answer.into()),
            Ok(Err(fault)) => Err(NoAnswer::Failed(causes(&fault.without_url()))),
            Err(_) => Err(NoAnswer::TooLate(longest)),
        }
    }
}

/// The first cause says what happened.
fn causes(fault: &reqwest::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = fault.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
