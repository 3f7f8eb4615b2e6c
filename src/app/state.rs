//! What a broker stands on: its store, the operator's secret, and the signing key.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use crate::config::{
    Config, RedisAccount, RedisConfig, RedisServers, SecretSource, SigningConfig, StoreConfig,
};
use crate::secret::{MasterSecret, Secret, WeakSecret};
use crate::store::redis::{Account, Servers, Shape, Tls};
use crate::store::{EmbeddedStore, RedisStore, Store, StoreError};
use crate::tokens::{KeyError, SigningKey};

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
    /// The signing key.
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

/// Store, secret and key of one broker.
#[derive(Debug, Clone)]
pub struct State {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The operator's secret.
    pub secret: MasterSecret,
    /// The signing key.
    pub key: Arc<SigningKey>,
}

impl State {
    /// Opens what the configuration names.
    pub async fn open(config: &Config) -> Result<Self, StartError> {
        let secret = open_secret(&config.secret)?;
        let sealer = secret.sealer();
        let store: Arc<dyn Store> = match &config.store {
            StoreConfig::Memory => Arc::new(EmbeddedStore::in_memory(sealer)?),
            StoreConfig::Embedded { path } => Arc::new(EmbeddedStore::open(path, sealer)?),
            StoreConfig::Redis(redis) => {
                Arc::new(RedisStore::connect(&servers(redis), &redis.prefix, sealer).await?)
            }
        };
        let key = open_key(&config.signing, store.as_ref()).await?;
        Ok(Self { store, secret, key: Arc::new(key) })
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
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(file_error)?;
            writeln!(file, "{}", fresh.expose()).map_err(file_error)?;
            file.sync_all().map_err(file_error)?;
            tracing::info!(path = %shown, "made the secret that seals the store; back it up");
            Ok(fresh)
        }
        Err(error) => Err(file_error(error)),
    }
}

async fn open_key(signing: &SigningConfig, store: &dyn Store) -> Result<SigningKey, StartError> {
    let algorithm = signing.algorithm;
    let (place, pem) = match &signing.key_file {
        Some(path) => {
            let place = path.display().to_string();
            let text = fs::read_to_string(path);
            let text = text.map_err(|source| StartError::File { path: place.clone(), source })?;
            (place, Secret::new(text))
        }
        None => {
            let place = "the signing key in the store".to_owned();
            let made = SigningKey::generate(algorithm);
            let fresh = made.map_err(|source| StartError::Key { place: place.clone(), source })?;
            (place, store.adopt_signing_key(algorithm.as_str(), &fresh).await?)
        }
    };
    SigningKey::from_pem(algorithm, &pem).map_err(|source| StartError::Key { place, source })
}
