//! An MCP server in Rust that checks access tokens itself: docs/servers/rust.md tells of it.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use gatelodge::resource_server::{InvalidResourceServer, ResourceServer, require};
use http::request::Parts;
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, tool, tool_router};

#[derive(Clone)]
struct Tools;

#[tool_router(server_handler)]
impl Tools {
    #[tool(description = "Tell who is calling")]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Result<String, ErrorData> {
        let unchecked = || ErrorData::internal_error("this is no HTTP request", None);
        let request = context.extensions.get::<Parts>().ok_or_else(unchecked)?;
        let caller = require(&request.extensions, "mcp:read")
            .map_err(|refused| ErrorData::invalid_request(refused.to_string(), None))?;
        Ok(format!("{} ({})", caller.subject(), caller.email().unwrap_or("no address")))
    }
}

/// The server at `resource`, as people type it, which takes the access tokens of `issuer`.
pub(crate) fn router(resource: &str, issuer: &str) -> Result<Router, InvalidResourceServer> {
    let layer = ResourceServer::new(resource, issuer)
        .name("Notes")
        .scopes_supported("mcp:read mcp:write")
        .required_scopes("mcp:read")
        .layer()?;
    let hosts = ["localhost".to_owned(), "127.0.0.1".to_owned(), layer.resource().authority().to_owned()];
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .with_json_response(true)
        .with_allowed_hosts(hosts);
    let sessions = Arc::new(NeverSessionManager::default());
    let service = StreamableHttpService::new(|| Ok(Tools), sessions, config);
    Ok(Router::new().nest_service(layer.resource().path(), service).layer(layer))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let router = router("https://mcp.example.com/mcp", "https://auth.example.com")?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8000").await?;
    Ok(axum::serve(listener, router).await?)
}
