//! The annotated example and the published schema agree with what is read.

use std::collections::BTreeSet;
use std::path::Path;

use gatelodge::config::{StoreConfig, load, schema};
use serde_json::Value;

const EXAMPLE: &str = "deploy/gatelodge.example.yaml";

fn text() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE)).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "the shape of an environment")]
fn env(name: &str) -> Option<String> {
    Some(format!("0a1b2c3d4e5f6g7h8i9j-k1l2m3n4o5p6-{name}"))
}

/// The example has no fault.
#[test]
fn the_example_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(EXAMPLE);
    let config = load(&path, &env).unwrap_or_else(|faults| panic!("{faults}"));
    assert!(matches!(config.store, StoreConfig::Redis(_)));
    assert_eq!(config.upstreams.len(), 2);
    assert_eq!(config.access.rules.len(), 5);
}

/// Its variables are the only thing that it needs: without them each is a fault of its own.
#[test]
fn the_example_names_every_variable_that_it_needs() {
    let faults = gatelodge::config::parse(&text(), "x", &|_| None).unwrap_err();
    let mut lines: Vec<u32> = faults.list.iter().map(|fault| fault.line).collect();
    lines.dedup();
    let needed: Vec<u32> =
        (1_u32..).zip(text().lines()).filter(|(_, line)| uses_variable(line)).map(|(i, _)| i).collect();
    assert_eq!(lines, needed, "{faults}");
}

fn uses_variable(line: &str) -> bool {
    !line.trim_start().starts_with('#') && line.contains("${")
}

/// The schema accepts the example and refuses an unknown key.
#[test]
fn the_schema_validates_the_example() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut example: Value = serde_saphyr::from_str(&text()).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&example).map(|e| format!("{} {e}", e.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    example["acount_key"] = Value::from("email");
    assert!(!validator.is_valid(&example));
    example.as_object_mut().unwrap().remove("acount_key");
    example.as_object_mut().unwrap().remove("issuer");
    assert!(!validator.is_valid(&example));
}

/// Every key of the schema stands in the example at its own place, if only in a comment, and has a
/// description.
#[test]
fn the_example_shows_every_key() {
    let schema: Value = serde_json::from_str(&schema()).unwrap();
    let shown = shown(&text());
    let mut keys = Vec::new();
    gather(&schema, "", &mut keys);
    assert!(keys.len() > 50, "{keys:?}");
    let mut missing = Vec::new();
    for (path, description) in keys {
        // A plain list of clients is what `named` holds where there is more to say.
        let named = path.replacen(".clients.", ".clients.named.", 1);
        if !shown.contains(&path) && !shown.contains(&named) {
            missing.push(path.clone());
        }
        assert!(!description.is_empty(), "{path} has no description");
    }
    assert!(missing.is_empty(), "{EXAMPLE} lacks {missing:?}");
    assert!(shown.contains(".sign_ins.per_address") && !shown.contains(".tokens.per_address"), "by path");
}

/// The paths of all keys in a file of YAML blocks, comments that hold a key included: what is commented out
/// stands at the depth where it would stand. Items of a list have the path of the list.
fn shown(text: &str) -> BTreeSet<String> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut paths = BTreeSet::new();
    for line in text.lines() {
        let blank = line.len() - line.trim_start().len();
        let inner = line.trim_start();
        // A comment's sign takes no room.
        let inner = inner.strip_prefix("# ").unwrap_or(inner);
        let key = inner.trim_start_matches([' ', '-']);
        let depth = blank + inner.len() - key.len();
        let Some((key, rest)) = key.split_once(':') else { continue };
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if is_key && (rest.is_empty() || rest.starts_with(' ')) {
            above.retain(|(other, _)| *other < depth);
            above.push((depth, key));
            paths.insert(above.iter().flat_map(|(_, key)| [".", key]).collect());
        }
    }
    paths
}

fn gather(schema: &Value, path: &str, keys: &mut Vec<(String, String)>) {
    for (key, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{key}");
        keys.push((path.clone(), value["description"].as_str().unwrap_or_default().to_owned()));
        for form in forms(value) {
            gather(form, &path, keys);
        }
    }
}

/// A value's own schema, that of its items, and those of the forms that it may have.
fn forms(schema: &Value) -> Vec<&Value> {
    let several = ["anyOf", "oneOf"].into_iter().filter_map(|of| schema[of].as_array()).flatten();
    let all = several.flat_map(|form| [form, &form["items"]]);
    [schema, &schema["items"]].into_iter().chain(all).collect()
}
