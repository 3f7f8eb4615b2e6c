//! The secrets of clients that were added by command: kept as keyed hashes.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::{ClientAuthMethod, ClientId, HeldSecret, OperatorClient, SecretPlace};
use crate::secret::{KeyedHash, MacKey, MasterSecret, Secret, random};
use crate::store::{Store, StoreError};

/// How long a secret counts beside its successor.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// Makes and verifies them.
#[derive(Debug, Clone)]
pub struct OperatorSecrets(MacKey);

impl OperatorSecrets {
    /// Under the operator's secret.
    #[must_use]
    pub fn new(master: &MasterSecret) -> Self {
        Self(master.mac_key("gatelodge client secret v1"))
    }

    /// A new secret of a client, and what is kept of it.
    #[must_use]
    pub fn make(&self, client: &ClientId) -> (Secret, HeldSecret) {
        let secret = Secret::new(random::token());
        let hash = KeyedHash::of(&self.0, client.as_str(), secret.expose());
        (secret, HeldSecret { hash, until: None })
    }

    /// The method of a client with this secret.
    #[must_use]
    pub fn method(sent: SecretPlace, held: HeldSecret) -> ClientAuthMethod {
        ClientAuthMethod::KeyedSecret { sent, held: vec![held] }
    }

    /// The client with a new secret; the old one counts for [`SECRET_OVERLAP`]. Nothing, for a client
    /// that has none.
    #[must_use]
    pub fn rotated(&self, client: &OperatorClient, now: Timestamp) -> Option<(Secret, OperatorClient)> {
        let (secret, held) = self.make(&client.client.id);
        Some((secret, client.with_secret(held, now.plus(SECRET_OVERLAP), now)?))
    }

    /// Is `sent` one of the client's secrets that still count? One that a previous secret of the
    /// operator's hashed is hashed anew.
    pub(super) async fn holds(
        &self,
        (client, held): (&ClientId, &[HeldSecret]),
        sent: &Secret,
        store: &dyn Store,
        now: Timestamp,
    ) -> bool {
        // All of them are looked at, so that the time does not tell which one it was.
        let found = held.iter().fold(None, |found, one| {
            let holds = one.hash.is_of(&self.0, client.as_str(), sent.expose());
            let counts = one.until.is_none_or(|end| now < end);
            if holds && counts { Some(one) } else { found }
        });
        let Some(found) = found else { return false };
        let hash = KeyedHash::of(&self.0, client.as_str(), sent.expose());
        if hash != found.hash {
            self.keep(client, found, HeldSecret { hash, until: found.until }, store).await;
        }
        true
    }

    /// Whether that works is not the client's matter: the next use tries again.
    async fn keep(&self, client: &ClientId, old: &HeldSecret, new: HeldSecret, store: &dyn Store) {
        let replaced = async {
            let Some(kept) = store.operator_client(client).await? else { return Ok(false) };
            let Some(next) = kept.with_hash(old, new) else { return Ok(false) };
            store.replace_operator_client(&next, kept.version).await
        };
        let replaced: Result<bool, StoreError> = replaced.await;
        if let Err(fault) = replaced {
            tracing::warn!(%client, %fault, "a client's secret could not be hashed anew");
        }
    }
}
