//! MCP client applications, and the only way to a redirect.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::RedirectUri;
use crate::protocol::client_document::ClientKeys;
use crate::secret::{Digest, KeyedHash, random};

use super::{ClientLimits, Place};

/// What the identifier of a client that registered itself begins with.
const REGISTERED: &str = "glc_";

/// A client identifier.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// A client identifier as a request or the configuration names it.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A new one, for a client that registers itself: 128 unpredictable bits, behind the place where it
    /// stands (INT-38, SEC-114).
    #[must_use]
    pub fn at(place: Place) -> Self {
        let (place, random) = (place.number().to_be_bytes(), random::bytes::<16>());
        Self(format!("{REGISTERED}{}", URL_SAFE_NO_PAD.encode([&place[..], &random].concat())))
    }

    /// The place in it, if it is one that [`ClientId::at`] makes. Whether this client stands there is
    /// another question: anybody can write such an identifier.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        let bytes = URL_SAFE_NO_PAD.decode(self.0.strip_prefix(REGISTERED)?).ok()?;
        let bytes: [u8; 20] = bytes.try_into().ok()?;
        let (place, _) = bytes.split_first_chunk()?;
        Some(Place::new(u32::from_be_bytes(*place)))
    }

    /// The identifier's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a client came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClientOrigin {
    /// Named in the operator's configuration: trusted to be who it says.
    Configured,
    /// Added by the operator's command: trusted in the same way.
    Operator,
    /// Registered itself (RFC 7591): nothing that it says about itself is known to be true.
    Registered,
    /// Its identifier is the URL of a document about it: the host's owner vouches for it, and nobody
    /// for what it calls itself.
    MetadataDocument,
}

impl ClientOrigin {
    /// Does the operator vouch for it?
    #[must_use]
    pub fn is_the_operator_s(self) -> bool {
        matches!(self, Self::Configured | Self::Operator)
    }
}

/// How a client authenticates at the token endpoint; the registered method is enforced (SEC-066).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "by", rename_all = "snake_case")]
pub enum ClientAuthMethod {
    /// A public client: PKCE alone protects the code.
    None,
    /// HTTP Basic (RFC 6749 section 2.3.1).
    ClientSecretBasic(Digest),
    /// In the request body.
    ClientSecretPost(Digest),
    /// A secret that we made for a client of the operator's: while it is replaced, two.
    KeyedSecret {
        /// Where it has to stand.
        sent: SecretPlace,
        /// What is kept of it.
        held: Vec<HeldSecret>,
    },
    /// A JWT that the client signs (RFC 7523 section 2.2).
    PrivateKeyJwt {
        /// Its public keys.
        keys: ClientKeys,
        /// False for a client that says that it may also come without.
        required: bool,
    },
}

/// Where a client's secret stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretPlace {
    /// HTTP Basic.
    Header,
    /// The form.
    Body,
}

/// What is kept of a secret, and until when it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSecret {
    /// Of the secret and its client's identifier.
    pub hash: KeyedHash,
    /// The end of a secret that has a successor.
    pub until: Option<Timestamp>,
}

impl ClientAuthMethod {
    /// The registered name of the method.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::ClientSecretBasic(_) | Self::KeyedSecret { sent: SecretPlace::Header, .. } => {
                "client_secret_basic"
            }
            Self::ClientSecretPost(_) | Self::KeyedSecret { sent: SecretPlace::Body, .. } => {
                "client_secret_post"
            }
            Self::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }

    /// The public keys of a client that signs.
    #[must_use]
    pub const fn keys(&self) -> Option<&ClientKeys> {
        match self {
            Self::PrivateKeyJwt { keys, .. } => Some(keys),
            Self::None
            | Self::ClientSecretBasic(_)
            | Self::ClientSecretPost(_)
            | Self::KeyedSecret { .. } => None,
        }
    }
}

/// An MCP client application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// What it calls itself: hostile data where it [is self-registered](Client::is_self_registered).
    pub name: Option<String>,
    /// Where answers may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// How it authenticates.
    pub auth: ClientAuthMethod,
    /// How it came to be known.
    pub origin: ClientOrigin,
    /// May it have refresh tokens?
    pub may_refresh: bool,
    /// What the operator lets it ask for.
    #[serde(skip_serializing_if = "ClientLimits::are_none", default)]
    pub limits: ClientLimits,
    /// When it became known.
    pub created_at: Timestamp,
    /// When it is forgotten; moved forward by use (INT-36). Never, for the operator's own.
    pub expires_at: Option<Timestamp>,
    /// What its registration is about beside all this, if it registered itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub registration: Option<ClientRegistration>,
}

/// A client that registered itself, as the store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredClient {
    /// The client.
    pub client: Client,
    /// Has somebody signed in with it?
    pub is_used: bool,
}

/// What a client that registered itself can read and change of that (RFC 7592).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientRegistration {
    /// Of the registration access token, which only the client has. Not derived from the operator's
    /// secret: it lives on when that changes.
    pub access_token: Digest,
    /// Its home page, as it says: shown to nobody but itself.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub client_uri: Option<String>,
    /// The scopes that it named, as far as they exist.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub scope: Option<String>,
    /// The product behind it, as it says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub software_id: Option<String>,
    /// The product's version, as it says.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub software_version: Option<String>,
}

impl Client {
    /// Can anyone claim to be this client? Then nothing is returned to it before a person has
    /// seen a page of ours (SEC-019).
    #[must_use]
    pub fn is_self_registered(&self) -> bool {
        !self.origin.is_the_operator_s()
    }

    /// A digest of what a person is shown of it, or relies on. Another one is another client to
    /// whoever approved this one (SEC-037).
    #[must_use]
    pub fn as_shown(&self) -> Digest {
        let told = (&self.name, &self.redirect_uris, self.auth.as_str(), self.origin, self.auth.keys());
        // These always become text; if they did not, nothing would be remembered of such a client.
        Digest::of(&serde_json::to_string(&told).unwrap_or_else(|_| random::token()))
    }

    /// Proves that an answer may go to `requested` (SEC-001 to SEC-004). Without a request,
    /// the only registered URI is meant.
    pub fn trusted_return(&self, requested: Option<&str>) -> Result<TrustedReturn, RedirectMismatch> {
        let uri = match (requested, self.redirect_uris.as_slice()) {
            (Some(text), registered) => {
                let requested = RedirectUri::parse(text).map_err(|_| RedirectMismatch::NotRegistered)?;
                let known = registered.iter().any(|uri| uri.matches(&requested));
                known.then_some(requested).ok_or(RedirectMismatch::NotRegistered)?
            }
            (None, [only]) => only.clone(),
            (None, _) => return Err(RedirectMismatch::Ambiguous),
        };
        Ok(TrustedReturn { client: self.id.clone(), uri, self_registered: self.is_self_registered() })
    }
}

/// Why a redirect is not trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedirectMismatch {
    /// It equals none of the registered ones.
    #[error("redirect_uri is not one that this client has registered")]
    NotRegistered,
    /// None was sent and there is more than one.
    #[error("redirect_uri is missing and this client has registered several")]
    Ambiguous,
}

/// A client and a redirect URI of its own, both checked. Nothing else can redirect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedReturn {
    client: ClientId,
    uri: RedirectUri,
    self_registered: bool,
}

impl TrustedReturn {
    /// Whose redirect this is.
    #[must_use]
    pub fn client(&self) -> &ClientId {
        &self.client
    }

    /// The URI that was asked for.
    #[must_use]
    pub fn uri(&self) -> &RedirectUri {
        &self.uri
    }

    /// Can any program on the person's machine take the answer? Then each one is approved by hand
    /// (RFC 8252 section 8.6, SEC-038).
    #[must_use]
    pub fn is_for_any_local_program(&self) -> bool {
        self.uri.is_loopback() || self.uri.is_private_use()
    }

    /// May the browser be sent there before the person has done anything here (SEC-019)?
    #[must_use]
    pub fn needs_interaction_first(&self) -> bool {
        self.self_registered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(uris: &[&str]) -> Client {
        Client {
            id: ClientId::new("c"),
            name: None,
            redirect_uris: uris.iter().map(|uri| RedirectUri::parse(uri).unwrap()).collect(),
            auth: ClientAuthMethod::None,
            origin: ClientOrigin::Registered,
            may_refresh: true,
            limits: ClientLimits::default(),
            created_at: Timestamp::from_unix(0),
            expires_at: None,
            registration: None,
        }
    }

    #[test]
    fn int_38_sec_114_the_place_stands_in_an_identifier_of_ours() {
        let ids = [0, 1, 9_999, u32::MAX].map(|number| (number, ClientId::at(Place::new(number))));
        for (number, id) in &ids {
            assert_eq!(id.place(), Some(Place::new(*number)), "{id}");
            let rest = id.as_str().strip_prefix("glc_").unwrap();
            assert_eq!(rest.len(), 27, "{id}");
            assert!(rest.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{id}");
        }
        assert_ne!(ClientId::at(Place::new(0)), ClientId::at(Place::new(0)));
        let own = ids[0].1.as_str();
        // The last letter holds bits that are never set.
        let loose = format!("{}{}", &own[..own.len() - 1], '_');
        let (padded, longer, bare) = (format!("{own}="), format!("{own}A"), own.trim_start_matches("glc_"));
        let shorter = &own[..own.len() - 1];
        let older = "glc_AAAAAAAAAAAAAAAAAAAAAA";
        for other in ["", "glc_", "glc_nobody", "notes", "https://app.example/c", older, shorter, bare] {
            assert_eq!(ClientId::new(other).place(), None, "{other}");
        }
        for other in [loose, padded, longer] {
            assert_eq!(ClientId::new(other.as_str()).place(), None, "{other}");
        }
    }

    #[test]
    fn sec_004_several_registered_and_none_sent_is_ambiguous() {
        let one = client(&["https://a.example/cb"]);
        assert_eq!(one.trusted_return(None).unwrap().uri().as_str(), "https://a.example/cb");
        let two = client(&["https://a.example/cb", "https://b.example/cb"]);
        assert_eq!(two.trusted_return(None), Err(RedirectMismatch::Ambiguous));
    }

    #[test]
    fn sec_001_only_a_registered_redirect_is_trusted() {
        let one = client(&["https://a.example/cb", "http://127.0.0.1/cb"]);
        assert_eq!(one.trusted_return(Some("https://a.example/cb/")), Err(RedirectMismatch::NotRegistered));
        let loopback = one.trusted_return(Some("http://127.0.0.1:5000/cb")).unwrap();
        assert_eq!(loopback.uri().as_str(), "http://127.0.0.1:5000/cb");
    }
}
