//! Calls to other servers (SEC-061).
//!
//! - [`Outbound`]: servers that the operator names. Verified TLS, no proxy from the environment, no
//!   redirects, 3 s to connect, 10 s in all, at most 1 MiB of body. Plain http only towards loopback.
//! - [`documents`]: documents whose address a stranger names: more guarded, and smaller.
//! - [`Relay`]: requests of others, passed on to a server that the operator names.
//! - `special_use`: the addresses that such a name must not lead to.
//!
//! Nothing else in the crate builds a client: a lint forbids it.

#[cfg(feature = "broker")]
pub mod documents;
#[cfg(feature = "broker")]
mod relay;
#[cfg(feature = "broker")]
mod special_use;

use std::net::SocketAddr;
use std::time::Duration;

use http::{Request, Response};
use url::Url;

use crate::protocol::is_loopback_host;

#[cfg(feature = "broker")]
pub use relay::{NoAnswer, Relay};

/// What one call may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the connection stands.
    pub connect: Duration,
    /// Until the whole answer has been read.
    pub total: Duration,
    /// Bytes of the answer's body.
    pub largest_body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), total: Duration::from_secs(10), largest_body: 1024 * 1024 }
    }
}

/// Why a call gave no answer. The text names no secret and no body.
#[derive(Debug, thiserror::Error)]
pub enum OutboundError {
    /// The address is not one that may be called.
    #[error("{0} may not be called: only https, or http on loopback")]
    Forbidden(String),
    /// The call failed: refused, timed out, broken TLS.
    #[error("calling {host} failed: {source}")]
    Failed {
        /// Whom we called.
        host: String,
        /// What went wrong.
        source: reqwest::Error,
    },
    /// More than [`Limits::largest_body`].
    #[error("the answer of {0} is larger than is read")]
    TooLarge(String),
    /// Not a success, where only a success will do.
    #[error("{host} answered with status {status}")]
    Status {
        /// Whom we called.
        host: String,
        /// What it answered.
        status: u16,
    },
}

/// The guarded client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    client: reqwest::Client,
    largest_body: usize,
}

impl Outbound {
    /// Builds the client with the usual limits. Fails where the machine has no CA certificates.
    pub fn new() -> Result<Self, reqwest::Error> {
        Self::within(Limits::default())
    }

    /// Builds the client with other limits.
    pub fn within(limits: Limits) -> Result<Self, reqwest::Error> {
        Ok(Self { client: builder(limits.connect, limits.total).build()?, largest_body: limits.largest_body })
    }

    /// Sends a request and reads the whole answer, whatever its status.
    pub async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, OutboundError> {
        let url = request.uri().to_string();
        let host = callable_host(&url)?;
        let failed = |source: reqwest::Error| OutboundError::Failed {
            host: host.clone(),
            // The URL can hold a code or a token.
            source: source.without_url(),
        };
        let request = reqwest::Request::try_from(request).map_err(failed)?;
        let (method, path) = (request.method().clone(), request.url().path().to_owned());
        let mut answer = self.client.execute(request).await.map_err(failed)?;
        tracing::debug!(%host, %method, path, status = answer.status().as_u16(), "called");
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.largest_body {
                return Err(OutboundError::TooLarge(host));
            }
            body.extend_from_slice(&chunk);
        }
        let mut response = Response::new(body);
        *response.status_mut() = answer.status();
        *response.headers_mut() = answer.headers().clone();
        Ok(response)
    }

    /// The status with which this machine's own listener answers, wherever it listens.
    pub async fn probe(&self, own: SocketAddr, path: &str) -> Result<u16, OutboundError> {
        let failed = |source: reqwest::Error| OutboundError::Failed { host: own.to_string(), source };
        let answer = self.client.get(format!("http://{own}{path}")).send().await.map_err(failed)?;
        Ok(answer.status().as_u16())
    }

    /// Gets a document; only 200 counts.
    pub async fn get(&self, url: &str) -> Result<Vec<u8>, OutboundError> {
        let request = Request::get(url)
            .header("accept", "application/json")
            .body(Vec::new())
            .map_err(|_| OutboundError::Forbidden(url.to_owned()))?;
        let response = self.send(request).await?;
        match response.status().as_u16() {
            200 => Ok(response.into_body()),
            status => Err(OutboundError::Status { host: callable_host(url)?, status }),
        }
    }
}

/// What every client has in common that asks in our own name.
fn builder(connect: Duration, total: Duration) -> reqwest::ClientBuilder {
    bare(connect).timeout(total).user_agent(concat!("gatelodge/", env!("CARGO_PKG_VERSION")))
}

/// What every client of ours has in common.
#[expect(clippy::disallowed_methods, reason = "the one place where a client begins")]
fn bare(connect: Duration) -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(connect)
}

/// The host, if the URL may be called at all.
fn callable_host(url: &str) -> Result<String, OutboundError> {
    let forbidden = || {
        OutboundError::Forbidden(Url::parse(url).map_or_else(
            |_| "an address that is no URL".to_owned(),
            |url| url.origin().ascii_serialization(),
        ))
    };
    let parsed = Url::parse(url).map_err(|_| forbidden())?;
    let host = parsed.host().ok_or_else(forbidden)?;
    match parsed.scheme() {
        "https" => Ok(host.to_string()),
        "http" if is_loopback_host(&host) => Ok(host.to_string()),
        _ => Err(forbidden()),
    }
}

#[cfg(test)]
mod tests {
    use super::callable_host;

    #[test]
    fn sec_061_plain_http_is_for_loopback_only() {
        assert!(callable_host("https://idp.example/token").is_ok());
        assert!(callable_host("http://127.0.0.1:1/token").is_ok());
        for bad in ["http://idp.example/token", "ftp://a.example", "file:///etc/passwd", "nonsense"] {
            assert!(callable_host(bad).is_err(), "{bad}");
        }
    }
}
