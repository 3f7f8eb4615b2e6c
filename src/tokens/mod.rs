//! Minting and verifying.
//!
//! - [`access_token`]: our access tokens (RFC 9068): their claims, and how they are verified.

pub mod access_token;

pub use access_token::{AccessClaims, AccessTokenVerifier, Audience, InvalidToken, VerifiedAccess};

/// Chooses jsonwebtoken's cryptography, which panics without a choice. May be called repeatedly.
pub fn install_crypto() {
    // An error only says that somebody chose before; there is one provider in this build.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
