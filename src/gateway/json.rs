//! JSON that every reader reads alike.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A value in which no object says a thing twice.
#[derive(Debug)]
pub(super) enum Node {
    Object(Vec<(String, Node)>),
    Array(Vec<Node>),
    Scalar(Value),
}

/// Objects and lists in one text. Each takes many times the bytes that it is written in.
const MOST_NESTS: usize = 50_000;

/// Reads a text that is one value and nothing else.
pub(super) fn parse(text: &[u8]) -> Result<Node, serde_json::Error> {
    if nests(text) > MOST_NESTS {
        return Err(serde_json::Error::custom("there are too many objects and lists"));
    }
    serde_json::from_slice(text)
}

/// How many objects and lists begin in a text.
fn nests(text: &[u8]) -> usize {
    let (mut nests, mut is_text, mut is_escaped) = (0, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'{' | b'[' if !is_text => nests += 1,
            _ => {}
        }
    }
    nests
}

impl Node {
    /// A member.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else { return None };
        members.iter().find(|(own, _)| own == name).map(|(_, value)| value)
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&str> {
        let Self::Scalar(Value::String(text)) = self else { return None };
        Some(text)
    }

    /// A number or a text, to be said again; anything else is not.
    pub(super) fn plain(&self) -> Value {
        match self {
            Self::Scalar(value @ (Value::Number(_) | Value::String(_))) => value.clone(),
            Self::Scalar(_) | Self::Object(_) | Self::Array(_) => Value::Null,
        }
    }

    /// Is there a member that is one of these names in other capitals?
    pub(super) fn has_lookalike(&self, names: &[&str]) -> bool {
        let Self::Object(members) = self else { return false };
        members.iter().any(|(own, _)| names.iter().any(|name| own != name && folded(own) == folded(name)))
    }
}

/// Without capitals, as readers do it that fold by Unicode: `ſ` is an s to them.
fn folded(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Strict)
    }
}

struct Strict;

impl<'de> Visitor<'de> for Strict {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members: Vec<(String, Node)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = map.next_entry::<String, Node>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom("a member stands there twice"));
            }
            members.push((name, value));
        }
        Ok(Node::Object(members))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::Array(items))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(text)))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
}
