//! How every check reads its values.
//!
//! A fault quotes a value only as it is written in the file, so what came from the environment or
//! from a secret's file is never shown; a secret's own text is not quoted at all.

use std::num::NonZeroU32;
use std::time::Duration;

use super::super::fault::{Fault, Place};
use super::super::interpolate::interpolate;
use super::super::shape::nearest;
use super::super::text::{Text, Texts};
use super::{Checked, Reported};
use crate::secret::Secret;

/// Reads values and gathers faults.
pub(super) struct Checker<'a> {
    env: &'a dyn Fn(&str) -> Option<String>,
    pub(super) faults: Vec<Fault>,
}

/// A value with its variables replaced; never empty.
pub(super) struct Value {
    pub(super) text: String,
    pub(super) place: Place,
    written: String,
}

impl Value {
    /// The value for a fault: as written.
    pub(super) fn quoted(&self) -> String {
        format!("`{}`", self.written.escape_debug())
    }

    /// May a fault show something derived from the text?
    pub(super) fn is_literal(&self) -> bool {
        self.text == self.written
    }
}

/// The default and the bounds of a lifetime, as the file would write them.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub(super) default: &'static str,
    pub(super) least: &'static str,
    pub(super) most: &'static str,
}

impl<'a> Checker<'a> {
    pub(super) fn new(env: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { env, faults: Vec::new() }
    }

    /// Records a fault.
    pub(super) fn report(
        &mut self,
        place: &Place,
        problem: impl Into<String>,
        instead: impl Into<String>,
    ) -> Reported {
        self.faults.push(place.fault(problem, instead));
        Reported
    }

    /// A text that stands in the file.
    pub(super) fn value(&mut self, place: Place, raw: &Text) -> Checked<Value> {
        let text = match interpolate(&raw.written, self.env) {
            Ok(replaced) => replaced.unwrap_or_else(|| raw.written.clone()),
            Err(problem) => {
                let instead = "set the variable, or write ${NAME:-default}; a literal `${` is `$${`";
                return Err(self.report(&place, problem.to_string(), instead));
            }
        };
        if text.trim().is_empty() {
            return Err(self.report(&place, "is empty", "give a value, or remove the key"));
        }
        Ok(Value { text, place, written: raw.written.clone() })
    }

    /// A key that may be left out.
    pub(super) fn optional(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Text>,
    ) -> Checked<Option<Value>> {
        raw.map(|raw| self.value(parent.key(key, raw.spot), raw)).transpose()
    }

    /// A key that must stand there.
    pub(super) fn required(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Text>,
        instead: &str,
    ) -> Checked<Value> {
        match self.optional(parent, key, raw)? {
            Some(value) => Ok(value),
            None => Err(self.report(&parent.key(key, parent.spot), "is missing", instead)),
        }
    }

    /// A key with a default.
    pub(super) fn or_default(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Text>,
        default: &str,
    ) -> Checked<Value> {
        Ok(self.optional(parent, key, raw)?.unwrap_or_else(|| Value {
            text: default.to_owned(),
            place: parent.key(key, parent.spot),
            written: default.to_owned(),
        }))
    }

    /// A list that may be left out, but not be empty: an empty condition or allow-list would mean
    /// "any", which nobody means who writes `[]`.
    pub(super) fn list<T>(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Texts>,
        mut check: impl FnMut(&mut Self, &Value) -> Checked<T>,
    ) -> Checked<Vec<T>> {
        let Some(raw) = raw else { return Ok(Vec::new()) };
        let place = parent.key(key, raw.spot);
        if raw.list.is_empty() {
            return Err(self.report(&place, "is an empty list", "name at least one, or remove the key"));
        }
        let mut checked = Vec::with_capacity(raw.list.len());
        let mut failed = None;
        for (i, text) in raw.list.iter().enumerate() {
            let value = self.value(raw.place_of(&place, i, text), text);
            match value.and_then(|value| check(self, &value)) {
                Ok(good) => checked.push(good),
                Err(reported) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(checked), Err)
    }

    /// A list in which nothing stands twice.
    pub(super) fn distinct<T: Clone + PartialEq>(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Texts>,
        mut check: impl FnMut(&mut Self, &Value) -> Checked<T>,
    ) -> Checked<Vec<T>> {
        let mut seen = Vec::new();
        self.list(parent, key, raw, |checker, value| {
            let checked = check(checker, value)?;
            if seen.contains(&checked) {
                let problem = format!("{} is given twice", value.quoted());
                return Err(checker.report(&value.place, problem, "keep one of them"));
            }
            seen.push(checked.clone());
            Ok(checked)
        })
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, value: &Value, words: &[(&'static str, T)]) -> Checked<T> {
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == value.text) {
            return Ok(*meant);
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let near = nearest(&value.text, &known).filter(|_| value.is_literal());
        let meant = near.map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
        let instead = format!("write one of {}{meant}", known.join(", "));
        Err(self.report(&value.place, format!("{} is not known here", value.quoted()), instead))
    }

    /// `true` or `false`.
    pub(super) fn flag(&mut self, value: &Value) -> Checked<bool> {
        self.word(value, &[("true", true), ("false", false)])
    }

    /// A lifetime within its limits, and its place.
    pub(super) fn lifetime(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Text>,
        limits: Limits,
    ) -> Checked<(Duration, Place)> {
        let value = self.or_default(parent, key, raw, limits.default)?;
        let Some(lifetime) = duration(&value.text) else {
            let problem = format!("{} is not a duration", value.quoted());
            let instead = format!("write a whole number and s, m, h or d, such as {}", limits.default);
            return Err(self.report(&value.place, problem, instead));
        };
        let within = |bound: &str, ok: fn(&Duration, &Duration) -> bool| {
            duration(bound).is_some_and(|bound| ok(&lifetime, &bound))
        };
        if !within(limits.least, Duration::ge) || !within(limits.most, Duration::le) {
            let problem = format!("{} is out of range", value.quoted());
            let instead = format!("write {} to {}", limits.least, limits.most);
            return Err(self.report(&value.place, problem, instead));
        }
        Ok((lifetime, value.place))
    }

    /// A whole number from 1 to `most`.
    pub(super) fn count(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Text>,
        (default, most): (&str, u32),
    ) -> Checked<NonZeroU32> {
        let value = self.or_default(parent, key, raw, default)?;
        let number = value.text.parse::<NonZeroU32>().ok().filter(|number| number.get() <= most);
        number.ok_or_else(|| {
            let problem = format!("{} is not a number from 1 to {most}", value.quoted());
            self.report(&value.place, problem, format!("write a whole number such as {default}"))
        })
    }

    /// A secret, given as a value or in a file.
    pub(super) fn secret(
        &mut self,
        parent: &Place,
        key: &str,
        given: Option<&Text>,
        file: Option<&Text>,
    ) -> Checked<Option<(Secret, Place)>> {
        let file_key = format!("{key}_file");
        if let (Some(_), Some(file)) = (given, file) {
            let place = parent.key(&file_key, file.spot);
            let problem = format!("`{key}` and `{file_key}` are both given");
            return Err(self.report(&place, problem, "keep one of them"));
        }
        let given = self.optional(parent, key, given)?;
        let Some(path) = self.optional(parent, &file_key, file)? else {
            return Ok(given.map(|value| (Secret::new(value.text), value.place)));
        };
        let text = self.file(&path)?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(self.report(&path.place, format!("the file {} is empty", path.quoted()), ""));
        }
        Ok(Some((Secret::new(text.to_owned()), path.place)))
    }

    /// The text of a file that must be readable.
    pub(super) fn file(&mut self, path: &Value) -> Checked<String> {
        std::fs::read_to_string(&path.text).map_err(|error| {
            let problem = format!("the file {} cannot be read: {}", path.quoted(), error.kind());
            self.report(&path.place, problem, "check the path, and that the broker's user may read it")
        })
    }
}

/// `45s`, `30m`, `12h`, `30d`: one number, one unit, so that nothing can be read in two ways.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    if !number.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let seconds = |text| duration(text).map(|lifetime| lifetime.as_secs());
        assert_eq!(seconds("45s"), Some(45));
        assert_eq!(seconds("30m"), Some(1800));
        assert_eq!(seconds("12h"), Some(43200));
        assert_eq!(seconds("30d"), Some(2_592_000));
        for bad in
            ["", "s", "30", "-1s", "+1s", "1.5h", "1h30m", "30 m", "30M", "1w", "é", "99999999999999999999d"]
        {
            assert_eq!(seconds(bad), None, "{bad}");
        }
    }
}
