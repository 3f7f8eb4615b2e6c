//! Signed JWTs (RFC 7515, RFC 7519) read strictly: size, shape, header, key, signature, and only
//! then the claims. The algorithm follows from the key, never from the token.
//!
//! Used for what we sign (access tokens) and for what identity providers sign (ID tokens).

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, VerificationAlgorithm,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, Visitor};
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
        strict_object(self.verified(keys)?.0)
    }

    /// The claims that one of these keys signed, not read yet.
    pub(crate) fn verified(&self, keys: &KeySet) -> Result<Payload<'a>, InvalidJws> {
        if REFUSED_HEADERS.iter().any(|name| self.header.contains_key(*name)) {
            return Err(InvalidJws::Header);
        }
        let key = keys.find(self.header("kid")).ok_or(InvalidJws::UnknownKey)?;
        if self.header("alg").and_then(|alg| alg.parse().ok()) != Some(key.algorithm) {
            return Err(InvalidJws::Header);
        }
        if key.has_signed(self.message.as_bytes(), self.signature) {
            Ok(Payload(self.payload))
        } else {
            Err(InvalidJws::Signature)
        }
    }
}

/// Claims whose signature holds.
pub(crate) struct Payload<'a>(&'a str);

impl Payload<'_> {
    /// Reads them, each of which is there once; `None`: they are not these.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, InvalidJws> {
        let bytes = decoded(self.0)?;
        let Once = serde_json::from_slice(&bytes).map_err(|_| InvalidJws::Malformed)?;
        Ok(serde_json::from_slice(&bytes).ok())
    }
}

/// A public key, and the only algorithm that it may be used with.
struct VerifyingKey {
    kid: Option<String>,
    key: PublicKey,
    algorithm: Algorithm,
}

enum PublicKey {
    /// A point on a curve, decoded once: that is a tenth of a verification.
    Parsed(ParsedPublicKey),
    /// RSA.
    Rsa(DecodingKey),
}

impl VerifyingKey {
    fn has_signed(&self, message: &[u8], signature: &str) -> bool {
        match &self.key {
            PublicKey::Parsed(key) => {
                decoded(signature).is_ok_and(|signature| key.verify_sig(message, &signature).is_ok())
            }
            PublicKey::Rsa(key) => {
                jsonwebtoken::crypto::verify(signature, message, key, self.algorithm).is_ok_and(|holds| holds)
            }
        }
    }
}

/// The usable public keys of an issuer.
#[derive(Clone, Default)]
pub struct KeySet {
    keys: Arc<[VerifyingKey]>,
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
        match (kid, &*self.keys) {
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
    let key = if let AlgorithmParameters::EllipticCurve(ec) = &jwk.algorithm {
        point(algorithm, &ec.x, &ec.y)?
    } else if let AlgorithmParameters::OctetKeyPair(okp) = &jwk.algorithm {
        PublicKey::Parsed(ParsedPublicKey::new(&ED25519, decoded(&okp.x).ok()?).ok()?)
    } else {
        PublicKey::Rsa(DecodingKey::from_jwk(jwk).ok()?)
    };
    Some(VerifyingKey { kid: jwk.common.key_id.clone(), key, algorithm })
}

/// The key that is this point, uncompressed (SEC 1 section 2.3.3).
fn point(algorithm: Algorithm, x: &str, y: &str) -> Option<PublicKey> {
    let (curve, size): (&'static dyn VerificationAlgorithm, _) = if algorithm == Algorithm::ES384 {
        (&ECDSA_P384_SHA384_FIXED, 48)
    } else {
        (&ECDSA_P256_SHA256_FIXED, 32)
    };
    let (x, y) = (decoded(x).ok()?, decoded(y).ok()?);
    let bytes = [&[4], x.as_slice(), &y].concat();
    let fits = x.len() == size && y.len() == size;
    fits.then(|| ParsedPublicKey::new(curve, bytes).ok()).flatten().map(PublicKey::Parsed)
}

fn decoded(part: &str) -> Result<Vec<u8>, InvalidJws> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidJws::Malformed)
}

/// A JSON object in base64url. A member that stands there twice is an error: two readers could
/// see two different tokens (SEC-144).
fn strict_object(part: &str) -> Result<Members, InvalidJws> {
    let StrictObject(members) = serde_json::from_slice(&decoded(part)?).map_err(|_| InvalidJws::Malformed)?;
    Ok(members)
}

/// An object whose members are each there once; of few members, since its signature holds.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
                let mut names: Vec<Cow<'de, str>> = Vec::with_capacity(16);
                while let Some((Name(name), IgnoredAny)) = map.next_entry()? {
                    if names.contains(&name) {
                        return Err(A::Error::custom("a member stands there twice"));
                    }
                    names.push(name);
                }
                Ok(())
            }
        }
        deserializer.deserialize_map(Names).map(|()| Self)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

struct StrictObject(Members);

impl<'de> Deserialize<'de> for StrictObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EachOnce;
        impl<'de> Visitor<'de> for EachOnce {
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
        deserializer.deserialize_map(EachOnce).map(Self)
    }
}

/// Chooses jsonwebtoken's cryptography, which panics without a choice. May be called repeatedly.
pub fn install_crypto() {
    // An error only says that somebody chose before; there is one provider in this build.
    let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-144: both ways to read claims refuse what two readers could see two tokens in.
    #[test]
    fn sec_144_a_member_stands_there_once_however_it_is_written() {
        #[derive(Debug, Deserialize)]
        struct Claims {
            aud: String,
        }
        for (claims, is_good) in [
            (r#"{"aud":"a","sub":"p"}"#, true),
            (r#"{"aud":"a","aud":"b"}"#, false),
            (r#"{"aud":"a","\u0061ud":"b"}"#, false),
            (r#"{"aud":"a","x":1,"x":2}"#, false),
            (r#"{"aud":"a"} {}"#, false),
            (r#"["aud"]"#, false),
        ] {
            let part = URL_SAFE_NO_PAD.encode(claims);
            assert_eq!(strict_object(&part).is_ok(), is_good, "{claims}");
            let read = Payload(&part).read::<Claims>();
            assert_eq!(
                read.as_ref().is_ok_and(|claims| claims.as_ref().is_some_and(|c| c.aud == "a")),
                is_good,
                "{claims}"
            );
        }
        let other = URL_SAFE_NO_PAD.encode(r#"{"aud":1}"#);
        assert!(Payload(&other).read::<Claims>().is_ok_and(|claims| claims.is_none()));
    }
}
