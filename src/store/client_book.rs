//! The part of a store that the operator's commands write: clients that were added, and applications
//! that wait or have been decided. Nothing of it is cached: every replica sees a change at once.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{Application, ClientId, Decision, OperatorClient};
use crate::secret::Digest;

use super::StoreError;

/// What the operator says about clients.
#[async_trait]
pub trait ClientBook: Send + Sync {
    /// Every client that was added by command.
    async fn operator_clients(&self) -> Result<Vec<OperatorClient>, StoreError>;

    /// The client that was added under this identifier.
    async fn operator_client(&self, id: &ClientId) -> Result<Option<OperatorClient>, StoreError>;

    /// Keeps this client in place of the one of version `from` (0: of none). False if another version
    /// is kept: somebody else changed it first.
    async fn replace_operator_client(&self, client: &OperatorClient, from: u64) -> Result<bool, StoreError>;

    /// Forgets a client. True if it was there.
    async fn remove_operator_client(&self, id: &ClientId) -> Result<bool, StoreError>;

    /// Lets an application wait. False if the same one waits already. At most
    /// [`MOST_APPLICATIONS`](crate::domain::MOST_APPLICATIONS) do: the oldest makes room.
    async fn await_approval(&self, application: &Application, now: Timestamp) -> Result<bool, StoreError>;

    /// Every application that waits, the oldest first.
    async fn applications(&self, now: Timestamp) -> Result<Vec<Application>, StoreError>;

    /// Decides an application, which then waits no longer; in place of an earlier decision.
    async fn decide(&self, decision: &Decision) -> Result<(), StoreError>;

    /// What was decided about the application of this key.
    async fn decision(&self, key: &Digest) -> Result<Option<Decision>, StoreError>;

    /// Everything that was decided, the oldest first.
    async fn decisions(&self) -> Result<Vec<Decision>, StoreError>;
}
