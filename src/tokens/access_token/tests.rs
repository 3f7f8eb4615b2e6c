//! Good tokens, and every way to be refused.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use super::*;

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
    let verifier = AccessTokenVerifier::from_jwks("https://auth.example", &json!({"keys": [signer.jwk()]}));
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
        assert_eq!(refused, Err(InvalidToken::Header), "{alg}");
    }
    for name in REFUSED_HEADERS {
        let refused = check(&with(header(), name, json!(["exp"])), &claims());
        assert_eq!(refused, Err(InvalidToken::Header), "{name}");
    }
    let other = check(&with(header(), "kid", json!("other")), &claims());
    assert_eq!(other, Err(InvalidToken::UnknownKey));
    assert_eq!(check(&without(header(), "kid"), &claims()), Err(InvalidToken::UnknownKey));
    let symmetric = json!({"keys": [{"kty": "oct", "kid": "k", "alg": "HS256", "k": "c2VjcmV0"}]});
    assert!(AccessTokenVerifier::from_jwks("https://auth.example", &symmetric).keys.is_empty());
}

/// SEC-143: the audience is the resource in any spelling, alone or in a list.
#[test]
fn sec_143_audience() {
    for good in [json!("HTTPS://MCP.example/mcp/"), json!(["https://x.example", "https://mcp.example/mcp"])] {
        assert!(check(&header(), &with(claims(), "aud", good)).is_ok());
    }
    for bad in [json!("https://mcp.example/"), json!([]), json!(""), json!(["https://x.example"])] {
        assert_eq!(refused_claims(&with(claims(), "aud", bad)), InvalidToken::Audience);
    }
    assert_eq!(refused_claims(&with(claims(), "iss", json!("https://auth.example/"))), InvalidToken::Issuer);
}

/// INT-27: no leeway for the end; 60 s for a clock ahead of ours.
#[test]
fn int_27_times_are_checked_against_the_given_present() {
    let at = |offset: i64| json!(NOW.as_unix().saturating_add_signed(offset));
    assert_eq!(refused_claims(&with(claims(), "exp", at(0))), InvalidToken::Expired);
    assert!(check(&header(), &with(claims(), "exp", at(1))).is_ok());
    assert!(check(&header(), &with(claims(), "iat", at(60))).is_ok());
    assert_eq!(refused_claims(&with(claims(), "iat", at(61))), InvalidToken::NotYet);
    assert_eq!(refused_claims(&with(claims(), "nbf", at(61))), InvalidToken::NotYet);
    for odd in [json!("1"), json!(1e300), json!(-1), json!(null)] {
        assert_eq!(refused_claims(&with(claims(), "exp", odd)), InvalidToken::Claims);
    }
}

/// SEC-144: hostile shapes are refused without a panic.
#[test]
fn sec_144_hostile_shapes() {
    let twice = r#"{"typ":"at+jwt","alg":"ES256","kid":"k","kid":"k"}"#;
    assert_eq!(check_text(twice, &claims().to_string()), Err(InvalidToken::Malformed));
    let text = claims().to_string().replacen('{', r#"{"sub":"p_0","#, 1);
    assert_eq!(check_text(&header().to_string(), &text), Err(InvalidToken::Malformed));
    let deep = "[".repeat(4000);
    assert_eq!(check_text(&header().to_string(), &deep), Err(InvalidToken::Malformed));
    let long = format!("{{\"x\":\"{}\"}}", "x".repeat(100_000));
    assert_eq!(check_text(&long, "{}"), Err(InvalidToken::TooLong));
    let verifier = AccessTokenVerifier::from_jwks("https://auth.example", &json!({}));
    let resource = ResourceUri::parse("https://mcp.example/mcp").unwrap();
    for odd in ["", ".", "..", "...", "a.b", "é.é.é", &".".repeat(1_000_000), &".".repeat(9_000)] {
        assert!(verifier.verify(odd, &resource, NOW).is_err());
    }
}

/// SEC-142: a changed byte, or another key under the same name.
#[test]
fn sec_142_signatures_are_checked() {
    let (signer, other) = (Signer::new(), Signer::new());
    let verifier = AccessTokenVerifier::from_jwks("https://auth.example", &json!({"keys": [signer.jwk()]}));
    let resource = ResourceUri::parse("https://mcp.example/mcp").unwrap();
    let verify = |token: &str| verifier.verify(token, &resource, NOW);
    let good = signer.sign(&header().to_string(), &claims().to_string());
    assert!(verify(&good).is_ok());
    let forged = other.sign(&header().to_string(), &claims().to_string());
    assert_eq!(verify(&forged), Err(InvalidToken::Signature));
    let (message, _) = good.rsplit_once('.').unwrap();
    assert_eq!(verify(&format!("{message}.")), Err(InvalidToken::Signature));
    assert_eq!(verify(&format!("{good}=")), Err(InvalidToken::Signature));
}
