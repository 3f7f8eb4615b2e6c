//! Every client that is known.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin, OperatorClient};
use crate::protocol::RedirectUri;
use crate::protocol::{ClientIdUrl, ErrorCode, OAuthError};
use crate::store::revocations::Revocations;
use crate::store::{Store, StoreError};

use super::ClientPolicy;
use super::document_fault::DocumentFault;
use super::metadata_documents::MetadataDocuments;
use super::remembered::RememberedClients;

/// A client that the operator names in the configuration.
#[derive(Debug, Clone)]
pub struct ConfiguredClient {
    /// Its identifier.
    pub id: String,
    /// Its name, which the operator vouches for.
    pub name: String,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it authenticates.
    pub auth: ClientAuthMethod,
    /// May it have refresh tokens?
    pub may_refresh: bool,
    /// What it may ask for.
    pub limits: ClientLimits,
}

/// Why a client cannot be looked up.
#[derive(Debug, thiserror::Error)]
pub enum FindClientError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The client's metadata document.
    #[error("the client's metadata document: {0}")]
    Document(#[from] DocumentFault),
    /// The operator's list has no place for it, so its document is not looked at.
    #[error("the client is not admitted here")]
    NotAdmitted,
}

impl FindClientError {
    /// Does it say nothing about the client (PRIN-5, INT-43)?
    pub(super) fn is_no_verdict(&self) -> bool {
        match self {
            Self::Store(_) => true,
            Self::Document(fault) => fault.is_no_verdict(),
            Self::NotAdmitted => false,
        }
    }
}

/// What does not hold is the client's fault; what cannot be had now is not (INT-43, PRIN-5).
impl From<FindClientError> for OAuthError {
    fn from(error: FindClientError) -> Self {
        if error.is_no_verdict() {
            return Self::unavailable(error);
        }
        Self::new(ErrorCode::InvalidClient, error.to_string())
    }
}

/// Configured clients, those that name themselves by URL, and those in the store: added by command, or
/// registered by themselves.
#[derive(Debug, Clone)]
pub struct Clients {
    configured: Arc<HashMap<ClientId, Client>>,
    documents: MetadataDocuments,
    policy: Arc<ClientPolicy>,
    store: Arc<dyn Store>,
    remembered: Arc<RememberedClients>,
}

impl Clients {
    /// The configured clients come first: nobody can register over one.
    #[must_use]
    pub fn new(
        configured: Vec<ConfiguredClient>,
        documents: MetadataDocuments,
        policy: ClientPolicy,
        (store, revocations): (Arc<dyn Store>, Arc<Revocations>),
    ) -> Self {
        let known = configured.into_iter().map(|client| {
            let id = ClientId::new(client.id);
            let client = Client {
                id: id.clone(),
                name: Some(client.name),
                redirect_uris: client.redirect_uris,
                auth: client.auth,
                origin: ClientOrigin::Configured,
                may_refresh: client.may_refresh,
                limits: client.limits,
                created_at: Timestamp::from_unix(0),
                expires_at: None,
                registration: None,
            };
            (id, client)
        });
        let remembered = Arc::new(RememberedClients::new(Arc::clone(&store), revocations));
        let (configured, policy) = (Arc::new(known.collect()), Arc::new(policy));
        Self { configured, documents, policy, store, remembered }
    }

    /// The client of this identifier, unless it has been forgotten. `address` is where a stranger asks from:
    /// nobody may make us fetch any number of documents.
    pub async fn find(
        &self,
        id: &ClientId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Option<Client>, FindClientError> {
        match self.configured.get(id) {
            Some(client) => Ok(Some(client.clone())),
            None if ClientIdUrl::is_meant(id.as_str()) => self.documented(id, address, now).await.map(Some),
            None => Ok(self.stored(id, now).await?),
        }
    }

    /// The client of a URL. Where no document there could be admitted, only what is known already: what such
    /// a client has can be ended.
    async fn documented(
        &self,
        id: &ClientId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<Client, FindClientError> {
        if self.policy.may_admit_document(id.as_str()) || self.documents.is_pinned(id) {
            return Ok(self.documents.find(id, address, now).await?);
        }
        self.documents.known(id, now).await?.ok_or(FindClientError::NotAdmitted)
    }

    /// The client of this identifier as far as it is known: the hosts of documents are not asked.
    pub(super) async fn known(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        match self.configured.get(id) {
            Some(client) => Ok(Some(client.clone())),
            None if !ClientIdUrl::is_meant(id.as_str()) => self.stored(id, now).await,
            None if self.documents.may_be_used(id) => self.documents.known(id, now).await,
            None => Ok(None),
        }
    }

    async fn stored(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        if OperatorClient::is_meant(id.as_str()) {
            return Ok(self.store.operator_client(id).await?.map(|known| known.client));
        }
        self.remembered.find(id, now).await
    }

    pub(super) fn policy(&self) -> &ClientPolicy {
        &self.policy
    }

    pub(super) fn store(&self) -> &dyn Store {
        self.store.as_ref()
    }

    /// The clients that name themselves by URL.
    #[must_use]
    pub fn documents(&self) -> &MetadataDocuments {
        &self.documents
    }
}
