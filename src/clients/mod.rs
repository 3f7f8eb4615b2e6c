//! Client applications: who they are, and how they prove it.
//!
//! - `directory`: [`Clients`], configured ones and those that registered themselves.
//! - `registration`: dynamic registration (RFC 7591) as real clients use it.
//! - `authentication`: credentials become an [`AuthenticatedClient`], the only input that a
//!   grant takes.

mod authentication;
mod directory;
mod registration;

pub use authentication::{AuthenticatedClient, Authenticator, Credentials};
pub use directory::{Clients, ConfiguredClient};
pub use registration::{Registration, RegistrationRules};
