//! What tests share.
//!
//! - `redis_server`: a real `redis-server`, and the one place that decides what happens without.
//! - `sample`: records to put into a store.
//! - `temp_dir`: folders that vanish.

pub(crate) mod redis_server;
pub(crate) mod sample;
pub(crate) mod temp_dir;
