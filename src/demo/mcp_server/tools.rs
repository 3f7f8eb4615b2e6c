//! Notes in memory, one tool per scope, on the official Rust SDK.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::wrapper::Parameters;
use rmcp::model::{CallToolResult, ContentBlock, Implementation, ServerCapabilities, ServerConfig};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::{ErrorData, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::protocol::Scope;
use crate::resource_server::{Caller, Guarded, require};

use super::needs;

/// Most notes that are kept, and their longest text: memory is all there is.
const MOST_NOTES: usize = 100;
const LONGEST_NOTE: usize = 4096;

/// The tools.
#[derive(Clone)]
pub(super) struct NoteTools {
    notes: Arc<Mutex<BTreeMap<String, String>>>,
    tool_router: ToolRouter<Self>,
}

/// Which note to read.
#[derive(Debug, Deserialize, JsonSchema)]
struct ReadNote {
    /// The note's title; leave it out for a list of titles.
    title: Option<String>,
}

/// What to write.
#[derive(Debug, Deserialize, JsonSchema)]
struct WriteNote {
    /// The note's title.
    title: String,
    /// The note's text.
    text: String,
}

#[tool_router]
impl NoteTools {
    /// One note to begin with.
    pub(super) fn new() -> Self {
        Self { notes: Arc::new(Mutex::new(first_notes())), tool_router: Self::tool_router() }
    }

    #[tool(
        description = "Read a note, or list the titles of all notes. Needs the scope mcp:read.",
        annotations(read_only_hint = true)
    )]
    async fn read_note(
        &self,
        Parameters(ReadNote { title }): Parameters<ReadNote>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        permitted(&context, "read_note")?;
        let notes = self.notes();
        let Some(title) = title else {
            return Ok(text(notes.keys().map(String::as_str).collect::<Vec<_>>().join("\n")));
        };
        Ok(match notes.get(&title) {
            Some(note) => text(note.clone()),
            None => CallToolResult::error(vec![ContentBlock::text("There is no note with this title.")]),
        })
    }

    #[tool(description = "Write a note. Needs the scope mcp:write.", annotations(destructive_hint = false))]
    async fn write_note(
        &self,
        Parameters(WriteNote { title, text: note }): Parameters<WriteNote>,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        permitted(&context, "write_note")?;
        if title.len() + note.len() > LONGEST_NOTE {
            return Ok(CallToolResult::error(vec![ContentBlock::text("The note is too long.")]));
        }
        let mut notes = self.notes();
        if notes.len() >= MOST_NOTES && !notes.contains_key(&title) {
            return Ok(CallToolResult::error(vec![ContentBlock::text("There are too many notes.")]));
        }
        notes.insert(title, note);
        Ok(text("Written."))
    }

    #[tool(
        description = "Remove all notes and begin again. Needs the scope mcp:admin.",
        annotations(destructive_hint = true)
    )]
    async fn reset_notes(&self, context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        permitted(&context, "reset_notes")?;
        *self.notes() = first_notes();
        Ok(text("All notes are as they were in the beginning."))
    }

    #[tool(
        description = "Tell who is calling, from the verified access token. Needs no particular scope.",
        annotations(read_only_hint = true)
    )]
    async fn whoami(&self, context: RequestContext<RoleServer>) -> Result<CallToolResult, ErrorData> {
        let caller = permitted(&context, "whoami")?;
        let parts = context.extensions.get::<http::request::Parts>();
        let guarded = parts.and_then(|parts| parts.extensions.get::<Guarded>());
        let scopes: Vec<&str> = caller.scopes().iter().map(Scope::as_str).collect();
        Ok(CallToolResult::structured(json!({
            "subject": caller.subject(), "email": caller.email(), "name": caller.name(),
            "client": caller.client(), "scopes": scopes, "audience": guarded.map(|guarded| guarded.resource.as_str())
        })))
    }

    fn notes(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[tool_handler(router = self.tool_router)]
impl ServerHandler for NoteTools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("gatelodge-demo-notes", env!("CARGO_PKG_VERSION")))
            .with_instructions("Notes that last until the demo ends. Call whoami to see who you are.")
    }
}

/// The guard in front has checked this already, on its own reading of the body. A body that two
/// parsers read in two ways must not slip through between them.
fn permitted<'a>(context: &'a RequestContext<RoleServer>, tool: &str) -> Result<&'a Caller, ErrorData> {
    let parts = context.extensions.get::<http::request::Parts>();
    let needed = needs::of_tool(tool).to_string();
    parts
        .and_then(|parts| require(&parts.extensions, &needed).ok())
        .ok_or_else(|| ErrorData::invalid_request("the access token does not allow this tool", None))
}

fn first_notes() -> BTreeMap<String, String> {
    let text = "You are signed in, and your access token allows reading. Try write_note next.";
    BTreeMap::from([("welcome".to_owned(), text.to_owned())])
}

fn text(text: impl Into<String>) -> CallToolResult {
    CallToolResult::success(vec![ContentBlock::text(text)])
}
