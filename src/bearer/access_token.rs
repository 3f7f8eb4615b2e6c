//! Access tokens as JWTs (RFC 9068): their claims, and how they are verified.
//!
//! The order of [`AccessTokenVerifier::verify`]: size, shape, header, key, signature, and only
//! then the claims. Claims of an unverified token cannot be read from here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::{InvalidJws, Jws, KeySet, ResourceUri, ScopeSet};

/// How far a clock that dates a token may be ahead of ours.
const SKEW: Duration = Duration::from_secs(60);

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
        // Nearly always it is written as the resource is.
        let is = |text: &String| {
            text == resource.as_str() || ResourceUri::parse(text).is_ok_and(|aud| aud == *resource)
        };
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
    key_id: String,
}

impl VerifiedAccess {
    /// Which key has signed it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

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

    /// Both.
    #[must_use]
    pub fn into_parts(self) -> (AccessClaims, ScopeSet) {
        (self.claims, self.scopes)
    }
}

/// Why a token is refused. For the log: the client learns only `invalid_token`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidToken {
    /// Not signed by a key of the issuer.
    #[error(transparent)]
    Jws(#[from] InvalidJws),
    /// Another kind of token, for example an ID token (SEC-141).
    #[error("is not of type at+jwt")]
    Type,
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
    /// Dated in the future, by so many seconds.
    #[error("is dated in the future ({0} s ahead of our clock)")]
    NotYet(u64),
}

/// Verifies the access tokens of one issuer against its published keys.
#[derive(Debug, Clone)]
pub struct AccessTokenVerifier {
    issuer: String,
    keys: KeySet,
}

impl AccessTokenVerifier {
    /// Verifies tokens of `issuer` with these keys.
    #[must_use]
    pub fn new(issuer: &str, keys: KeySet) -> Self {
        Self { issuer: issuer.to_owned(), keys }
    }

    /// Would another set of keys be needed to judge this token?
    #[must_use]
    pub fn lacks_key_of(&self, token: &str) -> bool {
        Jws::parse(token).is_ok_and(|jws| !self.keys.knows(jws.header("kid")))
    }

    /// Verifies a token for `resource` at the time `now` (RFC 9068 section 4).
    pub fn verify(
        &self,
        token: &str,
        resource: &ResourceUri,
        now: Timestamp,
    ) -> Result<VerifiedAccess, InvalidToken> {
        let access = self.verify_for_any(token, now)?;
        if !access.claims.aud.names(resource) {
            return Err(InvalidToken::Audience);
        }
        Ok(access)
    }

    /// Verifies a token of ours, for whatever resource: for its own client to revoke it.
    pub fn verify_for_any(&self, token: &str, now: Timestamp) -> Result<VerifiedAccess, InvalidToken> {
        let (claims, key_id) = self.verify_signature(token)?;
        if claims.iss != self.issuer {
            return Err(InvalidToken::Issuer);
        }
        if claims.exp <= now {
            return Err(InvalidToken::Expired);
        }
        let begins = claims.nbf.map_or(claims.iat, |nbf| nbf.max(claims.iat));
        if begins > now.plus(SKEW) {
            let refused = InvalidToken::NotYet(begins.since(now).as_secs());
            // It is genuine, so a clock is wrong (REL-14).
            tracing::warn!("an access token {refused}: do the clocks of all replicas and servers agree?");
            return Err(refused);
        }
        if claims.sub.is_empty() || claims.client_id.is_empty() || claims.jti.is_empty() {
            return Err(InvalidToken::Claims);
        }
        let scopes = ScopeSet::parse_lenient(&claims.scope);
        Ok(VerifiedAccess { claims, scopes, key_id })
    }

    /// The claims of a token that one of the issuer's keys signed, and which; they are not checked yet.
    fn verify_signature(&self, token: &str) -> Result<(AccessClaims, String), InvalidToken> {
        let jws = Jws::parse(token)?;
        if !matches!(jws.header("typ"), Some("at+jwt" | "application/at+jwt")) {
            return Err(InvalidToken::Type);
        }
        let key_id = jws.header("kid").ok_or(InvalidJws::UnknownKey)?.to_owned();
        let claims = jws.verified(&self.keys)?.read()?.ok_or(InvalidToken::Claims)?;
        Ok((claims, key_id))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    use serde_json::{Value, json};

    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

    struct Signer(EcdsaKeyPair);

    impl Signer {
        fn new() -> Self {
            Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
        }

        fn jwk(&self) -> Value {
            let point = self.0.public_key().as_ref();
            json!({"kty": "EC", "crv": "P-256", "kid": "k", "alg": "ES256", "use": "sig",
                "x": URL_SAFE_NO_PAD.encode(&point[1..33]), "y": URL_SAFE_NO_PAD.encode(&point[33..])})
        }

        fn sign(&self, header: &str, claims: &str) -> String {
            let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
            let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
            format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
        }
    }

    fn header() -> Value {
        json!({"typ": "at+jwt", "alg": "ES256", "kid": "k"})
    }

    fn claims() -> Value {
        json!({"iss": "https://auth.example", "sub": "p_1", "aud": "https://mcp.example/mcp",
            "exp": NOW.as_unix() + 60, "iat": NOW.as_unix(), "jti": "j", "client_id": "c",
            "scope": "mcp:read", "email": "alice@example.com"})
    }

    fn with(mut object: Value, name: &str, value: Value) -> Value {
        object[name] = value;
        object
    }

    fn without(mut object: Value, name: &str) -> Value {
        object.as_object_mut().unwrap().remove(name);
        object
    }

    fn check_text(header: &str, claims: &str) -> Result<VerifiedAccess, InvalidToken> {
        let signer = Signer::new();
        let verifier = AccessTokenVerifier::new(
            "https://auth.example",
            KeySet::from_jwks(&json!({"keys": [signer.jwk()]})),
        );
        let resource = ResourceUri::parse("https://mcp.example/mcp").unwrap();
        verifier.verify(&signer.sign(header, claims), &resource, NOW)
    }

    fn check(header: &Value, claims: &Value) -> Result<VerifiedAccess, InvalidToken> {
        check_text(&header.to_string(), &claims.to_string())
    }

    fn refused_claims(claims: &Value) -> InvalidToken {
        check(&header(), claims).unwrap_err()
    }

    /// SEC-140: what a good token tells.
    #[test]
    fn sec_140_a_token_with_all_claims_verifies() {
        let access = check(&header(), &claims()).unwrap();
        assert_eq!(access.claims().sub, "p_1");
        assert_eq!(access.scopes().to_string(), "mcp:read");
        let long = with(header(), "typ", json!("application/at+jwt"));
        assert!(check(&long, &claims()).is_ok());
        for required in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id"] {
            assert_eq!(refused_claims(&without(claims(), required)), InvalidToken::Claims, "{required}");
        }
        assert_eq!(refused_claims(&with(claims(), "sub", json!(""))), InvalidToken::Claims);
    }

    /// SEC-141: an ID token, an ID-JAG, a logout token is no access token.
    #[test]
    fn sec_141_only_at_jwt_is_taken() {
        for typ in ["JWT", "oauth-id-jag+jwt", "logout+jwt", "AT+JWT", ""] {
            let refused = check(&with(header(), "typ", json!(typ)), &claims());
            assert_eq!(refused, Err(InvalidToken::Type), "{typ}");
        }
        assert_eq!(check(&without(header(), "typ"), &claims()), Err(InvalidToken::Type));
    }

    /// SEC-142: the key decides the algorithm, and nothing in the token brings a key along.
    #[test]
    fn sec_142_algorithms_and_embedded_keys() {
        for alg in ["none", "HS256", "RS256", "ES384", "es256"] {
            let refused = check(&with(header(), "alg", json!(alg)), &claims());
            assert_eq!(refused, Err(InvalidToken::Jws(InvalidJws::Header)), "{alg}");
        }
        for name in ["crit", "b64", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256", "enc", "zip"] {
            let refused = check(&with(header(), name, json!(["exp"])), &claims());
            assert_eq!(refused, Err(InvalidToken::Jws(InvalidJws::Header)), "{name}");
        }
        let other = check(&with(header(), "kid", json!("other")), &claims());
        assert_eq!(other, Err(InvalidToken::Jws(InvalidJws::UnknownKey)));
        assert_eq!(
            check(&without(header(), "kid"), &claims()),
            Err(InvalidToken::Jws(InvalidJws::UnknownKey))
        );
        let symmetric = json!({"keys": [{"kty": "oct", "kid": "k", "alg": "HS256", "k": "c2VjcmV0"}]});
        assert!(!KeySet::from_jwks(&symmetric).knows(Some("k")));
    }

    /// SEC-143: the audience is the resource in any spelling, alone or in a list.
    #[test]
    fn sec_143_audience() {
        for good in
            [json!("HTTPS://MCP.example/mcp/"), json!(["https://x.example", "https://mcp.example/mcp"])]
        {
            assert!(check(&header(), &with(claims(), "aud", good)).is_ok());
        }
        for bad in [json!("https://mcp.example/"), json!([]), json!(""), json!(["https://x.example"])] {
            assert_eq!(refused_claims(&with(claims(), "aud", bad)), InvalidToken::Audience);
        }
        assert_eq!(
            refused_claims(&with(claims(), "iss", json!("https://auth.example/"))),
            InvalidToken::Issuer
        );
    }

    /// INT-27: no leeway for the end; 60 s for a clock ahead of ours.
    #[test]
    fn int_27_times_are_checked_against_the_given_present() {
        let at = |offset: i64| json!(NOW.as_unix().saturating_add_signed(offset));
        assert_eq!(refused_claims(&with(claims(), "exp", at(0))), InvalidToken::Expired);
        assert!(check(&header(), &with(claims(), "exp", at(1))).is_ok());
        assert!(check(&header(), &with(claims(), "iat", at(60))).is_ok());
        assert_eq!(refused_claims(&with(claims(), "iat", at(61))), InvalidToken::NotYet(61));
        assert_eq!(refused_claims(&with(claims(), "nbf", at(61))), InvalidToken::NotYet(61));
        for odd in [json!("1"), json!(1e300), json!(-1), json!(null)] {
            assert_eq!(refused_claims(&with(claims(), "exp", odd)), InvalidToken::Claims);
        }
    }

    /// SEC-144: hostile shapes are refused without a panic.
    #[test]
    fn sec_144_hostile_shapes() {
        let twice = r#"{"typ":"at+jwt","alg":"ES256","kid":"k","kid":"k"}"#;
        assert_eq!(check_text(twice, &claims().to_string()), Err(InvalidToken::Jws(InvalidJws::Malformed)));
        let text = claims().to_string().replacen('{', r#"{"sub":"p_0","#, 1);
        assert_eq!(check_text(&header().to_string(), &text), Err(InvalidToken::Jws(InvalidJws::Malformed)));
        let deep = "[".repeat(4000);
        assert_eq!(check_text(&header().to_string(), &deep), Err(InvalidToken::Jws(InvalidJws::Malformed)));
        let long = format!("{{\"x\":\"{}\"}}", "x".repeat(100_000));
        assert_eq!(check_text(&long, "{}"), Err(InvalidToken::Jws(InvalidJws::TooLong)));
        let verifier = AccessTokenVerifier::new("https://auth.example", KeySet::default());
        let resource = ResourceUri::parse("https://mcp.example/mcp").unwrap();
        for odd in ["", ".", "..", "...", "a.b", "é.é.é", &".".repeat(1_000_000), &".".repeat(9_000)] {
            assert!(verifier.verify(odd, &resource, NOW).is_err());
        }
    }

    /// SEC-142: a changed byte, or another key under the same name.
    #[test]
    fn sec_142_signatures_are_checked() {
        let (signer, other) = (Signer::new(), Signer::new());
        let verifier = AccessTokenVerifier::new(
            "https://auth.example",
            KeySet::from_jwks(&json!({"keys": [signer.jwk()]})),
        );
        let resource = ResourceUri::parse("https://mcp.example/mcp").unwrap();
        let verify = |token: &str| verifier.verify(token, &resource, NOW);
        let good = signer.sign(&header().to_string(), &claims().to_string());
        assert!(verify(&good).is_ok());
        let forged = other.sign(&header().to_string(), &claims().to_string());
        assert_eq!(verify(&forged), Err(InvalidToken::Jws(InvalidJws::Signature)));
        let (message, _) = good.rsplit_once('.').unwrap();
        assert_eq!(verify(&format!("{message}.")), Err(InvalidToken::Jws(InvalidJws::Signature)));
        assert_eq!(verify(&format!("{good}=")), Err(InvalidToken::Jws(InvalidJws::Signature)));
    }
}
