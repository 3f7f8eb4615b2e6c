//! Secrets that cannot be printed, and what is made from them.
//!
//! - [`Secret`]: text that is wiped on drop and never shown by `Debug`.
//! - [`random`]: identifiers and secrets from the operating system.
//! - [`hash`]: SHA-256 for what we generated ourselves.
//! - [`keys`]: the operator's secret and the previous ones, and the keys derived from them:
//!   `seal` has the [`Sealer`] (records at rest), `mac` the [`MacKey`] (refresh tokens, logins).
//! - [`KeyedHash`]: what is kept of a secret that was handed out.

pub mod hash;
mod keyed_hash;
pub mod keys;
mod mac;
pub mod random;
mod seal;
mod text;

pub use hash::{Digest, Fingerprint, first_64_bits};
pub use keyed_hash::KeyedHash;
pub use keys::{MasterSecret, WeakSecret};
pub use mac::MacKey;
pub use seal::{Opened, SealError, Sealer};
pub use text::Secret;
