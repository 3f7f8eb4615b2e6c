//! What a JSON-RPC body asks for, where tools have rules.
//!
//! We and the server must read the same. So what two readers could read differently is refused: a member that
//! stands there twice, or in other capitals (some readers do not tell them apart), another encoding than
//! UTF-8, a body that is packed, nesting without end, and headers that say something else than the body.

use axum::body::{Body, Bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use http::request::Parts;
use http::{HeaderValue, Method};
use http_body_util::LengthLimitError;
use serde_json::Value;
use tokio::time::timeout;

use crate::domain::ToolRules;
use crate::protocol::ScopeSet;

use super::Refused;
use super::json::{self, Node};
use super::route::Route;

/// Errors of JSON-RPC 2.0, and of MCP 2026-07-28 (`HeaderMismatch`).
const PARSE_ERROR: i32 = -32700;
const INVALID_REQUEST: i32 = -32600;
const HEADER_MISMATCH: i32 = -32020;

/// Most messages in a batch.
const LONGEST_BATCH: usize = 100;

const METHOD: &str = "mcp-method";
const NAME: &str = "mcp-name";

/// Where the name of what is asked for stands (MCP 2026-07-28, transports).
const NAMED: [(&str, &str); 8] = [
    ("tools/call", "name"),
    ("prompts/get", "name"),
    ("resources/read", "uri"),
    ("resources/subscribe", "uri"),
    ("resources/unsubscribe", "uri"),
    ("tasks/get", "taskId"),
    ("tasks/update", "taskId"),
    ("tasks/cancel", "taskId"),
];

/// Members that decide what a message asks for.
const DECISIVE: [&str; 8] = ["jsonrpc", "id", "method", "params", "name", "uri", "taskId", "arguments"];

/// A body that was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    /// The body; none where the method has none.
    pub(super) bytes: Option<Bytes>,
    /// The tools that it calls.
    calls: Vec<String>,
    /// Does it ask for a list of tools?
    pub(super) lists_tools: bool,
}

impl Read {
    /// What all its calls need.
    pub(super) fn needed(&self, rules: &ToolRules) -> ScopeSet {
        self.calls.iter().fold(ScopeSet::default(), |all, tool| all.union(&rules.needed(tool)))
    }
}

/// Reads a request whole.
pub(super) async fn read(parts: &Parts, body: Body, route: &Route) -> Result<Read, Refused> {
    match parts.method {
        Method::POST => {}
        // These have no body that means anything.
        Method::GET | Method::HEAD | Method::DELETE => return Ok(Read::default()),
        _ => return Err(Refused::Method),
    }
    if !is_plain(&parts.headers) {
        return Err(Refused::Encoding);
    }
    let limit = route.forwarding.body_limit;
    let arrived = timeout(route.forwarding.timeout, axum::body::to_bytes(body, limit)).await;
    let bytes = arrived.map_err(|_| Refused::BrokeOff)?.map_err(|fault| {
        let cause = std::error::Error::source(&fault);
        let too_long = cause.is_some_and(<dyn std::error::Error>::is::<LengthLimitError>);
        if too_long { Refused::TooLarge(limit) } else { Refused::BrokeOff }
    })?;
    let mut read = messages(&bytes, &parts.headers)?;
    read.bytes = Some(bytes);
    Ok(read)
}

/// Is the body UTF-8 as it stands?
fn is_plain(headers: &HeaderMap) -> bool {
    let is = |value: &HeaderValue, word: &str| value.as_bytes().eq_ignore_ascii_case(word.as_bytes());
    let unpacked = headers.get_all(CONTENT_ENCODING).iter().all(|value| is(value, "identity"));
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().map_or(Some(""), |kind| kind.to_str().ok());
    let is_utf8 = |kind: &str| {
        let small = kind.to_ascii_lowercase();
        small.split(';').skip(1).map(str::trim).filter(|parameter| parameter.starts_with("charset")).all(
            |parameter| {
                let named = parameter.split_once('=').map_or("", |(_, named)| named.trim());
                matches!(named.trim_matches('"'), "utf-8" | "utf8" | "us-ascii")
            },
        )
    };
    unpacked && kinds.next().is_none() && kind.is_some_and(is_utf8)
}

fn messages(body: &[u8], headers: &HeaderMap) -> Result<Read, Refused> {
    let text = "the body is no JSON, says a thing twice, or is nested too deeply";
    let parsed =
        json::parse(body).map_err(|_| Refused::Message { code: PARSE_ERROR, id: Value::Null, text })?;
    let mut read = Read::default();
    if let Node::Array(batch) = &parsed {
        if headers.contains_key(METHOD) || headers.contains_key(NAME) {
            return Err(mismatch(Value::Null));
        }
        if batch.len() > LONGEST_BATCH {
            let text = "too many messages at once";
            return Err(Refused::Message { code: INVALID_REQUEST, id: Value::Null, text });
        }
        for message in batch {
            look(message, &mut read)?;
        }
    } else {
        look(&parsed, &mut read)?;
        compare(&parsed, headers)?;
    }
    Ok(read)
}

/// Notes what a message asks for.
fn look(message: &Node, read: &mut Read) -> Result<(), Refused> {
    let id = || message.get("id").map_or(Value::Null, Node::plain);
    let refuse = |text| Err(Refused::Message { code: INVALID_REQUEST, id: id(), text });
    if !matches!(message, Node::Object(_)) {
        return refuse("a message is an object");
    }
    let params = message.get("params");
    if message.has_lookalike(&DECISIVE) || params.is_some_and(|params| params.has_lookalike(&DECISIVE)) {
        return refuse("a member is spelt in other capitals");
    }
    match message.get("method").map(Node::text) {
        // An answer of the client.
        None => {}
        Some(None) => return refuse("`method` is a text"),
        Some(Some("tools/call")) => match params.and_then(|params| params.get("name")).and_then(Node::text) {
            Some(name) => read.calls.push(name.to_owned()),
            None => return refuse("`tools/call` names a tool in `params.name`"),
        },
        Some(Some(method)) => read.lists_tools |= method == "tools/list",
    }
    Ok(())
}

/// Headers say what the body says, or nothing.
fn compare(message: &Node, headers: &HeaderMap) -> Result<(), Refused> {
    let id = || message.get("id").map_or(Value::Null, Node::plain);
    let method = message.get("method").and_then(Node::text);
    let said = only(headers, METHOD);
    if headers.contains_key(METHOD) && (said.is_none() || said != method.map(str::as_bytes)) {
        return Err(mismatch(id()));
    }
    let place = NAMED.iter().find(|(named, _)| Some(*named) == method).map(|(_, place)| *place);
    let Some(place) = place.filter(|_| headers.contains_key(NAME)) else { return Ok(()) };
    let name = message.get("params").and_then(|params| params.get(place)).and_then(Node::text);
    let said = only(headers, NAME).and_then(decoded);
    if said.is_none() || said.as_deref() != name.map(str::as_bytes) {
        return Err(mismatch(id()));
    }
    Ok(())
}

fn mismatch(id: Value) -> Refused {
    let text = "the headers Mcp-Method and Mcp-Name do not say what the body says";
    Refused::Message { code: HEADER_MISMATCH, id, text }
}

/// A header's value, if it is there once.
fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then(|| first.as_bytes())
}

/// What no header can hold stands there as `=?base64?…?=`.
fn decoded(value: &[u8]) -> Option<Vec<u8>> {
    let packed = value.strip_prefix(b"=?base64?").and_then(|rest| rest.strip_suffix(b"?="));
    packed.map_or_else(|| Some(value.to_vec()), |packed| STANDARD.decode(packed).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (http::HeaderName::from_static(name), HeaderValue::from_str(value).unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    fn calls(body: &str) -> Result<Vec<String>, i32> {
        with(body, &[])
    }

    fn with(body: &str, pairs: &[(&'static str, &str)]) -> Result<Vec<String>, i32> {
        match messages(body.as_bytes(), &headers(pairs)) {
            Ok(read) => Ok(read.calls),
            Err(Refused::Message { code, .. }) => Err(code),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn calls_are_found_in_messages_and_batches() {
        let call = |name: &str| format!(r#"{{"id":1,"method":"tools/call","params":{{"name":"{name}"}}}}"#);
        assert_eq!(calls(&call("a")), Ok(vec!["a".into()]));
        assert_eq!(calls(&call(r"\u0061")), Ok(vec!["a".into()]));
        assert_eq!(calls(&format!("[{},{}]", call("a"), call("b"))), Ok(vec!["a".into(), "b".into()]));
        assert_eq!(calls(r#"{"method":"tools/list","params":{"name":"a"}}"#), Ok(vec![]));
        assert_eq!(calls(r#"{"id":1,"result":{"method":"tools/call"}}"#), Ok(vec![]));
        assert_eq!(calls(r#"{"method":"x","params":{"arguments":{"Name":1,"name":2}}}"#), Ok(vec![]));
    }

    #[test]
    fn a_body_takes_no_more_room_than_it_may() {
        let crowd = |many| format!(r#"{{"method":"x","params":{{"a":[{}{{}}]}}}}"#, "{},".repeat(many));
        assert_eq!(calls(&crowd(1_000)), Ok(vec![]));
        assert_eq!(calls(&crowd(60_000)), Err(PARSE_ERROR));
        let text = format!(r#"{{"method":"x","params":{{"a":"{}"}}}}"#, r#"{\"[{"#.repeat(60_000));
        assert_eq!(calls(&text), Ok(vec![]), "a text may hold anything");
        let batch = |many: usize| format!("[{}]", vec![r#"{"method":"x"}"#; many].join(","));
        assert_eq!(calls(&batch(100)), Ok(vec![]));
        assert_eq!(calls(&batch(101)), Err(INVALID_REQUEST));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for twice in [
            r#"{"method":"tools/list","method":"tools/call","params":{"name":"a"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","n\u0061me":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a"},"params":{"name":"b"}}"#,
            r#"{"method":"x","params":{"arguments":{"a":{"b":1,"b":2}}}}"#,
            r#"{"method":"x"} {"method":"y"}"#,
            "{\"method\":\"x\"}\0",
            "\u{feff}{\"method\":\"x\"}",
            r#"{"method":"x","params":{"a":"\ud800"}}"#,
            "",
            "nonsense",
        ] {
            assert_eq!(calls(twice), Err(PARSE_ERROR), "{twice}");
        }
        let deep = format!(r#"{{"method":"x","params":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        assert_eq!(calls(&deep), Err(PARSE_ERROR));
        for odd in [
            r#"{"method":"x","Method":"tools/call","params":{"name":"a"}}"#,
            r#"{"METHOD":"tools/call","params":{"name":"a"}}"#,
            r#"{"method":"tools/call","Params":{"name":"a"}}"#,
            r#"{"method":"tools/call","paramſ":{"name":"a"},"params":{"name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":"a","Name":"b"}}"#,
            r#"{"method":"tools/call","params":{"name":1}}"#,
            r#"{"method":"tools/call","params":["a"]}"#,
            r#"{"method":"tools/call"}"#,
            r#"{"method":["tools/call"]}"#,
            r#"[[{"method":"x"}]]"#,
            r#""tools/call""#,
        ] {
            assert_eq!(calls(odd), Err(INVALID_REQUEST), "{odd}");
        }
    }

    #[test]
    fn headers_say_what_the_body_says() {
        let call = r#"{"id":1,"method":"tools/call","params":{"name":"tööl"}}"#;
        let encoded = format!("=?base64?{}?=", STANDARD.encode("tööl"));
        let good = [("mcp-method", "tools/call"), ("mcp-name", encoded.as_str())];
        assert_eq!(with(call, &good), Ok(vec!["tööl".into()]));
        for bad in [
            &[("mcp-method", "tools/list")][..],
            &[("mcp-method", "Tools/Call")],
            &[("mcp-name", "other")],
            &[("mcp-name", "=?base64?!?=")],
            &[("mcp-name", "")],
        ] {
            assert_eq!(with(call, bad), Err(HEADER_MISMATCH), "{bad:?}");
        }
        assert_eq!(with(&format!("[{call}]"), &[("mcp-method", "tools/call")]), Err(HEADER_MISMATCH));
        assert_eq!(with(r#"{"id":1,"result":{}}"#, &[("mcp-method", "x")]), Err(HEADER_MISMATCH));
        let read = r#"{"method":"resources/read","params":{"uri":"a:b"}}"#;
        assert_eq!(with(read, &[("mcp-name", "a:b")]), Ok(vec![]));
        assert_eq!(with(read, &[("mcp-name", "a:c")]), Err(HEADER_MISMATCH));
        let mut twice = headers(&[("mcp-method", "tools/call")]);
        twice.append("mcp-method", HeaderValue::from_static("tools/call"));
        assert!(messages(call.as_bytes(), &twice).is_err());
    }

    #[test]
    fn only_plain_utf_8_is_read() {
        for good in
            ["application/json", "application/json; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(is_plain(&headers(&[("content-type", good)])), "{good}");
        }
        for bad in [
            "application/json; charset=utf-16",
            "application/json;charset=utf-7",
            "x;charset",
            "x; charset=\"utf-7\"",
        ] {
            assert!(!is_plain(&headers(&[("content-type", bad)])), "{bad}");
        }
        assert!(!is_plain(&headers(&[("content-encoding", "gzip")])));
        assert!(is_plain(&headers(&[("content-encoding", "identity")])));
    }
}
