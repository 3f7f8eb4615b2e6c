//! ID tokens (OpenID Connect Core section 3.1.3.7). Claims cannot be read before verification.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::protocol::{InvalidJws, Jws, KeySet, Members};
use crate::secret::{Digest, Secret};

use super::UpstreamSettings;

/// How far the provider's clock may be off (SEC-050).
const SKEW: Duration = Duration::from_secs(60);

/// Why an ID token is refused. For the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidIdToken {
    #[error("the ID token {0}")]
    Jws(#[from] InvalidJws),
    #[error("the ID token's {0} is missing or is not what it must be")]
    Claim(&'static str),
    #[error("the ID token has expired ({0} s ago by our clock)")]
    Expired(u64),
    #[error("the ID token is dated in the future ({0} s ahead of our clock)")]
    NotYet(u64),
}

/// Which nonce an ID token must carry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Nonce<'a> {
    /// That of this sign-in.
    Is(&'a str),
    /// None; or that of the sign-in behind the refresh token (OpenID Connect Core section 12.2).
    IsNoneBut(Option<&'a Digest>),
}

impl Nonce<'_> {
    fn holds(self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Self::Is(expected), Some(Value::String(found))) => found == expected,
            (Self::IsNoneBut(Some(expected)), Some(Value::String(found))) => expected.is_of(found),
            (Self::IsNoneBut(_), None) => true,
            (Self::Is(_) | Self::IsNoneBut(_), _) => false,
        }
    }
}

/// What an ID token must agree with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected<'a> {
    pub(super) settings: &'a UpstreamSettings,
    pub(super) nonce: Nonce<'a>,
    pub(super) access_token: &'a str,
}

/// An ID token as it came.
#[derive(Debug, Clone)]
pub struct UnverifiedIdToken(Secret);

/// The claims of an ID token that is the provider's, for us, for this sign-in, and in time.
#[derive(Debug, Clone)]
pub struct VerifiedIdToken {
    issuer: String,
    subject: String,
    account: String,
    claims: Members,
}

impl UnverifiedIdToken {
    pub(super) fn new(text: String) -> Self {
        Self(Secret::new(text))
    }

    /// The token as it came.
    pub(super) fn into_text(self) -> Secret {
        self.0
    }

    /// The name of the key that it says it is signed with.
    pub(super) fn key_id(&self) -> Result<Option<String>, InvalidIdToken> {
        Ok(Jws::parse(self.0.expose())?.header("kid").map(str::to_owned))
    }

    /// Verifies signature and claims (SEC-043, SEC-048 to SEC-051).
    pub(super) fn verify(
        &self,
        keys: &KeySet,
        expected: Expected<'_>,
        now: Timestamp,
    ) -> Result<VerifiedIdToken, InvalidIdToken> {
        let jws = Jws::parse(self.0.expose())?;
        let claims = jws.verify(keys)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        let UpstreamSettings { preset, client_id, .. } = expected.settings;
        let tenant = preset.tenancy.and_then(|tenancy| text(tenancy.claim));
        let issuer = expected.settings.token_issuer(tenant).ok_or(InvalidIdToken::Claim("tenant"))?;
        let iss = text("iss").ok_or(InvalidIdToken::Claim("iss"))?;
        if iss != issuer && !preset.issuer_aliases.contains(&iss) {
            return Err(InvalidIdToken::Claim("iss"));
        }
        check_audience(&claims, client_id)?;
        check_times(&claims, now)?;
        if !expected.nonce.holds(claims.get("nonce")) {
            return Err(InvalidIdToken::Claim("nonce"));
        }
        if let Some(at_hash) = claims.get("at_hash") {
            let hash = access_token_hash(jws.header("alg"), expected.access_token);
            if hash.is_none() || at_hash.as_str() != hash.as_deref() {
                return Err(InvalidIdToken::Claim("at_hash"));
            }
        }
        let named = |claim| text(claim).filter(|name| !name.is_empty() && name.len() <= 255);
        let subject = named("sub").ok_or(InvalidIdToken::Claim("sub"))?.to_owned();
        let account = named(preset.account).ok_or(InvalidIdToken::Claim(preset.account))?.to_owned();
        Ok(VerifiedIdToken { issuer, subject, account, claims })
    }
}

impl VerifiedIdToken {
    /// Whose token it is: the configured issuer, or the one of the token's own tenant.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The token's `sub`: other documents about the person must have the same.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The person's identifier at the issuer, the half of the account key (SEC-054).
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// Every claim.
    #[must_use]
    pub fn claims(&self) -> &Members {
        &self.claims
    }
}

/// `aud` contains us; among several, `azp` is us; `azp`, if there, is us in any case (SEC-049).
pub(super) fn check_audience(claims: &Members, client_id: &str) -> Result<(), InvalidIdToken> {
    let several = match claims.get("aud") {
        Some(Value::String(aud)) if aud == client_id => false,
        Some(Value::Array(auds)) if auds.iter().any(|aud| aud == client_id) => auds.len() > 1,
        _ => return Err(InvalidIdToken::Claim("aud")),
    };
    match claims.get("azp") {
        Some(azp) if azp != client_id => Err(InvalidIdToken::Claim("azp")),
        None if several => Err(InvalidIdToken::Claim("azp")),
        _ => Ok(()),
    }
}

/// `exp` and `iat` are there, whole numbers, and fit the present within 60 s (SEC-050).
pub(super) fn check_times(claims: &Members, now: Timestamp) -> Result<(), InvalidIdToken> {
    let time = |name| claims.get(name).and_then(Value::as_u64).map(Timestamp::from_unix);
    let exp = time("exp").ok_or(InvalidIdToken::Claim("exp"))?;
    let iat = time("iat").ok_or(InvalidIdToken::Claim("iat"))?;
    if now >= exp.plus(SKEW) {
        return Err(InvalidIdToken::Expired(now.since(exp).as_secs()));
    }
    let latest = match claims.get("nbf") {
        None => iat,
        Some(_) => iat.max(time("nbf").ok_or(InvalidIdToken::Claim("nbf"))?),
    };
    if latest > now.plus(SKEW) {
        return Err(InvalidIdToken::NotYet(latest.since(now).as_secs()));
    }
    Ok(())
}

/// The left half of the access token's hash, by the algorithm of the signature
/// (OpenID Connect Core section 3.1.3.6). An unknown algorithm has none: fail closed (SEC-051).
fn access_token_hash(alg: Option<&str>, access_token: &str) -> Option<String> {
    use aws_lc_rs::digest;
    let algorithm = match alg? {
        "RS256" | "ES256" | "PS256" => &digest::SHA256,
        "RS384" | "ES384" => &digest::SHA384,
        // Ed25519 hashes with SHA-512 (RFC 8032 section 5.1).
        "RS512" | "EdDSA" => &digest::SHA512,
        _ => return None,
    };
    let hash = digest::digest(algorithm, access_token.as_bytes());
    let half = hash.as_ref().get(..hash.as_ref().len() / 2)?;
    Some(URL_SAFE_NO_PAD.encode(half))
}
