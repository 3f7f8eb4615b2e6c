//! The resource half: a credential and a resource go in, a decision comes out.
//!
//! - [`presented`]: which credential a request carries, if it carries one.
//! - [`decide`]: who may do what, or which challenge to answer with.
//! - [`require`]: the second half of [`decide`], for those who learn later what is needed.
//! - [`Guard`]: the same for whoever stands in front of a server, with our own tokens, as they stand now.
//! - [`Target`]: which server a request goes to.
//! - [`Introspection`]: what a protected server is told of a token.
//! - [`Liveness`]: does a token that verified still count?
//! - [`Challenge`]: the answer to a request that may not pass.

mod challenge;
mod credential;
mod guard;
mod introspection;
mod liveness;
mod target;

pub use challenge::{Challenge, metadata_url};
pub use credential::{TwoMethods, bearer, presented};
pub use guard::Guard;
pub use introspection::{Introspected, Introspection};
pub use liveness::Liveness;
pub use target::{BadTarget, Target};

use crate::clock::Timestamp;
use crate::protocol::{ResourceUri, ScopeSet};
use crate::tokens::{AccessTokenVerifier, VerifiedAccess};

/// A resource as its guard sees it.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// Its URL, in the spelling that the request used: the challenge repeats it (INT-23).
    pub resource: ResourceUri,
    /// What a client needs on an ordinary day: the first challenge asks for all of it (INT-24).
    pub everyday: ScopeSet,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It may pass.
    Allow(Box<VerifiedAccess>),
    /// It may not, and this says how it could.
    Challenge(Challenge),
}

/// Decides about one request from its `Authorization` header (SEC-145).
#[must_use]
pub fn decide(
    credential: Option<&str>,
    guarded: &Guarded,
    needed: &ScopeSet,
    verifier: &AccessTokenVerifier,
    now: Timestamp,
) -> Decision {
    let Some(token) = bearer(credential) else {
        return Decision::Challenge(Challenge::missing(guarded));
    };
    let access = match verifier.verify(token, &guarded.resource, now) {
        Ok(access) => access,
        Err(reason) => {
            tracing::debug!(%reason, resource = %guarded.resource, "an access token is refused");
            return Decision::Challenge(Challenge::invalid_token(guarded));
        }
    };
    match require(&access, guarded, needed) {
        Ok(()) => Decision::Allow(Box::new(access)),
        Err(challenge) => Decision::Challenge(challenge),
    }
}

/// Does the access include all that is needed?
pub fn require(access: &VerifiedAccess, guarded: &Guarded, needed: &ScopeSet) -> Result<(), Challenge> {
    if access.scopes().includes(needed) {
        return Ok(());
    }
    Err(Challenge::insufficient_scope(guarded, needed, access.scopes()))
}
