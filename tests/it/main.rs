//! The integration tests: one binary over the whole crate.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]
#![allow(
    clippy::items_after_statements,
    clippy::type_complexity,
    clippy::future_not_send,
    reason = "a test is read from top to bottom and runs on one thread"
)]

mod architecture;
mod authorize;
mod browser_session;
mod cli;
mod client_documents;
mod client_policy;
mod clients_command;
mod clock_skew;
mod config;
mod connections;
mod consent;
mod credentials;
mod demo_mcp;
mod demo_provider;
mod docs;
mod endings;
mod explain;
mod forward_auth;
mod fresh_facts;
mod gateway;
mod grants;
mod harness;
mod headers;
mod home_realm;
mod introspection;
mod killed_broker;
mod kills;
mod logs;
mod metadata;
mod pages;
mod policy;
mod post_login;
mod redis_faults;
mod registered_keys;
mod registration;
mod registration_limits;
mod registration_management;
mod remembered_clients;
mod remembered_consent;
mod replay;
mod replicas;
mod request_limits;
mod rolling_restart;
mod secret_rotation;
mod servers;
mod sign_in;
mod sign_in_limits;
mod sign_out;
mod signing_keys;
mod slow_clients;
mod store_conformance;
mod store_faults;
mod token_endpoint;
mod upstream;
