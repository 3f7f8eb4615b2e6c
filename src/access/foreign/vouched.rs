//! What somebody else vouches for, whatever the way: the claims of a token, read strictly.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use crate::clock::Timestamp;
use crate::protocol::{Members, claims};

/// Longest name of an account.
const LONGEST_SUBJECT: usize = 255;

/// Why a token does not count here. For the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("its {0} is missing or is not what it must be")]
    Claim(&'static str),
    #[error("it has expired, or is older than `max_age`")]
    Expired,
    #[error("it is dated in the future")]
    NotYet,
    #[error("it is no access token: {0}")]
    NoAccessToken(&'static str),
    #[error("it is bound to a key that nobody proves here")]
    Bound,
    #[error("it {0}")]
    Jws(#[from] crate::protocol::InvalidJws),
    #[error("its algorithm is not among `algorithms`")]
    Algorithm,
    #[error("it lacks a scope of `required_scopes`")]
    Scopes,
    #[error("it says not true to `active` or `valid`")]
    NotActive,
}

/// What was vouched for.
#[derive(Debug, Clone)]
pub(super) struct Vouched {
    /// The account at the issuer.
    pub(super) subject: String,
    /// Everything that is said of it.
    pub(super) claims: Members,
    /// The scopes that the credential itself names.
    pub(super) scopes: BTreeSet<String>,
    /// When it began to count, where somebody who withdraws it later would be told.
    pub(super) began: Option<Timestamp>,
    /// Until when it counts.
    pub(super) until: Option<Timestamp>,
}

/// How old a token may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// How far clocks may differ.
    pub skew: Duration,
    /// Since it was issued.
    pub max_age: Option<Duration>,
    /// Must it say when it ends? If not, `max_age` ends it.
    pub require_expiry: bool,
}

impl Times {
    /// Until when a token counts, if it counts now (SEC-050).
    pub(super) fn until(&self, claims: &Members, now: Timestamp) -> Result<Option<Timestamp>, Refused> {
        let exp = time(claims, "exp")?;
        let iat = time(claims, "iat")?;
        let latest = iat.max(time(claims, "nbf")?);
        if latest.is_some_and(|latest| latest > now.plus(self.skew)) {
            return Err(Refused::NotYet);
        }
        if self.require_expiry && exp.is_none() {
            return Err(Refused::Claim("exp"));
        }
        let aged = |age| iat.map(|iat| iat.plus(age)).ok_or(Refused::Claim("iat"));
        let oldest = self.max_age.map(aged).transpose()?;
        let end = [exp, oldest].into_iter().flatten().min().map(|end| end.plus(self.skew));
        if end.is_some_and(|end| now >= end) {
            return Err(Refused::Expired);
        }
        Ok(end)
    }
}

/// A date, which is a whole number wherever it stands.
pub(super) fn time(claims: &Members, name: &'static str) -> Result<Option<Timestamp>, Refused> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    value.as_u64().map(|seconds| Some(Timestamp::from_unix(seconds))).ok_or(Refused::Claim(name))
}

impl Times {
    /// The same for what somebody else called good just now: beyond the token's own end they are asked again.
    pub(super) fn until_asked_again(
        &self,
        claims: &Members,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Refused> {
        let end = self.until(claims, now)?;
        Ok([end, time(claims, "exp")?].into_iter().flatten().min())
    }
}

/// Is it made out to one of ours (SEC-143)?
pub(super) fn audience(claims: &Members, is_ours: impl Fn(&str) -> bool) -> Result<(), Refused> {
    let is_ours = |aud: &Value| aud.as_str().is_some_and(&is_ours);
    let holds = match claims.get("aud") {
        Some(Value::Array(all)) => all.iter().any(is_ours),
        Some(one) => is_ours(one),
        None => false,
    };
    if holds { Ok(()) } else { Err(Refused::Claim("aud")) }
}

/// Whoever holds a token that is bound to a key must prove it (RFC 7800): as a mere bearer token it was stolen.
pub(super) fn is_unbound(claims: &Members) -> Result<(), Refused> {
    if claims.contains_key("cnf") { Err(Refused::Bound) } else { Ok(()) }
}

/// The account, where the operator says that it stands.
pub(super) fn subject(claims: &Members, path: &str) -> Result<String, Refused> {
    let text = claims::at(claims, path).and_then(Value::as_str);
    let text = text.filter(|text| !text.is_empty() && text.len() <= LONGEST_SUBJECT);
    text.map(str::to_owned).ok_or(Refused::Claim("subject"))
}

/// `scope`, or `scp` as some call it: a list, or words in a row.
pub(super) fn scopes(claims: &Members) -> BTreeSet<String> {
    match claims.get("scope").or_else(|| claims.get("scp")) {
        Some(Value::String(words)) => words.split_ascii_whitespace().map(str::to_owned).collect(),
        Some(list) => claims::names(list).unwrap_or_default(),
        None => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_unix(10_000);

    fn members(value: Value) -> Members {
        serde_json::from_value(value).unwrap()
    }

    /// SEC-050: what a token must say of its time, and what it may leave out where the operator says so.
    #[test]
    fn sec_050_the_times_of_a_token() {
        let skew = Duration::from_secs(60);
        let usual = Times { skew, max_age: None, require_expiry: true };
        let aged = Times { max_age: Some(Duration::from_secs(300)), ..usual };
        let endless = Times { require_expiry: false, ..aged };
        let until = |times: Times, claims: Value| times.until(&members(claims), NOW);
        let at = |seconds| Ok(Some(Timestamp::from_unix(seconds)));
        assert_eq!(until(usual, json!({"exp": 10_001})), at(10_061));
        assert_eq!(until(usual, json!({"exp": 9_941})), at(10_001));
        assert_eq!(until(usual, json!({"exp": 9_940})), Err(Refused::Expired));
        assert_eq!(until(usual, json!({"iat": 10_000})), Err(Refused::Claim("exp")));
        assert_eq!(until(usual, json!({"exp": 20_000, "iat": 10_061})), Err(Refused::NotYet));
        assert_eq!(until(usual, json!({"exp": 20_000, "nbf": 10_061})), Err(Refused::NotYet));
        assert_eq!(until(usual, json!({"exp": 20_000, "nbf": 10_060})), at(20_060));
        for odd in [json!("20000"), json!(-1), json!(20_000.5), json!(null), json!([20_000])] {
            assert_eq!(until(usual, json!({ "exp": odd })), Err(Refused::Claim("exp")));
        }
        assert_eq!(until(aged, json!({"exp": 20_000, "iat": 9_700})), at(10_060));
        assert_eq!(until(aged, json!({"exp": 20_000, "iat": 9_640})), Err(Refused::Expired));
        assert_eq!(until(aged, json!({"exp": 20_000})), Err(Refused::Claim("iat")));
        assert_eq!(until(endless, json!({"iat": 9_700})), at(10_060));
        assert_eq!(until(endless, json!({})), Err(Refused::Claim("iat")));
        assert_eq!(until(usual, json!({"exp": u64::MAX})), at(u64::MAX), "no wrap");
    }

    /// SEC-143: the audience is one of ours, byte for byte, and never an empty one.
    #[test]
    fn sec_143_the_audience_of_a_token() {
        let own = |aud: &str| ["https://api.example", "api"].contains(&aud);
        for good in [json!("api"), json!(["x", "https://api.example"])] {
            assert_eq!(audience(&members(json!({ "aud": good })), own), Ok(()));
        }
        for bad in [
            json!("API"),
            json!(["x"]),
            json!([]),
            json!(""),
            json!(null),
            json!({"api": 1}),
            json!([["api"]]),
        ] {
            assert!(audience(&members(json!({ "aud": bad })), own).is_err(), "{bad}");
        }
        assert!(audience(&members(json!({})), own).is_err());
    }

    #[test]
    fn scopes_in_every_spelling() {
        let read = |claims: Value| scopes(&members(claims)).into_iter().collect::<Vec<_>>().join(",");
        assert_eq!(read(json!({"scope": "b  a"})), "a,b");
        assert_eq!(read(json!({"scp": ["a", 1, "b"]})), "a,b");
        assert_eq!(read(json!({"scp": "a b"})), "a,b");
        assert_eq!(read(json!({"scope": "a", "scp": ["b"]})), "a");
        assert_eq!(read(json!({"scope": {"a": 1}})), "");
    }
}
