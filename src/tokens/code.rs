//! Authorization codes: base64url of `grant id (16) ‖ HMAC-SHA256 (32) ‖ HMAC-SHA256 (32)`.
//!
//! A code proves by itself what it was issued for, and nothing of it is stored: the first MAC is
//! over the PKCE challenge (SEC-074), so only whoever has the verifier can present it; the second
//! is over the redirect that it went to (SEC-079). The store knows whether the grant still waits.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::GrantId;
use crate::protocol::{RedirectUri, S256Challenge};
use crate::secret::{MacKey, MasterSecret, Secret};

/// Makes and reads codes.
#[derive(Debug, Clone)]
pub struct AuthorizationCodes {
    challenge: MacKey,
    redirect: MacKey,
}

/// A code that answers to the verifier that came with it.
#[derive(Debug)]
pub struct AuthorizationCode<'a> {
    grant: GrantId,
    tag: Vec<u8>,
    codes: &'a AuthorizationCodes,
}

impl AuthorizationCodes {
    /// Codes under the operator's secret.
    #[must_use]
    pub fn new(master: &MasterSecret) -> Self {
        Self {
            challenge: master.mac_key("gatelodge authorization code challenge v1"),
            redirect: master.mac_key("gatelodge authorization code redirect v1"),
        }
    }

    /// The one code of a grant.
    #[must_use]
    pub fn issue(&self, grant: &GrantId, challenge: &S256Challenge, to: &RedirectUri) -> Secret {
        let mut bytes = grant.to_bytes().to_vec();
        bytes.extend_from_slice(&self.challenge.tag(&message(grant, challenge.as_str())));
        bytes.extend_from_slice(&self.redirect.tag(&message(grant, to.as_str())));
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Reads a code; `None` unless it is one of ours and the verifier answers its challenge.
    #[must_use]
    pub fn read(&self, text: &str, verifier: &str) -> Option<AuthorizationCode<'_>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (grant, tags) = bytes.split_first_chunk::<16>()?;
        let (for_challenge, for_redirect) = tags.split_first_chunk::<32>()?;
        let grant = GrantId::from_bytes(*grant);
        let challenge = S256Challenge::answered_by(verifier)?;
        let holds = self.challenge.verify(&message(&grant, challenge.as_str()), for_challenge);
        (holds && for_redirect.len() == 32).then(|| AuthorizationCode {
            grant,
            tag: for_redirect.to_vec(),
            codes: self,
        })
    }
}

impl AuthorizationCode<'_> {
    /// The grant that it names.
    #[must_use]
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// Did it go to this redirect, byte for byte?
    #[must_use]
    pub fn went_to(&self, redirect: &str) -> bool {
        self.codes.redirect.verify(&message(&self.grant, redirect), &self.tag)
    }
}

fn message(grant: &GrantId, about: &str) -> Vec<u8> {
    [&grant.to_bytes(), about.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::PersonId;

    const VERIFIER: &str = "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv";

    fn sample() -> (AuthorizationCodes, GrantId, Secret) {
        let codes = AuthorizationCodes::new(&MasterSecret::generate());
        let grant = GrantId::generate(&PersonId::of("https://idp.example", "alice"));
        let to = RedirectUri::parse("http://127.0.0.1:9000/cb").unwrap();
        let code = codes.issue(&grant, &S256Challenge::of_verifier(VERIFIER), &to);
        (codes, grant, code)
    }

    #[test]
    fn sec_022_int_49_codes_are_long_and_unreserved() {
        let (codes, grant, code) = sample();
        assert_eq!(code.expose().len(), 107);
        assert!(code.expose().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        assert_eq!(codes.read(code.expose(), VERIFIER).unwrap().grant(), &grant);
    }

    /// SEC-023: the challenge is nowhere in the code, and another secret makes another code.
    #[test]
    fn sec_023_a_code_tells_nothing_but_the_name_of_its_grant() {
        let (codes, grant, code) = sample();
        let challenge = S256Challenge::of_verifier(VERIFIER);
        let to = RedirectUri::parse("http://127.0.0.1:9000/cb").unwrap();
        assert!(!code.expose().contains(challenge.as_str()));
        let elsewhere = AuthorizationCodes::new(&MasterSecret::generate()).issue(&grant, &challenge, &to);
        assert_eq!(code.expose()[..21], elsewhere.expose()[..21]);
        assert_ne!(code.expose()[22..], elsewhere.expose()[22..]);
        assert!(codes.read(elsewhere.expose(), VERIFIER).is_none());
    }

    #[test]
    fn sec_074_sec_079_a_code_answers_to_its_verifier_and_its_redirect_only() {
        let (codes, _, code) = sample();
        let read = codes.read(code.expose(), VERIFIER).unwrap();
        assert!(read.went_to("http://127.0.0.1:9000/cb"));
        assert!(!read.went_to("http://127.0.0.1:9000/cb/") && !read.went_to(""));
        for other in [&VERIFIER.replace('v', "w"), &VERIFIER[1..], ""] {
            assert!(codes.read(code.expose(), other).is_none(), "{other}");
        }
    }

    #[test]
    fn sec_092_truncated_extended_and_flipped_codes_are_refused() {
        let (codes, _, code) = sample();
        let text = code.expose();
        for cut in 0..text.len() {
            assert!(codes.read(&text[..cut], VERIFIER).is_none(), "cut at {cut}");
        }
        assert!(codes.read(&format!("{text}AAAA"), VERIFIER).is_none());
        let bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        for bit in 0..48 * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(codes.read(&URL_SAFE_NO_PAD.encode(flipped), VERIFIER).is_none(), "bit {bit}");
        }
    }
}
