//! The official Rust SDK on both sides of the gateway.

use std::sync::Arc;

use axum::Router;
use http::request::Parts;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::model::{CallToolRequestParams, CallToolResult, ContentBlock, ServerCapabilities, ServerConfig};
use rmcp::service::{RequestContext, RoleClient, RoleServer, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ErrorData, ServerHandler, ServiceExt as _, tool, tool_handler, tool_router};

use super::token_for;
use crate::harness::backend::Backend;
use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::TestClient;

/// Tools of a server that knows nothing of tokens.
#[derive(Clone)]
struct Tools {
    tool_router: ToolRouter<Self>,
}

#[tool_router]
impl Tools {
    #[tool(description = "Says who asks.")]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        let parts = context.extensions.get::<Parts>().expect("the request");
        let one =
            |name: &str| parts.headers.get(name).map_or("", |value| value.to_str().expect("text")).to_owned();
        let text = format!("{} {}{}", one("x-auth-email"), one("x-auth-scopes"), one("authorization"));
        Ok(CallToolResult::success(vec![ContentBlock::text(text)]))
    }

    #[tool(description = "Deletes everything.")]
    async fn delete_all(&self) -> Result<CallToolResult, ErrorData> {
        Ok(CallToolResult::success(vec![ContentBlock::text("deleted")]))
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }
}

async fn backend(json: bool, sessions: bool) -> Backend {
    let config =
        StreamableHttpServerConfig::default().with_json_response(json).with_legacy_session_mode(sessions);
    let tools = Tools { tool_router: Tools::tool_router() };
    let service = StreamableHttpService::new(
        move || Ok(tools.clone()),
        Arc::new(LocalSessionManager::default()),
        config,
    );
    Backend::serving(Router::new().fallback_service(service)).await
}

type Client = RunningService<RoleClient, ()>;

async fn connected(url: &str, bearer: &str) -> Client {
    let token = bearer.strip_prefix("Bearer ").expect("a bearer token");
    let config = StreamableHttpClientTransportConfig::with_uri(url).auth_header(token);
    ().serve(StreamableHttpClientTransport::from_config(config)).await.expect("a connection")
}

async fn names(client: &Client) -> Vec<String> {
    let tools = client.list_all_tools().await.expect("a list");
    let mut names: Vec<String> = tools.iter().map(|tool| tool.name.to_string()).collect();
    names.sort();
    names
}

async fn said(client: &Client, tool: &'static str) -> Result<String, String> {
    let result = client.call_tool(CallToolRequestParams::new(tool)).await;
    let result = result.map_err(|fault| format!("{fault:?}"))?;
    Ok(serde_json::to_value(&result).expect("JSON")["content"][0]["text"].as_str().expect("text").to_owned())
}

/// SEC-147, INT-25: a real client and a real server, with sessions and without, in JSON and in events: tools are
/// listed and called as far as the token allows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn int_25_a_real_client_and_a_real_server() {
    for (json, sessions) in [(true, false), (false, false), (false, true)] {
        let backend = backend(json, sessions).await;
        let usual = Setup::default();
        let resources = format!(
            "  - url: \"{{issuer}}/tools\"\n    name: Tools\n    scopes: {{ mcp:read: Read, mcp:write: Write, mcp:admin: Admin }}\n    \
             upstream_url: {}\n    tools: {{ \"delete_*\": mcp:admin }}\n",
            backend.url("/mcp")
        );
        let broker = TestBroker::with(Setup { resources, ..usual }).await;
        let url = format!("{}/tools", broker.issuer);
        let client = TestClient::register(&broker).await;
        let read = connected(&url, &token_for(&broker, &client, &url, "mcp:read").await).await;
        assert_eq!(names(&read).await, ["whoami"], "{json} {sessions}");
        assert_eq!(said(&read, "whoami").await.expect("an answer"), "alice@example.com mcp:read");
        let refused = said(&read, "delete_all").await.expect_err("it may not");
        assert!(refused.contains("insufficient_scope") || refused.contains("InsufficientScope"), "{refused}");
        let admin = connected(&url, &token_for(&broker, &client, &url, "mcp:read mcp:admin").await).await;
        assert_eq!(names(&admin).await, ["delete_all", "whoami"]);
        assert_eq!(said(&admin, "delete_all").await.expect("an answer"), "deleted");
        read.cancel().await.expect("an end");
        admin.cancel().await.expect("an end");
    }
}
