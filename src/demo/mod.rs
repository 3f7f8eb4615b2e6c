//! What `gatelodge demo` runs beside the broker, on loopback only.
//!
//! - [`provider`]: an OpenID provider with three people, none of whom has a password.
//! - [`mcp_server`]: a protected MCP server with one tool per scope.

pub mod mcp_server;
pub mod provider;
