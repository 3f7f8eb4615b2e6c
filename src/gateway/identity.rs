//! How a server is told who asks. A token of ours costs a signature, so each serves its caller for a while.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use quick_cache::sync::Cache;

use crate::access::{Caller, identify};
use crate::clock::Timestamp;
use crate::domain::{IdentityForm, TenantName};
use crate::tokens::{IdentityClaims, IdentityMinter};

use super::Refused;
use super::route::Route;

/// How long one serves: it holds for twice as long.
const SERVES: Duration = Duration::from_secs(30);

/// Callers whose token is kept; the least used make room.
const MOST_KEPT: usize = 1_000;

/// Tells servers who asks.
pub(super) struct Identities {
    minter: IdentityMinter,
    kept: Cache<Whose, Arc<Kept>>,
}

/// The server, its tenant, and who asks.
type Whose = (String, Option<TenantName>, Arc<Caller>);

struct Kept {
    value: HeaderValue,
    kid: String,
    issued_at: Timestamp,
}

impl Identities {
    pub(super) fn new(minter: IdentityMinter) -> Self {
        Self { minter, kept: Cache::new(MOST_KEPT) }
    }

    /// Writes into the headers who asks. A server that could not be told gets no request (SEC-156).
    pub(super) fn tell(
        &self,
        route: &Route,
        caller: &Arc<Caller>,
        now: Timestamp,
        headers: &mut HeaderMap,
    ) -> Result<(), Refused> {
        match &route.forwarding.identity {
            IdentityForm::Headers => identify(Some(caller), route.tenant(), headers),
            IdentityForm::None => {}
            IdentityForm::Jwt(name) => {
                let scheme = if *name == AUTHORIZATION { "Bearer " } else { "" };
                let value = self.token(route, caller, scheme, now).ok_or(Refused::CannotSign)?;
                headers.insert(name, value);
            }
        }
        Ok(())
    }

    /// None if nothing can be signed.
    fn token(
        &self,
        route: &Route,
        caller: &Arc<Caller>,
        scheme: &str,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let whose = (route.audience.clone(), route.tenant().cloned(), Arc::clone(caller));
        let serves = |kept: &Arc<Kept>| {
            let is_young = kept.issued_at <= now && now.since(kept.issued_at) < SERVES;
            is_young && self.minter.signs_with(&kept.kid, now)
        };
        if let Some(kept) = self.kept.get(&whose).filter(serves) {
            return Some(kept.value.clone());
        }
        let scope = caller.scopes().to_string();
        let claims = IdentityClaims {
            sub: caller.subject(),
            aud: &route.audience,
            scope: &scope,
            tenant: route.tenant().map(TenantName::as_str),
            client_id: caller.client(),
            email: caller.email(),
            name: caller.name(),
        };
        let minted = self.minter.mint(&claims, now);
        let minted =
            minted.inspect_err(|fault| tracing::error!(%fault, "an identity cannot be signed")).ok()?;
        let mut value = HeaderValue::from_str(&format!("{scheme}{}", minted.token)).ok()?;
        value.set_sensitive(true);
        let kept = Kept { value: value.clone(), kid: minted.kid, issued_at: minted.issued_at };
        self.kept.insert(whose, Arc::new(kept));
        Some(value)
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identities").field("kept", &self.kept.len()).finish_non_exhaustive()
    }
}
