//! A conversation as it is written down: one file of `corpus`.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// What one client sends, in its order, and what it demands of each answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conversation {
    /// The client.
    pub(super) client: String,
    /// Its name in `clients: { allow: […] }`: the broker lets in nobody else.
    pub(super) known_as: Option<String>,
    /// Further lines of the broker's configuration.
    #[serde(default)]
    pub(super) configuration: String,
    /// Headers of everything that it sends.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// What stands for `{{name}}` from the beginning. `verifier` also makes `challenge`.
    pub(super) values: BTreeMap<String, String>,
    /// The metadata document by which it is known.
    pub(super) document: Option<Document>,
    /// What happens.
    pub(super) steps: Vec<Step>,
}

/// A metadata document without its `client_id`, which is the URL where the test publishes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Document {
    /// Where the real one is.
    pub(super) published_at: String,
    /// What it says.
    pub(super) members: Value,
    /// Does it prove itself by a key? `{{jwks_uri}}` is where the key is, `{{assertion}}` a fresh proof.
    #[serde(default)]
    pub(super) signs: bool,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    /// A request of the client's own.
    Send(Box<Request>),
    /// The client opens a browser; the person signs in and approves.
    Visit(Box<Visit>),
    /// Seconds go by.
    Wait(u64),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Method and URL.
    pub(super) ask: String,
    #[serde(default)]
    pub(super) query: Vec<[String; 2]>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// User and password of HTTP Basic.
    pub(super) basic: Option<[String; 2]>,
    pub(super) form: Option<Vec<[String; 2]>>,
    pub(super) json: Option<Value>,
    /// What it demands.
    pub(super) answer: Answer,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Visit {
    /// The authorization endpoint.
    pub(super) open: String,
    pub(super) query: Vec<[String; 2]>,
}

/// What a client demands of an answer. Members are named by JSON pointers.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// Exactly this one.
    pub(super) status: u16,
    /// What kind of answer it is: the kind says what every client demands of it.
    pub(super) kind: Option<Kind>,
    /// Members that are equal.
    #[serde(default)]
    pub(super) is: BTreeMap<String, Value>,
    /// Members that differ from this.
    #[serde(default)]
    pub(super) is_not: BTreeMap<String, Value>,
    /// Lists with this among their items.
    #[serde(default)]
    pub(super) lists: BTreeMap<String, Value>,
    /// Members that are there.
    #[serde(default)]
    pub(super) has: Vec<String>,
    /// Members that are not there.
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    /// Headers that are equal, whatever the case of their text.
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    /// Headers that are not there.
    #[serde(default)]
    pub(super) lacks_headers: Vec<String>,
    /// Names of a comma-separated header that are among it, whatever their case.
    #[serde(default)]
    pub(super) lists_in_header: BTreeMap<String, Vec<String>>,
    /// Parameters of the challenge, as a client reads it that splits at each comma.
    #[serde(default)]
    pub(super) challenge: BTreeMap<String, String>,
    /// Members whose value stands for `{{name}}` from now on.
    #[serde(default)]
    pub(super) keep: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    /// Protected resource metadata.
    Resource,
    /// Authorization server metadata: its endpoints stand for their names.
    Server,
    /// `client_id`, and `client_secret` if there is one, stand for their names.
    Registration,
    /// `access_token` and `refresh_token` stand for their names.
    Tokens,
    /// A page for a person.
    Page,
    /// An error for a program.
    Error,
}
