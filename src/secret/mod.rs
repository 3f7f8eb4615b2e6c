//! Secrets that cannot be printed, and what is made from them.
//!
//! - [`Secret`]: text that is wiped on drop and never shown by `Debug`.
//! - [`random`]: identifiers and secrets from the operating system.
//! - [`hash`]: SHA-256 for what we generated ourselves.
//! - [`keys`]: the operator's secret, and the keys derived from it:
//!   [`Sealer`] (records at rest) and [`MacKey`] (refresh tokens, client secrets).

pub mod hash;
pub mod keys;
pub mod random;
mod text;

pub use hash::Digest;
pub use keys::{MacKey, MasterSecret, SealError, Sealer, WeakSecret};
pub use text::Secret;
