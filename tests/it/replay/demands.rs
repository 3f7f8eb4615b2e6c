//! What clients demand of answers: what a conversation says of one, and what all of them say of each
//! kind.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::harness::browser::Page;

use super::conversation::{Answer, Kind};

/// What the conversation says.
pub(super) fn check(answer: &Answer, page: &Page, fill: &dyn Fn(&Value) -> Value, place: &str) {
    assert_eq!(page.status, answer.status, "{place}");
    // INT-10: nothing that a client asks by itself leads elsewhere.
    assert!(page.location().is_none(), "{place}\nleads to {:?}", page.location());
    let json = || page.json();
    for (pointer, value) in &answer.is {
        assert_eq!(json().pointer(pointer), Some(&fill(value)), "{place}\n{pointer}");
    }
    for (pointer, value) in &answer.is_not {
        assert_ne!(json().pointer(pointer), Some(&fill(value)), "{place}\n{pointer}");
    }
    for (pointer, value) in &answer.lists {
        let json = json();
        let items = json.pointer(pointer).and_then(Value::as_array);
        assert!(items.is_some_and(|items| items.contains(&fill(value))), "{place}\n{pointer} lacks {value}");
    }
    for pointer in &answer.has {
        assert!(json().pointer(pointer).is_some(), "{place}\nthere is no {pointer}");
    }
    for pointer in &answer.lacks {
        assert_eq!(json().pointer(pointer), None, "{place}\n{pointer}");
    }
    let text = |value: &str| fill(&Value::from(value)).as_str().unwrap_or_default().to_owned();
    for (name, value) in &answer.headers {
        assert!(
            page.header(name).eq_ignore_ascii_case(&text(value)),
            "{place}\n{name}: {}",
            page.header(name)
        );
    }
    for name in &answer.lacks_headers {
        assert!(!page.headers.contains_key(name), "{place}\n{name}: {}", page.header(name));
    }
    for (name, values) in &answer.lists_in_header {
        let listed: Vec<_> =
            page.header(name).split(',').map(|item| item.trim().to_ascii_lowercase()).collect();
        for value in values {
            assert!(
                listed.contains(&value.to_ascii_lowercase()),
                "{place}\n{name} lacks {value}: {listed:?}"
            );
        }
    }
    let parameters = challenge(page, place);
    for (name, value) in &answer.challenge {
        assert_eq!(parameters.get(name), Some(&text(value)), "{place}\n{name} of the challenge");
    }
    if is_json(page) {
        // INT-11, INT-33: zod, serde and pydantic refuse them where a text is expected.
        assert!(!has_nothing(&page.json()), "{place}\nnull, or an empty text or list");
    }
}

/// INT-19, INT-20: one header, one challenge, which holds still when it is split at each comma (C#).
fn challenge(page: &Page, place: &str) -> BTreeMap<String, String> {
    let headers: Vec<_> = page.headers.get_all("www-authenticate").iter().collect();
    assert!(headers.len() <= 1, "{place}\nseveral challenges: {headers:?}");
    let Some(header) = headers.first() else {
        assert!(page.status != 401 || page.url.contains("/oauth/"), "{place}\n401 without a challenge");
        return BTreeMap::new();
    };
    let header = header.to_str().expect("ASCII");
    let Some(parameters) = header.strip_prefix("Bearer ") else { return BTreeMap::new() };
    let split = parameters.split(',').map(|parameter| {
        let (name, value) = parameter.trim().split_once('=').unwrap_or_else(|| panic!("{place}\n{header}"));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
        (name.to_owned(), value.unwrap_or_else(|| panic!("{place}\n{header}")).to_owned())
    });
    split.collect()
}

/// What every client says of an answer of this kind; and what stands for a name from now on.
pub(super) fn check_kind(
    kind: Kind,
    page: &Page,
    (issuer, sent): (&str, Option<&Value>),
    place: &str,
) -> BTreeMap<String, String> {
    if kind == Kind::Page {
        assert!(page.header("content-type").starts_with("text/html"), "{place}");
        return BTreeMap::new();
    }
    assert!(is_json(page), "{place}\nINT-09, INT-65: JSON, and not {}", page.header("content-type"));
    let json = page.json();
    let text = |name: &str| json[name].as_str().map(str::to_owned);
    let list = |name: &str| json[name].as_array().cloned().unwrap_or_default();
    match kind {
        Kind::Resource => {
            assert_eq!(list("authorization_servers").first(), Some(&Value::from(issuer)), "INT-02: {place}");
            assert!(text("resource").is_some() && !list("scopes_supported").is_empty(), "{place}");
            BTreeMap::new()
        }
        Kind::Server => {
            assert_eq!(json["issuer"], issuer, "INT-02: {place}");
            for (name, value) in [
                ("response_types_supported", "code"),
                ("code_challenge_methods_supported", "S256"),
                ("grant_types_supported", "authorization_code"),
                ("grant_types_supported", "refresh_token"),
            ] {
                assert!(list(name).contains(&Value::from(value)), "INT-12: {place}\n{name}");
            }
            assert_eq!(json["token_endpoint_auth_methods_supported"][0], "none", "INT-13: {place}");
            assert_eq!(json["authorization_response_iss_parameter_supported"], true, "INT-46: {place}");
            let endpoints =
                json.as_object().into_iter().flatten().filter(|(name, _)| name.ends_with("_endpoint"));
            endpoints.map(|(name, url)| (name.clone(), url.as_str().unwrap_or_default().to_owned())).collect()
        }
        Kind::Registration => {
            assert_eq!(page.header("cache-control"), "no-store", "{place}");
            let sent = sent.expect("a registration is JSON");
            assert_eq!(json["redirect_uris"], sent["redirect_uris"], "INT-32: {place}");
            assert!(!list("grant_types").is_empty() && !list("response_types").is_empty(), "INT-32: {place}");
            assert!(json["client_id_issued_at"].is_u64(), "INT-33: {place}");
            let has_secret = json["token_endpoint_auth_method"] != "none";
            assert_eq!(json.get("client_secret").is_some(), has_secret, "INT-31: {place}");
            assert_eq!(
                json.get("client_secret_expires_at").is_some_and(Value::is_u64),
                has_secret,
                "{place}"
            );
            let made: BTreeMap<_, _> = ["client_id", "client_secret"]
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), text(name)?)))
                .collect();
            let is_plain =
                |text: &String| text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
            assert!(made.contains_key("client_id") && made.values().all(is_plain), "INT-38: {place}");
            made
        }
        Kind::Tokens => {
            assert_eq!(page.status, 200, "{place}");
            assert_eq!(page.header("cache-control"), "no-store", "INT-58: {place}");
            assert_eq!(json["token_type"], "Bearer", "INT-58: {place}");
            assert!(json["expires_in"].as_u64().is_some_and(|seconds| seconds > 300), "INT-59: {place}");
            assert!(text("scope").is_some_and(|scope| !scope.is_empty()), "INT-58: {place}");
            ["access_token", "refresh_token"]
                .map(|name| {
                    (name.to_owned(), text(name).unwrap_or_else(|| panic!("INT-60: {place}\n{name}")))
                })
                .into()
        }
        Kind::Error => {
            assert!(text("error").is_some_and(|error| !error.is_empty()), "INT-65: {place}");
            BTreeMap::new()
        }
        Kind::Page => BTreeMap::new(),
    }
}

fn is_json(page: &Page) -> bool {
    page.header("content-type").starts_with("application/json") && !page.body.is_empty()
}

/// Is there a null, an empty text or an empty list anywhere?
fn has_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty() || items.iter().any(has_nothing),
        Value::Object(members) => members.values().any(has_nothing),
        Value::Bool(_) | Value::Number(_) => false,
    }
}
