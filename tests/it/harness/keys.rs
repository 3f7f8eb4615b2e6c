//! Signing keys that sign whatever they are told to, and forgeries that no library would make.

use std::sync::{Arc, OnceLock};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

/// A signing key with a name.
#[derive(Clone, Debug)]
pub(crate) struct TestKey {
    kid: String,
    pair: Pair,
}

#[derive(Clone, Debug)]
enum Pair {
    Es256(Arc<EcdsaKeyPair>),
    Rs256(Arc<RsaKeyPair>),
}

impl TestKey {
    /// A new key for ES256.
    pub(crate) fn es256(kid: &str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a P-256 key");
        Self { kid: kid.to_owned(), pair: Pair::Es256(Arc::new(pair)) }
    }

    /// A key for RS256. Finding primes is slow, so one key serves the whole run.
    pub(crate) fn rs256(kid: &str) -> Self {
        static KEY: OnceLock<Arc<RsaKeyPair>> = OnceLock::new();
        let pair = KEY.get_or_init(|| Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("an RSA key")));
        Self { kid: kid.to_owned(), pair: Pair::Rs256(pair.clone()) }
    }

    /// The key's name.
    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    /// The JOSE name of its algorithm.
    pub(crate) fn algorithm(&self) -> &'static str {
        match &self.pair {
            Pair::Es256(_) => "ES256",
            Pair::Rs256(_) => "RS256",
        }
    }

    /// The public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match &self.pair {
            Pair::Es256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.kid,
                    "x": text(&point[1..33]), "y": text(&point[33..65])})
            }
            Pair::Rs256(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.kid,
                    "n": text(&public.n), "e": text(&public.e)})
            }
        }
    }

    /// The public half as PEM: the bytes that an algorithm confusion signs with.
    pub(crate) fn public_pem(&self) -> String {
        let der: PublicKeyX509Der<'_> = match &self.pair {
            Pair::Es256(pair) => pair.public_key().as_der(),
            Pair::Rs256(pair) => pair.public_key().as_der(),
        }
        .expect("a public key in DER");
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der.as_ref()))
    }

    /// A header as this key would honestly write it.
    pub(crate) fn header(&self, typ: &str) -> Map<String, Value> {
        object(json!({"typ": typ, "alg": self.algorithm(), "kid": self.kid}))
    }

    /// A JWT with exactly this header and these claims, signed by this key.
    pub(crate) fn sign(&self, header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
        let message = message(header, claims);
        let signature = match &self.pair {
            Pair::Es256(pair) => {
                pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature").as_ref().to_vec()
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature)
                    .expect("a signature");
                signature
            }
        };
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

/// A JWT without a signature.
pub(crate) fn unsigned(header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    format!("{}.", message(header, claims))
}

/// A JWT with an HMAC under any bytes.
pub(crate) fn hs256(key: &[u8], header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let message = message(header, claims);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes());
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))
}

/// `at_hash` of an access token (OpenID Connect Core section 3.1.3.6).
pub(crate) fn at_hash(access_token: &str) -> String {
    let hash = digest::digest(&digest::SHA256, access_token.as_bytes());
    URL_SAFE_NO_PAD.encode(&hash.as_ref()[..16])
}

/// Lays `patch` over `object`: `null` removes a member, everything else replaces it.
pub(crate) fn patched(mut object: Map<String, Value>, patch: &Map<String, Value>) -> Map<String, Value> {
    for (name, value) in patch {
        if value.is_null() {
            object.remove(name);
        } else {
            object.insert(name.clone(), value.clone());
        }
    }
    object
}

/// The members of a `json!` object.
pub(crate) fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("not an object: {value}") };
    members
}

fn message(header: &Map<String, Value>, claims: &Map<String, Value>) -> String {
    let part =
        |members: &Map<String, Value>| URL_SAFE_NO_PAD.encode(serde_json::to_vec(members).expect("JSON"));
    format!("{}.{}", part(header), part(claims))
}
