//! What people see: server-rendered pages without any script.
//!
//! | page | when |
//! |---|---|
//! | [`ConsentPage`] | before any upstream is contacted: which client, where the answer goes, which server, which scopes |
//! | [`NoAccessPage`] | the person is known, but policy grants nothing |
//! | [`ErrorPage`] | something went wrong that the client must not, or cannot, be told; [`Problem`] holds the words |
//! | [`ReturnPage`] | the client's own error, shown before the browser goes back to it (SEC-019) |
//! | [`SignOutPage`], [`SignedOutPage`] | signing out: the question, and its end |
//! | [`IndexPage`] | `/`: what this is, for people who wonder |
//!
//! Beside them: [`clean`] treats hostile text (SEC-032), [`assets`] holds the one stylesheet and the
//! mark, [`csp`] the policies that each page is sent with (SEC-160, INT-71).
//!
//! Templates (`templates/`) escape every value and pass every text that someone else wrote
//! through [`clean`]; none says `safe`. A page links to a client only through a
//! [`ReturnLink`], which only a checked redirect can become. Sending the pages (status, headers) is
//! `http`'s work.

pub mod assets;
pub mod clean;
mod consent;
mod contact;
pub mod csp;
mod error;
mod index;
mod no_access;
mod return_to;
mod sign_out;

pub use consent::{
    ClientView, ConsentPage, FindProblem, FindView, ScopeView, SessionNews, SignedInView, UpstreamView,
};
pub use error::{ErrorPage, Problem};
pub use index::IndexPage;
pub use no_access::NoAccessPage;
pub use return_to::{ReturnLink, ReturnPage};
pub use sign_out::{SignOutPage, SignedOutPage};

/// A protected MCP server as people recognise it.
#[derive(Debug, Clone, Copy)]
pub struct ServerView<'a> {
    /// Its name in the configuration.
    pub name: &'a str,
    /// Its URL.
    pub url: &'a str,
}

/// Prints a template. Writing to a `String` cannot fail, and a page is no reason to fail a
/// request: should it happen, a plain sentence takes the page's place and the log has the cause.
fn print(template: &impl askama::Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page could not be rendered");
        "<!doctype html><html lang=\"en\"><title>Gatelodge</title><h1>This page could not be shown</h1></html>"
            .to_owned()
    })
}
