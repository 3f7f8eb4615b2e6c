//! A list, or a mapping that says more.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::json;
use serde_saphyr::Spanned;

use super::text::Spot;

/// A list, or a mapping that says more.
pub(super) enum ListOr<T, M> {
    /// A list.
    List(Vec<T>),
    /// A mapping, and where it begins.
    Mapping(Box<M>, Spot),
}

enum Written<T, M> {
    List(Vec<T>),
    Mapping(Box<M>),
}

impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Deserialize<'de> for ListOr<T, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Written<T, M>>::deserialize(deserializer)?;
        let spot = spanned.referenced.into();
        Ok(match spanned.value {
            Written::List(list) => Self::List(list),
            Written::Mapping(inner) => Self::Mapping(inner, spot),
        })
    }
}

impl<T: JsonSchema, M: JsonSchema> JsonSchema for ListOr<T, M> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("ListOf{}Or{}", T::schema_name(), M::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = M::json_schema(generator);
        schema.insert("type".into(), json!(["array", "object"]));
        schema.insert("items".into(), T::json_schema(generator).to_value());
        schema
    }
}

impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Deserialize<'de> for Written<T, M> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either<T, M>(PhantomData<(T, M)>);

        impl<'de, T: Deserialize<'de>, M: Deserialize<'de>> Visitor<'de> for Either<T, M> {
            type Value = Written<T, M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list or a mapping")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Written<T, M>, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = seq.next_element()? {
                    list.push(item);
                }
                Ok(Written::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Written<T, M>, A::Error> {
                let inner = M::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Written::Mapping(Box::new(inner)))
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}
