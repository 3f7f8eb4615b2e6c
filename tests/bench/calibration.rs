//! How fast this machine is: what one core signs in a second. Absolute figures of two machines can be
//! compared by it, as far as that goes.

use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};

use crate::Fault;

/// Signatures in one go, and goes, of which the fastest counts: whoever else is at work only slows it.
const SIGNATURES: u32 = 2_000;
const GOES: usize = 7;

/// ES256 signatures a second on one core.
#[expect(clippy::disallowed_methods, reason = "real time is what is measured")]
pub(crate) fn signatures_a_second() -> Result<f64, Fault> {
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| "no key")?;
    let random = SystemRandom::new();
    let mut fastest = f64::INFINITY;
    for _ in 0..GOES {
        let begun = Instant::now();
        for number in 0..SIGNATURES {
            pair.sign(&random, &number.to_be_bytes()).map_err(|_| "no signature")?;
        }
        fastest = fastest.min(begun.elapsed().as_secs_f64());
    }
    Ok(f64::from(SIGNATURES) / fastest)
}
