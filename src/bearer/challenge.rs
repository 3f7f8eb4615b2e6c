//! The answer to a request that may not pass (RFC 6750 section 3, RFC 9728 section 5.1).

use crate::protocol::{ResourceUri, ScopeSet};

use super::Caller;

/// A resource as a challenge names it.
#[derive(Debug, Clone)]
pub struct Guarded {
    /// Its URL, in the spelling that the request used: the challenge repeats it (INT-23).
    pub resource: ResourceUri,
    /// What a client needs on an ordinary day: the first challenge asks for all of it (INT-24).
    pub everyday: ScopeSet,
}

/// A status and the one `WWW-Authenticate` header that goes with it. Quoted values hold no comma,
/// no escape and only ASCII, and there is no description to search in (INT-19, INT-20).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    status: u16,
    error: Option<&'static str>,
    www_authenticate: String,
}

impl Challenge {
    /// Nothing was sent: no error code, but where to go and what to ask for (SEC-145).
    #[must_use]
    pub fn missing(guarded: &Guarded) -> Self {
        Self::new(401, None, guarded, &guarded.everyday)
    }

    /// What was sent is no valid access token for this resource, or no longer (INT-27).
    #[must_use]
    pub fn invalid_token(guarded: &Guarded) -> Self {
        Self::new(401, Some("invalid_token"), guarded, &guarded.everyday)
    }

    /// The token is good but not enough. Names all that is needed *and* all that is there
    /// already: clients replace their token by one with exactly these scopes (INT-25).
    #[must_use]
    pub fn insufficient_scope(guarded: &Guarded, needed: &ScopeSet, granted: &ScopeSet) -> Self {
        Self::new(403, Some("insufficient_scope"), guarded, &needed.union(granted))
    }

    /// The same of this caller. Whoever may do nothing lacks something, also where nothing is needed.
    #[must_use]
    pub fn lacking(caller: &Caller, guarded: &Guarded, needed: &ScopeSet) -> Self {
        let missing = if needed.is_empty() { &guarded.everyday } else { needed };
        Self::insufficient_scope(guarded, missing, caller.scopes())
    }

    /// Credentials came in two ways (SEC-146).
    #[must_use]
    pub fn two_methods(guarded: &Guarded) -> Self {
        Self::new(400, Some("invalid_request"), guarded, &guarded.everyday)
    }

    fn new(status: u16, error: Option<&'static str>, guarded: &Guarded, scopes: &ScopeSet) -> Self {
        let mut parameters = Vec::with_capacity(3);
        parameters.extend(error.map(|error| format!("error=\"{error}\"")));
        parameters.push(format!("resource_metadata=\"{}\"", metadata_url(&guarded.resource)));
        // A scope may hold a comma (RFC 6749 appendix A.4), a challenge may not.
        let scopes: Vec<&str> =
            scopes.iter().map(crate::protocol::Scope::as_str).filter(|scope| !scope.contains(',')).collect();
        if !scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", scopes.join(" ")));
        }
        Self { status, error, www_authenticate: format!("Bearer {}", parameters.join(", ")) }
    }

    /// The status code: 400, 401 or 403.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The error code, where there is one.
    #[must_use]
    pub fn error(&self) -> Option<&'static str> {
        self.error
    }

    /// The value of the `WWW-Authenticate` header.
    #[must_use]
    pub fn www_authenticate(&self) -> &str {
        &self.www_authenticate
    }
}

/// Where the resource's metadata is, on the resource's own origin: the well-known path goes
/// between host and path (RFC 9728 section 3.1, INT-21), a trailing slash stays (INT-23).
#[must_use]
pub fn metadata_url(resource: &ResourceUri) -> String {
    let (origin, path) = (resource.origin(), resource.path());
    let typed = resource.as_str();
    let slash = !path.is_empty() && !typed.contains('?') && typed.ends_with('/');
    let slash = if slash { "/" } else { "" };
    format!("{origin}/.well-known/oauth-protected-resource{path}{slash}").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guarded(url: &str) -> Guarded {
        let resource = ResourceUri::parse(url).unwrap();
        Guarded { resource, everyday: ScopeSet::parse_lenient("mcp:read mcp:write") }
    }

    /// INT-19, INT-24: one challenge with at least one parameter and the everyday scopes.
    #[test]
    fn int_19_int_24_the_first_challenge() {
        let challenge = Challenge::missing(&guarded("https://a.example/mcp"));
        assert_eq!((challenge.status(), challenge.error()), (401, None));
        assert_eq!(
            challenge.www_authenticate(),
            "Bearer resource_metadata=\"https://a.example/.well-known/oauth-protected-resource/mcp\", \
             scope=\"mcp:read mcp:write\""
        );
    }

    /// INT-25: what is needed and what is there.
    #[test]
    fn int_25_insufficient_scope_names_granted_scopes_too() {
        let set = ScopeSet::parse_lenient;
        let challenge = Challenge::insufficient_scope(
            &guarded("https://a.example/mcp"),
            &set("mcp:admin"),
            &set("mcp:read"),
        );
        assert_eq!(challenge.status(), 403);
        assert!(challenge.www_authenticate().starts_with("Bearer error=\"insufficient_scope\", "));
        assert!(challenge.www_authenticate().ends_with(", scope=\"mcp:admin mcp:read\""));
    }

    /// INT-20, INT-21: absolute, same origin, plain characters, whatever the URL looks like.
    #[test]
    fn int_20_int_21_the_metadata_url() {
        for (resource, expected) in [
            ("https://a.example", "https://a.example/.well-known/oauth-protected-resource"),
            ("https://a.example/", "https://a.example/.well-known/oauth-protected-resource"),
            ("HTTPS://A.example/mcp/", "https://a.example/.well-known/oauth-protected-resource/mcp/"),
            ("https://a.example/m?x=/", "https://a.example/.well-known/oauth-protected-resource/m?x=/"),
            ("https://a.example/é,\"", "https://a.example/.well-known/oauth-protected-resource/%C3%A9%2C%22"),
        ] {
            assert_eq!(metadata_url(&ResourceUri::parse(resource).unwrap()), expected, "{resource}");
        }
    }
}
