//! May this request pass? Asked for every request to a server that we stand in front of, so what a token
//! said is kept for a while; whether it still counts is asked again every second.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clients::FindClientError;
use crate::clock::{Clock, Timestamp};
use crate::domain::Grant;
use crate::protocol::{Jws, ResourceUri, ScopeSet};
use crate::secret::Digest;
use crate::tokens::{Minter, VerifiedAccess};

use super::{Challenge, Decision, Guarded, Liveness, bearer, require};

/// How long a grant is believed to stand: within this time every replica sees that one was ended.
const OLDEST: Duration = Duration::from_secs(1);

/// Tokens that are remembered; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// Decides about requests with our own access tokens.
pub struct Guard {
    minter: Minter,
    liveness: Liveness,
    clock: Arc<dyn Clock>,
    known: Cache<Name, Arc<Known>>,
}

/// What is known of one token at one server (SEC-157).
type Name = (String, String);

struct Known {
    access: VerifiedAccess,
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

impl Guard {
    /// Knows no token yet.
    #[must_use]
    pub fn new(minter: Minter, liveness: Liveness, clock: Arc<dyn Clock>) -> Self {
        Self { minter, liveness, clock, known: Cache::new(MOST_KNOWN) }
    }

    /// Decides about a request from its one `Authorization` header (SEC-145). What cannot be asked now is
    /// a fault, and neither a pass nor the client's fault (SEC-156, PRIN-5).
    pub async fn decide(
        &self,
        credential: Option<&str>,
        guarded: &Guarded,
        needed: &ScopeSet,
    ) -> Result<Decision, FindClientError> {
        let Some(token) = bearer(credential) else {
            return Ok(Decision::Challenge(Challenge::missing(guarded)));
        };
        let Some(access) = self.access(token, &guarded.resource).await? else {
            return Ok(Decision::Challenge(Challenge::invalid_token(guarded)));
        };
        Ok(match require(&access, guarded, needed) {
            Ok(()) => Decision::Allow(Box::new(access)),
            Err(challenge) => Decision::Challenge(challenge),
        })
    }

    /// What a token gives at a server, if it is good and still counts.
    async fn access(
        &self,
        token: &str,
        resource: &ResourceUri,
    ) -> Result<Option<VerifiedAccess>, FindClientError> {
        let now = self.clock.now();
        let name = (Digest::of(token).as_str().to_owned(), resource.canonical().to_owned());
        if let Some(known) = self.known.get(&name) {
            let holds = known.access.claims().exp > now && self.minter.knows_key(&known.kid, now);
            let stands = holds && self.still_stands(&known, now).await?;
            if !stands {
                self.known.remove(&name);
            }
            return Ok(stands.then(|| known.access.clone()));
        }
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
        let kid = Jws::parse(token).ok().and_then(|jws| jws.header("kid").map(str::to_owned));
        if let Some(kid) = kid {
            self.known.insert(name, Arc::new(Known { access: access.clone(), kid, standing }));
        }
        Ok(Some(access))
    }

    /// Every second the store is asked again; in between, what this process knows of revocations.
    async fn still_stands(&self, known: &Known, now: Timestamp) -> Result<bool, FindClientError> {
        let standing = lock(&known.standing).clone();
        if standing.as_of <= now && now.since(standing.as_of) < OLDEST {
            return Ok(!self.liveness.is_revoked(&standing.grant, now).await?);
        }
        let Some(grant) = self.liveness.grant_of(known.access.claims(), now).await? else { return Ok(false) };
        *lock(&known.standing) = Standing { grant: Arc::new(grant), as_of: now };
        Ok(true)
    }
}

/// The guarded value is replaced whole: there is no half of one.
fn lock(standing: &Mutex<Standing>) -> std::sync::MutexGuard<'_, Standing> {
    standing.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
