//! A signing key: its pair, parsed once and kept for every signature, and its public half as a JWK.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::json;

use crate::protocol::{SigningAlgorithm, install_crypto};
use crate::secret::Secret;

use super::identity_token::IDENTITY_TYPE;

const fn jwt_algorithm(algorithm: SigningAlgorithm) -> Algorithm {
    match algorithm {
        SigningAlgorithm::Es256 => Algorithm::ES256,
        SigningAlgorithm::Rs256 => Algorithm::RS256,
        SigningAlgorithm::EdDsa => Algorithm::EdDSA,
    }
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not PEM, or not PKCS #8.
    #[error(
        "is not a private key in PKCS #8 PEM; convert it with: openssl pkcs8 -topk8 -nocrypt -in OLD -out NEW"
    )]
    NotPkcs8,
    /// A key of another kind, or too small.
    #[error("is not a key for {0} (ES256: P-256; RS256: RSA of 2048 bits or more; EdDSA: Ed25519)")]
    WrongKind(&'static str),
    /// The operating system refused to make a key.
    #[error("a new key could not be made")]
    Generation,
    /// Nothing to sign with.
    #[error("holds no usable key")]
    Empty,
}

enum Pair {
    Es256(Box<EcdsaKeyPair>),
    Rs256(Box<RsaKeyPair>),
    EdDsa(Box<Ed25519KeyPair>),
}

/// A signing key. `Debug` shows its name only.
pub struct SigningKey {
    algorithm: SigningAlgorithm,
    pair: Pair,
    public: Jwk,
    kid: String,
    /// What every access token begins with, up to the first dot.
    header: String,
    /// The same of an identity token.
    identity_header: String,
}

impl SigningKey {
    /// A fresh key as PKCS #8 PEM.
    pub fn generate(algorithm: SigningAlgorithm) -> Result<Secret, KeyError> {
        let random = SystemRandom::new();
        let der = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| KeyError::Generation)?
                    .as_ref()
                    .to_vec()
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generation)?;
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Generation)?;
                der.as_ref().to_vec()
            }
            // Version 1 of PKCS #8: the form that every reader knows, jsonwebtoken's too.
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generation)?;
                pair.to_pkcs8v1().map_err(|_| KeyError::Generation)?.as_ref().to_vec()
            }
        };
        Ok(Secret::new(pem::encode(&pem::Pem::new("PRIVATE KEY", der))))
    }

    /// Reads a key of the wanted algorithm.
    pub fn from_pem(algorithm: SigningAlgorithm, text: &Secret) -> Result<Self, KeyError> {
        install_crypto();
        let parsed = pem::parse(text.expose()).map_err(|_| KeyError::NotPkcs8)?;
        if parsed.tag() != "PRIVATE KEY" {
            return Err(KeyError::NotPkcs8);
        }
        let wrong = || KeyError::WrongKind(algorithm.as_str());
        let der = parsed.contents();
        let bytes = text.expose().as_bytes();
        let (pair, encoding) = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map_err(|_| wrong())?;
                (Pair::Es256(Box::new(pair)), EncodingKey::from_ec_pem(bytes))
            }
            SigningAlgorithm::Rs256 => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| wrong())?;
                (Pair::Rs256(Box::new(pair)), EncodingKey::from_rsa_pem(bytes))
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| wrong())?;
                (Pair::EdDsa(Box::new(pair)), EncodingKey::from_ed_pem(bytes))
            }
        };
        let encoding = encoding.map_err(|_| wrong())?;
        let mut public = Jwk::from_encoding_key(&encoding, jwt_algorithm(algorithm)).map_err(|_| wrong())?;
        // RFC 7638: the name follows from the key, so replicas agree on it.
        let kid = public.thumbprint(ThumbprintHash::SHA256).map_err(|_| wrong())?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(PublicKeyUse::Signature);
        let header = |typ: &str| {
            let header = json!({ "typ": typ, "alg": algorithm.as_str(), "kid": kid });
            URL_SAFE_NO_PAD.encode(header.to_string())
        };
        let (access, identity) = (header("at+jwt"), header(IDENTITY_TYPE));
        Ok(Self { algorithm, pair, public, kid, header: access, identity_header: identity })
    }

    /// The key's name.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half (SEC-138: public members only).
    #[must_use]
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// An access token (RFC 9068) with these claims: a compact JWS (RFC 7515 section 3.1).
    pub(super) fn sign(&self, claims: &[u8]) -> Result<String, KeyError> {
        self.signed(&self.header, claims)
    }

    /// An identity token with these claims.
    pub(super) fn sign_identity(&self, claims: &[u8]) -> Result<String, KeyError> {
        self.signed(&self.identity_header, claims)
    }

    fn signed(&self, header: &str, claims: &[u8]) -> Result<String, KeyError> {
        // The largest signature is that of RSA: 342 characters.
        let length = header.len() + claims.len().div_ceil(3) * 4 + 344;
        let mut token = String::with_capacity(length);
        token.push_str(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.signature(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&random, message).map_err(|_| KeyError::Generation)?;
                Ok(signature.as_ref().to_vec())
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .map_err(|_| KeyError::Generation)?;
                Ok(signature)
            }
            Pair::EdDsa(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("SigningKey");
        shown.field("kid", &self.kid).field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Jws, KeySet};

    #[test]
    fn every_algorithm_signs_what_its_public_half_verifies() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa] {
            let pem = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pem(algorithm, &pem).unwrap();
            let token = key.sign(br#"{"sub":"p_1"}"#).unwrap();
            let claims = Jws::parse(&token).unwrap().verify(&KeySet::new([key.public()])).unwrap();
            assert_eq!(claims["sub"], "p_1", "{algorithm:?}");
            let jws = Jws::parse(&token).unwrap();
            assert_eq!(jws.header("kid"), Some(key.kid()));
        }
    }

    #[test]
    fn sec_138_the_published_key_is_public_and_named() {
        for algorithm in [SigningAlgorithm::Es256, SigningAlgorithm::Rs256, SigningAlgorithm::EdDsa] {
            let pem = SigningKey::generate(algorithm).unwrap();
            let key = SigningKey::from_pem(algorithm, &pem).unwrap();
            let jwk = serde_json::to_value(key.public()).unwrap();
            assert_eq!(jwk["kid"], key.kid());
            assert_eq!(jwk["alg"], algorithm.as_str());
            assert_eq!(jwk["use"], "sig");
            for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
                assert!(jwk.get(private).is_none(), "{private}");
            }
        }
    }

    #[test]
    fn a_key_of_another_kind_is_refused() {
        let pem = SigningKey::generate(SigningAlgorithm::EdDsa).unwrap();
        assert!(matches!(
            SigningKey::from_pem(SigningAlgorithm::Es256, &pem),
            Err(KeyError::WrongKind("ES256"))
        ));
        let nonsense = Secret::new("-----BEGIN EC PRIVATE KEY-----\n-----END EC PRIVATE KEY-----".into());
        assert!(matches!(SigningKey::from_pem(SigningAlgorithm::Es256, &nonsense), Err(KeyError::NotPkcs8)));
    }
}
