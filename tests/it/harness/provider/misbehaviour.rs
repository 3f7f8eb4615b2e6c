//! The knobs: every way in which the test provider can be wrong.

use serde_json::{Map, Value};

/// What the provider does wrong. The default is nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Misbehaviour {
    /// Laid over the ID token's claims; `null` removes one (SEC-043, 049, 050, 051, 053).
    pub(crate) claims: Map<String, Value>,
    /// Laid over the ID token's header, after signing mode has had its say; `null` removes one.
    pub(crate) header: Map<String, Value>,
    /// Laid over the userinfo answer; `null` removes a member (SEC-051).
    pub(crate) userinfo: Map<String, Value>,
    /// Laid over the discovery document; `null` removes a member (SEC-047, SEC-045).
    pub(crate) discovery: Map<String, Value>,
    /// How the discovery document comes (SEC-061, REL-12).
    pub(crate) documents: Documents,
    /// The `issuer` that Microsoft's keys carry.
    pub(crate) key_issuer: Option<String>,
    /// Discovery answers 500.
    pub(crate) discovery_fails: bool,
    /// The JWK set answers 500.
    pub(crate) jwks_fails: bool,
    /// The JWK set is empty.
    pub(crate) no_keys: bool,
    /// How ID tokens are signed (SEC-048).
    pub(crate) signing: Signing,
    /// The `iss` of the authorization response (SEC-045).
    pub(crate) response_iss: ResponseIss,
    /// The authorization response is this error and description instead of a code (SEC-046).
    pub(crate) authorize_error: Option<(String, String)>,
    /// How the token endpoint answers (SEC-061).
    pub(crate) token: TokenAnswer,
}

/// How a document comes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Documents {
    /// As it should.
    #[default]
    Good,
    /// With two MiB of padding.
    Huge,
    /// From elsewhere: a redirect to this origin.
    Redirect(String),
    /// As something that is no JSON.
    Nonsense,
    /// Not at all, until the caller hangs up.
    Hang,
    /// Its first bytes, and then nothing until the caller hangs up.
    Drip,
}

/// How ID tokens are signed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Signing {
    /// Honestly, with the published P-256 key.
    #[default]
    Es256,
    /// Honestly, with the published RSA key.
    Rs256,
    /// `alg: none` and no signature.
    Unsigned,
    /// HS256 with the PEM of the published RSA key, under that key's name.
    HmacWithPublicKey,
    /// HS256 with the client secret.
    HmacWithClientSecret,
    /// ES256 with an unpublished key under the published key's name.
    AnotherKeySameKid,
    /// ES256 with an unpublished key that the header carries along as `jwk`.
    EmbeddedJwk,
    /// ES256 with the key from before the last rotation, under its name.
    StaleKey,
    /// ES256 with an unpublished key under a new name each time (SEC-052).
    UnknownKid,
}

/// The `iss` of the authorization response.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ResponseIss {
    /// The issuer.
    #[default]
    Correct,
    /// Another one.
    Wrong(String),
    /// None, although discovery promises it.
    Missing,
}

/// How the token endpoint answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum TokenAnswer {
    /// With tokens.
    #[default]
    Tokens,
    /// With 500 and a text.
    ServerError,
    /// With 400 `invalid_grant`.
    InvalidGrant,
    /// With 400 and this code.
    Code(&'static str),
    /// With 400 `invalid_grant` and this description.
    Error(String),
    /// Not at all, until the caller hangs up.
    Hang,
    /// With tokens, once the knob is turned to something else.
    Held,
    /// The same, but codes are answered at once.
    RefreshHeld,
    /// With tokens and three MiB of padding.
    Huge,
    /// With a redirect to this URL.
    Redirect(String),
    /// With an access token alone.
    NoIdToken,
}
