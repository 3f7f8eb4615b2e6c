//! OAuth's vocabulary as types. No I/O, no time, no state.
//!
//! | type | what it is | source |
//! |---|---|---|
//! | [`Issuer`] | the broker's own identifier and the URLs below it | RFC 8414 section 2 |
//! | [`Scope`], [`ScopeSet`] | what a token allows | RFC 6749 section 3.3 |
//! | [`ClientIdUrl`] | a client identifier under which the client's metadata stands | draft-ietf-oauth-client-id-metadata-document |
//! | [`RedirectUri`] | where an answer may go | OAuth 2.1 section 2.3, RFC 8252 section 7.3 |
//! | [`RedirectPattern`] | which redirect URIs an operator admits | |
//! | [`ResourceUri`] | the protected server a token is for | RFC 8707 section 2 |
//! | [`S256Challenge`] | PKCE | RFC 7636 section 4 |
//! | [`Params`] | the parameters of a request | OAuth 2.1 section 3.1 |
//! | [`OAuthError`] | an error with its public and its private half | RFC 6749 sections 4.1.2.1 and 5.2 |
//! | [`Jws`], [`KeySet`] | signed JWTs, read strictly, and the keys they are read with | RFC 7515, RFC 7517 |
//! | [`claims`] | reading what a JWT says, by path | |
//! | [`metadata`] | the discovery documents | RFC 8414, RFC 9728 |
//! | [`client_document`] | a client's metadata document | draft-ietf-oauth-client-id-metadata-document |
//! | [`client_statement`] | what a client may state of itself, in either way | RFC 7591 section 2 |
//! | [`registration`] | what a client sends to register, to change that, and is answered | RFC 7591, RFC 7592 |

mod algorithm;
pub mod claims;
pub mod client_document;
mod client_id_url;
pub mod client_statement;
mod error;
mod issuer;
mod jws;
pub mod metadata;
mod params;
mod pkce;
mod redirect_pattern;
mod redirect_uri;
pub mod registration;
mod resource;
mod scope;

pub use algorithm::SigningAlgorithm;
pub use client_id_url::{ClientIdUrl, InvalidClientIdUrl};
pub use error::{ErrorCode, OAuthError};
pub use issuer::{InvalidIssuer, Issuer, is_loopback_host};
pub use jws::{InvalidJws, Jws, KeySet, Members, install_crypto};
pub use params::{Params, Repeated};
pub use pkce::{InvalidChallenge, S256Challenge};
pub use redirect_pattern::{InvalidRedirectPattern, RedirectPattern};
pub use redirect_uri::{InvalidRedirectUri, RedirectUri};
pub use resource::{InvalidResource, ResourceUri};
pub use scope::{InvalidScope, Scope, ScopeSet};
