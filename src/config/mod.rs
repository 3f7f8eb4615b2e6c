//! Raw YAML in, checked configuration out.
//!
//! | file | what happens there |
//! |---|---|
//! | [`settings`] | the checked result, [`Config`] |

mod settings;

pub use settings::{
    AccessConfig, ClientAuth, ClientConfig, Config, LogConfig, LogFormat, Preset, RegistrationConfig,
    ResourceConfig, RuleConfig, SecretSource, SigningAlgorithm, SigningConfig, StoreConfig, TokenConfig,
    UpstreamConfig,
};
