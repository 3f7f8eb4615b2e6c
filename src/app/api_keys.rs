//! API keys by command, beside the broker.

use std::sync::Arc;

use crate::access::{ApiKeyBook, ApiKeyError, ChangedBy, WantedApiKey};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::{Account, ApiKey, ApiKeyId, EmailAddress, PersonId};
use crate::people::People;
use crate::secret::Secret;
use crate::store::StoreError;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;

use super::{CommandStoreError, StartError, command_store, guarding, wiring};

/// A person as an operator names them.
#[derive(Debug, Clone)]
pub enum NamedOwner {
    /// By the `sub` of their tokens.
    Person(PersonId),
    /// By an account.
    Account(Account),
    /// By an address: of an admin's it is known whose it is.
    Email(EmailAddress),
}

/// Why a command about API keys did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ApiKeyCommandError {
    /// The store.
    #[error(transparent)]
    Store(#[from] CommandStoreError),
    /// The broker would not start.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An address that could be anybody's.
    #[error(
        "whose address {0} is, is not known: only those of admin_users are pinned to a person\n    \
         name the person by p_… (`person` in the audit log, the `sub` of their tokens) or by issuer|subject"
    )]
    UnknownAddress(EmailAddress),
    /// The key cannot be.
    #[error(transparent)]
    Refused(#[from] ApiKeyError),
}

async fn book(config: &Config) -> Result<ApiKeyBook, ApiKeyCommandError> {
    let command_store::OpenStore { store, secret } = command_store::open(config).await?;
    let policy = Arc::new(wiring::policy(config));
    let upstreams = wiring::providers(config, &policy)?;
    let people = People { upstreams, store: Arc::clone(&store) };
    let owners = guarding::owners(&people, &policy, &Arc::new(Revocations::new(Arc::clone(&store))));
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let resources = Arc::new(wiring::resources(config)?);
    Ok(guarding::key_book(&secret, owners, &resources, &Journal::new(store), &clock))
}

/// Makes a key for a person who has signed in before.
pub async fn create_api_key(
    config: &Config,
    owner: &NamedOwner,
    wanted: &WantedApiKey,
) -> Result<(ApiKey, Secret), ApiKeyCommandError> {
    let book = book(config).await?;
    let owner = person(config, &book, owner).await?;
    let created = book.create(&owner, wanted, &ChangedBy::Command).await?;
    book.journal.settled().await;
    Ok(created)
}

/// Every key of a person, also those that count no longer, the oldest first.
pub async fn api_keys(config: &Config, owner: &NamedOwner) -> Result<Vec<ApiKey>, ApiKeyCommandError> {
    let book = book(config).await?;
    let owner = person(config, &book, owner).await?;
    Ok(book.list(&owner).await.map_err(|fault| CommandStoreError::of(config, fault))?)
}

/// Revokes a key for ever. Nothing, if there is none.
pub async fn revoke_api_key(config: &Config, id: &ApiKeyId) -> Result<Option<ApiKey>, ApiKeyCommandError> {
    let book = book(config).await?;
    let revoked = book.revoke(id, &ChangedBy::Command).await;
    book.journal.settled().await;
    Ok(revoked.map_err(|fault| CommandStoreError::of(config, fault))?)
}

async fn person(
    config: &Config,
    book: &ApiKeyBook,
    owner: &NamedOwner,
) -> Result<PersonId, ApiKeyCommandError> {
    match owner {
        NamedOwner::Person(person) => Ok(person.clone()),
        NamedOwner::Account(account) => Ok(PersonId::of(&account.issuer, &account.subject)),
        NamedOwner::Email(email) => {
            let pinned = book.owners.store.admin_pin(email).await;
            let pinned = pinned.map_err(|fault: StoreError| CommandStoreError::of(config, fault))?;
            pinned.ok_or_else(|| ApiKeyCommandError::UnknownAddress(email.clone()))
        }
    }
}
