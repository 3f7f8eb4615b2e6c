//! Which protected server a request goes to, as a reverse proxy tells it.
//!
//! The proxy in front and the server behind may read a path differently. What has more than one reading is
//! refused, and never brought into shape (SEC-153).

use std::borrow::Cow;

use crate::domain::{Resource, Resources};
use crate::protocol::ResourceUri;

use super::Addressed;

/// Why a target cannot be decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// No URL could be made of it.
    #[error("is no URL of a request")]
    NoUrl,
    /// The path has more than one reading.
    #[error("has a path that servers read differently (dots, empty or encoded segments)")]
    Ambiguous,
    /// Nothing is protected there.
    #[error("is no server that is protected here")]
    Unknown,
}

/// The parts of a request's URL.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// Host and port, as in the `Host` header.
    pub authority: &'a str,
    /// Path and query.
    pub path_and_query: &'a str,
}

impl Target<'_> {
    /// The protected server, and how the request spells it (INT-23).
    pub fn find<'r>(&self, resources: &'r Resources) -> Result<Addressed<'r>, BadTarget> {
        let path = self.path_and_query.split_once('?').map_or(self.path_and_query, |(path, _)| path);
        if !has_one_reading(path) {
            return Err(BadTarget::Ambiguous);
        }
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b);
        if !matches!(self.scheme, "http" | "https") || !self.authority.bytes().all(is_plain) {
            return Err(BadTarget::NoUrl);
        }
        // Nearly every request spells its server as the operator does: then there is nothing to parse.
        if let Some(resource) = self.as_configured(resources, path) {
            return Ok(Addressed { resource, spelt: Cow::Borrowed(&resource.url) });
        }
        let asked = ResourceUri::parse(&format!("{}://{}{path}", self.scheme, self.authority));
        let asked = asked.map_err(|_| BadTarget::NoUrl)?;
        let resource = resources.serving(&asked).ok_or(BadTarget::Unknown)?;
        // Some servers do not tell capitals from small letters.
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            let small = ResourceUri::parse(&asked.as_str().to_ascii_lowercase());
            let small = small.map_err(|_| BadTarget::NoUrl)?;
            if resources.serving(&small).is_some_and(|other| other.url != resource.url) {
                return Err(BadTarget::Ambiguous);
            }
        }
        let is_its_own = *resource.url.path() == *asked.path();
        let spelt = if is_its_own { Cow::Owned(asked) } else { Cow::Borrowed(&resource.url) };
        Ok(Addressed { resource, spelt })
    }

    /// The server with exactly this URL, in small letters.
    fn as_configured<'r>(&self, resources: &'r Resources, path: &str) -> Option<&'r Resource> {
        let is_asked = |resource: &&Resource| {
            let rest = resource.url.as_str().strip_prefix(self.scheme);
            let rest = rest.and_then(|rest| rest.strip_prefix("://")?.strip_prefix(self.authority));
            rest == Some(path)
        };
        if path.bytes().any(|b| b.is_ascii_uppercase()) {
            return None;
        }
        resources.iter().find(is_asked)
    }
}

/// Longest path that is looked at.
const LONGEST: usize = 8 * 1024;

/// Does every server see the same segments in this path?
fn has_one_reading(path: &str) -> bool {
    let plain = |b: u8| matches!(b, b'!'..=b'~') && !b"\"#<>\\^`{|};".contains(&b);
    if path.len() > LONGEST || !path.bytes().all(plain) || !escapes(path).all(is_harmless) {
        return false;
    }
    let Some(rest) = path.strip_prefix('/') else { return false };
    let mut segments = rest.strip_suffix('/').unwrap_or(rest).split('/');
    path == "/" || segments.all(|segment| !matches!(segment, "" | "." | ".."))
}

/// What the percent-encoding of a path stands for; a broken one stands for NUL.
fn escapes(path: &str) -> impl Iterator<Item = u8> {
    path.split('%').skip(1).map(|after| {
        let digits = after.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).unwrap_or(0)
    })
}

/// Nothing that could have stood there plainly, or parts or ends a path: one server would see it, another not.
const fn is_harmless(escaped: u8) -> bool {
    matches!(escaped, b' ' | b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80..)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-153: what could be read in two ways is refused.
    #[test]
    fn sec_153_a_path_has_one_reading() {
        for good in ["/", "/mcp", "/mcp/", "/a/b/c", "/a%20b", "/na%C3%AFve", "/a.b/..c", "/a:b@c,d"] {
            assert!(has_one_reading(good), "{good}");
        }
        for bad in [
            "",
            "mcp",
            "//mcp",
            "/mcp//x",
            "/mcp/../x",
            "/mcp/..",
            "/./mcp",
            "/mcp/..;/x",
            "/mcp;x",
            "/%2e%2e/mcp",
            "/mcp%2f..",
            "/mcp%5cx",
            "/a\\b",
            "/mcp%23x",
            "/mcp%3fx",
            "/mcp#x",
            "/mcp%00",
            "/mcp%",
            "/mcp%zz",
            "/m%63p",
            "/é",
            "/a b",
            "/a%0d%0a",
            "/mcp%25",
            "/mcp/%40x",
            "/mcp%2Cx",
            "/mcp/%21",
            "//",
            "/mcp//",
        ] {
            assert!(!has_one_reading(bad), "{bad}");
        }
    }
}
