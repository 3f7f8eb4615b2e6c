//! Reading claims by path. What is read here decides nothing yet.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Members;

/// Most values that are kept of one claim: a token is hostile in size, too.
pub const MOST: usize = 1000;

/// What stands at a dotted path such as `realm_access.roles`. Longer names come first, so a claim
/// of that very name does: namespaced claims hold dots themselves.
#[must_use]
pub fn at<'a>(claims: &'a Members, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let mut ends = path.rmatch_indices('.').map(|(end, _)| path.split_at(end));
        ends.find_map(|(name, rest)| below(claims.get(name)?, rest.get(1..)?))
    })
}

fn below<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.get(path).or_else(|| {
        let mut ends = path.rmatch_indices('.').map(|(end, _)| path.split_at(end));
        ends.find_map(|(name, rest)| below(value.get(name)?, rest.get(1..)?))
    })
}

/// The values as text: a text, a number, a boolean, or a list of these. An object has none.
#[must_use]
pub fn texts(value: &Value) -> BTreeSet<String> {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let single = std::slice::from_ref(value);
    value.as_array().map_or(single, Vec::as_slice).iter().filter_map(text).take(MOST).collect()
}

/// The names in a list: texts alone, byte for byte.
#[must_use]
pub fn names(value: &Value) -> Option<BTreeSet<String>> {
    let texts = value.as_array()?.iter().filter_map(Value::as_str);
    Some(texts.take(MOST).map(str::to_owned).collect())
}

/// The names at a path with one `*` in it, each behind the name that the `*` stands for.
#[must_use]
pub fn qualified_names(claims: &Members, path: &str) -> Option<BTreeSet<String>> {
    let Some((before, after)) = path.split_once(".*.") else { return names(at(claims, path)?) };
    let members = at(claims, before)?.as_object()?;
    let all = members.iter().filter_map(|(name, value)| Some((name, names(below(value, after)?)?)));
    let all = all.flat_map(|(name, found)| found.into_iter().map(move |one| format!("{name}/{one}")));
    Some(all.take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn claims() -> Members {
        serde_json::from_value(json!({
            "realm_access": {"roles": ["a", 1, "/a/admin"]},
            "resource_access": {"my.client": {"roles": ["admin"]}, "account": {"roles": ["view"]}, "odd": 1},
            "x.y": ["z"], "acct": 1, "yes": true, "none": null,
            "https://example.com/roles": ["editor"]
        }))
        .unwrap()
    }

    fn set(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(ToString::to_string).collect()
    }

    /// IDP-keycloak: group paths and roles are compared as they are.
    #[test]
    fn idp_keycloak_names_by_path() {
        let claims = claims();
        assert_eq!(names(at(&claims, "realm_access.roles").unwrap()), Some(set(&["/a/admin", "a"])));
        assert_eq!(names(at(&claims, "x.y").unwrap()), Some(set(&["z"])));
        assert_eq!(at(&claims, "resource_access.my.client.roles"), Some(&json!(["admin"])));
        assert_eq!(at(&claims, "https://example.com/roles"), Some(&json!(["editor"])));
        assert!(at(&claims, "realm_access.none").is_none() && at(&claims, "groups").is_none());
        assert!(at(&claims, "").is_none() && at(&claims, ".").is_none() && at(&claims, "x.").is_none());
        let qualified = qualified_names(&claims, "resource_access.*.roles");
        assert_eq!(qualified, Some(set(&["account/view", "my.client/admin"])));
    }

    #[test]
    fn values_of_every_kind_become_text() {
        let claims = claims();
        let read = |path| at(&claims, path).map(texts).unwrap_or_default();
        assert_eq!(read("acct"), set(&["1"]));
        assert_eq!(read("yes"), set(&["true"]));
        assert_eq!(read("realm_access.roles"), set(&["1", "/a/admin", "a"]));
        assert_eq!(read("none"), set(&[]));
        assert_eq!(read("realm_access"), set(&[]));
    }
}
