//! Minting and verifying.
//!
//! - `api_key`: API keys: a name, a secret and a checksum; a keyed hash is stored.
//! - `authorization`: [`Authorization`], the only thing that tokens are minted from.
//! - `code`: authorization codes: the grant's name, and MACs of what it was issued for; nothing is stored.
//! - `refresh_token`: family, generation and a MAC; nothing secret is stored.
//! - `access_token`: our access tokens (RFC 9068): their claims, and how they are verified.
//! - `signing`: a key pair, parsed once, and its public half.
//! - `signing_keys`: the key ring of a running broker: who signs now, who is published.
//! - `identity_token`: what a server behind the gateway is told of who asks.
//! - `minter`: an authorization becomes an access token.

mod access_token;
mod api_key;
mod authorization;
mod code;
mod identity_token;
mod minter;
mod refresh_token;
mod signing;
mod signing_keys;

pub use access_token::{AccessClaims, AccessTokenVerifier, Audience, InvalidToken, VerifiedAccess};
pub use api_key::{API_KEY_PREFIX, ApiKeySecrets, ShownApiKey};
pub use authorization::Authorization;
pub use code::{AuthorizationCode, AuthorizationCodes};
pub use identity_token::{IDENTITY_LIFETIME, IDENTITY_TYPE, IdentityClaims, IdentityMinter, IdentityToken};
pub use minter::{AccessToken, Minter};
pub use refresh_token::{RefreshToken, RefreshTokens};
pub use signing::{KeyError, SigningKey};
pub use signing_keys::{CurrentKeys, SigningKeys, named, new_key};
