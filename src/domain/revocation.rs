//! Ending much at once: moments before which nothing of a person, of a client, or of anybody
//! counts any more.

use std::collections::HashMap;

use crate::clock::Timestamp;
use crate::secret::Digest;

use super::{ClientId, Grant, PersonId};

/// What a revocation ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Revoked {
    /// Every grant and every access token.
    Everything,
    /// Those of one person, at every client.
    Person(PersonId),
    /// Those of one client, for every person.
    Client(ClientId),
    /// No grant: what replicas remember of a client that is about to change.
    MemoryOf(ClientId),
}

impl Revoked {
    /// One name for each. A client's id comes from outside, so a digest stands for it (SEC-167).
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Everything => "everything".to_owned(),
            Self::Person(person) => format!("person:{person}"),
            Self::Client(client) => format!("client:{}", Digest::of(client.as_str()).as_str()),
            Self::MemoryOf(client) => format!("memory:{}", Digest::of(client.as_str()).as_str()),
        }
    }
}

/// Every revocation that still matters, as of one version.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NotBefore {
    version: String,
    moments: HashMap<String, Timestamp>,
}

impl NotBefore {
    /// The moments by [`Revoked::name`].
    #[must_use]
    pub fn new(version: String, moments: HashMap<String, Timestamp>) -> Self {
        Self { version, moments }
    }

    /// Another revocation makes another version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Is this grant revoked? Without revocations, as on most days, nobody has to be named for it.
    #[must_use]
    pub fn revokes_grant(&self, grant: &Grant) -> bool {
        !self.moments.is_empty() && self.revokes(&grant.identity.person(), &grant.client_id, grant.created_at)
    }

    /// Is a grant of this person to this client, opened at `opened_at`, revoked? All moments hold
    /// together (SEC-132).
    #[must_use]
    pub fn revokes(&self, person: &PersonId, client: &ClientId, opened_at: Timestamp) -> bool {
        self.revokes_person(person, opened_at) || self.is_of(&Revoked::Client(client.clone()), opened_at)
    }

    /// Is what this person began at `at` revoked, whatever the client?
    #[must_use]
    pub fn revokes_person(&self, person: &PersonId, at: Timestamp) -> bool {
        self.is_of(&Revoked::Everything, at) || self.is_of(&Revoked::Person(person.clone()), at)
    }

    /// May nobody remember this client? It has changed or is about to, or has been revoked, and may be gone.
    #[must_use]
    pub fn revokes_memory_of(&self, client: &ClientId) -> bool {
        if self.moments.is_empty() {
            return false;
        }
        let named = |what: Revoked| self.moments.contains_key(&what.name());
        named(Revoked::MemoryOf(client.clone())) || named(Revoked::Client(client.clone()))
    }

    fn is_of(&self, what: &Revoked, at: Timestamp) -> bool {
        self.moments.get(&what.name()).is_some_and(|moment| at <= *moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_unix(1000);

    fn revokes(what: &Revoked, opened_at: u64) -> bool {
        let set = NotBefore::new("1".into(), [(what.name(), AT)].into());
        let (alice, client) = (PersonId::of("https://idp.example", "alice"), ClientId::new("c"));
        set.revokes(&alice, &client, Timestamp::from_unix(opened_at))
    }

    #[test]
    fn sec_132_every_moment_counts() {
        let alice = PersonId::of("https://idp.example", "alice");
        let bob = PersonId::of("https://idp.example", "bob");
        let memory = Revoked::MemoryOf(ClientId::new("c"));
        assert!(!revokes(&memory, 999), "a client that changes keeps its grants");
        for what in [Revoked::Everything, Revoked::Person(alice), Revoked::Client(ClientId::new("c"))] {
            assert!(revokes(&what, 999) && revokes(&what, 1000) && !revokes(&what, 1001), "{what:?}");
        }
        for other in [Revoked::Person(bob), Revoked::Client(ClientId::new("everything"))] {
            assert!(!revokes(&other, 999), "{other:?}");
        }
    }
}
