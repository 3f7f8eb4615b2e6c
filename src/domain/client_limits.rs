//! What the operator lets a client ask for. Asked when a sign-in begins and for every token, so that
//! taking something away works at once.

use serde::{Deserialize, Serialize};

use crate::protocol::{ErrorCode, OAuthError, ResourceUri, ScopeSet};

/// Which servers and scopes a client may have at most; nothing said means all. Policy decides within.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientLimits {
    /// The scopes.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scopes: Option<ScopeSet>,
    /// The servers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub resources: Option<Vec<ResourceUri>>,
}

/// What a client may not ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BeyondLimits {
    /// This server.
    #[error("this client may not use this server")]
    Resource,
    /// Any of these scopes.
    #[error("this client may have none of these scopes")]
    Scopes,
}

impl From<BeyondLimits> for OAuthError {
    fn from(beyond: BeyondLimits) -> Self {
        let code = match beyond {
            BeyondLimits::Resource => ErrorCode::InvalidTarget,
            BeyondLimits::Scopes => ErrorCode::InvalidScope,
        };
        Self::new(code, beyond.to_string())
    }
}

impl ClientLimits {
    /// Is there no limit?
    #[must_use]
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// What is left of these scopes at this server.
    pub fn narrow(&self, resource: &ResourceUri, scopes: &ScopeSet) -> Result<ScopeSet, BeyondLimits> {
        if self.resources.as_ref().is_some_and(|resources| !resources.contains(resource)) {
            return Err(BeyondLimits::Resource);
        }
        let left = self.scopes.as_ref().map_or_else(|| scopes.clone(), |limit| scopes.intersect(limit));
        if left.is_empty() && !scopes.is_empty() { Err(BeyondLimits::Scopes) } else { Ok(left) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_narrows_and_never_widens() {
        let resource = |text| ResourceUri::parse(text).unwrap();
        let [here, there] = ["https://a.example/mcp", "https://b.example/mcp"].map(resource);
        let asked = ScopeSet::parse_lenient("mcp:read mcp:write");
        assert_eq!(ClientLimits::default().narrow(&here, &asked), Ok(asked.clone()));
        let limits = ClientLimits {
            scopes: Some(ScopeSet::parse_lenient("mcp:read mcp:admin")),
            resources: Some(vec![here.clone()]),
        };
        assert_eq!(limits.narrow(&here, &asked), Ok(ScopeSet::parse_lenient("mcp:read")));
        assert_eq!(limits.narrow(&there, &asked), Err(BeyondLimits::Resource));
        let other = ScopeSet::parse_lenient("mcp:write");
        assert_eq!(limits.narrow(&here, &other), Err(BeyondLimits::Scopes));
    }
}
