//! Clients that the operator adds by command, and those that wait for the operator's word.

use std::fmt::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::protocol::RedirectUri;
use crate::secret::{Digest, random};

use super::{Client, ClientAuthMethod, ClientId, ClientOrigin, HeldSecret};

/// How long an application waits.
pub const APPLICATION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many wait at most; the oldest makes room. Anybody can make one, without signing in.
pub const MOST_APPLICATIONS: usize = 500;

/// A client that was added by command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorClient {
    /// What it is.
    pub client: Client,
    /// Counts its changes, from 1.
    pub version: u64,
}

impl OperatorClient {
    /// What the identifiers of these clients begin with. No other client is given such a one.
    const PREFIX: &str = "glo_";

    /// A new identifier.
    #[must_use]
    pub fn new_id() -> ClientId {
        ClientId::new(format!("{}{}", Self::PREFIX, random::id()))
    }

    /// Can this be one's identifier?
    #[must_use]
    pub fn is_meant(id: &str) -> bool {
        id.starts_with(Self::PREFIX)
    }

    /// With another secret; the ones that count now do so until `until`. Nothing, for a client that has
    /// none.
    #[must_use]
    pub fn with_secret(&self, new: HeldSecret, until: Timestamp, now: Timestamp) -> Option<Self> {
        let mut next = self.clone();
        next.version += 1;
        let ClientAuthMethod::KeyedSecret { held, .. } = &mut next.client.auth else { return None };
        held.retain(|old| old.until.is_none_or(|end| now < end));
        for old in held.iter_mut() {
            old.until = Some(old.until.map_or(until, |end| end.min(until)));
        }
        held.insert(0, new);
        Some(next)
    }

    /// The same secret, hashed anew.
    #[must_use]
    pub fn with_hash(&self, old: &HeldSecret, new: HeldSecret) -> Option<Self> {
        let mut next = self.clone();
        next.version += 1;
        let ClientAuthMethod::KeyedSecret { held, .. } = &mut next.client.auth else { return None };
        *held.iter_mut().find(|one| *one == old)? = new;
        Some(next)
    }
}

/// A client that asks to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Of all that the client says which an approval counts for.
    pub key: Digest,
    /// Under which identifier it asked first.
    pub client_id: ClientId,
    /// How it came to be known.
    pub origin: ClientOrigin,
    /// What it calls itself: hostile data.
    pub name: Option<String>,
    /// Where its answers would go.
    pub redirect_uris: Vec<RedirectUri>,
    /// When.
    pub asked_at: Timestamp,
}

impl Application {
    /// The application of a client. One that registers for each sign-in asks the same each time: its
    /// identifier and the ports of its loopback redirects do not count, and whoever says the same can
    /// get an answer only at the same places. A document is one by its URL.
    #[must_use]
    pub fn of(client: &Client, now: Timestamp) -> Self {
        let Client { id, name, redirect_uris, auth, origin, .. } = client;
        let url = Some(id).filter(|_| *origin == ClientOrigin::MetadataDocument);
        let mut places: Vec<String> = redirect_uris.iter().map(RedirectUri::without_port).collect();
        places.sort();
        let said = (origin, url, name, places, auth.as_str());
        // These always become text; if they did not, the next one would be another.
        let said = serde_json::to_string(&said).unwrap_or_else(|_| random::token());
        Self {
            key: Digest::of(&said),
            client_id: id.clone(),
            origin: *origin,
            name: name.clone(),
            redirect_uris: redirect_uris.clone(),
            asked_at: now,
        }
    }

    /// What people call it by: a part of the key, which alone proves nothing.
    #[must_use]
    pub fn code(&self) -> String {
        let mut code = String::with_capacity(19);
        for (number, pair) in self.key.prefix().chunks(2).enumerate() {
            if number > 0 {
                code.push('-');
            }
            for byte in pair {
                // Writing to text does not fail.
                let _ = write!(code, "{byte:02x}");
            }
        }
        code
    }

    /// Does it wait no longer?
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.asked_at.plus(APPLICATION_LIFETIME)
    }
}

/// What the operator said to an application. It stays until something else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// To what.
    pub application: Application,
    /// Is the client let in?
    pub is_approved: bool,
    /// When.
    pub decided_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ClientLimits;

    const NOW: Timestamp = Timestamp::from_unix(1000);

    fn client(id: &str, redirect: &str) -> Client {
        Client {
            id: ClientId::new(id),
            name: Some("A Tool".into()),
            redirect_uris: vec![RedirectUri::parse(redirect).unwrap()],
            auth: ClientAuthMethod::None,
            origin: ClientOrigin::Registered,
            may_refresh: true,
            limits: ClientLimits::default(),
            created_at: NOW,
            expires_at: None,
            registration: None,
        }
    }

    #[test]
    fn who_says_the_same_asks_the_same() {
        let first = Application::of(&client("a", "http://127.0.0.1:1000/cb"), NOW);
        let again = Application::of(&client("b", "http://127.0.0.1:2000/cb"), NOW);
        assert_eq!(first.key, again.key);
        assert_eq!(first.code().len(), 19, "{}", first.code());
        let others = [
            client("a", "http://localhost:1000/cb"),
            client("a", "http://127.0.0.1:1000/other"),
            client("a", "https://a.example/cb"),
            Client { name: Some("Another".into()), ..client("a", "http://127.0.0.1:1000/cb") },
            Client { origin: ClientOrigin::MetadataDocument, ..client("a", "http://127.0.0.1:1000/cb") },
        ];
        for other in others {
            assert_ne!(Application::of(&other, NOW).key, first.key, "{other:?}");
        }
        let document =
            |id| Client { origin: ClientOrigin::MetadataDocument, ..client(id, "http://127.0.0.1:1000/cb") };
        let [one, two] = ["https://a.example/c", "https://b.example/c"].map(document);
        assert_ne!(Application::of(&one, NOW).key, Application::of(&two, NOW).key);
    }
}
