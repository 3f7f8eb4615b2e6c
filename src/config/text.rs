//! Scalars as they stand in the file, each with its place.
//!
//! Every setting is read as text first: a number or `true` keeps the spelling of the file,
//! so a secret like `0123` or `1e5` stays what was written. None of these types has a `Debug`
//! that shows text: any of them may hold a secret.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use serde_saphyr::{Location, Spanned};

use super::fault::Place;

/// A line and a column of the file, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Spot {
    /// The line.
    pub(super) line: u32,
    /// The column, in characters.
    pub(super) column: u32,
}

impl Spot {
    /// Where a file begins: for what is missing altogether.
    pub(super) const START: Self = Self { line: 1, column: 1 };
}

impl From<Location> for Spot {
    fn from(at: Location) -> Self {
        let from_one = |n: u64| u32::try_from(n).unwrap_or(u32::MAX).max(1);
        Self { line: from_one(at.line()), column: from_one(at.column()) }
    }
}

/// One scalar, uninterpreted.
#[derive(Clone)]
pub(super) struct Text {
    /// As written, `${VAR}` and all.
    pub(super) written: String,
    /// Where.
    pub(super) spot: Spot,
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        Ok(Self { written: spanned.value, spot: spanned.referenced.into() })
    }
}

impl JsonSchema for Text {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Text".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

/// A list of texts; a single text is a list of one.
#[derive(Clone)]
pub(super) struct Texts {
    /// The list.
    pub(super) list: Vec<Text>,
    /// Where it begins.
    pub(super) spot: Spot,
}

impl Texts {
    /// Where an item stands; a single value is not called an item.
    pub(super) fn place_of(&self, list: &Place, index: usize, item: &Text) -> Place {
        if item.spot == self.spot { list.clone() } else { list.item(index, item.spot) }
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<OneOrMany>::deserialize(deserializer)?;
        let spot = spanned.referenced.into();
        let list = match spanned.value {
            OneOrMany::One(written) => vec![Text { written, spot }],
            OneOrMany::Many(list) => list,
        };
        Ok(Self { list, spot })
    }
}

impl JsonSchema for Texts {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Texts".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["array", "string"], "items": { "type": "string" } })
    }
}

enum OneOrMany {
    One(String),
    Many(Vec<Text>),
}

impl<'de> Deserialize<'de> for OneOrMany {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = OneOrMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<OneOrMany, E> {
                Ok(OneOrMany::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<OneOrMany, A::Error> {
                let mut list = Vec::new();
                while let Some(text) = seq.next_element()? {
                    list.push(text);
                }
                Ok(OneOrMany::Many(list))
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// A mapping from texts, in the order of the file; to texts, if nothing else is said.
#[derive(Clone)]
pub(super) struct Pairs<V = Text>(pub(super) Vec<(Text, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Ordered<V>(PhantomData<V>);

        impl<'de, V: Deserialize<'de>> Visitor<'de> for Ordered<V> {
            type Value = Pairs<V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Ordered(PhantomData))
    }
}

impl<V: JsonSchema> JsonSchema for Pairs<V> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("PairsOf{}", V::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": V::json_schema(generator) })
    }
}

/// A text, or a mapping that says more.
pub(super) enum TextOr<T> {
    /// A text.
    Text(Text),
    /// A mapping, and where it begins.
    Mapping(Box<T>, Spot),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for TextOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<WrittenOr<T>>::deserialize(deserializer)?;
        let spot = spanned.referenced.into();
        Ok(match spanned.value {
            WrittenOr::Written(written) => Self::Text(Text { written, spot }),
            WrittenOr::Mapping(inner) => Self::Mapping(inner, spot),
        })
    }
}

impl<T: JsonSchema> JsonSchema for TextOr<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("TextOr{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = T::json_schema(generator);
        schema.insert("type".into(), json!(["string", "object"]));
        schema
    }
}

enum WrittenOr<T> {
    Written(String),
    Mapping(Box<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WrittenOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = WrittenOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a mapping")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<WrittenOr<T>, E> {
                Ok(WrittenOr::Written(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<WrittenOr<T>, A::Error> {
                let inner = T::deserialize(MapAccessDeserializer::new(map))?;
                Ok(WrittenOr::Mapping(Box::new(inner)))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A part of the file that has a place of its own.
pub(super) struct Located<T> {
    /// The part.
    pub(super) inner: T,
    /// Where it begins.
    pub(super) spot: Spot,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<T>::deserialize(deserializer)?;
        Ok(Self { inner: spanned.value, spot: spanned.referenced.into() })
    }
}

impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
