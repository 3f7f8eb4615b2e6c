//! Clients by command, beside the broker: those that the operator adds, and those that wait.

use std::sync::Arc;

use crate::clients::OperatorSecrets;
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::{Config, LONGEST_GRANT, ResourceConfig};
use crate::domain::{
    Application, AuditEvent, AuditKind, Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin,
    Decision, OperatorClient, Revoked, SecretPlace,
};
use crate::protocol::client_document::ClientKeys;
use crate::protocol::{RedirectUri, ResourceUri, ScopeSet};
use crate::secret::Secret;
use crate::store::revocations::Revocations;
use crate::store::{Store, StoreError};

use super::state::OpenStore;
use super::{CommandStoreError, command_store};

/// What a new client is to be.
#[derive(Debug)]
pub struct NewClient {
    /// Its name on our pages.
    pub name: String,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it proves itself.
    pub proof: NewProof,
    /// May it have refresh tokens?
    pub may_refresh: bool,
    /// What it may ask for.
    pub limits: ClientLimits,
}

/// How a new client proves itself.
#[derive(Debug)]
pub enum NewProof {
    /// Not at all.
    None,
    /// With a secret that we make.
    Secret(SecretPlace),
    /// With a signature by one of these keys.
    Keys(ClientKeys),
}

/// Why a command about clients did nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientBookError {
    /// The store.
    #[error(transparent)]
    Store(#[from] CommandStoreError),
    /// A server that is not configured.
    #[error("{0} is not one of the configured resources")]
    NoResource(ResourceUri),
    /// A scope that no server has.
    #[error("no configured resource has the scope {0}")]
    NoScope(String),
    /// No such client.
    #[error("no client was added under this id; see gatelodge clients list")]
    NoClient,
    /// One of the configuration's.
    #[error("this client stands in the configuration file: change it there")]
    Configured,
    /// A public client, or one that signs.
    #[error("this client has no secret")]
    NoSecret,
    /// Somebody else changed it in the meantime.
    #[error("somebody else is changing this client at the moment; try again")]
    Busy,
    /// No such application.
    #[error("no application has this code; see gatelodge clients list --waiting")]
    NoApplication,
    /// Two of one code.
    #[error("several applications have this code, of which one was made to look like another: refuse both")]
    SeveralApplications,
}

/// Every client that was added by command.
pub async fn clients_by_command(config: &Config) -> Result<Vec<Client>, ClientBookError> {
    let book = Book::open(config).await?;
    let all = book.store().operator_clients().await.map_err(|fault| book.failed(fault))?;
    Ok(all.into_iter().map(|known| known.client).collect())
}

/// Adds a client. Its secret, if it has one, is known to nobody else.
pub async fn add_client(
    config: &Config,
    new: NewClient,
) -> Result<(Client, Option<Secret>), ClientBookError> {
    check_limits(config, &new.limits)?;
    let book = Book::open(config).await?;
    let id = OperatorClient::new_id();
    let (auth, secret) = match new.proof {
        NewProof::None => (ClientAuthMethod::None, None),
        NewProof::Keys(keys) => (ClientAuthMethod::PrivateKeyJwt { keys, required: true }, None),
        NewProof::Secret(sent) => {
            let (secret, held) = book.secrets.make(&id);
            (OperatorSecrets::method(sent, held), Some(secret))
        }
    };
    let client = Client {
        id,
        name: Some(new.name),
        redirect_uris: new.redirect_uris,
        auth,
        origin: ClientOrigin::Operator,
        may_refresh: new.may_refresh,
        limits: new.limits,
        created_at: book.now,
        expires_at: None,
        registration: None,
    };
    book.replace(&OperatorClient { client: client.clone(), version: 1 }, 0).await?;
    book.record(AuditEvent::new(AuditKind::ClientAdded, book.now).client(&client.id)).await;
    Ok((client, secret))
}

/// Gives a client another secret.
pub async fn rotate_client_secret(config: &Config, id: &ClientId) -> Result<Secret, ClientBookError> {
    let book = Book::open(config).await?;
    let known = book.client(id).await?;
    let (secret, next) = book.secrets.rotated(&known, book.now).ok_or(ClientBookError::NoSecret)?;
    book.replace(&next, known.version).await?;
    book.record(AuditEvent::new(AuditKind::ClientSecretRotated, book.now).client(id)).await;
    Ok(secret)
}

/// Removes a client, and ends its grants.
pub async fn remove_client(config: &Config, id: &ClientId) -> Result<(), ClientBookError> {
    let book = Book::open(config).await?;
    let failed = |fault| book.failed(fault);
    book.client(id).await?;
    // First the grants: should the rest fail, the command can be given again.
    let keep = LONGEST_GRANT + config.tokens.access_lifetime;
    let revocations = Revocations::new(Arc::clone(&book.open.store));
    revocations.revoke(&Revoked::Client(id.clone()), book.now, keep).await.map_err(failed)?;
    book.store().remove_operator_client(id).await.map_err(failed)?;
    book.record(AuditEvent::new(AuditKind::ClientRemoved, book.now).client(id)).await;
    Ok(())
}

/// Every application that waits.
pub async fn applications(config: &Config) -> Result<Vec<Application>, ClientBookError> {
    let book = Book::open(config).await?;
    book.store().applications(book.now).await.map_err(|fault| book.failed(fault))
}

/// Every application that was decided.
pub async fn decisions(config: &Config) -> Result<Vec<Decision>, ClientBookError> {
    let book = Book::open(config).await?;
    book.store().decisions().await.map_err(|fault| book.failed(fault))
}

/// Approves or refuses the application of this code, whether it waits or was decided before.
pub async fn decide_client(
    config: &Config,
    code: &str,
    is_approved: bool,
) -> Result<Application, ClientBookError> {
    let book = Book::open(config).await?;
    let failed = |fault| book.failed(fault);
    let waiting = book.store().applications(book.now).await.map_err(failed)?;
    let decided = book.store().decisions().await.map_err(failed)?;
    let decided = decided.into_iter().map(|decision| decision.application);
    let mut found: Vec<Application> =
        waiting.into_iter().chain(decided).filter(|one| one.code().eq_ignore_ascii_case(code)).collect();
    found.sort_by(|a, b| a.key.as_str().cmp(b.key.as_str()));
    found.dedup_by(|a, b| a.key == b.key);
    if found.len() > 1 && is_approved {
        return Err(ClientBookError::SeveralApplications);
    }
    for application in &found {
        let decision = Decision { application: application.clone(), is_approved, decided_at: book.now };
        book.store().decide(&decision).await.map_err(failed)?;
        let kind = if is_approved { AuditKind::ClientApproved } else { AuditKind::ClientRefused };
        book.record(AuditEvent::new(kind, book.now).client(&application.client_id)).await;
    }
    found.into_iter().next().ok_or(ClientBookError::NoApplication)
}

fn check_limits(config: &Config, limits: &ClientLimits) -> Result<(), ClientBookError> {
    for resource in limits.resources.iter().flatten() {
        if !config.resources.iter().any(|known| known.url == *resource) {
            return Err(ClientBookError::NoResource(resource.clone()));
        }
    }
    for scope in limits.scopes.iter().flat_map(ScopeSet::iter) {
        let has = |known: &ResourceConfig| known.scopes.iter().any(|(one, _)| one == scope);
        if !config.resources.iter().any(has) {
            return Err(ClientBookError::NoScope(scope.to_string()));
        }
    }
    Ok(())
}

/// The open store, and what goes with it.
struct Book<'a> {
    config: &'a Config,
    open: OpenStore,
    secrets: OperatorSecrets,
    now: Timestamp,
}

impl<'a> Book<'a> {
    async fn open(config: &'a Config) -> Result<Self, ClientBookError> {
        let open = command_store::open(config).await?;
        let secrets = OperatorSecrets::new(&open.secret);
        Ok(Self { config, open, secrets, now: SystemClock.now() })
    }

    fn store(&self) -> &dyn Store {
        self.open.store.as_ref()
    }

    fn failed(&self, fault: StoreError) -> ClientBookError {
        CommandStoreError::of(self.config, fault).into()
    }

    async fn client(&self, id: &ClientId) -> Result<OperatorClient, ClientBookError> {
        if self.config.clients.iter().any(|client| client.id == id.as_str()) {
            return Err(ClientBookError::Configured);
        }
        let known = self.store().operator_client(id).await.map_err(|fault| self.failed(fault))?;
        known.ok_or(ClientBookError::NoClient)
    }

    async fn replace(&self, client: &OperatorClient, from: u64) -> Result<(), ClientBookError> {
        let replaced = self.store().replace_operator_client(client, from).await;
        let replaced = replaced.map_err(|fault| self.failed(fault))?;
        replaced.then_some(()).ok_or(ClientBookError::Busy)
    }

    async fn record(&self, event: AuditEvent) {
        command_store::record(Arc::clone(&self.open.store), event).await;
    }
}
