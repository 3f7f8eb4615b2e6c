//! Raw YAML in, checked configuration out.
//!
//! [`parse`] goes through the file in four steps, and what each step finds is reported together:
//!
//! | step | file | what happens there |
//! |---|---|---|
//! | 1 | `shape` | YAML is read; unknown keys and wrong kinds of values are found against the schema |
//! | 2 | `raw`, `raw_access`, `raw_clients`, `raw_credentials`, `raw_resources`, `text`, `list_or` | the same text becomes typed keys, every scalar with its line and column |
//! | 3 | `check`, `interpolate` | `${VAR}` and secret files are read, every value and every connection between values is checked |
//! | 4 | [`settings`](Config) | what is left is the checked result |
//!
//! Beside them: `defaults` is what holds where the file says nothing, [`schema()`] is made from
//! `raw`, and `fault` is how all of it is told.

use std::path::Path;

mod check;
mod defaults;
mod fault;
mod interpolate;
mod list_or;
mod raw;
mod raw_access;
mod raw_clients;
mod raw_credentials;
mod raw_resources;
mod schema;
mod settings;
mod settings_clients;
mod settings_credentials;
mod shape;
mod text;

use fault::Place;
pub use fault::{Fault, Faults};
use raw::RawConfig;
pub use schema::schema;

pub use settings::{
    AccessConfig, BrowserSessionConfig, Config, LONGEST_GRANT, LogConfig, LogFormat, Preset, RecheckConfig,
    RedisAccount, RedisConfig, RedisServers, RedisTls, ResourceConfig, SecretSource, SignInConfig,
    SigningAlgorithm, SigningConfig, StoreConfig, TokenConfig, UpstreamConfig,
};
pub use settings_clients::{
    ClientAuth, ClientConfig, ClientDocumentsConfig, ClientPolicyConfig, PinnedDocument, RegistrationConfig,
};
pub use settings_credentials::{AskingConfig, CredentialConfig, CredentialKind, ForeignConfig, ForeignWay};

/// Reads and checks a configuration file.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Faults> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text, &name, env),
        Err(error) => {
            let fault = Place::root().fault(format!("the file cannot be read: {error}"), "");
            Err(Faults::new(&name, vec![fault]))
        }
    }
}

/// Checks the text of a configuration file. Relative paths in it are relative to the working
/// directory.
pub fn parse(text: &str, file_name: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<Config, Faults> {
    let mut faults = shape::faults(text, &schema::schema_value()).map_err(|fault| {
        // YAML ends here; nothing after this place can be known.
        Faults::new(file_name, vec![fault])
    })?;
    let raw = match shape::read::<RawConfig>(text) {
        Ok(raw) => raw,
        Err(error) => {
            if faults.is_empty() {
                faults.push(shape::syntax(&error));
            }
            return Err(Faults::new(file_name, faults));
        }
    };
    let (config, found) = check::config(&raw, env);
    // What is wrong in its shape is not also called missing, and a mapping with an unknown key not
    // also empty.
    let follows = |fault: &Fault, known: &Fault| {
        let parent = known.path.rsplit_once('.').map(|(parent, _)| parent);
        known.path == fault.path || parent == Some(fault.path.as_str())
    };
    let is_new = |fault: &Fault| !faults.iter().any(|known| follows(fault, known));
    let found: Vec<Fault> = found.into_iter().filter(is_new).collect();
    faults.extend(found);
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Faults::new(file_name, faults)),
    }
}
