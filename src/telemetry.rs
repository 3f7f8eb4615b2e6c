//! Logs: one line per request and per audit event, structured, escaped, without secrets.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

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
    let parsed = EnvFilter::try_new(filter).map_err(|_| TelemetryError::Filter(filter.to_owned()))?;
    let registry = tracing_subscriber::registry().with(parsed);
    let begun = match style {
        LogStyle::Json => registry
            .with(tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(std::io::stderr))
            .try_init(),
        LogStyle::Text => {
            let colours = std::io::stderr().is_terminal();
            let layer = tracing_subscriber::fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
    };
    begun.map_err(|_| TelemetryError::AlreadySet)
}
