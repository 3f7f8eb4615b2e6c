//! `private_key_jwt`: a client proves itself with a JWT that it signs for us (RFC 7523 section 3,
//! draft-ietf-oauth-rfc7523bis for the audience).

use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::ClientId;
use crate::protocol::{InvalidJws, Issuer, Jws, KeySet, Members};
use crate::secret::Digest;

/// What `client_assertion_type` must be.
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// How far a client's clock may be off.
const SKEW: Duration = Duration::from_secs(60);

/// How long an assertion may live: its `jti` is remembered so long.
const LONGEST_LIFE: Duration = Duration::from_secs(300);

/// Longest `jti` that is taken.
const LONGEST_JTI: usize = 256;

/// Why an assertion does not hold. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidAssertion {
    #[error("the client assertion {0}")]
    Jws(#[from] InvalidJws),
    #[error("the client assertion's {0} is missing or is not what it must be")]
    Claim(&'static str),
    #[error("the client assertion is not in time by our clock")]
    Time,
    #[error("the client assertion was used before")]
    Used,
}

/// An assertion that holds, and may be used if it has not been.
#[derive(Debug)]
pub(super) struct HoldingAssertion {
    /// Client and `jti` together.
    pub(super) name: Digest,
    /// When nobody can present it any more.
    pub(super) until: Timestamp,
}

/// Who an assertion says it is from; proves nothing, and says whose keys to ask.
pub(super) fn named_client(assertion: &str) -> Option<ClientId> {
    Jws::parse(assertion).ok()?.unverified_subject().map(ClientId::new)
}

/// The name of the key that an assertion says it is signed with.
pub(super) fn key_id(assertion: &str) -> Option<String> {
    Some(Jws::parse(assertion).ok()?.header("kid")?.to_owned())
}

/// Verifies an assertion of this client for us (SEC-068, PRIN-2).
pub(super) fn verify(
    assertion: &str,
    keys: &KeySet,
    (client, issuer): (&ClientId, &Issuer),
    now: Timestamp,
) -> Result<HoldingAssertion, InvalidAssertion> {
    let jws = Jws::parse(assertion)?;
    // A missing `typ` is accepted: most libraries send `JWT` or none.
    let typ = jws.header("typ").unwrap_or("JWT");
    if !["JWT", "client-authentication+jwt"].iter().any(|accepted| typ.eq_ignore_ascii_case(accepted)) {
        return Err(InvalidAssertion::Claim("typ"));
    }
    let claims = jws.verify(keys)?;
    for name in ["iss", "sub"] {
        if claims.get(name).and_then(Value::as_str) != Some(client.as_str()) {
            return Err(InvalidAssertion::Claim(name));
        }
    }
    if !is_for(&claims, issuer.as_str()) {
        return Err(InvalidAssertion::Claim("aud"));
    }
    let time = |name| claims.get(name).map(|value| value.as_f64().ok_or(InvalidAssertion::Claim(name)));
    let at = |seconds: f64| Timestamp::from_unix(whole(seconds));
    let exp = at(time("exp").ok_or(InvalidAssertion::Claim("exp"))??);
    if now >= exp.plus(SKEW) || exp > now.plus(LONGEST_LIFE + SKEW) {
        return Err(InvalidAssertion::Time);
    }
    for name in ["iat", "nbf"] {
        if time(name).transpose()?.is_some_and(|from| at(from) > now.plus(SKEW)) {
            return Err(InvalidAssertion::Time);
        }
    }
    let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| (1..=LONGEST_JTI).contains(&jti.len()));
    let jti = jti.ok_or(InvalidAssertion::Claim("jti"))?;
    let name = Digest::of(&format!("{}:{client}{jti}", client.as_str().len()));
    Ok(HoldingAssertion { name, until: exp.plus(SKEW) })
}

/// Our issuer and nobody else: an assertion for two could be passed on by the other one.
fn is_for(claims: &Members, issuer: &str) -> bool {
    match claims.get("aud") {
        Some(Value::String(only)) => only == issuer,
        Some(Value::Array(list)) => matches!(list.as_slice(), [only] if only == issuer),
        _ => false,
    }
}

/// Seconds since 1970, which may have a fraction (RFC 7519 section 2).
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, which is meant")]
fn whole(seconds: f64) -> u64 {
    seconds as u64
}
