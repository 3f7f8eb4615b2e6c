//! Client applications: who they are, and how they prove it.
//!
//! - `directory`: [`Clients`], however they came to be known; `remembered`: those of the store.
//! - `admission`: which of them the operator lets in at all.
//! - `registration`: dynamic registration (RFC 7591) as real clients use it; `management`: what they do
//!   with it later (RFC 7592).
//! - `metadata_documents`: clients whose identifier is the URL of their metadata.
//! - `client_keys`: the keys of clients that sign; `document_fault`: why either cannot be had.
//! - `fetch_budget`: how much strangers may make us fetch.
//! - `bounded`: how much of that is held.
//! - `authentication`: credentials become an [`AuthenticatedClient`], the only input that a
//!   grant takes; `assertion` is its `private_key_jwt`, `operator_secret` what clients by command
//!   prove themselves with.

mod admission;
mod assertion;
mod authentication;
mod bounded;
mod client_keys;
mod directory;
mod document_fault;
mod fetch_budget;
mod management;
mod metadata_documents;
mod operator_secret;
mod registration;
mod remembered;

pub use admission::{Admission, ClientPolicy};
pub use authentication::{AuthenticatedClient, Authenticator, Credentials};
pub use directory::{Clients, ConfiguredClient, FindClientError};
pub use document_fault::DocumentFault;
pub use fetch_budget::Limit;
pub use metadata_documents::{DocumentRules, InMemory, MetadataDocuments, described};
pub use operator_secret::{OperatorSecrets, SECRET_OVERLAP};
pub use registration::{Caller, Registration, RegistrationParts, RegistrationRules};
