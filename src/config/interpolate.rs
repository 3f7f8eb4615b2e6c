//! `${VAR}`, `${VAR:-default}` and `${VAR:?hint}` in texts.
//!
//! This happens after YAML is read, on the scalar's text: a value cannot change the file's
//! structure, and plain and quoted scalars behave alike. What a variable holds is not expanded
//! again. `$${` stands for `${`; a `$` before anything else is a `$`.

/// Why a text could not be completed. Names variables, never values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Incomplete {
    /// `${VAR}`, and there is no VAR.
    #[error("environment variable {0} is not set")]
    Unset(String),
    /// `${VAR:?hint}`, and VAR is unset or empty.
    #[error("environment variable {0} is not set: {1}")]
    Required(String, String),
    /// No closing brace, or not a variable's name.
    #[error("`${{` begins a variable here, but no `${{NAME}}` follows")]
    Malformed,
}

/// The text with every variable replaced. `None` where there was nothing to replace.
pub(super) fn interpolate(
    written: &str,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Option<String>, Incomplete> {
    if !written.contains("${") {
        return Ok(None);
    }
    let mut result = String::with_capacity(written.len());
    let mut rest = written;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            result.push_str(before);
            result.push_str("${");
            rest = after;
            continue;
        }
        result.push_str(before);
        let (inside, after) = after.split_once('}').ok_or(Incomplete::Malformed)?;
        result.push_str(&variable(inside, env)?);
        rest = after;
    }
    result.push_str(rest);
    Ok(Some(result))
}

fn variable(inside: &str, env: &dyn Fn(&str) -> Option<String>) -> Result<String, Incomplete> {
    let end = inside.find(':').unwrap_or(inside.len());
    let (name, operator) = inside.split_at(end);
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && name.bytes().next().is_some_and(|b| !b.is_ascii_digit());
    if !is_name {
        return Err(Incomplete::Malformed);
    }
    let value = env(name);
    let filled = || value.clone().filter(|value| !value.is_empty());
    if operator.is_empty() {
        value.ok_or_else(|| Incomplete::Unset(name.to_owned()))
    } else if let Some(default) = operator.strip_prefix(":-") {
        Ok(filled().unwrap_or_else(|| default.to_owned()))
    } else if let Some(hint) = operator.strip_prefix(":?") {
        filled().ok_or_else(|| Incomplete::Required(name.to_owned(), hint.to_owned()))
    } else {
        Err(Incomplete::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(written: &str) -> Result<Option<String>, Incomplete> {
        interpolate(written, &|name| match name {
            "SET" => Some("value".into()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${SET}".into()),
            _ => None,
        })
    }

    fn text(written: &str) -> String {
        run(written).unwrap().unwrap_or_else(|| written.to_owned())
    }

    #[test]
    fn the_three_forms() {
        assert_eq!(text("a-${SET}-b"), "a-value-b");
        assert_eq!(text("${SET:-other}${SET:?hint}"), "valuevalue");
        assert_eq!(text("${NONE:-http://a:1}"), "http://a:1");
        assert_eq!(text("${EMPTY:-other}"), "other");
        assert_eq!(text("${NONE:-}"), "");
        assert_eq!(text("${EMPTY}"), "");
    }

    #[test]
    fn what_is_unset_is_named() {
        assert_eq!(run("${NONE}"), Err(Incomplete::Unset("NONE".into())));
        assert_eq!(run("${EMPTY:?why}"), Err(Incomplete::Required("EMPTY".into(), "why".into())));
    }

    #[test]
    fn dollars_and_escapes_stay() {
        assert_eq!(run("pa$$word$SET").unwrap(), None);
        assert_eq!(text("$${SET}"), "${SET}");
        assert_eq!(text("${NESTED}"), "${SET}");
    }

    #[test]
    fn malformed_is_a_fault_and_not_a_literal() {
        for bad in ["${", "${}", "${1A}", "${A B}", "${SET", "${SET:x}", "${SET-x}"] {
            assert_eq!(run(bad), Err(Incomplete::Malformed), "{bad}");
        }
    }
}
