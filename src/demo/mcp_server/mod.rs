//! A protected MCP server for the demo: notes in memory, one tool per scope.
//!
//! A request passes, in this order: this file (is there anything at its path?), the layer that guards every
//! server in Rust ([`crate::resource_server`]), `tool_scopes` (may this caller use this tool?), and the Rust
//! SDK with the `tools`. Beside them:
//!
//! - `alone`: this server by itself, beside a broker that runs elsewhere.
//! - `needs`: which scopes a JSON-RPC message needs.

mod alone;
mod needs;
mod tool_scopes;
mod tools;

use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::StatusCode;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::json;

use crate::cors;
use crate::http::body;
use crate::resource_server::{InvalidResourceServer, ResourceServer, ResourceServerLayer};

pub use alone::{AloneError, ServeAlone};
use tools::NoteTools;

/// Longest body that is read.
const LONGEST_BODY: usize = 1024 * 1024;

/// The demo's MCP server; its MCP endpoint is the resource's path.
#[derive(Clone)]
pub struct McpServer {
    layer: ResourceServerLayer,
    service: StreamableHttpService<NoteTools, NeverSessionManager>,
}

impl McpServer {
    /// The server that is guarded like this; its name and its scopes are its own.
    pub fn new(guarded: ResourceServer) -> Result<Self, InvalidResourceServer> {
        let layer = guarded
            .name("Demo notes")
            .scopes_supported(needs::all().to_string())
            .everyday_scopes(needs::EVERYDAY)
            .layer()?;
        let host = layer.resource().authority().to_owned();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_allowed_hosts(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), host]);
        let tools = NoteTools::new();
        let service = StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config);
        Ok(Self { layer, service })
    }

    /// Its routes: the MCP endpoint, the metadata at every place where clients look, and JSON 404.
    pub fn router(&self) -> Router {
        let service = self.service.clone();
        let tools = move |request: Request| async move { service.handle(request).await.map(Body::new) };
        Router::new()
            .fallback(tools)
            .layer(from_fn(tool_scopes::ask))
            .layer(self.layer.clone())
            .layer(from_fn_with_state(self.layer.clone(), arrive))
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("layer", &self.layer).finish_non_exhaustive()
    }
}

/// There is nothing else here, and nobody needs a token to learn that.
async fn arrive(State(layer): State<ResourceServerLayer>, request: Request, next: Next) -> Response {
    if !layer.serves(request.uri().path()) {
        return cors::open((StatusCode::NOT_FOUND, Json(json!({"error": "not_found"}))).into_response());
    }
    next.run(body::arrived(request, LONGEST_BODY).await).await
}
