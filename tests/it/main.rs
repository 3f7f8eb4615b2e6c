//! The integration tests: one binary over the whole crate.
#![recursion_limit = "256"]

#[cfg(test)]
mod pages;
