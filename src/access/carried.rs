//! Where a request may carry its credential beside a header: in a cookie, or nowhere.

use http::HeaderMap;
use http::header::{COOKIE, ORIGIN};

use crate::protocol::ResourceUri;

/// The cookie that Clerk's session tokens come in.
const SESSION: &str = "__session";

/// What a browser says of the page behind a request (Fetch Metadata).
const FETCH_SITE: &str = "sec-fetch-site";

/// Where a request may carry its credential.
#[derive(Debug, Clone, Copy)]
pub struct Carried<'a> {
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// The query of its target.
    pub query: Option<&'a str>,
    /// Does it begin and stay on this machine?
    pub is_local: bool,
}

impl<'a> Carried<'a> {
    /// Browsers add cookies, and reach this machine, for the pages of others, too. So what says nothing else
    /// for itself must come from no other site: by `Sec-Fetch-Site`, or where that is missing by `Origin`.
    pub(super) fn is_of_another_site(&self, resource: &ResourceUri) -> bool {
        let only = |name: &str| {
            let mut all = self.headers.get_all(name).iter();
            let first = all.next().map(|value| value.to_str().unwrap_or_default());
            if all.next().is_some() { Some("") } else { first }
        };
        match (only(FETCH_SITE), only(ORIGIN.as_str())) {
            (Some(site), _) => !["same-origin", "same-site", "none"].contains(&site),
            (None, Some(origin)) => origin != resource.origin(),
            (None, None) => false,
        }
    }

    /// The session cookie. Several of this name are none: somebody planted one.
    pub(super) fn session(&self) -> Option<&'a str> {
        let all = self.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let pairs = all.flat_map(|all| all.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut named = pairs.filter(|(name, value)| *name == SESSION && !value.is_empty());
        let (_, value) = named.next()?;
        named.next().is_none().then_some(value)
    }
}
