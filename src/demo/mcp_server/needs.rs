//! Which scopes a JSON-RPC message needs.

use serde_json::Value;

use crate::protocol::ScopeSet;

/// The tools that need a scope.
const TOOLS: [(&str, &str); 3] =
    [("read_note", "mcp:read"), ("write_note", "mcp:write"), ("reset_notes", "mcp:admin")];

/// What the first challenge asks for (INT-24).
pub(super) const EVERYDAY: &str = "mcp:read mcp:write";

/// Every scope of this server.
pub(super) fn all() -> ScopeSet {
    TOOLS.iter().fold(ScopeSet::default(), |all, (_, scope)| all.union(&ScopeSet::parse_lenient(scope)))
}

/// What a tool needs; a tool that does not stand in the table needs a token only.
pub(super) fn of_tool(name: &str) -> ScopeSet {
    let found = TOOLS.iter().find(|(tool, _)| *tool == name);
    found.map(|(_, scope)| ScopeSet::parse_lenient(scope)).unwrap_or_default()
}

/// What a body needs: one message, or a batch as MCP 2025-03-26 had it.
pub(super) fn of_body(body: &[u8]) -> ScopeSet {
    match serde_json::from_slice(body) {
        Ok(Value::Array(batch)) => {
            batch.iter().fold(ScopeSet::default(), |needed, message| needed.union(&of_message(message)))
        }
        Ok(message) => of_message(&message),
        // The SDK answers what is no JSON.
        Err(_) => ScopeSet::default(),
    }
}

fn of_message(message: &Value) -> ScopeSet {
    let called = message.get("method").and_then(Value::as_str) == Some("tools/call");
    let name = message.pointer("/params/name").and_then(Value::as_str).filter(|_| called);
    name.map(of_tool).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_need_their_tools_scope_and_batches_the_sum() {
        let needs = |body: &str| of_body(body.as_bytes()).to_string();
        assert_eq!(needs(r#"{"method":"tools/call","params":{"name":"write_note"}}"#), "mcp:write");
        assert_eq!(needs(r#"{"method":"tools/call","params":{"name":"whoami"}}"#), "");
        assert_eq!(needs(r#"{"method":"tools/list","params":{"name":"write_note"}}"#), "");
        assert_eq!(
            needs(
                r#"[{"method":"tools/call","params":{"name":"read_note"}},
                    {"method":"tools/call","params":{"name":"reset_notes"}}]"#
            ),
            "mcp:admin mcp:read"
        );
        assert_eq!(needs("not json"), "");
        assert_eq!(all().to_string(), "mcp:admin mcp:read mcp:write");
    }
}
