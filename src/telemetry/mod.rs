//! Logs: one line per request and per audit event, structured, escaped, without secrets.

mod gathered;
mod json;

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write};

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use gathered::Gathered;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStyle {
    /// One JSON object a line, for machines.
    Json,
    /// For people.
    Text,
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not in tracing's syntax.
    #[error("`{0}` is not a log filter; write for example info, or info,gatelodge=debug")]
    Filter(String),
    /// Somebody else began before.
    #[error("logging has been set up already")]
    AlreadySet,
}

/// Begins logging to standard error. `filter` is tracing's `EnvFilter` syntax.
pub fn init(style: LogStyle, filter: &str) -> Result<(), TelemetryError> {
    let colour = io::stderr().is_terminal();
    let subscriber = subscriber(style, filter, colour, Gathered::new(io::stderr()))?;
    subscriber.try_init().map_err(|_| TelemetryError::AlreadySet)
}

/// What [`init`] begins, writing elsewhere. Colours are escape sequences of our own, so they are
/// for terminals only.
pub fn subscriber<W>(
    style: LogStyle,
    filter: &str,
    colour: bool,
    writer: W,
) -> Result<Box<dyn Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let parsed = EnvFilter::try_new(filter).map_err(|_| TelemetryError::Filter(filter.to_owned()))?;
    let registry = tracing_subscriber::registry().with(parsed);
    let writer = OneLine { writer, style, colour };
    let lines = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(colour);
    Ok(match style {
        LogStyle::Json => {
            Box::new(registry.with(lines.fmt_fields(json::JsonMembers).event_format(json::JsonLine)))
        }
        LogStyle::Text => Box::new(registry.with(lines)),
    })
}

/// Makes writers that write each record as one line of printable text, whatever strangers put
/// into it (SEC-163): some values reach the log as they came, and JSON lets some controls stand.
struct OneLine<W> {
    writer: W,
    style: LogStyle,
    colour: bool,
}

impl<'w, W: MakeWriter<'w>> MakeWriter<'w> for OneLine<W> {
    type Writer = OneLine<W::Writer>;

    fn make_writer(&'w self) -> Self::Writer {
        OneLine { writer: self.writer.make_writer(), style: self.style, colour: self.colour }
    }
}

impl<W: Write> Write for OneLine<W> {
    /// Takes a whole record: the format layer writes each one at once.
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        if let Some((b'\n', line)) = record.split_last()
            && line.iter().all(|byte| matches!(byte, b' '..=b'~'))
        {
            self.writer.write_all(record)?;
            return Ok(record.len());
        }
        let text = String::from_utf8_lossy(record);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let mut printable = String::with_capacity(record.len());
        for c in line.chars() {
            if is_inert(c) || (self.colour && c == '\u{1b}') {
                printable.push(c);
            } else if self.style == LogStyle::Json {
                let _ = write!(printable, "\\u{:04x}", u32::from(c));
            } else {
                printable.extend(c.escape_debug());
            }
        }
        printable.push('\n');
        self.writer.write_all(printable.as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Neither ends a line, nor speaks to a terminal, nor turns the direction of the text. The others
/// have at most four hexadecimal digits.
fn is_inert(c: char) -> bool {
    let turns = matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !c.is_control() && !turns
}
