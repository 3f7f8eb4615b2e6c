//! A protected MCP server for the demo: notes in memory, one tool per scope.
//!
//! A request passes, in this order: this file (which path is it?), `guard` (may it pass?),
//! and the Rust SDK with the `tools`. Beside them:
//!
//! - `alone`: this server by itself, beside a broker that runs elsewhere.
//! - `keys`: the broker's public keys, fetched when they are needed.
//! - `needs`: which scopes a JSON-RPC message needs.

mod alone;
mod guard;
mod keys;
mod needs;
mod tools;

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use serde_json::{Value, json};

use crate::access::Guarded;
use crate::clock::Clock;
use crate::http::{body, cors};
use crate::protocol::metadata::ProtectedResourceMetadata;
use crate::protocol::{ResourceUri, ScopeSet};

pub use alone::{AloneError, ServeAlone};
use keys::KeyCache;
pub use keys::{KeyLoader, keys_over_http};
use tools::NoteTools;

/// Where RFC 9728 puts a resource's metadata.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The demo's MCP server; its MCP endpoint is the resource's path.
#[derive(Clone)]
pub struct McpServer {
    inner: Arc<Inner>,
}

struct Inner {
    /// Without and with a trailing slash: clients send both.
    plain: Guarded,
    slashed: Guarded,
    issuer: String,
    keys: KeyCache,
    clock: Arc<dyn Clock>,
    service: StreamableHttpService<NoteTools, NeverSessionManager>,
}

/// What a path means.
enum Place<'a> {
    Mcp(&'a Guarded),
    Metadata(&'a ResourceUri),
    Nothing,
}

impl McpServer {
    /// A server at `resource` that takes the access tokens of `issuer`; `keys` loads the issuer's
    /// JWK set.
    #[must_use]
    pub fn new(resource: ResourceUri, issuer: String, keys: KeyLoader, clock: Arc<dyn Clock>) -> Self {
        let everyday = needs::everyday();
        let slashed = ResourceUri::parse(&format!("{}{}/", resource.origin(), resource.path()))
            .unwrap_or_else(|_| resource.clone());
        let host = resource.origin().split("://").nth(1).unwrap_or_default().to_owned();
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .with_allowed_hosts(["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), host]);
        let tools = NoteTools::new();
        let service = StreamableHttpService::new(move || Ok(tools.clone()), Arc::default(), config);
        let inner = Inner {
            plain: Guarded { resource, everyday: everyday.clone() },
            slashed: Guarded { resource: slashed, everyday },
            keys: KeyCache::new(issuer.clone(), keys, clock.clone()),
            issuer,
            clock,
            service,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Its routes: the MCP endpoint, the metadata at every place where clients look, and JSON 404.
    pub fn router(&self) -> Router {
        Router::new().fallback(serve).with_state(self.clone())
    }

    fn place(&self, path: &str) -> Place<'_> {
        let Inner { plain, slashed, .. } = &*self.inner;
        let own = plain.resource.path();
        let is_own = |rest: &str| rest == own || (rest == "/" && own.is_empty());
        if is_own(path) {
            return Place::Mcp(plain);
        }
        if path.strip_suffix('/') == Some(own) {
            return Place::Mcp(slashed);
        }
        // INT-22: inserted before the path, alone, and appended to the path.
        if let Some(inserted) = path.strip_prefix(WELL_KNOWN) {
            return match inserted.strip_suffix('/') {
                _ if inserted.is_empty() || inserted == "/" || inserted == own => {
                    Place::Metadata(&plain.resource)
                }
                Some(rest) if rest == own => Place::Metadata(&slashed.resource),
                _ => Place::Nothing,
            };
        }
        let appended = path.strip_suffix('/').unwrap_or(path).strip_suffix(WELL_KNOWN);
        if appended.is_some_and(|rest| rest == own) {
            return Place::Metadata(&plain.resource);
        }
        Place::Nothing
    }

    fn metadata(&self, resource: &ResourceUri, method: &Method) -> Response {
        if method != Method::GET && method != Method::HEAD {
            return (StatusCode::METHOD_NOT_ALLOWED, [(ALLOW, "GET, HEAD, OPTIONS")]).into_response();
        }
        let scopes: ScopeSet = needs::all();
        let document = ProtectedResourceMetadata::new(
            resource.as_str(),
            &self.inner.issuer,
            &scopes,
            Some("Demo notes"),
        );
        json_answer(StatusCode::OK, &json!(document))
    }
}

impl fmt::Debug for McpServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("McpServer").field("resource", &self.inner.plain.resource).finish_non_exhaustive()
    }
}

async fn serve(State(server): State<McpServer>, request: Request) -> Response {
    let request = body::arrived(request, guard::LONGEST_BODY).await;
    let path = request.uri().path().to_owned();
    let preflight = request.method() == Method::OPTIONS;
    let response = match server.place(&path) {
        Place::Mcp(_) | Place::Metadata(_) if preflight => cors::preflight(),
        Place::Mcp(guarded) => server.guard(guarded, request).await,
        Place::Metadata(resource) => server.metadata(resource, request.method()),
        Place::Nothing => json_answer(StatusCode::NOT_FOUND, &json!({"error": "not_found"})),
    };
    cors::open(response)
}

fn json_answer(status: StatusCode, body: &Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
