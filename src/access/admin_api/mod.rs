//! The HTTP API for API keys: who may do what there, what goes in and what comes out.
//!
//! The API is a protected server of the broker's own, at `{issuer}/admin/api`: callers hold an access token
//! for it, whose scopes policy grants like any other's. [`KEYS_SCOPE`] is for one's own keys,
//! [`ADMIN_SCOPE`] for everybody's. `views` has the JSON, `openapi` its description.

mod openapi;
mod views;

use crate::domain::{ADMIN_SCOPE, ApiKeyId, ClientId, KEYS_SCOPE, PersonId};
use crate::protocol::{ResourceUri, ScopeSet};

use super::{ApiKeyBook, ApiKeyError, Caller, ChangedBy, WantedApiKey};

pub use openapi::{Described, openapi};
pub use views::{ApiKeyCreated, ApiKeyList, ApiKeyView, NewApiKey};

/// Somebody who may use the API, with what they may reach.
#[derive(Debug)]
pub struct Administrator {
    person: PersonId,
    client: Option<ClientId>,
    is_for_everybody: bool,
}

impl Administrator {
    /// Whoever has one of the two scopes.
    #[must_use]
    pub fn of(caller: &Caller) -> Option<Self> {
        let has = |scope: &str| caller.scopes().iter().any(|held| held.as_str() == scope);
        let is_for_everybody = has(ADMIN_SCOPE);
        let person = PersonId::parse(caller.subject()).filter(|_| is_for_everybody || has(KEYS_SCOPE))?;
        Some(Self { person, client: caller.client().map(ClientId::new), is_for_everybody })
    }

    /// The least that one needs here.
    #[must_use]
    pub fn needed() -> ScopeSet {
        ScopeSet::parse_lenient(KEYS_SCOPE)
    }

    /// The person whom a request names; nobody named: the caller.
    fn owner(&self, named: Option<&str>) -> Result<PersonId, ApiKeyError> {
        let Some(named) = named else { return Ok(self.person.clone()) };
        let owner = PersonId::parse(named);
        let owner = owner.ok_or_else(|| ApiKeyError::Invalid("owner is p_ and 43 characters".into()))?;
        if self.reaches(&owner) { Ok(owner) } else { Err(ApiKeyError::NotYours) }
    }

    fn reaches(&self, owner: &PersonId) -> bool {
        self.is_for_everybody || *owner == self.person
    }

    fn changes(&self) -> ChangedBy {
        ChangedBy::Person(self.person.clone(), self.client.clone())
    }

    /// The keys of a person, the oldest first.
    pub async fn list(&self, book: &ApiKeyBook, owner: Option<&str>) -> Result<ApiKeyList, ApiKeyError> {
        let (owner, now) = (self.owner(owner)?, book.clock.now());
        let keys = book.list(&owner).await?;
        Ok(ApiKeyList { api_keys: keys.iter().map(|key| ApiKeyView::of(key, now)).collect() })
    }

    /// Makes a key.
    pub async fn create(&self, book: &ApiKeyBook, new: NewApiKey) -> Result<ApiKeyCreated, ApiKeyError> {
        let owner = self.owner(new.owner.as_deref())?;
        let invalid = |text: &str| ApiKeyError::Invalid(text.to_owned());
        let resources = new.resources.iter().map(|url| ResourceUri::parse(url)).collect::<Result<_, _>>();
        let wanted = WantedApiKey {
            name: new.name,
            resources: resources.map_err(|_| invalid("resources are URLs"))?,
            scopes: new.scopes,
            lifetime: new.expires.parse().map_err(|words| invalid(&format!("expires: {words}")))?,
        };
        let (key, text) = book.create(&owner, &wanted, &self.changes()).await?;
        Ok(ApiKeyCreated::of(&key, &text, book.clock.now()))
    }

    /// The key of this name.
    pub async fn find(&self, book: &ApiKeyBook, id: &str) -> Result<ApiKeyView, ApiKeyError> {
        let id = ApiKeyId::parse(id).ok_or(ApiKeyError::NoSuchKey)?;
        let key = book.find(&id).await?.filter(|key| self.reaches(&key.owner.person()));
        key.map(|key| ApiKeyView::of(&key, book.clock.now())).ok_or(ApiKeyError::NoSuchKey)
    }

    /// Revokes the key of this name; as it is then.
    pub async fn revoke(&self, book: &ApiKeyBook, id: &str) -> Result<ApiKeyView, ApiKeyError> {
        self.find(book, id).await?;
        let id = ApiKeyId::parse(id).ok_or(ApiKeyError::NoSuchKey)?;
        let key = book.revoke(&id, &self.changes()).await?.ok_or(ApiKeyError::NoSuchKey)?;
        Ok(ApiKeyView::of(&key, book.clock.now()))
    }
}
