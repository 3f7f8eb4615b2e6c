//! Access tokens as JWTs (RFC 9068): their claims, and how they are verified.
//!
//! The order of [`AccessTokenVerifier::verify`]: size, shape, header, key, signature, and only
//! then the claims. Claims of an unverified token cannot be read from here.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeOwned, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::clock::Timestamp;
use crate::protocol::{ResourceUri, ScopeSet};

/// Longest token that is looked at (SEC-144).
const LONGEST: usize = 16 * 1024;

/// How far a clock that dates a token may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

/// Header members that would bring a key along or change how the token is read (SEC-142).
const REFUSED_HEADERS: [&str; 10] =
    ["crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip"];

/// The claims of an access token (RFC 9068 section 2.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessClaims {
    /// Who issued it.
    pub iss: String,
    /// The person or, without a person, the client.
    pub sub: String,
    /// The resource that it is for.
    pub aud: Audience,
    /// When it ends.
    pub exp: Timestamp,
    /// When it was issued.
    pub iat: Timestamp,
    /// From when it counts; ours leave it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<Timestamp>,
    /// Its own identifier.
    pub jti: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// What it allows, space-delimited.
    #[serde(default)]
    pub scope: String,
    /// The grant that it hangs on.
    #[serde(rename = "gid", default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<String>,
    /// The person's verified email address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// A name to show; decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// `aud`: one name, or a list of names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// What we issue.
    One(String),
    /// What RFC 7519 also allows.
    Many(Vec<String>),
}

impl Audience {
    /// Does it name this resource, in any of its spellings?
    #[must_use]
    pub fn names(&self, resource: &ResourceUri) -> bool {
        let is = |text: &String| ResourceUri::parse(text).is_ok_and(|aud| aud == *resource);
        match self {
            Self::One(text) => is(text),
            Self::Many(texts) => texts.iter().any(is),
        }
    }
}

/// A token that verified, for the resource that was asked about. Nothing else makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedAccess {
    claims: AccessClaims,
    scopes: ScopeSet,
}

impl VerifiedAccess {
    /// Everything that the token says.
    #[must_use]
    pub fn claims(&self) -> &AccessClaims {
        &self.claims
    }

    /// What the token allows.
    #[must_use]
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }
}

/// Why a token is refused. For the log: the client learns only `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Over 16 KiB.
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    /// Not a JWT, or its JSON is damaged or says a thing twice.
    #[error("is not a well-formed JWT")]
    Malformed,
    /// Another kind of token, for example an ID token (SEC-141).
    #[error("is not of type at+jwt")]
    Type,
    /// A header that is refused, or an algorithm that is not the key's.
    #[error("has a header or an algorithm that is not accepted")]
    Header,
    /// Signed with a key that the issuer does not publish, or not yet to us.
    #[error("is signed with an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("has a wrong signature")]
    Signature,
    /// A required claim is missing, empty or of another type.
    #[error("lacks a required claim")]
    Claims,
    /// From another issuer.
    #[error("is from another issuer")]
    Issuer,
    /// For another resource.
    #[error("is for another resource")]
    Audience,
    /// Ended.
    #[error("has expired")]
    Expired,
    /// Dated in the future.
    #[error("is dated in the future")]
    NotYet,
}

/// A public key, and the only algorithm that it may be used with.
#[derive(Clone)]
struct VerifyingKey {
    key: DecodingKey,
    algorithm: Algorithm,
}

/// Verifies the access tokens of one issuer against its published keys.
#[derive(Clone)]
pub struct AccessTokenVerifier {
    issuer: String,
    keys: HashMap<String, VerifyingKey>,
}

impl AccessTokenVerifier {
    /// Takes the usable keys: with a `kid`, for signatures, for ES256, RS256 or `EdDSA`.
    #[must_use]
    pub fn new<'a>(issuer: &str, keys: impl IntoIterator<Item = &'a Jwk>) -> Self {
        super::install_crypto();
        let mut by_kid = HashMap::new();
        for jwk in keys {
            if let (Some(kid), Some(key)) = (&jwk.common.key_id, verifying_key(jwk)) {
                by_kid.entry(kid.clone()).or_insert(key);
            }
        }
        Self { issuer: issuer.to_owned(), keys: by_kid }
    }

    /// Reads a JWK set; keys that it cannot read are left out, as RFC 7517 section 5 asks.
    #[must_use]
    pub fn from_jwks(issuer: &str, document: &Value) -> Self {
        let listed = document.get("keys").and_then(Value::as_array);
        let keys: Vec<Jwk> =
            listed.into_iter().flatten().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
        Self::new(issuer, &keys)
    }

    /// Verifies a token for `resource` at the time `now` (RFC 9068 section 4).
    pub fn verify(
        &self,
        token: &str,
        resource: &ResourceUri,
        now: Timestamp,
    ) -> Result<VerifiedAccess, InvalidToken> {
        let claims = self.verify_signature(token)?;
        if claims.iss != self.issuer {
            return Err(InvalidToken::Issuer);
        }
        if !claims.aud.names(resource) {
            return Err(InvalidToken::Audience);
        }
        if claims.exp <= now {
            return Err(InvalidToken::Expired);
        }
        let horizon = now.plus(SKEW);
        if claims.iat > horizon || claims.nbf.is_some_and(|nbf| nbf > horizon) {
            return Err(InvalidToken::NotYet);
        }
        if claims.sub.is_empty() || claims.client_id.is_empty() || claims.jti.is_empty() {
            return Err(InvalidToken::Claims);
        }
        let scopes = ScopeSet::parse_lenient(&claims.scope);
        Ok(VerifiedAccess { claims, scopes })
    }

    /// Would this token need a key that is not here? Then the issuer may have a new one.
    #[must_use]
    pub fn lacks_key_of(&self, token: &str) -> bool {
        matches!(self.unverified(token), Err(InvalidToken::UnknownKey))
    }

    /// The claims of a token that one of the issuer's keys signed; they are not checked yet.
    fn verify_signature(&self, token: &str) -> Result<AccessClaims, InvalidToken> {
        let Unverified { message, payload, signature, key } = self.unverified(token)?;
        match jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, key.algorithm) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(InvalidToken::Signature),
        }
        typed(strict_object(payload)?).ok_or(InvalidToken::Claims)
    }

    /// The parts of a token whose header is acceptable.
    fn unverified<'a>(&'a self, token: &'a str) -> Result<Unverified<'a>, InvalidToken> {
        if token.len() > LONGEST {
            return Err(InvalidToken::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidToken::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(InvalidToken::Malformed)?;
        if payload.contains('.') {
            return Err(InvalidToken::Malformed);
        }
        let header = strict_object(header)?;
        let text = |name| header.get(name).and_then(Value::as_str);
        if !matches!(text("typ"), Some("at+jwt" | "application/at+jwt")) {
            return Err(InvalidToken::Type);
        }
        if REFUSED_HEADERS.iter().any(|name| header.contains_key(*name)) {
            return Err(InvalidToken::Header);
        }
        let key = text("kid").and_then(|kid| self.keys.get(kid)).ok_or(InvalidToken::UnknownKey)?;
        if text("alg").and_then(|alg| alg.parse().ok()) != Some(key.algorithm) {
            return Err(InvalidToken::Header);
        }
        Ok(Unverified { message, payload, signature, key })
    }
}

/// A token whose signature nobody has looked at.
struct Unverified<'a> {
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
    key: &'a VerifyingKey,
}

impl fmt::Debug for AccessTokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<&String> = self.keys.keys().collect();
        f.debug_struct("AccessTokenVerifier").field("issuer", &self.issuer).field("keys", &kids).finish()
    }
}

/// The algorithm follows from the key, never from a token; symmetric keys are left out (SEC-142).
fn verifying_key(jwk: &Jwk) -> Option<VerifyingKey> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let (named, algorithm) = if let AlgorithmParameters::EllipticCurve(ec) = &jwk.algorithm
        && ec.curve == EllipticCurve::P256
    {
        (KeyAlgorithm::ES256, Algorithm::ES256)
    } else if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
        (KeyAlgorithm::RS256, Algorithm::RS256)
    } else if let AlgorithmParameters::OctetKeyPair(okp) = &jwk.algorithm
        && okp.curve == EllipticCurve::Ed25519
    {
        (KeyAlgorithm::EdDSA, Algorithm::EdDSA)
    } else {
        return None;
    };
    if jwk.common.key_algorithm.is_some_and(|alg| alg != named) {
        return None;
    }
    Some(VerifyingKey { key: DecodingKey::from_jwk(jwk).ok()?, algorithm })
}

/// A JSON object in base64url. A member that stands there twice is an error: two readers could
/// see two different tokens (SEC-144).
fn strict_object(part: &str) -> Result<BTreeMap<String, Value>, InvalidToken> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)?;
    let StrictObject(members) = serde_json::from_slice(&bytes).map_err(|_| InvalidToken::Malformed)?;
    Ok(members)
}

fn typed<T: DeserializeOwned>(members: BTreeMap<String, Value>) -> Option<T> {
    serde_json::from_value(Value::Object(members.into_iter().collect())).ok()
}

struct StrictObject(BTreeMap<String, Value>);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = BTreeMap<String, Value>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(Self)
    }
}
