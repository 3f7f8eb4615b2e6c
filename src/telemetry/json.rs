//! A record as one JSON object: when, how bad, the record's own fields, its target, its span.
//!
//! The line is built once, in one buffer. The formatter of `tracing_subscriber` writes through a
//! text writer piece by piece and reads each span's fields back from JSON for every record, which
//! took a fifth of the time of a small request.

use std::fmt::{self, Debug};
use std::mem;

use serde::Serialize;
use tracing::field::{Field, Visit};
use tracing::span::Record;
use tracing::{Event, Subscriber};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// Enough for nearly every line.
const USUAL: usize = 512;

/// The same for the fields of a span.
const USUAL_MEMBERS: usize = 64;

/// Formats records, in spans whose fields are [`JsonMembers`].
pub(super) struct JsonLine;

impl<S> FormatEvent<S, JsonMembers> for JsonLine
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonMembers>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut now = String::new();
        SystemTime.format_time(&mut Writer::new(&mut now))?;
        let about = event.metadata();
        let mut line = Line(Vec::with_capacity(USUAL));
        line.member("timestamp", &now);
        line.member("level", about.level().as_str());
        event.record(&mut line);
        line.member("target", about.target());
        let span = event.parent().and_then(|id| context.span(id)).or_else(|| context.lookup_current());
        if let Some(span) = span {
            let extensions = span.extensions();
            let fields =
                extensions.get::<FormattedFields<JsonMembers>>().map_or("", |all| all.fields.as_str());
            line.span(span.name(), fields);
        }
        line.0.extend_from_slice(b"}\n");
        writer.write_str(std::str::from_utf8(&line.0).map_err(|_| fmt::Error)?)
    }
}

/// Formats the fields of spans: as an object's members.
pub(super) struct JsonMembers;

impl<'w> FormatFields<'w> for JsonMembers {
    fn format_fields<R: RecordFields>(&self, mut writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut members = Line(Vec::with_capacity(USUAL_MEMBERS));
        fields.record(&mut members);
        writer.write_str(std::str::from_utf8(&members.0).map_err(|_| fmt::Error)?)
    }

    /// A field is recorded once: a second time it would stand there twice.
    fn add_fields(&self, current: &'w mut FormattedFields<Self>, fields: &Record<'_>) -> fmt::Result {
        let mut members = Line(mem::take(&mut current.fields).into_bytes());
        fields.record(&mut members);
        current.fields = String::from_utf8(members.0).map_err(|_| fmt::Error)?;
        Ok(())
    }
}

/// An object that has been begun, without its end.
struct Line(Vec<u8>);

impl Line {
    fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        self.name(name);
        self.value(value);
    }

    fn name(&mut self, name: &str) {
        self.0.push(if self.0.is_empty() { b'{' } else { b',' });
        self.value(name);
        self.0.push(b':');
    }

    fn value(&mut self, value: &(impl Serialize + ?Sized)) {
        // Text and numbers in memory: nothing here can fail.
        let _ = serde_json::to_writer(&mut self.0, value);
    }

    /// `members` begin an object, if there are any; the span's name is one more.
    fn span(&mut self, name: &str, members: &str) {
        self.name("span");
        self.0.extend_from_slice(members.as_bytes());
        self.0.push(if members.is_empty() { b'{' } else { b',' });
        self.value("name");
        self.0.push(b':');
        self.value(name);
        self.0.push(b'}');
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.member(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.member(field.name(), &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.member(field.name(), &value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.member(field.name(), &value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.member(field.name(), &value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.member(field.name(), &format_args!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use serde_json::{Value, json};

    use super::super::{LogStyle, subscriber};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_record_is_one_object_with_its_span() {
        let sink = Sink::default();
        let target = sink.clone();
        let logs = subscriber(LogStyle::Json, "info", false, move || target.clone()).unwrap();
        tracing::subscriber::with_default(logs, || {
            let span = tracing::info_span!("request", id = "x\"1");
            let _entered = span.enter();
            let absent: Option<&str> = None;
            tracing::warn!(target: "t", text = "a\nb", absent, count = -3_i64, what = %'c', "said {}", 1);
            let later = tracing::info_span!("told", first = 1, second = tracing::field::Empty);
            later.record("second", "it is");
            later.in_scope(|| tracing::info!(target: "t", "more"));
            tracing::info_span!("bare").in_scope(|| tracing::info!(target: "t", fine = true, share = 0.5));
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            let at = line.as_object_mut().unwrap().remove("timestamp").unwrap();
            assert!(at.as_str().unwrap().ends_with('Z'), "{at}");
        }
        assert_eq!(
            lines,
            [
                json!({ "level": "WARN", "message": "said 1", "text": "a\nb", "count": -3, "what": "c",
                        "target": "t", "span": { "id": "x\"1", "name": "request" } }),
                json!({ "level": "INFO", "message": "more", "target": "t",
                        "span": { "first": 1, "second": "it is", "name": "told" } }),
                json!({ "level": "INFO", "fine": true, "share": 0.5, "target": "t", "span": { "name": "bare" } }),
            ]
        );
    }
}
