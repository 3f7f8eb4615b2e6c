//! Logout tokens (OpenID Connect Back-Channel Logout 1.0 section 2.6): an upstream says that somebody
//! has signed out there.

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::protocol::{InvalidJws, Jws, KeySet};

use super::id_token::{InvalidIdToken, check_audience, check_times};

/// The member of `events` that makes a token a logout token.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// How old one may be. Whoever repeats an older one would sign somebody out who has signed in again.
const OLDEST: Duration = Duration::from_secs(180);

/// Why a logout token is refused. For the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidLogoutToken {
    #[error("the logout token {0}")]
    Jws(#[from] InvalidJws),
    #[error("the logout token's {0} is missing or is not what it must be")]
    Claim(&'static str),
    #[error("of the logout token: {0}")]
    Common(#[from] InvalidIdToken),
    #[error("the logout token is {0} s old")]
    Old(u64),
}

/// Who has signed out, by the upstream's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOut {
    /// The person.
    pub subject: Option<String>,
    /// The session, if it is one and not all of the person's.
    pub sid: Option<String>,
}

/// Verifies a logout token (SEC-060).
pub(super) fn verify(
    token: &str,
    keys: &KeySet,
    (issuers, client_id): (&[&str], &str),
    now: Timestamp,
) -> Result<LoggedOut, InvalidLogoutToken> {
    let jws = Jws::parse(token)?;
    // Providers that send `JWT` came before the type; every other kind of token says another thing.
    if !matches!(jws.header("typ"), None | Some("JWT" | "logout+jwt" | "application/logout+jwt")) {
        return Err(InvalidLogoutToken::Claim("typ"));
    }
    let claims = jws.verify(keys)?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if !text("iss").is_some_and(|iss| issuers.contains(&iss)) {
        return Err(InvalidLogoutToken::Claim("iss"));
    }
    check_audience(&claims, client_id)?;
    check_times(&claims, now)?;
    let age = now.since(Timestamp::from_unix(claims.get("iat").and_then(Value::as_u64).unwrap_or_default()));
    if age > OLDEST {
        return Err(InvalidLogoutToken::Old(age.as_secs()));
    }
    if text("jti").is_none_or(str::is_empty) {
        return Err(InvalidLogoutToken::Claim("jti"));
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err(InvalidLogoutToken::Claim("events"));
    }
    // An ID token with a nonce is no logout token, whatever else it says.
    if claims.contains_key("nonce") {
        return Err(InvalidLogoutToken::Claim("nonce"));
    }
    let named = |name: &'static str| match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= 255 => Ok(Some(text.clone())),
        Some(_) => Err(InvalidLogoutToken::Claim(name)),
    };
    let logged_out = LoggedOut { subject: named("sub")?, sid: named("sid")? };
    if logged_out.subject.is_none() && logged_out.sid.is_none() {
        return Err(InvalidLogoutToken::Claim("sub"));
    }
    Ok(logged_out)
}
