//! What the tests stand on.
//!
//! - [`clock`]: time that a test moves by hand.
//! - [`keys`]: signing keys that sign whatever they are told to.
//! - [`provider`]: an OpenID provider that misbehaves on request.

pub(crate) mod clock;
pub(crate) mod keys;
pub(crate) mod provider;
