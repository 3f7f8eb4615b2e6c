//! A list of tools without those that the caller may not call. Everything around them stays byte for byte.
//!
//! This is a courtesy: what is not understood passes as it is. The call itself is what is decided about.

use std::borrow::Cow;
use std::ops::Range;

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Listing<'a> {
    #[serde(borrow)]
    tools: &'a RawValue,
}

#[derive(Deserialize)]
struct Tool<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

/// The text of one answer, or of several, without the tools that are hidden; none if it holds none of them.
pub(super) fn without(text: &str, is_hidden: &impl Fn(&str) -> bool) -> Option<String> {
    let messages = match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(batch) => batch,
        Err(_) => vec![serde_json::from_str::<&RawValue>(text).ok()?],
    };
    let mut changed: Option<String> = None;
    // From the end on, so that what is before stays where it is.
    for message in messages.into_iter().rev() {
        if let Some((place, list)) = shortened(text, message.get(), is_hidden) {
            changed.get_or_insert_with(|| text.to_owned()).replace_range(place, &list);
        }
    }
    changed
}

/// Where the list of a message stands, and what it should be.
fn shortened(text: &str, message: &str, is_hidden: &impl Fn(&str) -> bool) -> Option<(Range<usize>, String)> {
    let result = serde_json::from_str::<Message<'_>>(message).ok()?.result?;
    let listing = serde_json::from_str::<Listing<'_>>(result.get()).ok()?;
    let all: Vec<&RawValue> = serde_json::from_str(listing.tools.get()).ok()?;
    let is_shown = |tool: &&&RawValue| {
        let named = serde_json::from_str::<Tool<'_>>(tool.get());
        !named.is_ok_and(|tool| is_hidden(&tool.name))
    };
    let shown: Vec<&str> = all.iter().filter(is_shown).map(|tool| tool.get()).collect();
    if shown.len() == all.len() {
        return None;
    }
    let begin = (listing.tools.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    let place = begin..begin + listing.tools.get().len();
    text.get(place.clone())?;
    Some((place, format!("[{}]", shown.join(","))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> Option<String> {
        without(text, &|name| name.starts_with("delete"))
    }

    #[test]
    fn only_hidden_tools_are_taken_out() {
        let list = r#"{ "jsonrpc":"2.0","id":1, "result" : {"tools": [ {"name":"read","n":1.50e2}, {"name":"delete_all"} ],"nextCursor":"x"}}"#;
        let expected = r#"{ "jsonrpc":"2.0","id":1, "result" : {"tools": [{"name":"read","n":1.50e2}],"nextCursor":"x"}}"#;
        assert_eq!(shown(list).as_deref(), Some(expected));
        assert_eq!(shown(&format!("[{list},{list}]")), Some(format!("[{expected},{expected}]")));
        assert_eq!(
            shown(r#"{"result":{"tools":[{"name":"del\u0065te"}]}}"#).as_deref(),
            Some(r#"{"result":{"tools":[]}}"#)
        );
    }

    #[test]
    fn everything_else_stays() {
        for other in [
            r#"{"result":{"tools":[{"name":"read"}]}}"#,
            r#"{"result":{"content":[{"name":"delete"}]}}"#,
            r#"{"method":"x","params":{"tools":[{"name":"delete"}]}}"#,
            r#"{"result":{"tools":"delete"}}"#,
            r#"{"result":["delete"]}"#,
            "nonsense",
            "",
        ] {
            assert_eq!(shown(other), None, "{other}");
        }
    }
}
