//! State. The operations are sentences, each one atomic; there is no CRUD to misuse.
//!
//! - [`Store`]: what the broker asks of a store.
//! - [`ApiKeyStore`]: the part of it that keeps API keys.
//! - [`ClientBook`]: the part of it that the operator's commands write; [`RateWindows`]: the part that counts.
//! - [`embedded`]: one process; redb in one file, or the same in memory.
//! - [`redis`]: several replicas; one Lua script per transition.
//! - [`revocations`]: what a replica knows of the revocations, and how old that may be.
//! - [`audit`]: the journal: an event is a log line, and soon an entry of the store's stream.
//! - `codec`: how a record becomes bytes, versioned and sealed; `grant_body`: the same for grants, of
//!   which there are most, in as few bytes as can be.
//! - [`faulty`]: any store, failing on request, for the tests of what happens then.
//!
//! Everything personal or secret is sealed before it reaches a disk or a network
//! ([`crate::secret::Sealer`], the record's key as associated data).

mod api_keys;
pub mod audit;
mod client_book;
mod codec;
pub mod embedded;
pub mod faulty;
mod grant_body;
mod rate_windows;
pub mod redis;
pub mod revocations;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::domain::{
    AuditEvent, BrowserSession, BrowserSessionId, Client, ClientId, ConsentKey, EmailAddress, Grant, GrantId,
    KeyRing, LoginId, NotBefore, PendingLogin, PersonId, PersonTag, Place, Redemption, RememberedConsent,
    Revoked, Rotation, RotationRules, StoredClient, UpstreamGrant, UpstreamSession,
};
use crate::secret::{Digest, Secret};

pub use api_keys::ApiKeyStore;
pub use client_book::ClientBook;
pub use embedded::EmbeddedStore;
pub use rate_windows::RateWindows;
pub use redis::RedisStore;

/// A store failed; never the client's fault (PRIN-5).
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or refuses to serve.
    #[error("the store is unavailable: {0}")]
    Unavailable(String),
    /// A record is there and cannot be read: another secret, another version, damage.
    #[error("a record in the store cannot be read: {0}")]
    Unreadable(String),
    /// The store answers, and must not be relied on as it is set up.
    #[error("the store needs attention: {0}")]
    Unfit(String),
}

/// One of many records in a list: what no secret of ours opens any more can be used by nobody, and must
/// not keep the others from being ended.
fn readable<T>(found: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match found {
        Err(StoreError::Unreadable(why)) => {
            tracing::warn!(why, "a record in a list is left out");
            Ok(None)
        }
        found => found.map(Some),
    }
}

/// What the broker remembers. `now` decides expiry; the backend's own TTL only collects garbage
/// (PRIN-7).
#[async_trait]
pub trait Store: ClientBook + ApiKeyStore + RateWindows + fmt::Debug {
    /// The place of the next client that registers itself: one of so many `places`, in turn (SEC-113).
    async fn next_place(&self, places: usize) -> Result<Place, StoreError>;

    /// Remembers a client that has just registered itself, at the place that its identifier names, where
    /// whoever stood there is forgotten. One whose identifier names none is remembered as a used one.
    async fn register_client(&self, client: &Client) -> Result<(), StoreError>;

    /// Remembers a client in place of what was known of it, as one that is used.
    async fn remember_client(&self, client: &Client) -> Result<(), StoreError>;

    /// The registered client, unless it has been forgotten, and whether it has been used.
    async fn stored_client(&self, id: &ClientId, now: Timestamp) -> Result<Option<StoredClient>, StoreError>;

    /// The registered client, unless it has been forgotten.
    async fn client(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        Ok(self.stored_client(id, now).await?.map(|known| known.client))
    }

    /// Lets a client live at least until `until`, as one that is used, which makes room for nobody; never
    /// shortens its life (INT-36). False if there is none.
    async fn keep_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError>;

    /// Puts what a client says about itself now in place of what it said; how long it lives stays. False
    /// if there is none.
    async fn update_client(&self, client: &Client) -> Result<bool, StoreError>;

    /// Forgets a client that registered itself and was never used. False if there is none.
    async fn forget_unused_client(&self, id: &ClientId) -> Result<bool, StoreError>;

    /// Forgets a client. False if there is none.
    async fn forget_client(&self, id: &ClientId) -> Result<bool, StoreError>;

    /// Marks a client's assertion as used, until it is over at `until`, by this request. False if it was
    /// used before (RFC 7523 section 3, SEC-068).
    async fn use_assertion(
        &self,
        (assertion, request): (&Digest, &str),
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Takes back that this request has used an assertion; another's use stays.
    async fn release_assertion(&self, assertion: &Digest, request: &str) -> Result<(), StoreError>;

    /// Begins a sign-in.
    async fn begin_login(&self, login: &PendingLogin, now: Timestamp) -> Result<(), StoreError>;

    /// The sign-in, unless it is over.
    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError>;

    /// Moves a sign-in from step `from` (an ordinal) to the step that `login` is in. False if it
    /// is no longer at `from`: somebody else moved it first.
    async fn advance_login(&self, login: &PendingLogin, from: u8, now: Timestamp)
    -> Result<bool, StoreError>;

    /// Takes the sign-in out of the store; one caller gets it, once (SEC-042, SEC-057).
    async fn take_login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError>;

    /// Remembers whose session at an upstream this is, until `until`.
    async fn remember_upstream_session(
        &self,
        session: UpstreamSession,
        person: &PersonId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Whose session at an upstream this is, if anybody's whose grants may still be alive.
    async fn person_of(
        &self,
        session: UpstreamSession,
        now: Timestamp,
    ) -> Result<Option<PersonId>, StoreError>;

    /// What upstreams have said of the people with this tag, and is not over. Two people may share a
    /// tag: each record says whose it is.
    async fn upstream_grants(
        &self,
        person: PersonTag,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError>;

    /// Keeps what an upstream has said of a person in place of version `seen` (0: of none), and counts
    /// the version on; with `None`, in place of whatever is there. False if another version is there:
    /// of all who have seen one version, one alone is told true.
    async fn keep_upstream_grant(
        &self,
        grant: &UpstreamGrant,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Opens a grant whose code waits to be redeemed; one of that name that is not over stays
    /// as it is. A person has at most
    /// [`MOST_GRANTS`](crate::domain::MOST_GRANTS): the one that would end first makes room.
    async fn open_grant(&self, grant: &Grant, now: Timestamp) -> Result<(), StoreError>;

    /// The grant, unless it is over.
    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError>;

    /// Every grant of a person that is not over, the oldest first. In time proportional to their number.
    async fn grants_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<Grant>, StoreError>;

    /// Redeems a grant's code: exactly one caller is told [`Redemption::Redeemed`] (SEC-078).
    async fn redeem_code(
        &self,
        id: &GrantId,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Redemption, StoreError>;

    /// Advances a family, or ends it when a superseded token comes too late (SEC-084, SEC-085).
    async fn rotate_refresh(
        &self,
        id: &GrantId,
        presented: u64,
        now: Timestamp,
        rules: RotationRules,
    ) -> Result<Rotation, StoreError>;

    /// Ends a grant and its family. True if it was there.
    async fn end_grant(&self, id: &GrantId) -> Result<bool, StoreError>;

    /// Revokes the grants of somebody that were opened up to and including `moment`; never moves a moment
    /// back. After `keep_until` nothing from before the moment is left, and it may be forgotten.
    async fn revoke(
        &self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The revocations, unless they are still of the version that the caller has.
    async fn not_before(&self, known: &str) -> Result<Option<NotBefore>, StoreError>;

    /// Begins a browser session. A person has at most
    /// [`MOST_BROWSER_SESSIONS`](crate::domain::MOST_BROWSER_SESSIONS): the one that would end first
    /// makes room.
    async fn begin_browser_session(
        &self,
        id: &BrowserSessionId,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The browser session, unless it is over.
    async fn browser_session(
        &self,
        id: &BrowserSessionId,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>, StoreError>;

    /// Every browser session of a person that is not over, the oldest first.
    async fn browser_sessions_of(
        &self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Vec<(BrowserSessionId, BrowserSession)>, StoreError>;

    /// Moves the idle end of a browser session that is not over to `until`; never back, never beyond its
    /// end.
    async fn keep_browser_session(
        &self,
        id: &BrowserSessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Ends browser sessions of one person, all at once. How many there were.
    async fn end_browser_sessions(&self, ids: &[BrowserSessionId]) -> Result<usize, StoreError>;

    /// Remembers what a person has approved, in place of what they approved before.
    async fn remember_consent(
        &self,
        key: &ConsentKey,
        consent: &RememberedConsent,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// What a person has approved, unless the question is to be asked again.
    async fn consent(
        &self,
        key: &ConsentKey,
        now: Timestamp,
    ) -> Result<Option<RememberedConsent>, StoreError>;

    /// Pins an admin's address to a person, unless it is pinned: the first one stays. To whom it is
    /// pinned now.
    async fn pin_admin(&self, email: &EmailAddress, person: &PersonId) -> Result<PersonId, StoreError>;

    /// To whom an address is pinned.
    async fn admin_pin(&self, email: &EmailAddress) -> Result<Option<PersonId>, StoreError>;

    /// Forgets a pin. True if there was one.
    async fn unpin_admin(&self, email: &EmailAddress) -> Result<bool, StoreError>;

    /// The signing keys, if there are any yet.
    async fn key_ring(&self) -> Result<Option<KeyRing>, StoreError>;

    /// Keeps this ring in place of the one of version `from` (0: of none). False if another
    /// version is kept: somebody else changed it first. So replicas that start or rotate at the
    /// same moment agree on one ring.
    async fn replace_key_ring(&self, ring: &KeyRing, from: u64) -> Result<bool, StoreError>;

    /// The only signing key (PEM) of a broker that was older than the ring: its first key.
    async fn adopted_signing_key(&self, algorithm: &str) -> Result<Option<Secret>, StoreError>;

    /// Appends to the audit stream, which is capped.
    async fn append_audit(&self, events: &[AuditEvent]) -> Result<(), StoreError>;

    /// The newest audit events, newest first.
    async fn recent_audit(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError>;

    /// Can the store serve right now?
    async fn ping(&self) -> Result<(), StoreError>;

    /// What a store wants done every minute: it collects what has expired, or looks whether it may
    /// still be relied on.
    async fn tend(&self, now: Timestamp) -> Result<(), StoreError>;
}
