//! What a broker stands on: its store, the operator's secret, and the signing keys.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::config::{
    Config, RedisAccount, RedisConfig, RedisServers, SecretSource, SigningAlgorithm, SigningConfig,
    StoreConfig,
};
use crate::domain::{KeyRing, NewKey};
use crate::keyring::{self, KeyringError};
use crate::outbound::documents::{Documents, PATIENCE, SystemLookup};
use crate::secret::{MasterSecret, Secret, WeakSecret, random};
use crate::store::redis::{Account, Servers, Shape, Tls};
use crate::store::{EmbeddedStore, RedisStore, Store, StoreError};
use crate::tokens::{KeyError, SigningKeys, named};

/// Why a broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A file of ours or of the operator's.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: String,
        /// What happened.
        source: io::Error,
    },
    /// The secret beside the embedded store.
    #[error("{path} {source}")]
    Secret {
        /// Which file.
        path: String,
        /// What is wrong with it.
        source: WeakSecret,
    },
    /// The signing keys in the store.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A signing key of the operator's.
    #[error("{place} {source}")]
    Key {
        /// Where it came from.
        place: String,
        /// What is wrong with it.
        source: KeyError,
    },
    /// Nothing to protect.
    #[error("no resource is configured")]
    NoResource,
    /// The HTTP client.
    #[error("outbound calls are not possible (are CA certificates installed?): {0}")]
    Outbound(#[from] reqwest::Error),
}

/// Store, secret and signing keys of one broker.
#[derive(Debug, Clone)]
pub struct State {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The operator's secret.
    pub secret: MasterSecret,
    /// The signing keys.
    pub keys: Arc<SigningKeys>,
    /// What fetches clients' documents.
    pub documents: Documents,
}

impl State {
    /// Opens what the configuration names; a store without signing keys gets its first.
    pub async fn open(config: &Config, now: Timestamp) -> Result<Self, StartError> {
        let OpenStore { store, secret } = OpenStore::open(config).await?;
        let keys = Arc::new(open_keys(&config.signing, store.as_ref(), now).await?);
        let private_hosts = config.client_documents.private_hosts.iter().map(ToString::to_string);
        let documents =
            Documents::new(Arc::new(SystemLookup), private_hosts.collect(), Vec::new(), PATIENCE)?;
        Ok(Self { store, secret, keys, documents })
    }
}

/// A store and the secret that it is sealed with.
pub(super) struct OpenStore {
    pub(super) store: Arc<dyn Store>,
    pub(super) secret: MasterSecret,
}

impl OpenStore {
    /// Opens what the configuration names.
    pub(super) async fn open(config: &Config) -> Result<Self, StartError> {
        let secret = open_secret(&config.secret)?.with_previous(config.previous_secrets.iter().cloned());
        let sealer = secret.sealer();
        let store: Arc<dyn Store> = match &config.store {
            StoreConfig::Memory => Arc::new(EmbeddedStore::in_memory(sealer)?),
            StoreConfig::Embedded { path } => Arc::new(EmbeddedStore::open(path, sealer)?),
            StoreConfig::Redis(redis) => {
                Arc::new(RedisStore::connect(&servers(redis), &redis.prefix, sealer).await?)
            }
        };
        Ok(Self { store, secret })
    }
}

fn servers(redis: &RedisConfig) -> Servers {
    let account = |account: &RedisAccount| {
        let RedisAccount { username, password } = account.clone();
        Account { username, password }
    };
    let shape = match &redis.servers {
        RedisServers::Single(url) => Shape::Single { url: url.clone() },
        RedisServers::Sentinel { sentinels, master, account: there } => {
            Shape::Sentinel { sentinels: sentinels.clone(), master: master.clone(), account: account(there) }
        }
        RedisServers::Cluster(nodes) => Shape::Cluster { nodes: nodes.clone() },
    };
    let tls = Tls { authorities: redis.tls.authorities.clone(), identity: redis.tls.identity.clone() };
    Servers { shape, account: account(&redis.account), tls }
}

fn open_secret(source: &SecretSource) -> Result<MasterSecret, StartError> {
    match source {
        SecretSource::Given(secret) => Ok(secret.clone()),
        SecretSource::Ephemeral => Ok(MasterSecret::generate()),
        SecretSource::KeptBeside(path) => kept_secret(path),
    }
}

/// The secret that is kept in a file: made at the first time, readable by its owner only.
pub fn kept_secret(path: &Path) -> Result<MasterSecret, StartError> {
    let shown = path.display().to_string();
    let file_error = |source| StartError::File { path: shown.clone(), source };
    match fs::read_to_string(path) {
        Ok(text) => {
            let secret = Secret::new(text.trim_end().to_owned());
            MasterSecret::new(secret).map_err(|source| StartError::Secret { path: shown.clone(), source })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let fresh = MasterSecret::generate();
            keep(path, &fresh).map_err(file_error)?;
            tracing::info!(path = %shown, "made the secret that seals the store; back it up");
            Ok(fresh)
        }
        Err(error) => Err(file_error(error)),
    }
}

/// Writes the secret under another name first: a file of the right name is always whole, and one
/// that somebody else has made meanwhile stays.
fn keep(path: &Path, secret: &MasterSecret) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}", random::id()));
    let draft = Path::new(&name);
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(draft)?;
    let written = writeln!(file, "{}", secret.expose()).and_then(|()| file.sync_all());
    let kept = written.and_then(|()| fs::hard_link(draft, path));
    fs::remove_file(draft)?;
    kept
}

/// The operator's own keys, or the ring in the store.
async fn open_keys(
    signing: &SigningConfig,
    store: &dyn Store,
    now: Timestamp,
) -> Result<SigningKeys, StartError> {
    if signing.key_files.is_empty() {
        return Ok(keyring::open(store, signing.algorithm, now).await?);
    }
    let ring = KeyRing::fixed(key_files(signing)?, now);
    let place = || "signing.key_file".to_owned();
    SigningKeys::new(ring, now).map_err(|source| StartError::Key { place: place(), source })
}

/// Reads the operator's keys. The first one signs, so it is of the configured algorithm; the
/// others verify what was signed before, with whatever that was.
pub(super) fn key_files(signing: &SigningConfig) -> Result<Vec<NewKey>, StartError> {
    let mut keys: Vec<NewKey> = Vec::new();
    for path in &signing.key_files {
        let place = path.display().to_string();
        let text = fs::read_to_string(path);
        let text = text.map_err(|source| StartError::File { path: place.clone(), source })?;
        let pem = Secret::new(text);
        let key = match named(signing.algorithm, pem.clone()) {
            Err(KeyError::WrongKind(kind)) if !keys.is_empty() => {
                let other =
                    SigningAlgorithm::ALL.into_iter().find_map(|other| named(other, pem.clone()).ok());
                other.ok_or(KeyError::WrongKind(kind))
            }
            read => read,
        };
        let key = key.map_err(|source| StartError::Key { place, source })?;
        if !keys.iter().any(|known| known.kid == key.kid) {
            keys.push(key);
        }
    }
    Ok(keys)
}
