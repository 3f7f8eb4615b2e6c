//! Gatelodge: a federated OAuth broker for MCP. Corporate sign-in for every MCP server.
#![recursion_limit = "256"]

pub mod clock;
pub mod config;
pub mod domain;
pub mod protocol;
pub mod secret;
pub mod store;
