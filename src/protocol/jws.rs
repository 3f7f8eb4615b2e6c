//! Signed JWTs (RFC 7515, RFC 7519) read strictly: size, shape, header, key, signature, and only
//! then the claims. The algorithm follows from the key, never from the token.
//!
//! Used for what we sign (access tokens) and for what identity providers sign (ID tokens).

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// Longest token that is looked at (SEC-144).
const LONGEST: usize = 16 * 1024;

/// Header members that would bring a key along or change how the token is read (SEC-142).
const REFUSED_HEADERS: [&str; 10] =
    ["crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip"];

/// Members of a JSON object, each there once.
pub type Members = BTreeMap<String, Value>;

/// Why a token is refused before its claims are looked at. For the log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidJws {
    /// Over 16 KiB.
    #[error("is longer than {LONGEST} bytes")]
    TooLong,
    /// Not a JWT, or its JSON is damaged or says a thing twice.
    #[error("is not a well-formed JWT")]
    Malformed,
    /// A header that is refused, or an algorithm that is not the key's.
    #[error("has a header or an algorithm that is not accepted")]
    Header,
    /// Signed with a key that the issuer does not publish, or not yet to us.
    #[error("is signed with an unknown key")]
    UnknownKey,
    /// The signature does not fit.
    #[error("has a wrong signature")]
    Signature,
}

/// A signed token that nobody has verified: its claims cannot be read from here.
pub struct Jws<'a> {
    header: Members,
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a token apart.
    pub fn parse(token: &'a str) -> Result<Self, InvalidJws> {
        if token.len() > LONGEST {
            return Err(InvalidJws::TooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(InvalidJws::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(InvalidJws::Malformed)?;
        if payload.contains('.') {
            return Err(InvalidJws::Malformed);
        }
        Ok(Self { header: strict_object(header)?, message, payload, signature })
    }

    /// A text member of the header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    /// Whom the token says it is about. Proves nothing: it only says whose keys to verify it with.
    #[must_use]
    pub fn unverified_subject(&self) -> Option<String> {
        self.unverified("sub")
    }

    /// Who the token says issued it. Proves nothing: it only says whom not to ask about it.
    #[must_use]
    pub fn unverified_issuer(&self) -> Option<String> {
        self.unverified("iss")
    }

    fn unverified(&self, claim: &str) -> Option<String> {
        let claims = strict_object(self.payload).ok()?;
        claims.get(claim)?.as_str().map(str::to_owned)
    }

    /// The claims, if one of these keys signed them.
    pub fn verify(&self, keys: &KeySet) -> Result<Members, InvalidJws> {
        if REFUSED_HEADERS.iter().any(|name| self.header.contains_key(*name)) {
            return Err(InvalidJws::Header);
        }
        let key = keys.find(self.header("kid")).ok_or(InvalidJws::UnknownKey)?;
        if self.header("alg").and_then(|alg| alg.parse().ok()) != Some(key.algorithm) {
            return Err(InvalidJws::Header);
        }
        let message = self.message.as_bytes();
        match jsonwebtoken::crypto::verify(self.signature, message, &key.key, key.algorithm) {
            Ok(true) => strict_object(self.payload),
            Ok(false) | Err(_) => Err(InvalidJws::Signature),
        }
    }
}

/// A public key, and the only algorithm that it may be used with.
#[derive(Clone)]
struct VerifyingKey {
    kid: Option<String>,
    key: DecodingKey,
    algorithm: Algorithm,
}

/// The usable public keys of an issuer.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

impl KeySet {
    /// The algorithms of the keys that are usable.
    pub const ALGORITHMS: [&'static str; 7] = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "EdDSA"];

    /// Takes the keys that are for signatures and for an algorithm that we accept.
    #[must_use]
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a Jwk>) -> Self {
        crate::protocol::install_crypto();
        Self { keys: keys.into_iter().filter_map(verifying_key).collect() }
    }

    /// Reads a JWK set; keys that it cannot read are left out, as RFC 7517 section 5 asks.
    #[must_use]
    pub fn from_jwks(document: &Value) -> Self {
        let listed = document.get("keys").and_then(Value::as_array);
        let keys: Vec<Jwk> =
            listed.into_iter().flatten().filter_map(|key| serde_json::from_value(key.clone()).ok()).collect();
        Self::new(&keys)
    }

    /// Is there no usable key at all?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Is there a key of this name?
    #[must_use]
    pub fn knows(&self, kid: Option<&str>) -> bool {
        self.find(kid).is_some()
    }

    /// The key of this name; without a name, the only key.
    fn find(&self, kid: Option<&str>) -> Option<&VerifyingKey> {
        match (kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid.as_deref() == Some(kid)),
            (None, [only]) => Some(only),
            (None, _) => None,
        }
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = self.keys.iter().map(|key| (key.kid.as_deref(), key.algorithm));
        f.debug_list().entries(named).finish()
    }
}

/// The algorithm follows from the key; symmetric keys are left out (SEC-048, SEC-142).
fn verifying_key(jwk: &Jwk) -> Option<VerifyingKey> {
    if !matches!(jwk.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let named = jwk.common.key_algorithm;
    let algorithm = if let AlgorithmParameters::EllipticCurve(ec) = &jwk.algorithm {
        match (&ec.curve, named) {
            (EllipticCurve::P256, None | Some(KeyAlgorithm::ES256)) => Algorithm::ES256,
            (EllipticCurve::P384, None | Some(KeyAlgorithm::ES384)) => Algorithm::ES384,
            _ => return None,
        }
    } else if let AlgorithmParameters::RSA(_) = &jwk.algorithm {
        match named {
            None | Some(KeyAlgorithm::RS256) => Algorithm::RS256,
            Some(KeyAlgorithm::RS384) => Algorithm::RS384,
            Some(KeyAlgorithm::RS512) => Algorithm::RS512,
            Some(KeyAlgorithm::PS256) => Algorithm::PS256,
            Some(_) => return None,
        }
    } else if let AlgorithmParameters::OctetKeyPair(okp) = &jwk.algorithm {
        match (&okp.curve, named) {
            (EllipticCurve::Ed25519, None | Some(KeyAlgorithm::EdDSA)) => Algorithm::EdDSA,
            _ => return None,
        }
    } else {
        return None;
    };
    let key = DecodingKey::from_jwk(jwk).ok()?;
    Some(VerifyingKey { kid: jwk.common.key_id.clone(), key, algorithm })
}

/// A JSON object in base64url. A member that stands there twice is an error: two readers could
/// see two different tokens (SEC-144).
fn strict_object(part: &str) -> Result<Members, InvalidJws> {
    let bytes = URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidJws::Malformed)?;
    let StrictObject(members) = serde_json::from_slice(&bytes).map_err(|_| InvalidJws::Malformed)?;
    Ok(members)
}

struct StrictObject(Members);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::new();
                while let Some((name, value)) = map.next_entry::<String, Value>()? {
                    if members.insert(name, value).is_some() {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Once).map(Self)
    }
}

/// Chooses jsonwebtoken's cryptography, which panics without a choice. May be called repeatedly.
pub fn install_crypto() {
    // An error only says that somebody chose before; there is one provider in this build.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}
