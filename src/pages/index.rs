//! `/`: for people who open the issuer's address in a browser.

use askama::Template;

use super::{ServerView, assets, clean, print};

/// What this is, its issuer URL and where its metadata stand. No secrets.
#[derive(Debug, Template)]
#[template(path = "index.html")]
pub struct IndexPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// The issuer URL that clients are configured with.
    pub issuer: &'a str,
    /// The MCP servers to name; leave empty where their existence is nobody's business.
    pub servers: Vec<ServerView<'a>>,
}

impl IndexPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}
