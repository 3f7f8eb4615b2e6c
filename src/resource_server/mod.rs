//! A server of ours in Rust that guards itself: a `tower` layer in front of any HTTP service.
//!
//! ```no_run
//! # fn main() -> Result<(), gatelodge::resource_server::InvalidResourceServer> {
//! use gatelodge::resource_server::ResourceServer;
//!
//! let layer = ResourceServer::new("https://mcp.example.com/mcp", "https://auth.example.com")
//!     .scopes_supported("mcp:read mcp:write")
//!     .required_scopes("mcp:read")
//!     .layer()?;
//! # Ok(())
//! # }
//! ```
//!
//! A request that may pass reaches the service without its token (SEC-147), with its [`Caller`] among its
//! extensions; [`require`] asks for more scopes there. Every other request is answered here: with the
//! challenge, with the resource's metadata, with what a browser asks first, or with 503 while the issuer has
//! never been reached. Nothing passes because of its path: put beside the layer, not behind it, what everybody
//! may see.
//!
//! - `service`: the layer and its service; `places`: what a path means; `answers`: what is said.
//! - `keys`: the issuer's public keys, found by its metadata (RFC 8414) and kept.
//!
//! Only signature and claims are checked, so a revocation is noticed when the token ends.

mod answers;
mod keys;
mod places;
mod service;

use std::fmt;
use std::sync::Arc;

use http::Extensions;

use crate::bearer;
use crate::clock::{Clock, SystemClock};
use crate::outbound::Outbound;
use crate::protocol::{InvalidIssuer, InvalidResource, InvalidScope, Issuer, ResourceUri, ScopeSet};

pub use crate::bearer::{Caller, Challenge, Guarded};
pub use answers::AnswerBody;
use keys::Keys;
pub use keys::{KeyLoader, keys_by_discovery};
use places::Places;
pub use service::{ResourceServerLayer, ResourceServerService};

/// A protected server, described; [`layer`](Self::layer) makes what guards it.
#[derive(Clone)]
#[must_use]
pub struct ResourceServer {
    resource: String,
    issuer: String,
    name: Option<String>,
    supported: String,
    everyday: Option<String>,
    required: String,
    any_origin: bool,
    keys: Option<KeyLoader>,
    clock: Arc<dyn Clock>,
}

/// Why there is no layer.
#[derive(Debug, thiserror::Error)]
pub enum InvalidResourceServer {
    /// The server's URL will not do.
    #[error("the resource's URL {0}")]
    Resource(#[from] InvalidResource),
    /// The issuer will not do.
    #[error("the issuer {0}")]
    Issuer(#[from] InvalidIssuer),
    /// A scope will not do.
    #[error(transparent)]
    Scope(#[from] InvalidScope),
    /// No HTTP client.
    #[error("outbound calls are not possible (are CA certificates installed?): {0}")]
    Outbound(#[from] reqwest::Error),
}

impl ResourceServer {
    /// The server that people type this URL for (INT-23), and the broker whose tokens it takes.
    pub fn new(resource: impl Into<String>, issuer: impl Into<String>) -> Self {
        Self {
            resource: resource.into(),
            issuer: issuer.into(),
            name: None,
            supported: String::new(),
            everyday: None,
            required: String::new(),
            any_origin: true,
            keys: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// The name that people see.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Every scope of the server, delimited by spaces: its metadata tells them.
    pub fn scopes_supported(mut self, scopes: impl Into<String>) -> Self {
        self.supported = scopes.into();
        self
    }

    /// What a client needs on an ordinary day: the first challenge asks for all of it (INT-24). Usually
    /// every scope of the server.
    pub fn everyday_scopes(mut self, scopes: impl Into<String>) -> Self {
        self.everyday = Some(scopes.into());
        self
    }

    /// What every request needs.
    pub fn required_scopes(mut self, scopes: impl Into<String>) -> Self {
        self.required = scopes.into();
        self
    }

    /// Leaves CORS to a layer in front of this one. Otherwise programs in a browser may call from any origin:
    /// they send a token that they hold, and no cookie.
    pub fn without_cors(mut self) -> Self {
        self.any_origin = false;
        self
    }

    /// Loads the issuer's keys in another way than by discovery.
    pub fn keys(mut self, load: KeyLoader) -> Self {
        self.keys = Some(load);
        self
    }

    /// Another clock than the machine's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// What guards the server. The issuer is asked for its keys at the first request with a token.
    pub fn layer(self) -> Result<ResourceServerLayer, InvalidResourceServer> {
        let resource = ResourceUri::parse(&self.resource)?;
        let issuer = Issuer::parse(&self.issuer)?;
        let (supported, required) = (strict(&self.supported)?, strict(&self.required)?);
        let supported = supported.union(&required);
        let everyday = match &self.everyday {
            Some(everyday) => strict(everyday)?.union(&required),
            None => supported.clone(),
        };
        let load = match self.keys {
            Some(load) => load,
            None => keys_by_discovery(Outbound::new()?, &issuer),
        };
        let keys = Keys::new(issuer.as_str().to_owned(), load, Arc::clone(&self.clock));
        let places = Places::new(&resource, &issuer, &everyday, &supported, self.name.as_deref());
        Ok(ResourceServerLayer::new(service::Guarding {
            places,
            keys,
            required,
            any_origin: self.any_origin,
            clock: self.clock,
        }))
    }
}

impl fmt::Debug for ResourceServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { resource, issuer, .. } = self;
        f.debug_struct("ResourceServer")
            .field("resource", resource)
            .field("issuer", issuer)
            .finish_non_exhaustive()
    }
}

/// Why a handler refuses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The caller's token is not enough; this says what would be.
    #[error("the access token does not allow this")]
    Challenge(Challenge),
    /// Nothing has checked this request: the layer is missing in front, or the scopes asked for are none.
    #[error("the request has not been checked")]
    Unchecked,
}

/// Who calls, if what they may do includes these scopes. The extensions are those of a request that came
/// through the layer; no scopes ask only who.
pub fn require<'r>(extensions: &'r Extensions, scopes: &str) -> Result<&'r Caller, Refused> {
    let (caller, guarded) = (extensions.get::<Caller>(), extensions.get::<Guarded>());
    let (Some(caller), Some(guarded)) = (caller, guarded) else { return Err(Refused::Unchecked) };
    let needed = strict(scopes).map_err(|fault| {
        tracing::error!(%fault, "a scope that is asked for can never be granted");
        Refused::Unchecked
    })?;
    bearer::require(caller, guarded, &needed).map_err(Refused::Challenge)?;
    Ok(caller)
}

/// What cannot be a scope must not be left out of what is required.
fn strict(scopes: &str) -> Result<ScopeSet, InvalidScope> {
    scopes.split_ascii_whitespace().map(str::parse).collect()
}
