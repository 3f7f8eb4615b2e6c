//! Our own access tokens. Asked for every request, so what a token said is kept for a while; whether it
//! still counts is asked again every second.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clients::FindClientError;
use crate::clock::Timestamp;
use crate::domain::Grant;
use crate::protocol::ResourceUri;
use crate::secret::Fingerprint;
use crate::tokens::{AccessClaims, Minter};

use super::{Caller, Liveness};

/// How long a grant is believed to stand: within this time every replica sees that one was ended.
const OLDEST: Duration = Duration::from_secs(1);

/// Tokens that are remembered; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// Knows which of our access tokens count.
pub struct AccessTokens {
    minter: Minter,
    liveness: Liveness,
    /// By token and server (SEC-157).
    known: Cache<Fingerprint, Arc<Known>>,
}

struct Known {
    caller: Arc<Caller>,
    claims: AccessClaims,
    /// The key that signed it: one that leaked is published no longer.
    kid: String,
    standing: Mutex<Standing>,
}

/// The token's grant, and when it last stood.
#[derive(Clone)]
struct Standing {
    grant: Arc<Grant>,
    as_of: Timestamp,
}

impl AccessTokens {
    /// Knows no token yet.
    #[must_use]
    pub fn new(minter: Minter, liveness: Liveness) -> Self {
        Self { minter, liveness, known: Cache::new(MOST_KNOWN) }
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
            let stands = holds && self.still_stands(&known, now).await?;
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
        let Some(grant) = self.liveness.grant_of(access.claims(), now).await? else {
            tracing::debug!(%resource, "an access token of a grant that has ended is refused");
            return Ok(None);
        };
        let standing = Mutex::new(Standing { grant: Arc::new(grant), as_of: now });
        let (kid, claims) = (access.key_id().to_owned(), access.claims().clone());
        let caller = Arc::new(Caller::from(access));
        let known = Known { caller: Arc::clone(&caller), claims, kid, standing };
        self.known.insert(name, Arc::new(known));
        Ok(Some(caller))
    }

    /// Every second the store is asked again; in between, what this process knows of revocations.
    async fn still_stands(&self, known: &Known, now: Timestamp) -> Result<bool, FindClientError> {
        let standing = lock(&known.standing).clone();
        if standing.as_of <= now && now.since(standing.as_of) < OLDEST {
            return Ok(!self.liveness.is_revoked(&standing.grant, now).await?);
        }
        let Some(grant) = Box::pin(self.liveness.grant_of(&known.claims, now)).await? else {
            return Ok(false);
        };
        *lock(&known.standing) = Standing { grant: Arc::new(grant), as_of: now };
        Ok(true)
    }
}

/// The guarded value is replaced whole: there is no half of one.
fn lock(standing: &Mutex<Standing>) -> std::sync::MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
