//! How requests to a protected server are passed on to it, where we stand in front of it ourselves.

use std::num::NonZeroU32;
use std::time::Duration;

use http::HeaderName;
use url::Url;

use crate::protocol::ScopeSet;

use super::Tenants;

/// Where a protected server really is, and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Forwarding {
    /// Its own address: what stands below the resource's path is appended to its path. None where every
    /// request is a tenant's.
    pub to: Option<Url>,
    /// Whose it may be, each with an address of its own.
    pub tenants: Option<Tenants>,
    /// How long it may take to begin an answer.
    pub timeout: Duration,
    /// How long a stream may be silent.
    pub stream_idle: Duration,
    /// How many streams one caller may listen to at once, and how many calls of theirs may be under way.
    pub streams: NonZeroU32,
    /// The longest body of a request, in bytes.
    pub body_limit: usize,
    /// Does it get what the client showed?
    pub forward_credential: bool,
    /// How it is told who asks.
    pub identity: IdentityForm,
    /// What its tools need.
    pub tools: ToolRules,
}

impl Forwarding {
    /// Every address that requests go to.
    pub fn addresses(&self) -> impl Iterator<Item = &Url> {
        let of_tenants = self.tenants.iter().flat_map(Tenants::iter).map(|tenant| &tenant.to);
        self.to.iter().chain(of_tenants)
    }
}

/// How a server is told who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdentityForm {
    /// In the headers `X-Auth-User`, `-Email`, `-Client` and `-Scopes`.
    Headers,
    /// In this header, as a short token that we sign.
    Jwt(HeaderName),
    /// Not at all.
    None,
}

/// What the tools of a server need, by name. Without rules nothing of a body is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolRules(Vec<(ToolPattern, ScopeSet)>);

impl ToolRules {
    /// These rules, in any order.
    #[must_use]
    pub fn new(rules: Vec<(ToolPattern, ScopeSet)>) -> Self {
        Self(rules)
    }

    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a tool needs: what every rule says that names it. A tool that none names needs nothing more than
    /// any request.
    #[must_use]
    pub fn needed(&self, tool: &str) -> ScopeSet {
        let named = self.0.iter().filter(|(pattern, _)| pattern.names(tool));
        named.fold(ScopeSet::default(), |all, (_, scopes)| all.union(scopes))
    }
}

/// A tool's name, in which `*` stands for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolPattern(String);

impl ToolPattern {
    /// A pattern as it is written.
    #[must_use]
    pub fn new(pattern: String) -> Self {
        Self(pattern)
    }

    /// Does it name this tool?
    #[must_use]
    pub fn names(&self, tool: &str) -> bool {
        let Some((first, rest)) = self.0.split_once('*') else { return self.0 == tool };
        let Some(mut left) = tool.strip_prefix(first) else { return false };
        let (middle, last) =
            rest.rsplit_once('*').map_or((None, rest), |(middle, last)| (Some(middle), last));
        // Each part at the first place where it stands: what is left is then the longest.
        for part in middle.into_iter().flat_map(|middle| middle.split('*')) {
            match left.split_once(part) {
                Some((_, after)) => left = after,
                None => return false,
            }
        }
        left.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, good, bad) in [
            ("read", &["read"][..], &["reads", "Read", ""][..]),
            ("*", &["", "x", "delete_all"], &[]),
            ("delete_*", &["delete_", "delete_all"], &["undelete_all", "delete"]),
            ("*_all", &["delete_all", "_all"], &["all", "delete_all_"]),
            ("a*b*c", &["abc", "a-b-c", "abbcc"], &["ab", "acb", "abcd"]),
            ("a*a", &["aa", "aba"], &["a", "ab"]),
            ("**", &["", "x"], &[]),
        ] {
            let pattern = ToolPattern::new(pattern.into());
            assert!(good.iter().all(|tool| pattern.names(tool)), "{pattern:?}");
            assert!(!bad.iter().any(|tool| pattern.names(tool)), "{pattern:?}");
        }
    }

    #[test]
    fn what_every_rule_says_is_needed() {
        let rule =
            |pattern: &str, scopes| (ToolPattern::new(pattern.into()), ScopeSet::parse_lenient(scopes));
        let rules = ToolRules::new(vec![rule("delete_*", "mcp:admin"), rule("*_note", "mcp:read")]);
        assert_eq!(rules.needed("delete_note").to_string(), "mcp:admin mcp:read");
        assert_eq!(rules.needed("read_note").to_string(), "mcp:read");
        assert!(rules.needed("whoami").is_empty());
    }
}
