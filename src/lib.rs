//! Gatelodge: a federated OAuth broker for MCP. Corporate sign-in for every MCP server.
//!
//! The feature `broker` is all of it. The feature `resource-server` alone is [`resource_server`], for servers in
//! Rust that check our tokens themselves, and what that stands on.
#![recursion_limit = "256"]

pub mod bearer;
pub mod clock;
pub mod cors;
pub mod outbound;
pub mod protocol;
#[cfg(feature = "resource-server")]
pub mod resource_server;
pub mod secret;
pub mod single_flight;

#[cfg(feature = "broker")]
pub mod access;
#[cfg(feature = "broker")]
pub mod app;
#[cfg(feature = "broker")]
pub mod broker;
#[cfg(feature = "broker")]
pub mod cli;
#[cfg(feature = "broker")]
pub mod clients;
#[cfg(feature = "broker")]
pub mod config;
#[cfg(feature = "broker")]
pub mod demo;
#[cfg(feature = "broker")]
pub mod domain;
#[cfg(feature = "broker")]
pub mod gateway;
#[cfg(feature = "broker")]
pub mod gathering;
#[cfg(feature = "broker")]
pub mod grants;
#[cfg(feature = "broker")]
pub mod http;
#[cfg(feature = "broker")]
pub mod keyring;
#[cfg(feature = "broker")]
pub mod login;
#[cfg(feature = "broker")]
pub mod pages;
#[cfg(feature = "broker")]
pub mod people;
#[cfg(feature = "broker")]
pub mod policy;
#[cfg(feature = "broker")]
pub mod rate;
#[cfg(feature = "broker")]
pub mod store;
#[cfg(feature = "broker")]
pub mod telemetry;
#[cfg(feature = "broker")]
pub mod tokens;
#[cfg(feature = "broker")]
pub mod upstream;
