//! Who is signed in in which browser, and what was approved there: a person's browser sessions are
//! one hash, a remembered consent is a record of its own.

use serde::Deserialize;
use serde_bytes::ByteBuf;

use crate::clock::Timestamp;
use crate::domain::{
    self, BrowserSession, BrowserSessionId, ConsentKey, MOST_BROWSER_SESSIONS, PersonId, RememberedConsent,
};
use crate::secret::Digest;
use crate::store::{StoreError, codec, readable};

use super::connections::Request;
use super::grants::date;
use super::{RedisStore, unreadable};

/// One session of the record.
#[derive(Deserialize)]
struct Kept {
    over: Timestamp,
    ends: Timestamp,
    body: ByteBuf,
}

impl RedisStore {
    pub(super) async fn put_browser_session(
        &self,
        id: &BrowserSessionId,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = self.keys.browser_sessions(id.person());
        let body = codec::seal(&self.sealer, &sealed_as(&key, id), session)?;
        let mut script = self.scripts.begin_browser_session.call(key);
        script.arg(date(now)).arg(MOST_BROWSER_SESSIONS).arg(id.within_person().as_str());
        script.arg(date(session.idle_ends_at)).arg(date(session.ends_at)).arg(body);
        self.run(&script).await
    }

    pub(super) async fn read_browser_session(
        &self,
        id: &BrowserSessionId,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>, StoreError> {
        let key = self.keys.browser_sessions(id.person());
        let mut request = Request::new("HGET", key.clone());
        request.arg(id.within_person().as_str());
        let packed: Option<Vec<u8>> = self.run(&request).await?;
        let session = packed.map(|packed| self.opened_session(&key, id, &packed)).transpose()?;
        Ok(session.filter(|session| !session.is_over(now)))
    }

    pub(super) async fn list_browser_sessions(
        &self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Vec<(BrowserSessionId, BrowserSession)>, StoreError> {
        let key = self.keys.browser_sessions(person.tag());
        let fields: Vec<(String, Vec<u8>)> = self.run(&Request::new("HGETALL", key.clone())).await?;
        let mut all = Vec::new();
        for (name, packed) in fields {
            let digest = Digest::from_text(&name).ok_or_else(|| unreadable(&key))?;
            let id = BrowserSessionId::in_person(person.tag(), digest);
            let session = readable(self.opened_session(&key, &id, &packed))?;
            all.extend(session.map(|session| (id, session)));
        }
        Ok(domain::living_of(all, person, now))
    }

    pub(super) async fn prolong_browser_session(
        &self,
        id: &BrowserSessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut script = self.scripts.keep_browser_session.call(self.keys.browser_sessions(id.person()));
        script.arg(date(now)).arg(id.within_person().as_str()).arg(date(until));
        self.run(&script).await
    }

    /// Ends them so that a failover does not bring them back.
    pub(super) async fn take_out_browser_sessions(
        &self,
        ids: &[BrowserSessionId],
    ) -> Result<usize, StoreError> {
        let Some(first) = ids.first() else { return Ok(0) };
        let mut request = Request::new("HDEL", self.keys.browser_sessions(first.person()));
        for id in ids.iter().filter(|id| id.person() == first.person()) {
            request.arg(id.within_person().as_str());
        }
        self.connections.send_replicated(&request).await
    }

    pub(super) async fn put_consent(
        &self,
        consent_key: &ConsentKey,
        consent: &RememberedConsent,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = self.keys.consent(consent_key);
        let [stored] = self.fields(&key, ["body"]).await?;
        let over = stored.map(|stored| codec::seal_over(&self.sealer, &key, consent, &stored));
        // One that cannot be read any more answers nothing: the new answer takes its place.
        let body = match over {
            Some(Ok(body)) => body,
            Some(Err(_)) | None => codec::seal(&self.sealer, &key, consent)?,
        };
        let ends = date(consent.ends_at).to_string();
        let mut script = self.scripts.put.call(key);
        script.arg(date(now).to_string()).arg(&ends).arg("exp").arg(&ends).arg("body").arg(body);
        self.run(&script).await
    }

    pub(super) async fn read_consent(
        &self,
        consent_key: &ConsentKey,
        now: Timestamp,
    ) -> Result<Option<RememberedConsent>, StoreError> {
        let key = self.keys.consent(consent_key);
        let [body] = self.fields(&key, ["body"]).await?;
        let consent: Option<RememberedConsent> =
            body.map(|body| codec::unseal(&self.sealer, &key, &body)).transpose()?;
        Ok(consent.filter(|consent| now < consent.ends_at))
    }

    fn opened_session(
        &self,
        key: &str,
        id: &BrowserSessionId,
        packed: &[u8],
    ) -> Result<BrowserSession, StoreError> {
        let kept: Kept = rmp_serde::from_slice(packed).map_err(|_| unreadable(key))?;
        let session: BrowserSession = codec::unseal(&self.sealer, &sealed_as(key, id), &kept.body)?;
        Ok(BrowserSession { idle_ends_at: kept.over, ends_at: kept.ends, ..session })
    }
}

/// The name that a session is sealed under.
fn sealed_as(key: &str, id: &BrowserSessionId) -> String {
    format!("{key}:{}", id.within_person().as_str())
}
