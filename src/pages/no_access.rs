//! The person is known, and policy grants nothing: say why, and whom to ask.

use askama::Template;

use super::{ReturnLink, ServerView, assets, clean, print};
use crate::domain::EmailAddress;

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

/// Whom to ask, as the page links to it.
enum Contact<'a> {
    Email(&'a str),
    Web(&'a str),
    Words(&'a str),
}

impl<'a> NoAccessPage<'a> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }

    /// Only plain addresses become links: nothing else can carry another scheme or extra
    /// mail headers into an `href`.
    fn contact(&self) -> Option<Contact<'a>> {
        let text = self.contact.map(str::trim).filter(|text| !text.is_empty())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '@');
        let contact = if text.parse::<EmailAddress>().is_ok() && text.chars().all(plain) {
            Contact::Email(text)
        } else if url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            Contact::Web(text)
        } else {
            Contact::Words(text)
        };
        Some(contact)
    }
}
