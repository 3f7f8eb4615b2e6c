//! Every client that is known.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::domain::{Client, ClientAuthMethod, ClientId, ClientOrigin};
use crate::protocol::RedirectUri;
use crate::store::{Store, StoreError};

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
}

/// Configured clients, and those in the store.
#[derive(Debug, Clone)]
pub struct Clients {
    configured: Arc<HashMap<ClientId, Client>>,
    store: Arc<dyn Store>,
}

impl Clients {
    /// The configured clients come first: nobody can register over one.
    #[must_use]
    pub fn new(configured: Vec<ConfiguredClient>, store: Arc<dyn Store>) -> Self {
        let known = configured.into_iter().map(|client| {
            let id = ClientId::new(client.id);
            let client = Client {
                id: id.clone(),
                name: Some(client.name),
                redirect_uris: client.redirect_uris,
                auth: client.auth,
                origin: ClientOrigin::Configured,
                may_refresh: true,
                created_at: Timestamp::from_unix(0),
                expires_at: None,
            };
            (id, client)
        });
        Self { configured: Arc::new(known.collect()), store }
    }

    /// The client of this identifier, unless it has been forgotten.
    pub async fn find(&self, id: &ClientId, now: Timestamp) -> Result<Option<Client>, StoreError> {
        match self.configured.get(id) {
            Some(client) => Ok(Some(client.clone())),
            None => self.store.client(id, now).await,
        }
    }
}
