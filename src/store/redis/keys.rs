//! Every Redis key, in one place.
//!
//! `{prefix}1:{kind}:{{id}}`: the `1` is the version of the layout, and the braces around the id
//! are the Cluster hash tag, so everything about one record is in one slot. An id that comes from
//! outside is hashed first: it can neither move to another slot nor meet another key (SEC-167).

use crate::domain::{
    ClientId, ConsentKey, EmailAddress, GrantId, LoginId, PersonTag, Place, RateWindow, UpstreamSession,
};
use crate::secret::Digest;
use crate::store::StoreError;

/// Names keys under the operator's prefix.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    /// A prefix without braces: they would decide the slot.
    pub(super) fn new(prefix: &str) -> Result<Self, StoreError> {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '{' | '}');
        if prefix.len() > 64 || !prefix.chars().all(plain) {
            return Err(StoreError::Unavailable(
                "the Redis key prefix must be at most 64 printable ASCII characters without braces".into(),
            ));
        }
        Ok(Self { prefix: format!("{prefix}1:") })
    }

    pub(super) fn client(&self, id: &ClientId) -> String {
        format!("{}client:{{{}}}", self.prefix, Digest::of(id.as_str()).as_str())
    }

    /// Who stands at that place: a client that registered itself, and was not used.
    pub(super) fn newcomer(&self, place: Place) -> String {
        format!("{}new:{{{place}}}", self.prefix)
    }

    /// How many places were given out.
    pub(super) fn places(&self) -> String {
        format!("{}places", self.prefix)
    }

    /// The clients that were added by command, one field for each.
    pub(super) fn operator_clients(&self) -> String {
        format!("{}operator-clients", self.prefix)
    }

    /// The clients that wait for approval, one field for each.
    pub(super) fn applications(&self) -> String {
        format!("{}applications", self.prefix)
    }

    /// What was decided about them, one field for each.
    pub(super) fn decisions(&self) -> String {
        format!("{}decisions", self.prefix)
    }

    /// How many requests came within a time.
    pub(super) fn rate_window(&self, window: &RateWindow) -> String {
        format!("{}rate:{{{}}}:{}", self.prefix, window.name.as_str(), window.ends.as_unix())
    }

    /// That a client's assertion has been used.
    pub(super) fn assertion(&self, assertion: &Digest) -> String {
        format!("{}assertion:{{{}}}", self.prefix, assertion.as_str())
    }

    pub(super) fn login(&self, id: &LoginId) -> String {
        format!("{}login:{{{id}}}", self.prefix)
    }

    /// Whose session at an upstream it is.
    pub(super) fn upstream_session(&self, session: UpstreamSession) -> String {
        format!("{}sid:{{{session}}}", self.prefix)
    }

    /// All the grants of a person.
    pub(super) fn grants(&self, person: PersonTag) -> String {
        format!("{}person:{{{person}}}", self.prefix)
    }

    /// The name that one of them is sealed under.
    pub(super) fn grant(&self, id: &GrantId) -> String {
        format!("{}grant:{id}", self.prefix)
    }

    /// The browser sessions of a person, one field for each.
    pub(super) fn browser_sessions(&self, person: PersonTag) -> String {
        format!("{}browser:{{{person}}}", self.prefix)
    }

    /// The API keys of a person, one field for each.
    pub(super) fn api_keys(&self, owner: PersonTag) -> String {
        format!("{}apikeys:{{{owner}}}", self.prefix)
    }

    /// A remembered consent.
    pub(super) fn consent(&self, consent: &ConsentKey) -> String {
        format!("{}consent:{{{}}}", self.prefix, consent.as_str())
    }

    /// What upstreams have said of a person.
    pub(super) fn upstream_grants(&self, person: PersonTag) -> String {
        format!("{}upstream:{{{person}}}", self.prefix)
    }

    /// To whom an admin's address is pinned.
    pub(super) fn admin(&self, email: &EmailAddress) -> String {
        format!("{}admin:{{{}}}", self.prefix, Digest::of(&email.to_string()).as_str())
    }

    /// The revocations, one field for each.
    pub(super) fn not_before(&self) -> String {
        format!("{}not-before", self.prefix)
    }

    /// The signing keys.
    pub(super) fn signing_keys(&self) -> String {
        format!("{}keys", self.prefix)
    }

    /// The audit stream.
    pub(super) fn audit(&self) -> String {
        format!("{}audit", self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_167_an_id_from_outside_decides_neither_slot_nor_shape() {
        let keys = Keys::new("gl:").unwrap();
        for hostile in ["{a}", "}{", "a\r\nDEL b", "", &"x".repeat(4096), "gl:1:grant:{x}"] {
            let key = keys.client(&ClientId::new(hostile));
            let tag = key.strip_prefix("gl:1:client:{").and_then(|rest| rest.strip_suffix('}')).unwrap();
            assert_eq!(tag.len(), 43, "{key}");
            assert!(tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{key}");
        }
        assert!(Keys::new("{slot}:").is_err());
        assert!(Keys::new("a b").is_err());
    }
}
