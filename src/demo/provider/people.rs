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

/// One of them; or, where something stands behind a `+` in the key, a namesake: somebody else with
/// another subject and address. A load test needs many people.
#[derive(Clone)]
pub(super) struct Somebody {
    person: &'static Person,
    plus: String,
}

impl Somebody {
    /// Whom this key means.
    pub(super) fn find(key: &str) -> Option<Self> {
        let (name, plus) = key.split_at(key.find('+').unwrap_or(key.len()));
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"+-_".contains(&b);
        let person = PEOPLE.iter().find(|person| person.key == name)?;
        (plus.len() <= 64 && plus.bytes().all(plain)).then(|| Self { person, plus: plus.to_owned() })
    }

    /// Their claims, in ID tokens and userinfo alike.
    pub(super) fn claims(&self) -> Value {
        let Person { sub, name, email, groups, .. } = self.person;
        let email = email.replacen('@', &format!("{}@", self.plus), 1);
        let sub = format!("{sub}{}", self.plus);
        json!({ "sub": sub, "email": email, "email_verified": true, "name": name, "groups": groups })
    }
}
