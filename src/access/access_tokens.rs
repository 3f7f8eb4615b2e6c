//! Our own access tokens. Asked for every request, so what a token said is kept for a while; whether it
//! still counts is asked every time, of the grants that [`StandingGrants`] knows.

use std::fmt;
use std::sync::Arc;

use quick_cache::sync::Cache;

use crate::clients::FindClientError;
use crate::clock::Timestamp;
use crate::protocol::ResourceUri;
use crate::secret::Fingerprint;
use crate::tokens::{AccessClaims, Minter};

use super::standing::StandingGrants;
use super::{Caller, Liveness};

/// Tokens that are remembered; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// Knows which of our access tokens count.
pub struct AccessTokens {
    minter: Minter,
    grants: StandingGrants,
    /// By token and server (SEC-157).
    known: Cache<Fingerprint, Arc<Known>>,
}

struct Known {
    caller: Arc<Caller>,
    claims: AccessClaims,
    /// The key that signed it: one that leaked is published no longer.
    kid: String,
}

impl AccessTokens {
    /// Knows no token yet.
    #[must_use]
    pub fn new(minter: Minter, liveness: Liveness) -> Self {
        Self { minter, grants: StandingGrants::new(liveness), known: Cache::new(MOST_KNOWN) }
    }

    /// Who shows this token at a server, if it is good and still counts.
    pub(super) async fn caller(
        &self,
        token: &str,
        resource: &ResourceUri,
        now: Timestamp,
    ) -> Result<Option<Arc<Caller>>, FindClientError> {
        let name = Fingerprint::of(resource.canonical(), token);
        if let Some(known) = self.known.get(&name) {
            let holds = known.claims.exp > now && self.minter.knows_key(&known.kid, now);
            let stands = holds && self.grants.holds(&known.claims, now).await?;
            if !stands {
                self.known.remove(&name);
            }
            return Ok(stands.then(|| Arc::clone(&known.caller)));
        }
        // Apart, because it is large: every request with a token that is known would carry its place along.
        Box::pin(self.first_seen(token, resource, (name, now))).await
    }

    /// The same of a token that nobody has shown lately.
    async fn first_seen(
        &self,
        token: &str,
        resource: &ResourceUri,
        (name, now): (Fingerprint, Timestamp),
    ) -> Result<Option<Arc<Caller>>, FindClientError> {
        let access = match self.minter.verifier(now).verify(token, resource, now) {
            Ok(access) => access,
            Err(reason) => {
                tracing::debug!(%reason, %resource, "an access token is refused");
                return Ok(None);
            }
        };
        if !self.grants.holds(access.claims(), now).await? {
            tracing::debug!(%resource, "an access token of a grant that has ended is refused");
            return Ok(None);
        }
        let (kid, claims) = (access.key_id().to_owned(), access.claims().clone());
        let caller = Arc::new(Caller::from(access));
        self.known.insert(name, Arc::new(Known { caller: Arc::clone(&caller), claims, kid }));
        Ok(Some(caller))
    }
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
