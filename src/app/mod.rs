//! Configuration → broker → router: the only place that wires.
//!
//! - `wiring`: a checked configuration and a store become a `Broker`.
//! - `clients`: which clients there are.
//! - `client_book`: clients by command, and those that wait for one.
//! - `upstreams`: a configured identity provider becomes settings and an admission.
//! - `guarding`: what decides about requests to protected servers; `foreign`: credentials of others.
//! - `state`: which store, which secret, which signing keys.
//! - `command_store`: the store that is there, for a command beside the broker.
//! - `explain`: what policy would say of a sign-in or a credential, without one.
//! - `api_keys`: API keys by command.
//! - `admins`, `keys`, `revoke`, `sessions`: pins, signing keys, revocations and one person's sessions
//!   by command.
//! - `serve`: a listener, the router, housekeeping, and a graceful end; `connections`: who is accepted, how long
//!   each may keep us waiting, and how they end; `open_files`: how many the process may have.

mod admins;
mod api_keys;
mod client_book;
mod clients;
mod command_store;
mod connections;
mod explain;
mod foreign;
mod guarding;
mod keys;
mod open_files;
mod revoke;
mod serve;
mod sessions;
mod state;
mod upstreams;
mod wiring;

pub use admins::{admin_pins, unpin_admin};
pub use api_keys::{ApiKeyCommandError, NamedOwner, api_keys, create_api_key, revoke_api_key};
pub use client_book::{
    ClientBookError, NewClient, NewProof, add_client, applications, clients_by_command, decide_client,
    decisions, remove_client, rotate_client_secret,
};
pub use command_store::CommandStoreError;
pub use connections::{Connections, Patience};
pub use explain::{ExplainError, ExplainedRule, Explanation, Supposed, Who, explain};
pub use keys::{KeysError, rotate_signing_keys, signing_keys};
pub use revoke::{RevokedBy, revoke};
pub use serve::{ServeError, end_asked, serve, serve_on, tend};
pub use sessions::{end_session, sessions};
pub use state::{StartError, State, kept_secret};
pub use wiring::wire;

/// Chooses the cryptography of TLS and of JWTs, once per process: aws-lc for both.
pub fn install_crypto() {
    // An error only says that somebody chose before; there is one provider in this build.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    crate::protocol::install_crypto();
}
