//! A provider's metadata and keys: fetched when first needed, kept for an hour, the last good
//! answer kept while the provider does not answer.
//!
//! Nobody waits for a fetch who can be served without one, and nobody waits for two: whoever comes
//! while one is under way shares its outcome, the failure too (REL-12).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType,
};
use openidconnect::{AdditionalProviderMetadata, ProviderMetadata};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use crate::clock::Timestamp;
use crate::outbound::Outbound;
use crate::protocol::KeySet;

use super::provider::ALL_HOPS;
use super::settings::UpstreamSettings;

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

/// How long a fetch of metadata and keys may take where a last good answer can serve instead; else it
/// is as long as anybody waits.
const LITTLE_PATIENCE: Duration = Duration::from_secs(3);

/// Who meets an unknown `kid`. Anybody can invent a logout token, only the provider an ID token: each
/// asks on its own account, or an outsider could keep sign-ins from finding new keys (REL-13).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SeekerOfKeys {
    SignIn,
    Logout,
}

/// Members of the metadata that OpenID Connect Discovery does not name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Extra {
    /// RFC 9207: the provider names itself in each authorization response.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    /// OpenID Connect RP-Initiated Logout 1.0 section 2.1: where people sign out there.
    #[serde(default)]
    end_session_endpoint: Option<String>,
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
    /// Shared: it is large, and looked at several times in one sign-in.
    pub(super) metadata: Arc<Metadata>,
    pub(super) keys: KeySet,
    fetched_at: Timestamp,
    renew_at: Timestamp,
    /// When, and for whom.
    keys_sought: Vec<(SeekerOfKeys, Timestamp)>,
}

impl Known {
    /// May it serve, if there is nothing newer?
    fn is_good(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) < LAST_GOOD
    }

    /// Where people sign out there, if they can.
    pub(super) fn end_session_endpoint(&self) -> Option<&str> {
        self.metadata.additional_metadata().end_session_endpoint.as_deref()
    }

    /// May keys be sought for this one now? Then they are.
    fn seek(&mut self, seeker: SeekerOfKeys, now: Timestamp) -> bool {
        self.keys_sought.retain(|(_, at)| now.since(*at) < REFETCH);
        let may = self.keys_sought.iter().all(|(before, _)| *before != seeker);
        if may {
            self.keys_sought.push((seeker, now));
        }
        may
    }

    /// Must the provider name itself in its answer (RFC 9207 section 2.3)?
    pub(super) fn names_itself(&self) -> bool {
        self.metadata.additional_metadata().authorization_response_iss_parameter_supported
    }
}

/// The cache of one provider.
#[derive(Debug)]
pub(super) struct Discovery {
    /// Where the metadata is: below this issuer.
    issuer: String,
    /// The issuer that it must name.
    named: String,
    /// Whose keys are wanted, where keys say whose they are.
    signers: Vec<String>,
    outbound: Outbound,
    state: Mutex<State>,
    /// One fetch at a time.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    known: Option<Known>,
    /// How many fetches have failed, and why the last one did.
    failures: u64,
    fault: String,
}

impl State {
    fn serving(&self, now: Timestamp) -> Option<&Known> {
        self.known.as_ref().filter(|known| now < known.renew_at && known.is_good(now))
    }

    fn failed(&mut self, fault: String) {
        self.failures += 1;
        self.fault = fault;
    }
}

impl Discovery {
    pub(super) fn new(settings: &UpstreamSettings, outbound: Outbound) -> Self {
        let named = settings.metadata_issuer();
        let mut signers = super::issuers_of(settings.preset, &settings.issuer, &settings.tenants);
        signers.push(named.clone());
        Self {
            issuer: settings.issuer.clone(),
            named,
            signers,
            outbound,
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change is one assignment: there is no half of one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of the provider, fetched if need be.
    pub(super) async fn known(&self, now: Timestamp) -> Result<Known, String> {
        let failures = {
            let state = self.state();
            match state.serving(now) {
                Some(known) => return Ok(known.clone()),
                None => state.failures,
            }
        };
        // Also whoever waits behind somebody else's fetch waits no longer than for one.
        let deadline = Instant::now() + ALL_HOPS;
        let _turn = timeout_at(deadline, self.turn.lock()).await.map_err(late)?;
        let until = {
            let state = self.state();
            match state.serving(now) {
                Some(known) => return Ok(known.clone()),
                None if state.failures != failures => return Err(state.fault.clone()),
                None if state.known.as_ref().is_some_and(|known| known.is_good(now)) => {
                    deadline.min(Instant::now() + LITTLE_PATIENCE)
                }
                None => deadline,
            }
        };
        let fetched = timeout_at(until, self.fetch(now)).await.unwrap_or_else(|elapsed| Err(late(elapsed)));
        let mut state = self.state();
        match fetched {
            Ok(known) => Ok(state.known.insert(known).clone()),
            Err(fault) => {
                state.failed(fault.clone());
                match state.known.as_mut() {
                    Some(old) if old.is_good(now) => {
                        tracing::warn!(issuer = %self.issuer, fault, "provider metadata could not be renewed; the last good one serves");
                        old.renew_at = now.plus(RETRY);
                        Ok(old.clone())
                    }
                    _ => Err(fault),
                }
            }
        }
    }

    /// Keys that know `kid`, sought at most once in 30 s for each kind of token.
    pub(super) async fn keys_knowing(
        &self,
        kid: Option<&str>,
        seeker: SeekerOfKeys,
        now: Timestamp,
    ) -> Result<KeySet, String> {
        let known = self.known(now).await?;
        if known.keys.knows(kid) {
            return Ok(known.keys);
        }
        let deadline = Instant::now() + ALL_HOPS;
        let _turn = timeout_at(deadline, self.turn.lock()).await.map_err(late)?;
        let uri = {
            let mut state = self.state();
            let Some(current) = state.known.as_mut() else { return Ok(known.keys) };
            if current.keys.knows(kid) || !current.seek(seeker, now) {
                return Ok(current.keys.clone());
            }
            current.metadata.jwks_uri().to_string()
        };
        let keys = timeout_at(deadline, self.fetch_keys(&uri)).await.map_err(late)??;
        if let Some(current) = self.state().known.as_mut() {
            current.keys = keys.clone();
        }
        Ok(keys)
    }

    async fn fetch(&self, now: Timestamp) -> Result<Known, String> {
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let document = self.outbound.get(&url).await.map_err(|error| error.to_string())?;
        let metadata: Metadata = serde_json::from_slice(&document)
            .map_err(|error| format!("its metadata cannot be read: {error}"))?;
        // Byte for byte (RFC 8414 section 3.3, SEC-047).
        if metadata.issuer().as_str() != self.named {
            return Err(format!("its metadata names another issuer than {}", self.named));
        }
        let keys = self.fetch_keys(metadata.jwks_uri().as_str()).await?;
        Ok(Known {
            metadata: Arc::new(metadata),
            keys,
            fetched_at: now,
            renew_at: now.plus(FRESH),
            keys_sought: Vec::new(),
        })
    }

    async fn fetch_keys(&self, uri: &str) -> Result<KeySet, String> {
        let document = self.outbound.get(uri).await.map_err(|error| error.to_string())?;
        let mut document: Value =
            serde_json::from_slice(&document).map_err(|_| "its keys are not JSON".to_owned())?;
        // Microsoft's keys say whose tokens they sign; a tenant's key signs no other's.
        if let Some(keys) = document.get_mut("keys").and_then(Value::as_array_mut) {
            keys.retain(|key| match key.get("issuer") {
                Some(issuer) => self.signers.iter().any(|signer| issuer == signer),
                None => true,
            });
        }
        let keys = KeySet::from_jwks(&document);
        // The last good ones serve rather than none.
        if keys.is_empty() { Err("it publishes no key that can be used".to_owned()) } else { Ok(keys) }
    }
}

fn late(_: Elapsed) -> String {
    "its metadata and keys did not come in time".to_owned()
}
