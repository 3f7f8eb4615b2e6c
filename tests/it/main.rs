//! The integration tests: one binary over the whole crate.
#![recursion_limit = "256"]

#[cfg(test)]
mod demo_mcp;
#[cfg(test)]
mod demo_provider;
#[cfg(test)]
mod harness;
