//! A store that fails on request: what the broker does when its store is away is tested with it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;

use crate::clock::Timestamp;
use crate::domain::{
    Application, AuditEvent, BrowserSession, BrowserSessionId, Client, ClientId, ConsentKey, Decision,
    EmailAddress, Grant, GrantId, KeyRing, LoginId, NotBefore, OperatorClient, PendingLogin, PersonId,
    PersonTag, Place, Redemption, RememberedConsent, Revoked, Rotation, RotationRules, StoredClient,
    UpstreamGrant, UpstreamSession,
};
use crate::secret::{Digest, Secret};

use super::{ClientBook, Store, StoreError};

mod api_keys;
mod operation;
mod rate_windows;

pub use operation::Operation;

#[derive(Debug, Default)]
struct Faults {
    everything: bool,
    operations: HashSet<Operation>,
    held: HashSet<Operation>,
    waiting: HashSet<Operation>,
}

/// Another store, until it is told to fail.
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn Store>,
    faults: Mutex<Faults>,
    changed: Notify,
}

impl FaultyStore {
    /// Wraps a store; nothing fails yet.
    #[must_use]
    pub fn new(inner: Arc<dyn Store>) -> Self {
        Self { inner, faults: Mutex::default(), changed: Notify::new() }
    }

    /// From now on this operation fails, before it reaches the store.
    pub fn fail(&self, operation: Operation) {
        self.change(|faults| {
            faults.operations.insert(operation);
        });
    }

    /// From now on everything fails.
    pub fn fail_everything(&self) {
        self.change(|faults| faults.everything = true);
    }

    /// From now on this operation waits, before it reaches the store, until all is healed.
    pub fn hold(&self, operation: Operation) {
        self.change(|faults| {
            faults.held.insert(operation);
        });
    }

    /// Returns when somebody waits for an operation that is held.
    pub async fn waits_at(&self, operation: Operation) {
        self.until(|faults| faults.waiting.contains(&operation)).await;
    }

    /// From now on everything works again.
    pub fn heal(&self) {
        self.change(|faults| *faults = Faults::default());
    }

    fn change(&self, how: impl FnOnce(&mut Faults)) {
        how(&mut self.faults());
        self.changed.notify_waiters();
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, is_so: impl Fn(&Faults) -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_so(&self.faults()) {
                return;
            }
            changed.await;
        }
    }

    /// The store, unless this operation is to fail.
    async fn reach(&self, operation: Operation) -> Result<&dyn Store, StoreError> {
        let is_held = self.faults().held.contains(&operation);
        if is_held {
            self.change(|faults| {
                faults.waiting.insert(operation);
            });
            self.until(|faults| !faults.held.contains(&operation)).await;
        }
        let faults = self.faults();
        if faults.everything || faults.operations.contains(&operation) {
            return Err(StoreError::Unavailable(format!("{operation:?} was told to fail")));
        }
        Ok(self.inner.as_ref())
    }
}

#[async_trait]
impl Store for FaultyStore {
    async fn next_place(&self, places: usize) -> Result<Place, StoreError> {
        self.reach(Operation::NextPlace).await?.next_place(places).await
    }

    async fn register_client(&self, client: &Client) -> Result<(), StoreError> {
        self.reach(Operation::RegisterClient).await?.register_client(client).await
    }

    async fn remember_client(&self, client: &Client) -> Result<(), StoreError> {
        self.reach(Operation::RememberClient).await?.remember_client(client).await
    }

    async fn stored_client(&self, id: &ClientId, now: Timestamp) -> Result<Option<StoredClient>, StoreError> {
        self.reach(Operation::StoredClient).await?.stored_client(id, now).await
    }

    async fn keep_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        self.reach(Operation::KeepClient).await?.keep_client(id, until).await
    }

    async fn update_client(&self, client: &Client) -> Result<bool, StoreError> {
        self.reach(Operation::UpdateClient).await?.update_client(client).await
    }

    async fn forget_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.reach(Operation::ForgetUnusedClient).await?.forget_unused_client(id).await
    }

    async fn forget_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.reach(Operation::ForgetClient).await?.forget_client(id).await
    }

    async fn use_assertion(
        &self,
        by: (&Digest, &str),
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.reach(Operation::UseAssertion).await?.use_assertion(by, until, now).await
    }

    async fn release_assertion(&self, assertion: &Digest, request: &str) -> Result<(), StoreError> {
        self.reach(Operation::ReleaseAssertion).await?.release_assertion(assertion, request).await
    }

    async fn begin_login(&self, login: &PendingLogin, now: Timestamp) -> Result<(), StoreError> {
        self.reach(Operation::BeginLogin).await?.begin_login(login, now).await
    }

    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError> {
        self.reach(Operation::Login).await?.login(id, now).await
    }

    async fn advance_login(
        &self,
        login: &PendingLogin,
        from: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.reach(Operation::AdvanceLogin).await?.advance_login(login, from, now).await
    }

    async fn take_login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError> {
        self.reach(Operation::TakeLogin).await?.take_login(id, now).await
    }

    async fn remember_upstream_session(
        &self,
        session: UpstreamSession,
        person: &PersonId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let store = self.reach(Operation::RememberUpstreamSession).await?;
        store.remember_upstream_session(session, person, until, now).await
    }

    async fn person_of(
        &self,
        session: UpstreamSession,
        now: Timestamp,
    ) -> Result<Option<PersonId>, StoreError> {
        self.reach(Operation::PersonOf).await?.person_of(session, now).await
    }

    async fn upstream_grants(
        &self,
        person: PersonTag,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError> {
        self.reach(Operation::UpstreamGrants).await?.upstream_grants(person, now).await
    }

    async fn keep_upstream_grant(
        &self,
        grant: &UpstreamGrant,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.reach(Operation::KeepUpstreamGrant).await?.keep_upstream_grant(grant, seen, now).await
    }

    async fn open_grant(&self, grant: &Grant, now: Timestamp) -> Result<(), StoreError> {
        self.reach(Operation::OpenGrant).await?.open_grant(grant, now).await
    }

    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError> {
        self.reach(Operation::Grant).await?.grant(id, now).await
    }

    async fn grants_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        self.reach(Operation::GrantsOf).await?.grants_of(person, now).await
    }

    async fn redeem_code(
        &self,
        id: &GrantId,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Redemption, StoreError> {
        self.reach(Operation::RedeemCode).await?.redeem_code(id, now, idle).await
    }

    async fn rotate_refresh(
        &self,
        id: &GrantId,
        presented: u64,
        now: Timestamp,
        rules: RotationRules,
    ) -> Result<Rotation, StoreError> {
        self.reach(Operation::RotateRefresh).await?.rotate_refresh(id, presented, now, rules).await
    }

    async fn end_grant(&self, id: &GrantId) -> Result<bool, StoreError> {
        self.reach(Operation::EndGrant).await?.end_grant(id).await
    }

    async fn revoke(
        &self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach(Operation::Revoke).await?.revoke(what, moment, keep_until, now).await
    }

    async fn not_before(&self, known: &str) -> Result<Option<NotBefore>, StoreError> {
        let answer = self.reach(Operation::NotBefore).await?.not_before(known).await;
        self.reach(Operation::NotBeforeAnswered).await?;
        answer
    }

    async fn begin_browser_session(
        &self,
        id: &BrowserSessionId,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach(Operation::BeginBrowserSession).await?.begin_browser_session(id, session, now).await
    }

    async fn browser_session(
        &self,
        id: &BrowserSessionId,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>, StoreError> {
        self.reach(Operation::BrowserSession).await?.browser_session(id, now).await
    }

    async fn browser_sessions_of(
        &self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Vec<(BrowserSessionId, BrowserSession)>, StoreError> {
        self.reach(Operation::BrowserSessionsOf).await?.browser_sessions_of(person, now).await
    }

    async fn keep_browser_session(
        &self,
        id: &BrowserSessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach(Operation::KeepBrowserSession).await?.keep_browser_session(id, until, now).await
    }

    async fn end_browser_sessions(&self, ids: &[BrowserSessionId]) -> Result<usize, StoreError> {
        self.reach(Operation::EndBrowserSessions).await?.end_browser_sessions(ids).await
    }

    async fn remember_consent(
        &self,
        key: &ConsentKey,
        consent: &RememberedConsent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.reach(Operation::RememberConsent).await?.remember_consent(key, consent, now).await
    }

    async fn consent(
        &self,
        key: &ConsentKey,
        now: Timestamp,
    ) -> Result<Option<RememberedConsent>, StoreError> {
        self.reach(Operation::Consent).await?.consent(key, now).await
    }

    async fn pin_admin(&self, email: &EmailAddress, person: &PersonId) -> Result<PersonId, StoreError> {
        self.reach(Operation::PinAdmin).await?.pin_admin(email, person).await
    }

    async fn admin_pin(&self, email: &EmailAddress) -> Result<Option<PersonId>, StoreError> {
        self.reach(Operation::AdminPin).await?.admin_pin(email).await
    }

    async fn unpin_admin(&self, email: &EmailAddress) -> Result<bool, StoreError> {
        self.reach(Operation::UnpinAdmin).await?.unpin_admin(email).await
    }

    async fn key_ring(&self) -> Result<Option<KeyRing>, StoreError> {
        self.reach(Operation::KeyRing).await?.key_ring().await
    }

    async fn replace_key_ring(&self, ring: &KeyRing, from: u64) -> Result<bool, StoreError> {
        self.reach(Operation::ReplaceKeyRing).await?.replace_key_ring(ring, from).await
    }

    async fn adopted_signing_key(&self, algorithm: &str) -> Result<Option<Secret>, StoreError> {
        self.reach(Operation::AdoptedSigningKey).await?.adopted_signing_key(algorithm).await
    }

    async fn append_audit(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        self.reach(Operation::AppendAudit).await?.append_audit(events).await
    }

    async fn recent_audit(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.reach(Operation::RecentAudit).await?.recent_audit(at_most).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.reach(Operation::Ping).await?.ping().await
    }

    async fn tend(&self, now: Timestamp) -> Result<(), StoreError> {
        self.reach(Operation::Tend).await?.tend(now).await
    }
}

#[async_trait]
impl ClientBook for FaultyStore {
    async fn operator_clients(&self) -> Result<Vec<OperatorClient>, StoreError> {
        self.reach(Operation::OperatorClients).await?.operator_clients().await
    }

    async fn operator_client(&self, id: &ClientId) -> Result<Option<OperatorClient>, StoreError> {
        self.reach(Operation::OperatorClient).await?.operator_client(id).await
    }

    async fn replace_operator_client(&self, client: &OperatorClient, from: u64) -> Result<bool, StoreError> {
        self.reach(Operation::ReplaceOperatorClient).await?.replace_operator_client(client, from).await
    }

    async fn remove_operator_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.reach(Operation::RemoveOperatorClient).await?.remove_operator_client(id).await
    }

    async fn await_approval(&self, application: &Application, now: Timestamp) -> Result<bool, StoreError> {
        self.reach(Operation::AwaitApproval).await?.await_approval(application, now).await
    }

    async fn applications(&self, now: Timestamp) -> Result<Vec<Application>, StoreError> {
        self.reach(Operation::Applications).await?.applications(now).await
    }

    async fn decide(&self, decision: &Decision) -> Result<(), StoreError> {
        self.reach(Operation::Decide).await?.decide(decision).await
    }

    async fn decision(&self, key: &Digest) -> Result<Option<Decision>, StoreError> {
        self.reach(Operation::Decision).await?.decision(key).await
    }

    async fn decisions(&self) -> Result<Vec<Decision>, StoreError> {
        self.reach(Operation::Decisions).await?.decisions().await
    }
}
