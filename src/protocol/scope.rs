//! Scopes (RFC 6749 section 3.3).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// One scope token: printable ASCII without space, quote and backslash. Shared, since every decision
/// copies the sets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(Arc<str>);

/// The text is not a scope token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a scope: use printable ASCII without spaces, quotes and backslashes")]
pub struct InvalidScope(String);

impl Scope {
    /// The token's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Scope {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let allowed = |b: u8| matches!(b, 0x21 | 0x23..=0x5B | 0x5D..=0x7E);
        if text.is_empty() || !text.bytes().all(allowed) {
            return Err(InvalidScope(text.escape_debug().to_string()));
        }
        Ok(Self(text.into()))
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidScope;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl Serialize for Scope {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of scopes, written as a space-delimited list in a stable order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ScopeSet(BTreeSet<Scope>);

impl ScopeSet {
    /// The scopes of a request. Tokens that are no scopes are left out: they can match nothing
    /// (INT-34: unknown scopes are dropped, not refused).
    #[must_use]
    pub fn parse_lenient(list: &str) -> Self {
        Self(list.split(' ').filter_map(|token| token.parse().ok()).collect())
    }

    /// What is in both.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// Is all of `other` in here?
    #[must_use]
    pub fn includes(&self, other: &Self) -> bool {
        other.0.is_subset(&self.0)
    }

    /// Is this scope in here?
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        self.0.contains(scope)
    }

    /// Nothing in here?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.0.iter()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, scope) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope.as_str())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_meet_join_and_print() {
        let asked = ScopeSet::parse_lenient("mcp:write mcp:read  bad\"token");
        let held = ScopeSet::parse_lenient("mcp:read mcp:admin");
        assert_eq!(asked.to_string(), "mcp:read mcp:write");
        assert_eq!(asked.intersect(&held).to_string(), "mcp:read");
        assert_eq!(asked.union(&held).to_string(), "mcp:admin mcp:read mcp:write");
        assert!(held.includes(&ScopeSet::parse_lenient("mcp:read")));
        assert!(!held.includes(&asked));
    }

    #[test]
    fn a_scope_holds_no_space_quote_or_control() {
        for bad in ["", "a b", "a\"b", "a\\b", "a\n", "é"] {
            assert!(bad.parse::<Scope>().is_err(), "{bad:?}");
        }
    }
}
