//! The file's shape: unknown keys, and values of the wrong kind, found against the schema.
//!
//! Step 1 of reading. The file is read into a tree of places without values, so nothing that is
//! reported here can show a secret.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::Spanned;
use serde_saphyr::options::NonFiniteFloatPolicy;

use super::fault::{Fault, Place};

/// What usually causes what the parser stumbles over.
const SYNTAX: &str = "look at indentation, colons and quotes here and on the line above; quote a text that begins \
                      with one of @ ` % & * ! | > [ ] { }, holds `: ` or ` #`, or holds ${VAR} inside [ ] or { }";

/// What stands at a place.
enum Node {
    Mapping(Vec<(Spanned<String>, Spanned<Node>)>),
    List(Vec<Spanned<Node>>),
    /// A text, or what YAML takes for one.
    Text,
    /// A number or a boolean: a text too, but only where a list could not stand instead.
    Other,
    Nothing,
}

/// Reads YAML into `T`. Duplicate keys, several documents and unknown tags are faults.
pub(super) fn read<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, serde_saphyr::Error> {
    // Without snippets: the line could hold a secret.
    let options = serde_saphyr::options! {
        with_snippet: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
    };
    serde_saphyr::from_str_with_options(text, options)
}

/// All that is wrong with the file's shape. `Err` is the one fault that reading stopped at.
pub(super) fn faults(text: &str, schema: &Value) -> Result<Vec<Fault>, Fault> {
    let root: Spanned<Node> = read(text).map_err(|error| syntax(&error))?;
    let mut walk = Walk { faults: Vec::new() };
    match root.value {
        Node::Mapping(_) => walk.node(&root.value, schema, &Place::root()),
        Node::Nothing => {
            return Err(Place::root().fault("the file is empty", "begin with `issuer: https://…`"));
        }
        Node::List(_) | Node::Text | Node::Other => {
            let at = Place { path: String::new(), spot: root.referenced.into() };
            return Err(at.fault("the file is not a mapping", "write `key: value` lines"));
        }
    }
    Ok(walk.faults)
}

/// An error of the YAML reader, in words that cannot quote the file's values: serde's own errors
/// can, so only the parser's, which are fixed sentences, are passed on.
#[expect(clippy::wildcard_enum_match_arm, reason = "sixty kinds of error, of which a file causes few")]
pub(super) fn syntax(error: &serde_saphyr::Error) -> Fault {
    use serde_saphyr::Error as E;
    let place = Place { path: String::new(), spot: error.location().map_or(Place::root().spot, Into::into) };
    let (problem, instead) = match error.without_snippet() {
        E::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{}` is given twice", key.escape_debug()), "keep one of them")
        }
        E::DuplicateMappingKey { key: None, .. } => ("a key is given twice".to_owned(), "keep one of them"),
        E::MultipleDocuments { .. } => ("a second document begins here".to_owned(), "remove the `---`"),
        E::UnknownAnchor { .. } => ("an alias `*name` has no anchor `&name`".to_owned(), ""),
        E::UnsupportedTag { .. } => ("a tag `!name` is not known here".to_owned(), "remove the tag"),
        E::ExternalMessage { msg, .. } => (format!("this is not valid YAML: {msg}"), SYNTAX),
        _ => ("this is not valid YAML".to_owned(), SYNTAX),
    };
    place.fault(problem, instead)
}

struct Walk {
    faults: Vec<Fault>,
}

impl Walk {
    fn node(&mut self, node: &Node, schema: &Value, place: &Place) {
        match node {
            Node::Mapping(entries) if accepts(schema, "object") => self.mapping(entries, schema, place),
            Node::List(items) if accepts(schema, "array") => {
                let item_schema = schema.get("items").unwrap_or(&Value::Null);
                for (i, item) in items.iter().enumerate() {
                    self.node(&item.value, item_schema, &place.item(i, item.referenced.into()));
                }
            }
            Node::Other if accepts(schema, "array") && accepts(schema, "string") => {
                self.faults.push(place.fault("is read as a number or boolean", "write it in quotes"));
            }
            Node::Text | Node::Other if accepts(schema, "string") => {}
            Node::Nothing => {
                let fault =
                    place.fault("has no value", format!("write {}, or remove the key", wanted(schema)));
                self.faults.push(fault);
            }
            Node::Mapping(_) => self.wrong(place, "a mapping", schema),
            Node::List(_) => self.wrong(place, "a list", schema),
            Node::Text | Node::Other => self.wrong(place, "a single value", schema),
        }
    }

    fn wrong(&mut self, place: &Place, found: &str, schema: &Value) {
        self.faults.push(place.fault(format!("is {found}"), format!("write {}", wanted(schema))));
    }

    fn mapping(&mut self, entries: &[(Spanned<String>, Spanned<Node>)], schema: &Value, place: &Place) {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            let any = schema.get("additionalProperties").unwrap_or(&Value::Null);
            for (key, value) in entries {
                self.node(&value.value, any, &place.key(&key.value, value.referenced.into()));
            }
            return;
        };
        for (key, value) in entries {
            if let Some(known) = properties.get(&key.value) {
                self.node(&value.value, known, &place.key(&key.value, value.referenced.into()));
            } else {
                let instead = instead_of(&key.value, &mut properties.keys().map(String::as_str));
                let at = place.key(&key.value, key.referenced.into());
                self.faults.push(at.fault("there is no such key", instead));
            }
        }
    }
}

/// What to write instead of an unknown key.
fn instead_of(unknown: &str, known: &mut dyn Iterator<Item = &str>) -> String {
    // SEC-168: what other brokers offer, and why this one does not.
    if matches!(unknown, "account_key" | "user_key" | "subject_claim" | "user_id_claim") {
        return "remove it: an account is always the provider's issuer and subject; an email address can \
                change hands, so it cannot be the account key"
            .to_owned();
    }
    let known: Vec<&str> = known.collect();
    match nearest(unknown, &known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("the keys here are: {}", known.join(", ")),
    }
}

/// The word that was probably meant.
pub(super) fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |word: &str| strsim::damerau_levenshtein(written, word);
    let best = known.iter().copied().min_by_key(|word| distance(word))?;
    let near = distance(best) <= 1 + best.len() / 5;
    let begins = written.len() >= 4 && (best.starts_with(written) || written.starts_with(best));
    (near || begins).then_some(best)
}

fn accepts(schema: &Value, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(several)) => several.iter().any(|one| one == kind),
        _ => false,
    }
}

fn wanted(schema: &Value) -> &'static str {
    if accepts(schema, "object") && accepts(schema, "array") {
        "a list of `- ` items, or a mapping of `key: value` lines"
    } else if accepts(schema, "object") {
        "a mapping of `key: value` lines"
    } else if accepts(schema, "array") && accepts(schema, "string") {
        "a text or a list of texts"
    } else if accepts(schema, "array") {
        "a list of `- ` items"
    } else if accepts(schema, "boolean") {
        "true or false"
    } else {
        "a text"
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Node, E> {
        Ok(Node::Text)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<Node, E> {
        Ok(Node::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Node::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Node::Mapping(entries))
    }
}
