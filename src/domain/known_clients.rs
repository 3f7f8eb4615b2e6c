//! Applications that people know by name, and where their answers go. Data, and one question.
//!
//! An entry is one only by its redirects and the URL of its document: what a client calls itself never
//! counts. A redirect on loopback belongs to whatever program listens there, so an entry that has only
//! such ones means "some program on the person's machine", and admits every one that uses the same path.

use crate::protocol::RedirectUri;

use super::{Client, ClientOrigin};

/// An application that people know by name.
#[derive(Debug, PartialEq, Eq)]
pub struct KnownClient {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What people call it.
    pub label: &'static str,
    /// Where its answers go.
    redirects: &'static [Place],
    /// The URLs of its metadata documents; a final `/` means every document below.
    documents: &'static [&'static str],
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// This URI; on loopback with any port.
    At(&'static str),
    /// This URI and one segment of the application's choice.
    Below(&'static str),
}

use Place::{At, Below};

impl KnownClient {
    /// Every one, each with its source. "Registers" is what the client was seen to send.
    pub const ALL: &'static [Self] = &[
        // Registers one of the two; the document's URL is what claude.ai sends as its client_id.
        Self {
            name: "claude",
            label: "Claude on the web, desktop and mobile",
            redirects: &[
                At("https://claude.ai/api/mcp/auth_callback"),
                At("https://claude.com/api/mcp/auth_callback"),
            ],
            documents: &["https://claude.ai/oauth/mcp-oauth-client-metadata"],
        },
        // Registers an ephemeral port; the document's URL is what Claude Code sends as its client_id, and it
        // names both (anthropics/claude-code, issue 42301).
        Self {
            name: "claude-code",
            label: "Claude Code",
            redirects: &[At("http://localhost/callback"), At("http://127.0.0.1/callback")],
            documents: &["https://claude.ai/oauth/claude-code-client-metadata"],
        },
        // Registers the connector's own callback or the one for all; the same two, each in a document of its
        // own (django-oauth-toolkit, issue 1857; stacklok/toolhive, issue 6278).
        Self {
            name: "chatgpt",
            label: "ChatGPT",
            redirects: &[
                At("https://chatgpt.com/connector_platform_oauth_redirect"),
                Below("https://chatgpt.com/connector/oauth/"),
            ],
            documents: &["https://chatgpt.com/oauth/"],
        },
        // Registers a random port for each sign-in, or names the document, in which both stand.
        Self {
            name: "codex",
            label: "Codex",
            redirects: &[At("http://127.0.0.1/callback"), At("http://localhost/callback")],
            documents: &["https://chatgpt.com/oauth/codex/client.json"],
        },
        // Registers all three at once (INT-28).
        Self {
            name: "cursor",
            label: "Cursor",
            redirects: &[
                At("cursor://anysphere.cursor-mcp/oauth/callback"),
                At("https://www.cursor.com/agents/mcp/oauth/callback"),
                At("http://localhost:8787/callback"),
            ],
            documents: &[],
        },
        // Registers these, the last with and without port 33418, at once (INT-28), or names the document.
        Self {
            name: "vscode",
            label: "Visual Studio Code",
            redirects: &[
                At("https://vscode.dev/redirect"),
                At("https://insiders.vscode.dev/redirect"),
                At("http://127.0.0.1/"),
            ],
            documents: &["https://vscode.dev/oauth/client-metadata.json"],
        },
        // https://googleapis.github.io/genai-toolbox/samples/looker/looker_gemini_oauth: port 7777 by default.
        Self {
            name: "gemini-cli",
            label: "Gemini CLI",
            redirects: &[At("http://localhost/oauth/callback")],
            documents: &[],
        },
        // zed-industries/zed, crates/context_server/src/oauth.rs, and the document that it names.
        Self {
            name: "zed",
            label: "Zed",
            redirects: &[At("http://127.0.0.1/callback")],
            documents: &["https://zed.dev/oauth/client-metadata.json"],
        },
        // aaif-goose/goose, documentation/static/oauth/client-metadata.json; issue 8918 for the address.
        Self {
            name: "goose",
            label: "Goose",
            redirects: &[At("http://localhost/oauth_callback"), At("http://127.0.0.1/oauth_callback")],
            documents: &["https://goose-docs.ai/oauth/client-metadata.json"],
        },
        // Its command line registers the first, its web page the second.
        Self {
            name: "inspector",
            label: "MCP Inspector",
            redirects: &[
                At("http://127.0.0.1:6276/oauth/callback"),
                At("http://localhost:6274/oauth/callback"),
            ],
            documents: &[],
        },
        // Registers a port of its own.
        Self {
            name: "mcp-remote",
            label: "mcp-remote",
            redirects: &[At("http://localhost/oauth/callback")],
            documents: &[],
        },
        // Registers a random port.
        Self {
            name: "fastmcp",
            label: "FastMCP",
            redirects: &[At("http://localhost/callback")],
            documents: &[],
        },
        // Registers this port.
        Self {
            name: "opencode",
            label: "opencode",
            redirects: &[At("http://127.0.0.1:19876/mcp/oauth/callback")],
            documents: &[],
        },
        // Power Platform, redirect mode GlobalPerConnector: one for each connector, of any organisation.
        Self {
            name: "copilot-studio",
            label: "Microsoft Copilot Studio and Power Platform",
            redirects: &[Below("https://global.consent.azure-apim.net/redirect/")],
            documents: &[],
        },
    ];

    /// The application of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|known| known.name == name)
    }

    /// Is this client the application? Each of its redirects is, and so is the URL that it is known by.
    #[must_use]
    pub fn is(&self, client: &Client) -> bool {
        let documented = match client.origin {
            ClientOrigin::MetadataDocument => self.publishes_at(client.id.as_str()),
            ClientOrigin::Configured | ClientOrigin::Operator | ClientOrigin::Registered => true,
        };
        documented && !client.redirect_uris.is_empty() && client.redirect_uris.iter().all(|uri| self.has(uri))
    }

    /// Is this the URL of a document of the application's?
    #[must_use]
    pub fn publishes_at(&self, url: &str) -> bool {
        let is_one =
            |listed: &&str| if listed.ends_with('/') { url.starts_with(listed) } else { url == *listed };
        self.documents.iter().any(is_one)
    }

    fn has(&self, uri: &RedirectUri) -> bool {
        self.redirects.iter().any(|place| match place {
            At(listed) => RedirectUri::parse(listed).is_ok_and(|listed| listed.matches(uri)),
            Below(listed) => uri.as_str().strip_prefix(listed).is_some_and(is_segment),
        })
    }

    /// Where its answers go, to be read by people.
    pub fn places(&self) -> impl Iterator<Item = String> + '_ {
        self.redirects.iter().map(|place| match place {
            At(listed) => (*listed).to_owned(),
            Below(listed) => format!("{listed}…"),
        })
    }

    /// The URLs of its documents, to be read by people.
    #[must_use]
    pub fn documents(&self) -> &'static [&'static str] {
        self.documents
    }
}

/// Nothing that could lead elsewhere on that host.
fn is_segment(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::{ClientAuthMethod, ClientId, ClientLimits};

    fn client(origin: ClientOrigin, id: &str, redirects: &[&str]) -> Client {
        Client {
            id: ClientId::new(id),
            name: Some("Claude".into()),
            redirect_uris: redirects.iter().map(|uri| RedirectUri::parse(uri).unwrap()).collect(),
            auth: ClientAuthMethod::None,
            origin,
            may_refresh: true,
            limits: ClientLimits::default(),
            created_at: Timestamp::from_unix(0),
            expires_at: None,
            registration: None,
        }
    }

    fn is(name: &str, redirects: &[&str]) -> bool {
        KnownClient::named(name).unwrap().is(&client(ClientOrigin::Registered, "glc_1", redirects))
    }

    #[test]
    fn int_28_real_registrations_are_known() {
        let cursor = [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ];
        let vscode = [
            "https://insiders.vscode.dev/redirect",
            "https://vscode.dev/redirect",
            "http://127.0.0.1/",
            "http://127.0.0.1:33418/",
        ];
        assert!(is("cursor", &cursor) && is("vscode", &vscode));
        assert!(is("claude", &["https://claude.ai/api/mcp/auth_callback"]));
        assert!(is("claude-code", &["http://localhost:51234/callback"]));
        assert!(is("codex", &["http://127.0.0.1:51234/callback"]));
        assert!(is("gemini-cli", &["http://localhost:7777/oauth/callback"]));
        assert!(is("chatgpt", &["https://chatgpt.com/connector/oauth/aB3_x-9"]));
        assert!(is("copilot-studio", &["https://global.consent.azure-apim.net/redirect/new-5fx"]));
    }

    /// SEC-001: one redirect beside those is another client, whatever it calls itself.
    #[test]
    fn sec_001_a_name_is_not_claimed_by_saying_it() {
        for redirects in [
            &[][..],
            &["https://claude.ai.evil.example/api/mcp/auth_callback"],
            &["https://claude.ai/api/mcp/auth_callback", "https://evil.example/cb"],
            &["https://claude.ai/api/mcp/auth_callback?next=https://evil.example"],
            &["https://claude.ai/api/mcp/auth_callback/"],
            &["https://CLAUDE.ai/api/mcp/auth_callback"],
            &["http://localhost/api/mcp/auth_callback"],
        ] {
            assert!(!is("claude", redirects), "{redirects:?}");
        }
        for rest in ["", "../elsewhere", "a/b", "a?b", "a%2f..", "a;b"] {
            assert!(!is("chatgpt", &[&format!("https://chatgpt.com/connector/oauth/{rest}")]), "{rest}");
        }
        assert!(!is("claude-code", &["http://localhost:1/callback/more"]));
        assert!(!is("codex", &["http://[::1]:1/callback"]));
    }

    #[test]
    fn a_document_is_known_by_its_url() {
        let known = KnownClient::named("claude").unwrap();
        let redirect = ["https://claude.ai/api/mcp/auth_callback"];
        let at = |url| known.is(&client(ClientOrigin::MetadataDocument, url, &redirect));
        assert!(at("https://claude.ai/oauth/mcp-oauth-client-metadata"));
        assert!(!at("https://evil.example/oauth/mcp-oauth-client-metadata"));
        assert!(!at("https://claude.ai/oauth/mcp-oauth-client-metadata/"));
        let url = "https://claude.ai/oauth/mcp-oauth-client-metadata";
        let elsewhere = client(ClientOrigin::MetadataDocument, url, &["https://evil.example/cb"]);
        assert!(!known.is(&elsewhere));
    }

    /// INT-39: as they are published, loopback by name and by number.
    #[test]
    fn int_39_published_documents_are_known() {
        let loopback = ["http://localhost/callback", "http://127.0.0.1/callback"];
        for (name, url, redirects) in [
            ("claude-code", "https://claude.ai/oauth/claude-code-client-metadata", &loopback[..]),
            ("codex", "https://chatgpt.com/oauth/codex/client.json", &loopback),
            (
                "chatgpt",
                "https://chatgpt.com/oauth/client.json",
                &["https://chatgpt.com/connector_platform_oauth_redirect"],
            ),
            (
                "chatgpt",
                "https://chatgpt.com/oauth/aB3_x-9/client.json",
                &["https://chatgpt.com/connector/oauth/aB3_x-9"],
            ),
            (
                "vscode",
                "https://vscode.dev/oauth/client-metadata.json",
                &["http://127.0.0.1:33418/", "https://vscode.dev/redirect"],
            ),
            ("zed", "https://zed.dev/oauth/client-metadata.json", &["http://127.0.0.1/callback"]),
        ] {
            let document = client(ClientOrigin::MetadataDocument, url, redirects);
            assert!(KnownClient::named(name).unwrap().is(&document), "{url}");
        }
    }

    #[test]
    fn every_entry_can_be_met() {
        let mut names: Vec<&str> = KnownClient::ALL.iter().map(|known| known.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KnownClient::ALL.len());
        for known in KnownClient::ALL {
            for place in known.places() {
                let uri = place.replace('…', "x");
                assert!(known.has(&RedirectUri::parse(&uri).unwrap()), "{uri}");
            }
        }
    }
}
