//! Documents whose address a stranger names, such as a client's metadata (SEC-118 to SEC-129).
//!
//! The name is resolved once; unless every address that comes back may be called, none is, and the
//! connection goes to one of those that were looked at: there is no second look-up to turn it round.
//! No connection is kept. Nothing is decompressed, followed or sent along.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use headers::{CacheControl, HeaderMapExt as _};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;

use super::builder;
use super::special_use::is_public;

/// How long a document may take (SEC-121).
pub const PATIENCE: Duration = Duration::from_secs(5);

/// How much of that a connection may take.
const CONNECT: Duration = Duration::from_secs(3);

/// How a host's name becomes addresses.
#[async_trait]
pub trait Lookup: Send + Sync + fmt::Debug {
    /// Every address of a host.
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// As the machine does it.
#[derive(Debug, Clone, Copy)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 443)).await?.map(|address| address.ip()).collect())
    }
}

/// Whom a call may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Hosts of the public internet.
    Public,
    /// These, and the private hosts that the operator named.
    Named,
}

/// A document, and how long its server says that it may be used.
#[derive(Debug)]
pub struct Document {
    /// Its JSON.
    pub body: Vec<u8>,
    /// `Cache-Control` (RFC 9111 section 5.2.2); zero for `no-store` and `no-cache`.
    pub fresh_for: Option<Duration>,
}

/// Why there is no document. The texts are for the log: they can tell of our network.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentError {
    /// Nobody answered, or the server had a fault of its own: another time it may.
    #[error("{host} could not be asked: {cause}")]
    Unreachable {
        /// Whom we called.
        host: String,
        /// What went wrong.
        cause: String,
    },
    /// The answer is no document, and will hardly become one by itself.
    #[error("{host} {what}")]
    Refused {
        /// Whom we called.
        host: String,
        /// What it did.
        what: &'static str,
        /// May it answer otherwise in a moment? A gate in front of it says 401 or 403, redirects, or shows a
        /// page; only what is gone (404, 410) is believed.
        may_pass: bool,
    },
}

/// A name leads to an address that is not to be called.
#[derive(Debug, thiserror::Error)]
#[error("its name leads to an address that is not public")]
struct NotPublic;

#[derive(Debug)]
struct CheckedLookup {
    lookup: Arc<dyn Lookup>,
    private_hosts: Vec<String>,
}

impl CheckedLookup {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, Box<dyn StdError + Send + Sync>> {
        let addresses = self.lookup.addresses(host).await?;
        // One bad address among several is enough: which one is called is not ours to choose (SEC-123).
        let may_be_private = self.private_hosts.iter().any(|private| private == host);
        if may_be_private || addresses.iter().all(|address| is_public(*address)) {
            return Ok(addresses);
        }
        Err(Box::new(NotPublic))
    }
}

struct Resolver(Arc<CheckedLookup>);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.0);
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(addresses) as Addrs)
        })
    }
}

/// Fetches strangers' documents. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Documents {
    public: reqwest::Client,
    named: reqwest::Client,
}

impl Documents {
    /// Fetches with this look-up. Only `private_hosts` may lead into our own network, and only where
    /// [`Reach::Named`] is asked for; `roots` are trusted beside the machine's. Each document may take
    /// `patience`, usually [`PATIENCE`].
    pub fn new(
        lookup: Arc<dyn Lookup>,
        private_hosts: Vec<String>,
        roots: Vec<reqwest::Certificate>,
        patience: Duration,
    ) -> Result<Self, reqwest::Error> {
        let client = |lookup, private_hosts, roots: Vec<_>| {
            let resolver = Resolver(Arc::new(CheckedLookup { lookup, private_hosts }));
            builder(CONNECT, patience)
                .https_only(true)
                .pool_max_idle_per_host(0)
                .dns_resolver(Arc::new(resolver))
                .tls_certs_merge(roots)
                .build()
        };
        let public = client(Arc::clone(&lookup), Vec::new(), roots.clone())?;
        Ok(Self { public, named: client(lookup, private_hosts, roots)? })
    }

    /// Gets a JSON document: 200 and nothing else, as JSON, at most `largest` bytes, in time.
    pub async fn get(&self, url: &Url, reach: Reach, largest: usize) -> Result<Document, DocumentError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        // An address as host would not be looked up, so it would not be looked at either.
        if url.domain().is_none() {
            return Err(DocumentError::Refused { host, what: "is no domain name", may_pass: false });
        }
        let unreachable = |cause: reqwest::Error| DocumentError::Unreachable {
            host: host.clone(),
            cause: chain(&cause.without_url()),
        };
        let refused = |what, may_pass| Err(DocumentError::Refused { host: host.clone(), what, may_pass });
        let client = match reach {
            Reach::Public => &self.public,
            Reach::Named => &self.named,
        };
        let request = client.get(url.clone()).header(ACCEPT, "application/json");
        let mut answer = request.send().await.map_err(unreachable)?;
        tracing::debug!(%host, status = answer.status().as_u16(), "asked for a document");
        match answer.status() {
            StatusCode::OK => {}
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(DocumentError::Unreachable { host, cause: format!("it answered {status}") });
            }
            status => {
                let is_gone = matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE);
                return refused("did not answer with status 200", !is_gone);
            }
        }
        if !is_json(answer.headers()) {
            return refused(
                "did not answer with JSON (application/json, or a type that ends in +json)",
                true,
            );
        }
        let fresh_for = freshness(answer.headers());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
            if body.len() + chunk.len() > largest {
                return refused("answered with more than is read", true);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Document { body, fresh_for })
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type == "application/json"
        || (media_type.starts_with("application/") && media_type.ends_with("+json"))
}

fn freshness(headers: &HeaderMap) -> Option<Duration> {
    let said = headers.typed_get::<CacheControl>()?;
    if said.no_store() || said.no_cache() { Some(Duration::ZERO) } else { said.max_age() }
}

/// An error with what lies below it: "error sending request" alone helps nobody.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut below = error.source();
    while let Some(cause) = below {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        below = cause.source();
    }
    text
}
