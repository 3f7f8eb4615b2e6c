//! The way back to a client: as a link, and as a page around it.

use askama::Template;

use super::{assets, clean, print};
use crate::domain::TrustedReturn;
use crate::protocol::{ErrorCode, RedirectUri};

/// A link back to a client. Only a checked redirect can become one, so no page of ours can be
/// made to lead elsewhere (SEC-003).
#[derive(Debug, Clone)]
pub struct ReturnLink {
    name: String,
    redirect: RedirectUri,
    url: String,
}

impl ReturnLink {
    /// A link to where `to` allows, with the answer's parameters; `client_name` is hostile.
    #[must_use]
    pub fn new(to: &TrustedReturn, client_name: Option<&str>, parameters: &[(&str, &str)]) -> Self {
        let name = clean::client_name(client_name.unwrap_or_default());
        Self { name, redirect: to.uri().clone(), url: to.uri().with_query(parameters) }
    }

    /// The client's name, made harmless.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it leads, as a person can recognise it: a host, or an application's scheme.
    #[must_use]
    pub fn destination(&self) -> String {
        self.redirect.destination()
    }

    /// Where the link leads.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Shown before the browser carries an error to a client that registered itself: otherwise
/// anyone could register a client and use us as an open redirector (SEC-019).
#[derive(Debug, Template)]
#[template(path = "return.html")]
pub struct ReturnPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// The error's code.
    pub code: ErrorCode,
    /// What the client is told.
    pub description: &'a str,
    /// The way back, with the whole error answer in it.
    pub return_to: ReturnLink,
}

impl ReturnPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}
