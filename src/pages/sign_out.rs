//! Signing out: the question, and its end.

use askama::Template;

use super::{SignedInView, assets, clean, print};

/// Asks whether to sign out. Its form posts to `/oauth/logout` with `form_token` and, where the box is
/// ticked, `end_access=yes`. Send it with [`csp::FORM`](super::csp::FORM).
#[derive(Debug, Template)]
#[template(path = "sign_out.html")]
pub struct SignOutPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// Who is signed in.
    pub who: SignedInView<'a>,
    /// The token of this form.
    pub form_token: &'a str,
}

/// Nobody is signed in.
#[derive(Debug, Template)]
#[template(path = "signed_out.html")]
pub struct SignedOutPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// The provider that was left, too.
    pub also_at: Option<&'a str>,
}

impl SignOutPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}

impl SignedOutPage<'_> {
    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}
