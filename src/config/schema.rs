//! The JSON schema of the file, for editors, for the published copy, and for `shape`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::Value;

use super::raw::RawConfig;

/// The JSON schema of the configuration file.
#[must_use]
pub fn schema() -> String {
    // A `Value` always becomes text.
    serde_json::to_string_pretty(&schema_value()).unwrap_or_default() + "\n"
}

/// The schema, without references: `shape` walks it beside the file.
pub(super) fn schema_value() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<RawConfig>();
    RecursiveTransform(tidy).transform(&mut schema);
    schema.insert("title".into(), "Gatelodge configuration".into());
    schema.to_value()
}

/// A key without a value is refused, so no setting takes `null`; descriptions are one line.
fn tidy(schema: &mut Schema) {
    if let Some(Value::String(description)) = schema.get_mut("description") {
        *description = description.replace('\n', " ");
    }
    let Some(Value::Array(types)) = schema.get_mut("type") else { return };
    types.retain(|name| name != "null");
    if let [only] = types.as_slice() {
        let only = only.clone();
        schema.insert("type".into(), only);
    }
}
