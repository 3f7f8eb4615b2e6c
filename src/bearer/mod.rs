//! What every protected server needs, ours or one that guards itself: no store, no clients, no I/O.
//!
//! - [`Presented`]: which credential the request carries, if it carries one.
//! - `access_token`: our access tokens (RFC 9068): their claims, and how they are verified.
//! - [`Caller`]: who may pass, whatever was shown; [`require`]: and is it enough?
//! - [`Challenge`]: the answer to a request that may not pass.

mod access_token;
mod caller;
mod challenge;
mod presented;

pub use access_token::{AccessClaims, AccessTokenVerifier, Audience, InvalidToken, VerifiedAccess};
pub use caller::{Caller, require};
pub use challenge::{Challenge, Guarded, metadata_url};
pub use presented::{ApiKeyForms, Presented, TwoMethods, X_API_KEY, X_API_SECRET, bearer};
