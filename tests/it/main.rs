//! The integration tests, one binary.
//!
//! - `harness`: what tests share (a real Redis, folders that vanish, sample records).
//! - `store_conformance`: one suite for every store.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod harness;
mod store_conformance;
