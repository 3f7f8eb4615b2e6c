//! The store's sentences over redb: read, let the domain decide, write, in one transaction.

use std::time::Duration;

use async_trait::async_trait;
use redb::{ReadableTable, WriteTransaction};

use crate::clock::Timestamp;
use crate::domain::{
    self, AuditEvent, BrowserSession, BrowserSessionId, Client, ClientId, ConsentKey, EmailAddress, Grant,
    GrantId, KeyRing, LoginId, NotBefore, PendingLogin, PersonId, PersonTag, Place, Redemption,
    RememberedConsent, Revoked, Rotation, RotationRules, StoredClient, UpstreamGrant, UpstreamSession,
};
use crate::secret::{Digest, Sealer, Secret};
use crate::store::{Store, StoreError, codec};

use super::grants::{self, Kept};
use super::tables::{
    ASSERTIONS, Cover, GRANTS, KEY_RING, SIGNING_KEYS, UPSTREAM_SESSIONS, adopted_key_name, failed,
    grant_name, read, remove, write,
};
use super::writer::Done;
use super::{EmbeddedStore, Personal};

#[async_trait]
impl Store for EmbeddedStore {
    async fn next_place(&self, places: usize) -> Result<Place, StoreError> {
        Ok(self.places.next(places))
    }

    async fn register_client(&self, client: &Client) -> Result<(), StoreError> {
        self.put_new_client(client).await
    }

    async fn remember_client(&self, client: &Client) -> Result<(), StoreError> {
        self.put_client(client).await
    }

    async fn stored_client(&self, id: &ClientId, now: Timestamp) -> Result<Option<StoredClient>, StoreError> {
        self.read_client(id, now).await
    }

    async fn keep_client(&self, id: &ClientId, until: Timestamp) -> Result<bool, StoreError> {
        self.prolong_client(id, until).await
    }

    async fn update_client(&self, client: &Client) -> Result<bool, StoreError> {
        self.put_changed_client(client).await
    }

    async fn forget_unused_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.take_out_unused_client(id).await
    }

    async fn forget_client(&self, id: &ClientId) -> Result<bool, StoreError> {
        self.take_out_client(id).await
    }

    async fn use_assertion(
        &self,
        (assertion, request): (&Digest, &str),
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (name, request) = (assertion.as_str().to_owned(), request.to_owned());
        self.writer
            .write(move |transaction| {
                let table = transaction.open_table(ASSERTIONS).map_err(failed)?;
                let used = table.get(name.as_str()).map_err(failed)?.is_some();
                drop(table);
                if used {
                    return Ok(Done::Looked(false));
                }
                write(transaction, ASSERTIONS, (&name, Cover::Clear), &request, Some(until))?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    async fn release_assertion(&self, assertion: &Digest, request: &str) -> Result<(), StoreError> {
        let (name, request) = (assertion.as_str().to_owned(), request.to_owned());
        self.writer
            .write(move |transaction| {
                let table = transaction.open_table(ASSERTIONS).map_err(failed)?;
                let by: Option<String> = read(&table, &name, Cover::Clear)?;
                drop(table);
                if by.is_none_or(|by| by != request) {
                    return Ok(Done::Looked(()));
                }
                remove(transaction, ASSERTIONS, &name)?;
                Ok(Done::Ended(()))
            })
            .await
    }

    async fn begin_login(&self, login: &PendingLogin, _now: Timestamp) -> Result<(), StoreError> {
        self.put_login(login).await
    }

    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError> {
        self.read_login(id, now)
    }

    async fn advance_login(
        &self,
        login: &PendingLogin,
        from: u8,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.move_login(login, from, now).await
    }

    async fn take_login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError> {
        self.remove_login(id, now).await
    }

    async fn remember_upstream_session(
        &self,
        session: UpstreamSession,
        person: &PersonId,
        until: Timestamp,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, record) = (session.to_string(), (person.clone(), until));
        self.writer
            .write(move |transaction| {
                write(transaction, UPSTREAM_SESSIONS, (&name, Cover::Clear), &record, Some(until))?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    async fn person_of(
        &self,
        session: UpstreamSession,
        now: Timestamp,
    ) -> Result<Option<PersonId>, StoreError> {
        let found = self.read(UPSTREAM_SESSIONS, &session.to_string(), Personal::No)?;
        Ok(found.and_then(|(person, until): (PersonId, Timestamp)| (now < until).then_some(person)))
    }

    async fn upstream_grants(
        &self,
        person: PersonTag,
        now: Timestamp,
    ) -> Result<Vec<UpstreamGrant>, StoreError> {
        self.kept_upstream_grants(person, now).await
    }

    async fn keep_upstream_grant(
        &self,
        grant: &UpstreamGrant,
        seen: Option<u64>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        self.replace_upstream_grant(grant, seen, now).await
    }

    async fn open_grant(&self, grant: &Grant, now: Timestamp) -> Result<(), StoreError> {
        let (sealer, grant) = (self.sealer.clone(), grant.clone());
        self.writer
            .write(move |transaction| {
                let opened = grants::open(transaction, &sealer, &grant, now)?;
                Ok(if opened { Done::Wrote(()) } else { Done::Looked(()) })
            })
            .await
    }

    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError> {
        let kept = self.look_at(GRANTS, |table| grants::read(table, &self.sealer, id))?.flatten();
        Ok(kept.map(|kept| kept.grant).filter(|grant| !grant.is_expired(now)))
    }

    async fn grants_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        let all = self.look_at(GRANTS, |table| grants::of_person(table, &self.sealer, person.tag()))?;
        Ok(domain::alive_of(all.unwrap_or_default(), person, now))
    }

    async fn redeem_code(
        &self,
        id: &GrantId,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Redemption, StoreError> {
        let (sealer, id) = (self.sealer.clone(), *id);
        self.writer
            .write(move |transaction| {
                let Some(mut kept) = get_grant(transaction, &sealer, &id)? else {
                    return Ok(Done::Looked(Redemption::Gone));
                };
                let redemption = kept.grant.redeem(now, idle);
                if redemption != Redemption::Redeemed {
                    return Ok(Done::Looked(redemption));
                }
                grants::move_on(transaction, &kept)?;
                Ok(Done::Wrote(redemption))
            })
            .await
    }

    async fn rotate_refresh(
        &self,
        id: &GrantId,
        presented: u64,
        now: Timestamp,
        rules: RotationRules,
    ) -> Result<Rotation, StoreError> {
        let (sealer, id) = (self.sealer.clone(), *id);
        self.writer
            .write(move |transaction| {
                let Some(mut kept) = get_grant(transaction, &sealer, &id)? else {
                    return Ok(Done::Looked(Rotation::Gone));
                };
                let rotation = kept.grant.rotate(presented, now, rules);
                match rotation {
                    Rotation::Successor { fresh: true, .. } => grants::move_on(transaction, &kept)?,
                    Rotation::Reused => {
                        remove(transaction, GRANTS, &grant_name(&id))?;
                        return Ok(Done::Ended(rotation));
                    }
                    Rotation::Successor { fresh: false, .. } | Rotation::Gone => {
                        return Ok(Done::Looked(rotation));
                    }
                }
                Ok(Done::Wrote(rotation))
            })
            .await
    }

    async fn end_grant(&self, id: &GrantId) -> Result<bool, StoreError> {
        let name = grant_name(id);
        self.writer
            .write(move |transaction| {
                let there = remove(transaction, GRANTS, &name)?;
                Ok(if there { Done::Ended(true) } else { Done::Looked(false) })
            })
            .await
    }

    async fn revoke(
        &self,
        what: &Revoked,
        moment: Timestamp,
        keep_until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_revocation(what, moment, keep_until, now).await
    }

    async fn not_before(&self, known: &str) -> Result<Option<NotBefore>, StoreError> {
        self.read_revocations(known).await
    }

    async fn begin_browser_session(
        &self,
        id: &BrowserSessionId,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_browser_session(id, session, now).await
    }

    async fn browser_session(
        &self,
        id: &BrowserSessionId,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>, StoreError> {
        self.read_browser_session(id, now).await
    }

    async fn browser_sessions_of(
        &self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Vec<(BrowserSessionId, BrowserSession)>, StoreError> {
        self.list_browser_sessions(person, now).await
    }

    async fn keep_browser_session(
        &self,
        id: &BrowserSessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.prolong_browser_session(id, until, now).await
    }

    async fn end_browser_sessions(&self, ids: &[BrowserSessionId]) -> Result<usize, StoreError> {
        self.take_out_browser_sessions(ids).await
    }

    async fn remember_consent(
        &self,
        key: &ConsentKey,
        consent: &RememberedConsent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.put_consent(key, consent, now).await
    }

    async fn consent(
        &self,
        key: &ConsentKey,
        now: Timestamp,
    ) -> Result<Option<RememberedConsent>, StoreError> {
        self.read_consent(key, now).await
    }

    async fn pin_admin(&self, email: &EmailAddress, person: &PersonId) -> Result<PersonId, StoreError> {
        self.keep_pin(email, person).await
    }

    async fn admin_pin(&self, email: &EmailAddress) -> Result<Option<PersonId>, StoreError> {
        self.pin(email).await
    }

    async fn unpin_admin(&self, email: &EmailAddress) -> Result<bool, StoreError> {
        self.forget_pin(email).await
    }

    async fn key_ring(&self) -> Result<Option<KeyRing>, StoreError> {
        let Some((ring, is_stale)) = self.signing_record::<KeyRing>(KEY_RING.to_owned()).await? else {
            return Ok(None);
        };
        if is_stale {
            // Rotations are rare: a previous secret would have to be kept until the next one.
            self.replace_key_ring(&ring, ring.version).await?;
        }
        Ok(Some(ring))
    }

    async fn replace_key_ring(&self, ring: &KeyRing, from: u64) -> Result<bool, StoreError> {
        let (sealer, ring) = (self.sealer.clone(), ring.clone());
        self.writer
            .write(move |transaction| {
                let mut table = transaction.open_table(SIGNING_KEYS).map_err(failed)?;
                let kept = match table.get(KEY_RING).map_err(failed)? {
                    Some(kept) => codec::unseal::<KeyRing>(&sealer, KEY_RING, kept.value())?.version,
                    None => 0,
                };
                if kept != from {
                    return Ok(Done::Looked(false));
                }
                let body = codec::seal(&sealer, KEY_RING, &ring)?;
                table.insert(KEY_RING, body.as_slice()).map_err(failed)?;
                Ok(Done::Wrote(true))
            })
            .await
    }

    async fn adopted_signing_key(&self, algorithm: &str) -> Result<Option<Secret>, StoreError> {
        let pem: Option<(String, _)> = self.signing_record(adopted_key_name(algorithm)).await?;
        Ok(pem.map(|(pem, _)| Secret::new(pem)))
    }

    async fn append_audit(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        self.put_events(events).await
    }

    async fn recent_audit(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.newest_events(at_most).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // The writer answers, so a thread that stopped is noticed.
        self.writer.write(|_| Ok(Done::Looked(()))).await
    }

    async fn tend(&self, now: Timestamp) -> Result<(), StoreError> {
        self.purge_expired(now).await.map(drop)
    }
}

fn get_grant(
    transaction: &WriteTransaction,
    sealer: &Sealer,
    id: &GrantId,
) -> Result<Option<Kept>, StoreError> {
    let table = transaction.open_table(GRANTS).map_err(failed)?;
    grants::read(&table, sealer, id)
}
