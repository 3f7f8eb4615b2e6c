//! Who is signed in in which browser, and what was approved there.
//!
//! A session's name begins with its person's tag, so a person's sessions stand side by side. Its record
//! is sealed as a whole; using it writes it anew.

use redb::{ReadableTable, WriteTransaction};

use crate::clock::Timestamp;
use crate::domain::{
    self, BrowserSession, BrowserSessionId, ConsentKey, MOST_BROWSER_SESSIONS, PersonId, PersonTag,
    RememberedConsent,
};
use crate::secret::Digest;
use crate::store::{StoreError, readable};

use super::tables::{self, BROWSER_SESSIONS, CONSENTS, Cover, failed, remove, rewrite, write};
use super::writer::Done;
use super::{EmbeddedStore, Personal};

impl EmbeddedStore {
    pub(super) async fn put_browser_session(
        &self,
        id: &BrowserSessionId,
        session: &BrowserSession,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (sealer, id, session) = (self.sealer.clone(), id.clone(), session.clone());
        self.writer
            .write(move |transaction| {
                make_room(transaction, &id, now)?;
                let name = name(&id);
                write(
                    transaction,
                    BROWSER_SESSIONS,
                    (&name, Cover::Sealed(&sealer)),
                    &session,
                    Some(end(&session)),
                )?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    #[expect(clippy::unused_async, reason = "every sentence of a store is awaited")]
    pub(super) async fn read_browser_session(
        &self,
        id: &BrowserSessionId,
        now: Timestamp,
    ) -> Result<Option<BrowserSession>, StoreError> {
        let session: Option<BrowserSession> = self.read(BROWSER_SESSIONS, &name(id), Personal::Yes)?;
        Ok(session.filter(|session| !session.is_over(now)))
    }

    #[expect(clippy::unused_async, reason = "every sentence of a store is awaited")]
    pub(super) async fn list_browser_sessions(
        &self,
        person: &PersonId,
        now: Timestamp,
    ) -> Result<Vec<(BrowserSessionId, BrowserSession)>, StoreError> {
        let all = self.look_at(BROWSER_SESSIONS, |table| {
            let mut all = Vec::new();
            for (name, id, _) in names(table, person.tag())? {
                let session = readable(tables::read(table, &name, Cover::Sealed(&self.sealer)))?;
                all.extend(session.flatten().map(|session| (id, session)));
            }
            Ok(all)
        })?;
        Ok(domain::living_of(all.unwrap_or_default(), person, now))
    }

    pub(super) async fn prolong_browser_session(
        &self,
        id: &BrowserSessionId,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (sealer, name) = (self.sealer.clone(), name(id));
        self.writer
            .write(move |transaction| {
                let cover = Cover::Sealed(&sealer);
                let table = transaction.open_table(BROWSER_SESSIONS).map_err(failed)?;
                let session: Option<BrowserSession> = tables::read(&table, &name, cover)?;
                drop(table);
                let later = |session: &BrowserSession| !session.is_over(now) && until > session.idle_ends_at;
                let Some(mut session) = session.filter(later) else { return Ok(Done::Looked(())) };
                session.idle_ends_at = until.min(session.ends_at);
                rewrite(transaction, BROWSER_SESSIONS, (&name, cover), &session, Some(end(&session)))?;
                Ok(Done::Wrote(()))
            })
            .await
    }

    pub(super) async fn take_out_browser_sessions(
        &self,
        ids: &[BrowserSessionId],
    ) -> Result<usize, StoreError> {
        let names: Vec<String> = ids.iter().map(name).collect();
        self.writer
            .write(move |transaction| {
                let mut ended = 0;
                for name in &names {
                    ended += usize::from(remove(transaction, BROWSER_SESSIONS, name)?);
                }
                Ok(if ended > 0 { Done::Ended(ended) } else { Done::Looked(0) })
            })
            .await
    }

    pub(super) async fn put_consent(
        &self,
        key: &ConsentKey,
        consent: &RememberedConsent,
        _now: Timestamp,
    ) -> Result<(), StoreError> {
        let (sealer, name, consent) = (self.sealer.clone(), consent_name(key), consent.clone());
        self.writer
            .write(move |transaction| {
                let (named, ends) = ((name.as_str(), Cover::Sealed(&sealer)), Some(consent.ends_at));
                match rewrite(transaction, CONSENTS, named, &consent, ends) {
                    // One that cannot be read any more answers nothing: the new answer takes its place.
                    Err(StoreError::Unreadable(_)) => write(transaction, CONSENTS, named, &consent, ends)?,
                    written => written?,
                }
                Ok(Done::Wrote(()))
            })
            .await
    }

    #[expect(clippy::unused_async, reason = "every sentence of a store is awaited")]
    pub(super) async fn read_consent(
        &self,
        key: &ConsentKey,
        now: Timestamp,
    ) -> Result<Option<RememberedConsent>, StoreError> {
        let consent: Option<RememberedConsent> = self.read(CONSENTS, &consent_name(key), Personal::Yes)?;
        Ok(consent.filter(|consent| now < consent.ends_at))
    }
}

fn name(id: &BrowserSessionId) -> String {
    format!("browser:{}:{}", id.person(), id.within_person().as_str())
}

fn consent_name(key: &ConsentKey) -> String {
    format!("consent:{}", key.as_str())
}

fn end(session: &BrowserSession) -> Timestamp {
    session.idle_ends_at.min(session.ends_at)
}

/// One too many ends the one that would end first.
fn make_room(
    transaction: &WriteTransaction,
    id: &BrowserSessionId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut others = {
        let table = transaction.open_table(BROWSER_SESSIONS).map_err(failed)?;
        names(&table, id.person())?
    };
    others.retain(|(_, other, over)| other != id && now.as_unix() < *over);
    others.sort_by_key(|(_, _, over)| *over);
    let too_many = (others.len() + 1).saturating_sub(MOST_BROWSER_SESSIONS);
    for (name, ..) in others.iter().take(too_many) {
        remove(transaction, BROWSER_SESSIONS, name)?;
    }
    Ok(())
}

/// Name, id and end of the browser sessions of a person.
fn names(
    table: &impl ReadableTable<&'static str, (u64, &'static [u8])>,
    person: PersonTag,
) -> Result<Vec<(String, BrowserSessionId, u64)>, StoreError> {
    let first = format!("browser:{person}:");
    let beyond = format!("{first}~");
    let mut all = Vec::new();
    for entry in table.range(first.as_str()..beyond.as_str()).map_err(failed)? {
        let (name, record) = entry.map_err(failed)?;
        let name = name.value().to_owned();
        let digest = name.strip_prefix(&first).and_then(Digest::from_text);
        let digest = digest.ok_or_else(|| StoreError::Unreadable("the name of a browser session".into()))?;
        all.push((name, BrowserSessionId::in_person(person, digest), record.value().0));
    }
    Ok(all)
}
