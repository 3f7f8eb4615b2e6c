//! What the tests stand on.
//!
//! - [`clock`]: time that a test moves by hand.
//! - [`keys`]: signing keys that sign whatever they are told to.
//! - [`provider`]: an OpenID provider that misbehaves on request.
//! - [`redis_server`]: a real `redis-server`, and the one place that decides what happens without.
//! - [`sample`]: records to put into a store.
//! - [`temp_dir`]: folders that vanish.

pub(crate) mod clock;
pub(crate) mod keys;
pub(crate) mod provider;
pub(crate) mod redis_server;
pub(crate) mod sample;
pub(crate) mod temp_dir;
