//! Errors with a public half for the client and a private half for the log.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

/// The registered error codes that the broker answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorCode {
    /// RFC 6749.
    InvalidRequest,
    /// RFC 6749.
    InvalidClient,
    /// RFC 6749.
    InvalidGrant,
    /// RFC 6749.
    UnsupportedGrantType,
    /// RFC 6749.
    UnsupportedResponseType,
    /// RFC 6749.
    InvalidScope,
    /// RFC 6749.
    AccessDenied,
    /// RFC 6749.
    ServerError,
    /// RFC 6749.
    TemporarilyUnavailable,
    /// RFC 8707.
    InvalidTarget,
    /// RFC 7591.
    InvalidRedirectUri,
    /// RFC 7591.
    InvalidClientMetadata,
    /// RFC 9101.
    RequestNotSupported,
    /// RFC 9101.
    RequestUriNotSupported,
    /// OpenID Connect Core.
    LoginRequired,
    /// OpenID Connect Core.
    ConsentRequired,
    /// RFC 8628; here for too many failed attempts.
    SlowDown,
}

impl ErrorCode {
    /// Every code.
    pub const ALL: [Self; 17] = [
        Self::InvalidRequest,
        Self::InvalidClient,
        Self::InvalidGrant,
        Self::UnsupportedGrantType,
        Self::UnsupportedResponseType,
        Self::InvalidScope,
        Self::AccessDenied,
        Self::ServerError,
        Self::TemporarilyUnavailable,
        Self::InvalidTarget,
        Self::InvalidRedirectUri,
        Self::InvalidClientMetadata,
        Self::RequestNotSupported,
        Self::RequestUriNotSupported,
        Self::LoginRequired,
        Self::ConsentRequired,
        Self::SlowDown,
    ];

    /// The code's text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidClient => "invalid_client",
            Self::InvalidGrant => "invalid_grant",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::UnsupportedResponseType => "unsupported_response_type",
            Self::InvalidScope => "invalid_scope",
            Self::AccessDenied => "access_denied",
            Self::ServerError => "server_error",
            Self::TemporarilyUnavailable => "temporarily_unavailable",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidRedirectUri => "invalid_redirect_uri",
            Self::InvalidClientMetadata => "invalid_client_metadata",
            Self::RequestNotSupported => "request_not_supported",
            Self::RequestUriNotSupported => "request_uri_not_supported",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::SlowDown => "slow_down",
        }
    }
}

/// An OAuth error: the client sees code and description, the log sees the cause too.
#[derive(Debug, Clone)]
pub struct OAuthError {
    code: ErrorCode,
    description: String,
    cause: Option<Arc<dyn StdError + Send + Sync>>,
}

impl OAuthError {
    /// An error with what the client may read. Characters outside the set of RFC 6749
    /// section 5.2 are replaced (SEC-071).
    #[must_use]
    pub fn new(code: ErrorCode, description: impl AsRef<str>) -> Self {
        let allowed = |c: char| matches!(c, ' ' | '!' | '#'..='[' | ']'..='~');
        let description = description
            .as_ref()
            .chars()
            .map(|c| match c {
                '"' | '`' => '\'',
                c if allowed(c) => c,
                _ => '?',
            })
            .collect();
        Self { code, description, cause: None }
    }

    /// Adds what only the log may read.
    #[must_use]
    pub fn caused_by(mut self, cause: impl StdError + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// A fault of ours (a store or an upstream), never the client's: 503 (PRIN-5).
    #[must_use]
    pub fn unavailable(cause: impl StdError + Send + Sync + 'static) -> Self {
        let text = "The authorization server cannot reach a part that it needs. Try again shortly.";
        Self::new(ErrorCode::TemporarilyUnavailable, text).caused_by(cause)
    }

    /// The registered code.
    #[must_use]
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// What the client may read.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// What only the log may read.
    #[must_use]
    pub fn cause(&self) -> Option<&(dyn StdError + Send + Sync)> {
        self.cause.as_deref()
    }
}

impl fmt::Display for OAuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.description)
    }
}

impl StdError for OAuthError {}

impl From<super::Repeated> for OAuthError {
    fn from(repeated: super::Repeated) -> Self {
        Self::new(ErrorCode::InvalidRequest, repeated.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_071_descriptions_hold_only_the_rfc_character_set() {
        let error = OAuthError::new(ErrorCode::InvalidRequest, "a \"b\" \\ \r\n é `c`");
        assert_eq!(error.description(), "a 'b' ? ?? ? 'c'");
    }

    #[test]
    fn the_cause_is_not_in_what_the_client_reads() {
        let error = OAuthError::unavailable(std::io::Error::other("redis at 10.0.0.1"));
        assert!(!error.to_string().contains("10.0.0.1"));
        assert!(error.cause().unwrap().to_string().contains("10.0.0.1"));
    }
}
