//! API keys in JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::clock::Timestamp;
use crate::domain::ApiKey;
use crate::secret::Secret;

/// What a new key is to be.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What its owner calls it, in one line.
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    /// The servers that it is for, by URL.
    #[schemars(length(min = 1), extend("uniqueItems" = true))]
    pub resources: Vec<String>,
    /// Scopes of these servers, or the words `read` and `write`.
    #[schemars(length(min = 1))]
    pub scopes: Vec<String>,
    /// For how long.
    #[serde(default = "usual")]
    #[schemars(extend("enum" = ["never", "7d", "30d", "90d", "1y"]))]
    pub expires: String,
    /// Whose key it is, by the `sub` of their tokens; left out: the caller's own.
    #[serde(default, deserialize_with = "some_text")]
    #[schemars(with = "String", regex(pattern = "^p_[A-Za-z0-9_-]{43}$"))]
    pub owner: Option<String>,
}

/// Left out is not the same as null.
fn some_text<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    String::deserialize(from).map(Some)
}

fn usual() -> String {
    "90d".to_owned()
}

/// A key, without its secret.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApiKeyView {
    /// Its name in requests: the first half of the key.
    id: String,
    /// Whose key it is, by the `sub` of their tokens.
    owner: String,
    /// The owner's verified address, as it was when the key was made.
    owner_email: Option<String>,
    /// What its owner calls it.
    name: String,
    /// The servers that it is for.
    resources: Vec<String>,
    /// What it allows there at most.
    scopes: Vec<String>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    /// When it was made (RFC 3339).
    #[schemars(extend("format" = "date-time"))]
    created_at: String,
    /// When it ends; null: never by itself.
    expires_at: Option<String>,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    /// When it was revoked.
    revoked_at: Option<String>,
}

/// A key that was just made: its text is told here and nowhere else.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApiKeyCreated {
    /// The whole key.
    key: String,
    /// Its second half alone, for clients that send `id` and `secret` apart.
    secret: String,
    /// What is kept of it.
    #[serde(flatten)]
    kept: ApiKeyView,
}

/// The keys of a person.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ApiKeyList {
    /// The oldest first.
    pub api_keys: Vec<ApiKeyView>,
}

impl ApiKeyView {
    /// What there is to tell at `now`.
    #[must_use]
    pub fn of(key: &ApiKey, now: Timestamp) -> Self {
        let date = |at: Option<Timestamp>| at.map(|at| at.to_string());
        Self {
            id: key.id.to_string(),
            owner: key.owner.person().to_string(),
            owner_email: key.owner.email.as_ref().map(ToString::to_string),
            name: key.name.clone(),
            resources: key.resources.iter().map(ToString::to_string).collect(),
            scopes: key.scopes.iter().map(ToString::to_string).collect(),
            state: key.state(now).as_str(),
            created_at: key.created_at.to_string(),
            expires_at: date(key.expires_at),
            last_used_at: date(key.last_used_at),
            revoked_at: date(key.revoked_at),
        }
    }
}

impl ApiKeyCreated {
    /// The key and its text.
    #[must_use]
    pub fn of(key: &ApiKey, text: &Secret, now: Timestamp) -> Self {
        let text = text.expose();
        let secret = text.rsplit_once('_').map_or(text, |(_, secret)| secret);
        Self { key: text.to_owned(), secret: secret.to_owned(), kept: ApiKeyView::of(key, now) }
    }
}
