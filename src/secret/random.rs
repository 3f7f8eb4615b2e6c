//! Identifiers and secrets, from the operating system's generator.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// `N` unpredictable bytes.
///
/// # Panics
/// When the operating system has no randomness to give: nothing safe can be done without.
#[must_use]
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut buffer = [0_u8; N];
    #[expect(clippy::expect_used, reason = "without randomness no answer is safe")]
    aws_lc_rs::rand::fill(&mut buffer).expect("the operating system gives random bytes");
    buffer
}

/// 256 unpredictable bits in `[A-Za-z0-9_-]` (INT-38, INT-49).
#[must_use]
pub fn token() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<32>())
}

/// 128 unpredictable bits in `[A-Za-z0-9_-]`: enough for an identifier that nobody may guess.
#[must_use]
pub fn id() -> String {
    URL_SAFE_NO_PAD.encode(bytes::<16>())
}
