//! Requests as real clients send them, played from registration to revocation.
//!
//! - `corpus`: one file for each client and each way in which it comes: what it sends, in its order, and
//!   what it demands of each answer. `{{name}}` stands for what an earlier answer, the test's servers or
//!   the file itself said.
//! - `conversation`: how such a file is written.
//! - `player`: plays it against a broker and the demo's MCP server, browser included.
//! - `demands`: what all clients demand of each kind of answer.
//!
//! An answer is also refused, whatever the file says, where it redirects (INT-10), holds a null, an empty
//! text or an empty list (INT-11, INT-33), or brings a challenge that does not survive being split at its
//! commas (INT-19, INT-20).

mod conversation;
mod demands;
mod player;

use std::collections::BTreeSet;

use player::Player;

macro_rules! conversations {
    ($($(#[$doc:meta])* $name:ident: $file:literal,)*) => {
        $(
            $(#[$doc])*
            #[tokio::test]
            async fn $name() {
                Player::play(include_str!(concat!("corpus/", $file, ".json"))).await;
            }
        )*

        const PLAYED: &[&str] = &[$($file),*];
    };
}

conversations! {
    /// INT-33.
    int_33_chat_ui: "chat-ui",
    /// INT-33, INT-47.
    int_33_int_47_chatgpt: "chatgpt",
    /// INT-40, INT-46, INT-47.
    int_40_int_46_chatgpt_document: "chatgpt-document",
    /// INT-12, INT-32.
    int_12_int_32_claude_ai: "claude-ai",
    /// INT-13, INT-14, INT-41.
    int_13_int_14_claude_ai_document: "claude-ai-document",
    /// INT-32, INT-33, INT-59, INT-66.
    int_32_int_33_claude_code: "claude-code",
    /// INT-14, INT-23, INT-39, INT-66.
    int_14_int_23_claude_code_document: "claude-code-document",
    /// INT-17, INT-37, INT-56, INT-57.
    int_17_int_37_codex: "codex",
    /// INT-14, INT-39.
    int_14_int_39_codex_document: "codex-document",
    /// INT-30, INT-31, INT-38.
    int_30_int_31_copilot_studio: "copilot-studio",
    /// INT-02, INT-13, INT-19, INT-20, INT-21, INT-31.
    int_02_int_13_csharp_sdk: "csharp-sdk",
    /// INT-13, INT-53.
    int_13_int_53_csharp_sdk_public: "csharp-sdk-public",
    /// INT-28, INT-29, INT-51.
    int_28_int_29_cursor: "cursor",
    /// INT-44, INT-45.
    int_44_int_45_fastmcp: "fastmcp",
    /// INT-15, INT-17, INT-34, INT-37, INT-46, INT-57.
    int_15_int_17_gemini_cli: "gemini-cli",
    /// INT-09, INT-23, INT-46, INT-53, INT-56.
    int_09_int_23_go_sdk: "go-sdk",
    /// INT-31, INT-52.
    int_31_int_52_go_sdk_secret: "go-sdk-secret",
    /// INT-41, INT-60, INT-61.
    int_41_int_60_goose: "goose",
    /// INT-34, INT-68, INT-69, INT-70.
    int_34_int_68_inspector: "inspector",
    /// INT-31, INT-33.
    int_31_int_33_librechat: "librechat",
    /// INT-32.
    int_32_lm_studio: "lm-studio",
    /// INT-04, INT-47, INT-56.
    int_04_int_47_mcp_2025_03_26: "mcp-2025-03-26",
    /// INT-57, INT-61, INT-63.
    int_57_int_61_mcp_remote: "mcp-remote",
    /// INT-47, INT-56.
    int_47_int_56_n8n: "n8n",
    /// INT-37.
    int_37_opencode: "opencode",
    /// INT-30, INT-31.
    int_30_int_31_perplexity: "perplexity",
    /// INT-01, INT-02, INT-30, INT-46, INT-54, INT-55.
    int_01_int_02_python_sdk: "python-sdk",
    /// INT-05, INT-08, INT-17, INT-22, INT-55, INT-57, INT-58.
    int_05_int_08_rmcp: "rmcp",
    /// INT-11, INT-24, INT-27, INT-61, INT-63.
    int_11_int_24_typescript_sdk_v1: "typescript-sdk-v1",
    /// INT-02, INT-06, INT-07, INT-46, INT-50.
    int_02_int_06_typescript_sdk_v2: "typescript-sdk-v2",
    /// INT-28, INT-29, INT-35, INT-48, INT-49, INT-56.
    int_28_int_29_vscode: "vscode",
    /// INT-14, INT-39, INT-41, INT-51.
    int_14_int_39_vscode_document: "vscode-document",
    /// INT-21, INT-39.
    int_21_int_39_zed: "zed",
}

/// No file of the corpus is forgotten.
#[test]
fn the_whole_corpus_is_played() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/replay/corpus");
    let files = std::fs::read_dir(folder).expect("the corpus");
    let files: BTreeSet<_> = files.map(|file| file.expect("a file").file_name()).collect();
    let played: BTreeSet<_> = PLAYED.iter().map(|name| format!("{name}.json").into()).collect();
    assert_eq!(files, played);
}
