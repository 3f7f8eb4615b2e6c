//! Gatelodge: a federated OAuth broker for MCP. Corporate sign-in for every MCP server.
#![recursion_limit = "256"]

pub mod access;
pub mod app;
pub mod broker;
pub mod cli;
pub mod clients;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod gateway;
pub mod grants;
pub mod http;
pub mod keyring;
pub mod login;
pub mod outbound;
pub mod pages;
pub mod people;
pub mod policy;
pub mod protocol;
pub mod rate;
pub mod secret;
pub mod store;
pub mod telemetry;
pub mod tokens;
pub mod upstream;
