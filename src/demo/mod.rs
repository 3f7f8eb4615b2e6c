//! `gatelodge demo`: the whole house on one machine, loopback only, nothing to configure.
//!
//! - [`stage`]: broker, provider and MCP server on three ports, wired from `demo.yaml`.
//! - [`check`]: walks the whole flow as a client and a browser would, and says what it sees.
//! - [`provider`]: an OpenID provider with three people, none of whom has a password.
//! - [`mcp_server`]: a protected MCP server with one tool per scope.

pub mod check;
pub mod mcp_server;
pub mod provider;
pub mod stage;
