//! The person is known, and policy grants nothing: say why, and whom to ask.

use askama::Template;

use super::contact::Contact;
use super::{ReturnLink, ServerView, assets, clean, print};

/// The page for a person to whom policy grants nothing on this server.
#[derive(Debug, Template)]
#[template(path = "no_access.html")]
pub struct NoAccessPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// Who is signed in: an email address or a name.
    pub person: &'a str,
    /// At which provider: its name on our buttons.
    pub provider: &'a str,
    /// Access to what.
    pub server: ServerView<'a>,
    /// Why not, one sentence each.
    pub reasons: Vec<&'a str>,
    /// Whom to ask: an email address, a web address, or words.
    pub contact: Option<&'a str>,
    /// The same request once more, for another account: a URL of ours.
    pub another_account: Option<&'a str>,
    /// The way back to the client.
    pub return_to: Option<ReturnLink>,
}

impl NoAccessPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}
