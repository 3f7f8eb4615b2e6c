//! Who can sign in.

use serde_json::{Value, json};

/// A person of the demo.
pub(super) struct Person {
    /// The value of the person's button.
    pub(super) key: &'static str,
    /// The subject: opaque, and the same after every restart.
    sub: &'static str,
    /// The name.
    pub(super) name: &'static str,
    /// The email address, verified.
    pub(super) email: &'static str,
    /// The groups.
    groups: &'static [&'static str],
    /// What the demo shows with this person.
    pub(super) about: &'static str,
}

/// The three of them.
pub(super) static PEOPLE: [Person; 3] = [
    Person {
        key: "alice",
        sub: "demo-8c1f4e0a67b2",
        name: "Alice",
        email: "alice@example.com",
        groups: &["platform"],
        about: "administrator, in the group platform",
    },
    Person {
        key: "bob",
        sub: "demo-2d95b7c3f018",
        name: "Bob",
        email: "bob@example.com",
        groups: &["staff"],
        about: "colleague, in the group staff",
    },
    Person {
        key: "eve",
        sub: "demo-f36a0d84e59c",
        name: "Eve",
        email: "eve@other.example",
        groups: &[],
        about: "outsider, from another company",
    },
];

impl Person {
    /// The person with this key.
    pub(super) fn find(key: &str) -> Option<&'static Self> {
        PEOPLE.iter().find(|person| person.key == key)
    }

    /// The person's claims, in ID tokens and userinfo alike.
    pub(super) fn claims(&self) -> Value {
        json!({
            "sub": self.sub, "email": self.email, "email_verified": true, "name": self.name, "groups": self.groups
        })
    }
}
