//! One sign-in under way. Every step is read back from the store; the browser carries only
//! an identifier and secrets whose digests stand here.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::{RedirectUri, ResourceUri, S256Challenge, ScopeSet};
use crate::secret::{Digest, random};

use super::{ClientId, GrantId, UpstreamId};

/// Names a pending login. Not a secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LoginId(String);

impl LoginId {
    /// A fresh identifier.
    #[must_use]
    pub fn generate() -> Self {
        Self(random::id())
    }

    /// An identifier as a browser sent it: only what we could have made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (text.len() == 22 && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// The identifier's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LoginId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a client asked for, checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorizationRequest {
    /// Which client.
    pub client_id: ClientId,
    /// Where the answer goes; checked again before it goes there.
    pub redirect_uri: RedirectUri,
    /// The client's own state, byte for byte (SEC-013).
    pub state: Option<String>,
    /// PKCE.
    pub challenge: S256Challenge,
    /// Which server.
    pub resource: ResourceUri,
    /// Which of its scopes.
    pub scopes: ScopeSet,
    /// Whom the client expects to sign in; passed on to the upstream.
    pub login_hint: Option<String>,
    /// What the client told about itself on the page that the answer is about (SEC-037).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shown: Option<Digest>,
    /// Must somebody sign in at an upstream, whoever is signed in there? The client asked for it
    /// (OpenID Connect Core section 3.1.2.1: `prompt`, `max_age`).
    #[serde(default)]
    pub sign_in_anew: bool,
}

/// What proves that a form was sent from our page, in the browser that it was shown in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormProof {
    /// Digest of the one-time token in the form (SEC-033).
    pub token: Digest,
    /// Digest of that browser's cookie.
    pub browser: Digest,
}

impl FormProof {
    /// Is this form ours, and from that browser? In constant time.
    #[must_use]
    pub fn holds(&self, token: &str, browser: Option<&str>) -> bool {
        browser.is_some_and(|cookie| self.browser.is_of(cookie)) & self.token.is_of(token)
    }
}

/// Whose session a page was shown for: Allow counts for that session and no other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownTo {
    /// What tells the session from the person's others.
    pub session: Digest,
    /// The grant that Allow opens: both halves of a double click open the same one (SEC-039).
    pub grant: GrantId,
}

/// How far a sign-in has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "at", rename_all = "snake_case")]
pub enum LoginStep {
    /// Our page is shown; no upstream knows of it yet (SEC-027, SEC-028).
    AwaitingConsent {
        /// What the page's form must bring.
        form: FormProof,
        /// The session that the page offers to go on with.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        shown_to: Option<ShownTo>,
    },
    /// The person approved and is at the identity provider.
    AwaitingUpstream {
        /// What the form brought, to recognise the second half of a double click (SEC-039).
        form: FormProof,
        /// When the person approved.
        approved_at: Timestamp,
        /// Which one; its callback path must agree (SEC-045).
        upstream: UpstreamId,
        /// Digest of the whole `state` that we sent (SEC-042).
        state: Digest,
        /// Digest of the approving browser's cookie (SEC-029).
        browser: Digest,
        /// The nonce that the ID token must carry (SEC-043).
        nonce: String,
        /// Our PKCE verifier towards the upstream (SEC-044).
        verifier: String,
    },
    /// The person was signed in here already and approved. There is nothing left to do.
    Allowed {
        /// What the form brought, to recognise the second half of a double click (SEC-039).
        form: FormProof,
        /// When the person approved.
        approved_at: Timestamp,
        /// What came of it, and in which session.
        shown_to: ShownTo,
    },
}

impl LoginStep {
    /// The step's ordinal: the store moves a login only from the step that was read.
    #[must_use]
    pub const fn ordinal(&self) -> u8 {
        match self {
            Self::AwaitingConsent { .. } => 0,
            Self::AwaitingUpstream { .. } => 1,
            Self::Allowed { .. } => 2,
        }
    }
}

/// One sign-in under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingLogin {
    /// Its name.
    pub id: LoginId,
    /// What the client asked for.
    pub request: AuthorizationRequest,
    /// How far it has come.
    pub step: LoginStep,
    /// When it is over (SEC-042: at most ten minutes).
    pub expires_at: Timestamp,
}

impl PendingLogin {
    /// Is it over? The store's own expiry is garbage collection only (PRIN-7).
    #[must_use]
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at
    }
}
