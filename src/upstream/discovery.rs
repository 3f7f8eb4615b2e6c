//! A provider's metadata and keys: fetched when first needed, kept for an hour, the last good
//! answer kept while the provider does not answer.

use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJsonWebKeySet, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, IssuerUrl, ProviderMetadata};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout_at};

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::KeySet;

use super::exchange::HttpClient;
use super::provider::ALL_HOPS;

/// How long metadata and keys are used before they are asked for again.
const FRESH: Duration = Duration::from_secs(3600);

/// How long the last good answer serves while the provider does not answer.
const LAST_GOOD: Duration = Duration::from_secs(24 * 3600);

/// How long the last good answer serves before the next attempt at a provider that is down:
/// otherwise every sign-in would wait for it.
const RETRY: Duration = Duration::from_secs(30);

/// An unknown `kid` asks for new keys at most this often (SEC-052); the first one at once, since
/// keys may change right after they were fetched.
const REFETCH: Duration = Duration::from_secs(30);

/// Members of the metadata that OpenID Connect Discovery does not name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Extra {
    /// RFC 9207: the provider names itself in each authorization response.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl AdditionalProviderMetadata for Extra {}

pub(super) type Metadata = ProviderMetadata<
    Extra,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// What is known of a provider at one moment.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) metadata: Metadata,
    pub(super) keys: KeySet,
    fetched_at: Timestamp,
    renew_at: Timestamp,
    keys_sought_at: Option<Timestamp>,
}

impl Known {
    /// Must the provider name itself in its answer (RFC 9207 section 2.3)?
    pub(super) fn names_itself(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }
}

/// The cache of one provider. One fetch at a time; the others wait for it.
#[derive(Debug)]
pub(super) struct Discovery {
    issuer: String,
    client: HttpClient,
    known: Mutex<Option<Known>>,
}

impl Discovery {
    pub(super) fn new(issuer: String, outbound: Outbound) -> Self {
        Self { issuer, client: HttpClient(outbound), known: Mutex::new(None) }
    }

    /// What is known of the provider, fetched if need be. Whoever waits behind somebody else's fetch
    /// waits no longer than for one of their own.
    pub(super) async fn known(&self, now: Timestamp) -> Result<Known, String> {
        let deadline = Instant::now() + ALL_HOPS;
        let late = |_| "its metadata and keys did not come in time".to_owned();
        let mut slot = timeout_at(deadline, self.known.lock()).await.map_err(late)?;
        let serves = |known: &&Known| now < known.renew_at && now.since(known.fetched_at) < LAST_GOOD;
        if let Some(known) = slot.as_ref().filter(serves) {
            return Ok(known.clone());
        }
        match timeout_at(deadline, self.fetch(now)).await.unwrap_or_else(|elapsed| Err(late(elapsed))) {
            Ok(known) => Ok(slot.insert(known).clone()),
            Err(fault) => match slot.as_mut() {
                Some(old) if now.since(old.fetched_at) < LAST_GOOD => {
                    tracing::warn!(issuer = %self.issuer, fault, "provider metadata could not be renewed; the last good one serves");
                    old.renew_at = now.plus(RETRY);
                    Ok(old.clone())
                }
                _ => Err(fault),
            },
        }
    }

    /// Keys that know `kid`, sought at most once in 30 s.
    pub(super) async fn keys_knowing(&self, kid: Option<&str>, now: Timestamp) -> Result<KeySet, String> {
        let known = self.known(now).await?;
        if known.keys.knows(kid) {
            return Ok(known.keys);
        }
        let mut slot = self.known.lock().await;
        let Some(current) = slot.as_mut() else { return Ok(known.keys) };
        let again = current.keys_sought_at.is_none_or(|sought_at| now.since(sought_at) >= REFETCH);
        if again && !current.keys.knows(kid) {
            current.keys_sought_at = Some(now);
            let uri = current.metadata.jwks_uri();
            let fetched = CoreJsonWebKeySet::fetch_async(uri, &self.client).await;
            current.keys = key_set(&fetched.map_err(|error| error.to_string())?);
        }
        Ok(current.keys.clone())
    }

    async fn fetch(&self, now: Timestamp) -> Result<Known, String> {
        let issuer = IssuerUrl::new(self.issuer.clone()).map_err(|error| error.to_string())?;
        // Refuses an issuer that is not identical (RFC 8414 section 3.3, SEC-047).
        let fetched = Metadata::discover_async(issuer, &self.client).await;
        let metadata = fetched.map_err(|error| error.to_string())?;
        let keys = key_set(metadata.jwks());
        Ok(Known { metadata, keys, fetched_at: now, renew_at: now.plus(FRESH), keys_sought_at: None })
    }
}

fn key_set(keys: &CoreJsonWebKeySet) -> KeySet {
    serde_json::to_value(keys).map(|document| KeySet::from_jwks(&document)).unwrap_or_default()
}
