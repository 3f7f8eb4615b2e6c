//! What a client states of itself, however it does: the members that a registration (RFC 7591) and a
//! metadata document have in common.

use url::Url;

use super::client_document::ClientKeys;
use super::registration::RegistrationRequest;
use super::{ErrorCode, OAuthError, RedirectUri};

/// Most redirect URIs of one client (SEC-113).
const MOST_REDIRECTS: usize = 20;

/// Largest key set that is kept: of a stranger's, as many are kept as of registrations.
const LARGEST_JWKS: usize = 8 * 1024;

/// Longest `jwks_uri`.
const LONGEST_JWKS_URI: usize = 2048;

/// What of a JWK is nobody else's (RFC 7518 section 6, RFC 8037 section 2).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

/// Longest text that is kept and echoed of what a client says about itself.
const LONGEST_TEXT: usize = 256;

/// Any mix of https, loopback and private-use URIs; one bad one refuses the whole (INT-28).
pub fn redirect_uris(sent: &[String]) -> Result<Vec<RedirectUri>, OAuthError> {
    let refuse = |text: String| OAuthError::new(ErrorCode::InvalidRedirectUri, text);
    if sent.is_empty() {
        return Err(refuse("redirect_uris is missing or empty".into()));
    }
    if sent.len() > MOST_REDIRECTS {
        return Err(refuse(format!("at most {MOST_REDIRECTS} redirect_uris")));
    }
    let parse = |uri: &String| {
        RedirectUri::parse(uri).map_err(|fault| refuse(format!("redirect_uri {} {fault}", cut(uri))))
    };
    sent.iter().map(parse).collect()
}

/// Keys by value and by reference exclude each other; a private or symmetric key was sent by
/// mistake and is compromised (SEC-110).
pub fn check_keys(request: &RegistrationRequest) -> Result<(), OAuthError> {
    let refuse = |text| Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text));
    let Some(jwks) = request.jwks.as_ref().filter(|jwks| !jwks.is_null()) else { return Ok(()) };
    if request.jwks_uri.is_some() {
        return refuse("jwks and jwks_uri exclude each other");
    }
    let Some(keys) = jwks.get("keys").and_then(serde_json::Value::as_array) else {
        return refuse("jwks must be a JWK set");
    };
    let secret = |key: &serde_json::Value| {
        key["kty"] == "oct" || PRIVATE_MEMBERS.iter().any(|member| key.get(member).is_some())
    };
    if keys.iter().any(secret) {
        return refuse("jwks holds a private or symmetric key; send public keys only");
    }
    Ok(())
}

/// Where its public keys are, if it says so: here, or at a URL, which nobody asks before the client signs.
pub fn keys(request: &RegistrationRequest) -> Result<Option<ClientKeys>, OAuthError> {
    check_keys(request)?;
    let refuse = |text: String| OAuthError::new(ErrorCode::InvalidClientMetadata, text);
    if let Some(jwks) = request.jwks.as_ref().filter(|jwks| !jwks.is_null()) {
        if jwks.to_string().len() > LARGEST_JWKS {
            return Err(refuse(format!("jwks is larger than {LARGEST_JWKS} bytes")));
        }
        return Ok(Some(ClientKeys::Jwks(jwks.clone())));
    }
    let Some(uri) = &request.jwks_uri else { return Ok(None) };
    let read = Url::parse(uri).ok().filter(|read| {
        let is_plain = read.username().is_empty() && read.password().is_none();
        read.scheme() == "https" && read.domain().is_some() && is_plain && uri.len() <= LONGEST_JWKS_URI
    });
    let read = read.ok_or_else(|| refuse("jwks_uri must be an https URL with a domain name".into()))?;
    Ok(Some(ClientKeys::JwksUri(read)))
}

/// Only the code flow is offered.
pub fn check_response_types(request: &RegistrationRequest) -> Result<(), OAuthError> {
    match &request.response_types {
        Some(types) if !types.is_empty() && !types.iter().any(|kind| kind == "code") => {
            let text = "response_types must contain code: only the code flow is offered";
            Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text))
        }
        _ => Ok(()),
    }
}

/// Grants that we do not have are left out (INT-35); without a list, both that we have.
pub fn may_refresh(request: &RegistrationRequest) -> Result<bool, OAuthError> {
    let Some(grants) = request.grant_types.as_ref().filter(|grants| !grants.is_empty()) else {
        return Ok(true);
    };
    if !grants.iter().any(|grant| grant == "authorization_code") {
        let text = "grant_types must contain authorization_code";
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text));
    }
    Ok(grants.iter().any(|grant| grant == "refresh_token"))
}

/// As much of a text as is kept.
pub fn cut(text: impl AsRef<str>) -> String {
    text.as_ref().chars().take(LONGEST_TEXT).collect()
}
