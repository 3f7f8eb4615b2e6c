//! Which grants stand. Asked for every request, so what the store said counts for a second; all the tokens of a
//! grant share its answer.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::clients::FindClientError;
use crate::clock::Timestamp;
use crate::domain::{Grant, GrantId};
use crate::tokens::AccessClaims;

use super::liveness::{Liveness, grant_named_by};

/// How long a grant is believed to stand: within this time every replica sees that one was ended.
const OLDEST: Duration = Duration::from_secs(1);

/// Grants that are remembered; the least used make room.
const MOST_KNOWN: usize = 10_000;

/// Remembers which grants stood lately.
pub(super) struct StandingGrants {
    liveness: Liveness,
    known: Cache<GrantId, Standing>,
}

/// A grant, and when it last stood.
#[derive(Clone)]
struct Standing {
    grant: Arc<Grant>,
    as_of: Timestamp,
}

impl StandingGrants {
    /// Knows none yet.
    pub(super) fn new(liveness: Liveness) -> Self {
        Self { liveness, known: Cache::new(MOST_KNOWN) }
    }

    /// Does the grant stand that a token of these claims hangs on? Every second the store is asked; in between,
    /// what this process knows of revocations.
    pub(super) async fn holds(&self, claims: &AccessClaims, now: Timestamp) -> Result<bool, FindClientError> {
        let Some(id) = grant_named_by(claims) else { return Ok(false) };
        match self.known.get(&id) {
            Some(Standing { grant, as_of }) if as_of <= now && now.since(as_of) < OLDEST => {
                let is_its_client = grant.client_id.as_str() == claims.client_id;
                Ok(is_its_client && !self.liveness.is_revoked(&grant, now).await?)
            }
            // Apart, because it is large: every request would carry its place along.
            _ => Box::pin(self.ask(id, claims, now)).await,
        }
    }

    async fn ask(&self, id: GrantId, claims: &AccessClaims, now: Timestamp) -> Result<bool, FindClientError> {
        let grant = self.liveness.grant_of(claims, now).await?;
        let holds = grant.is_some();
        match grant {
            Some(grant) => self.known.insert(id, Standing { grant: Arc::new(grant), as_of: now }),
            None => drop(self.known.remove(&id)),
        }
        Ok(holds)
    }
}
