//! The store's sentences over Redis: write a record, read its fields, or run its script.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_bytes::{ByteBuf, Bytes};

use crate::clock::Timestamp;
use crate::domain::{
    self, AuditEvent, BrowserSession, BrowserSessionId, Client, ClientId, ConsentKey, EmailAddress, Grant,
    GrantId, KeyRing, LAST_GENERATION, LoginId, MOST_GRANTS, NotBefore, PendingLogin, PersonId, PersonTag,
    Place, Redemption, RememberedConsent, Revoked, Rotation, RotationRules, StoredClient, UpstreamGrant,
    UpstreamSession,
};
use crate::secret::{Digest, Secret};
use crate::store::{Store, StoreError, codec, grant_body, readable};

use super::connections::Request;
use super::grants::{self, Kept, date};
use super::memory::Moment;
use super::{RedisStore, unreadable};

#[async_trait]
impl Store for RedisStore {
    async fn next_place(&self, places: usize) -> Result<Place, StoreError> {
        self.places.next(places).await
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
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut script = self.scripts.use_assertion.call(self.keys.assertion(assertion));
        script.arg(decimal(now)).arg(decimal(until)).arg(request);
        self.run(&script).await
    }

    async fn release_assertion(&self, assertion: &Digest, request: &str) -> Result<(), StoreError> {
        let mut script = self.scripts.release_assertion.call(self.keys.assertion(assertion));
        script.arg(request);
        self.run(&script).await
    }

    async fn begin_login(&self, login: &PendingLogin, now: Timestamp) -> Result<(), StoreError> {
        self.put_login(login, now).await
    }

    async fn login(&self, id: &LoginId, now: Timestamp) -> Result<Option<PendingLogin>, StoreError> {
        self.read_login(id, now).await
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
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut script = self.scripts.put.call(self.keys.upstream_session(session));
        let ends = decimal(until);
        script.arg(decimal(now)).arg(&ends).arg("exp").arg(&ends).arg("person").arg(person.as_str());
        self.run(&script).await
    }

    async fn person_of(
        &self,
        session: UpstreamSession,
        now: Timestamp,
    ) -> Result<Option<PersonId>, StoreError> {
        let key = self.keys.upstream_session(session);
        let [Some(person), Some(ends)] = self.fields(&key, ["person", "exp"]).await? else { return Ok(None) };
        let person = std::str::from_utf8(&person).ok().and_then(PersonId::parse);
        let person = person.ok_or_else(|| unreadable(&key))?;
        Ok((now < timestamp(&key, &ends)?).then_some(person))
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
        let body = grant_body::seal(&self.sealer, &self.keys.grant(&grant.id), grant)?;
        let mut script = self.scripts.open_grant.call(self.keys.grants(grant.id.person()));
        script
            .arg(date(now))
            .arg(MOST_GRANTS)
            .arg(&grants::name(&grant.id))
            .arg(&grants::numbers(grant))
            .arg(body);
        self.run(&script).await
    }

    async fn grant(&self, id: &GrantId, now: Timestamp) -> Result<Option<Grant>, StoreError> {
        let key = self.keys.grants(id.person());
        let kept = self.kept_grants(&key).await?.remove(Bytes::new(&grants::name(id)));
        let Some(Kept { standing, body }) = kept else { return Ok(None) };
        let found = grant_body::open(&self.sealer, &self.keys.grant(id), (*id, standing), &body)?;
        if let Some(anew) = found.sealed_anew {
            // Transitions leave the body as it is, so this is where a previous secret comes out of
            // use; whoever reads it next would do the same.
            let mut script = self.scripts.seal_anew.call(key);
            script.arg(date(now)).arg(&grants::name(id)).arg(body).arg(anew);
            self.run::<()>(&script).await?;
        }
        Ok(Some(found.grant).filter(|grant| !grant.is_expired(now)))
    }

    async fn grants_of(&self, person: &PersonId, now: Timestamp) -> Result<Vec<Grant>, StoreError> {
        let tag = person.tag();
        let mut all = Vec::new();
        for (name, Kept { standing, body }) in self.kept_grants(&self.keys.grants(tag)).await? {
            let Ok(name) = name.into_vec().try_into() else { continue };
            let id = GrantId::in_person(tag, name);
            let found = grant_body::open(&self.sealer, &self.keys.grant(&id), (id, standing), &body);
            all.extend(readable(found)?.map(|found| found.grant));
        }
        Ok(domain::alive_of(all, person, now))
    }

    async fn redeem_code(
        &self,
        id: &GrantId,
        now: Timestamp,
        idle: Duration,
    ) -> Result<Redemption, StoreError> {
        let key = self.keys.grants(id.person());
        let mut script = self.scripts.redeem_code.call(&key);
        script.arg(date(now)).arg(&grants::name(id)).arg(date(now.plus(idle)));
        let answer: String = self.run(&script).await?;
        match answer.as_str() {
            "redeemed" => Ok(Redemption::Redeemed),
            "again" => Ok(Redemption::AlreadyRedeemed),
            "gone" => Ok(Redemption::Gone),
            _ => Err(unreadable(&key)),
        }
    }

    async fn rotate_refresh(
        &self,
        id: &GrantId,
        presented: u64,
        now: Timestamp,
        rules: RotationRules,
    ) -> Result<Rotation, StoreError> {
        if presented >= LAST_GENERATION {
            return Ok(Rotation::Gone);
        }
        let key = self.keys.grants(id.person());
        let mut script = self.scripts.rotate_refresh.call(&key);
        script.arg(date(now)).arg(&grants::name(id)).arg(presented);
        script.arg(date(now.plus(rules.idle))).arg(earliest_in_grace(now, rules.grace));
        let (answer, generation): (String, u64) = self.run(&script).await?;
        match answer.as_str() {
            tag @ ("fresh" | "same") => Ok(Rotation::Successor { generation, fresh: tag == "fresh" }),
            // The script has ended the family. That must outlive a failover, too: see `take_out`.
            "reused" => self.take_out(id).await.map(|_| Rotation::Reused),
            "gone" => Ok(Rotation::Gone),
            _ => Err(unreadable(&key)),
        }
    }

    async fn end_grant(&self, id: &GrantId) -> Result<bool, StoreError> {
        self.take_out(id).await
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
        let key = self.keys.signing_keys();
        let [Some(ring)] = self.fields(&key, ["ring"]).await? else { return Ok(None) };
        let (ring, is_stale): (KeyRing, _) =
            codec::unseal_telling(&self.sealer, &format!("{key}:ring"), &ring)?;
        if is_stale {
            // Rotations are rare: a previous secret would have to be kept until the next one.
            self.replace_key_ring(&ring, ring.version).await?;
        }
        Ok(Some(ring))
    }

    async fn replace_key_ring(&self, ring: &KeyRing, from: u64) -> Result<bool, StoreError> {
        let key = self.keys.signing_keys();
        let sealed = codec::seal(&self.sealer, &format!("{key}:ring"), ring)?;
        let mut script = self.scripts.replace_key_ring.call(key);
        script.arg(from.to_string()).arg(ring.version.to_string()).arg(sealed);
        self.run(&script).await
    }

    async fn adopted_signing_key(&self, algorithm: &str) -> Result<Option<Secret>, StoreError> {
        let key = self.keys.signing_keys();
        let [kept] = self.fields(&key, [algorithm]).await?;
        // The algorithm is part of the name, so that a key does not open as another algorithm's.
        let name = format!("{key}:{algorithm}");
        let pem: Option<String> = kept.map(|kept| codec::unseal(&self.sealer, &name, &kept)).transpose()?;
        Ok(pem.map(Secret::new))
    }

    async fn append_audit(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        self.put_events(events).await
    }

    async fn recent_audit(&self, at_most: usize) -> Result<Vec<AuditEvent>, StoreError> {
        self.newest_events(at_most).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // Not PING: a cluster answers that even while it serves no key.
        let request = Request::new("EXISTS", self.keys.signing_keys());
        self.run::<u64>(&request).await.map(drop)
    }

    async fn tend(&self, _now: Timestamp) -> Result<(), StoreError> {
        self.look_at_memory(Moment::Running).await
    }
}

impl RedisStore {
    /// Ends a grant so that a failover does not bring it back. True if it was there; if it was not,
    /// because a first call was told to come again or a script has removed it, the replicas are
    /// asked for all the same.
    async fn take_out(&self, id: &GrantId) -> Result<bool, StoreError> {
        let mut script = self.scripts.end_grant.call(self.keys.grants(id.person()));
        script.arg(&grants::name(id));
        self.connections.send_replicated(&script).await
    }

    /// The record of a person's grants.
    async fn kept_grants(&self, key: &str) -> Result<HashMap<ByteBuf, Kept>, StoreError> {
        let packed: Option<Vec<u8>> = self.run(&Request::new("GET", key.to_owned())).await?;
        packed.map_or_else(|| Ok(HashMap::new()), |packed| grants::read(key, &packed))
    }

    /// Some fields of a record, in one read.
    pub(super) async fn fields<const N: usize>(
        &self,
        key: &str,
        names: [&str; N],
    ) -> Result<[Option<Vec<u8>>; N], StoreError> {
        let mut request = Request::new("HMGET", key.to_owned());
        request.arg(names.as_slice());
        let values: Vec<Option<Vec<u8>>> = self.run(&request).await?;
        values.try_into().map_err(|_| unreadable(key))
    }
}

/// The earliest rotation whose predecessor still gets the same successor: `now - rotated_at <
/// grace` in whole seconds, turned round so that the script only compares. Empty without grace.
fn earliest_in_grace(now: Timestamp, grace: Duration) -> String {
    let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
    match seconds.checked_sub(1) {
        Some(back) => now.as_unix().saturating_sub(back).to_string(),
        None => String::new(),
    }
}

pub(super) fn decimal(at: Timestamp) -> String {
    at.as_unix().to_string()
}

pub(super) fn timestamp(key: &str, digits: &[u8]) -> Result<Timestamp, StoreError> {
    number(key, digits).map(Timestamp::from_unix)
}

pub(super) fn number(key: &str, digits: &[u8]) -> Result<u64, StoreError> {
    std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or_else(|| unreadable(key))
}
