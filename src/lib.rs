//! Gatelodge: a federated OAuth broker for MCP. Corporate sign-in for every MCP server.
#![recursion_limit = "256"]

pub mod access;
pub mod clock;
pub mod demo;
pub mod domain;
pub mod protocol;
pub mod secret;
pub mod store;
pub mod tokens;
