//! The content security policies that pages are sent with (SEC-160, SEC-035).
//!
//! Chromium holds `form-action` against the *whole* chain of redirects that follows a form's POST,
//! and our consent form starts a long one: our 303 to the identity provider, its redirects,
//! our callback, the client's redirect URI, and what the client does then. Tried in Chromium 156
//! (INT-71):
//!
//! | `form-action` | chain | outcome |
//! |---|---|---|
//! | `'self'` | any that leaves our origin | stopped at our own 303 |
//! | `'self'`, provider, client | provider → callback → client | works |
//! | the same | the provider hops over another host, as in larger companies | stopped half-way |
//! | the same | the client's redirect URI redirects on | stopped, the code already sent |
//! | the same | client on `http://[::1]:port` | stopped: a source cannot name an IPv6 address |
//! | `'self'`, `https:` | an http host or a private scheme anywhere | stopped |
//! | left out | any | works |
//!
//! A page that the provider shows on the way ends the chain, so lists fail only for people who
//! are signed in already: the failure that nobody finds in a test. The hosts cannot be known
//! beforehand, so the consent page leaves the directive out. It would have stopped only a form
//! that someone manages to inject, and a page that escapes everything and runs no script offers no
//! way to; every page without a form says `'none'`.

/// For every page without a form.
pub const PLAIN: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; \
                         form-action 'none'; frame-ancestors 'none'";

/// For a page with a form, [`ConsentPage`](super::ConsentPage) and
/// [`SignOutPage`](super::SignOutPage), which both lead on to an identity provider: the same without `form-action`, for the reasons above.
pub const FORM: &str =
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'";
