//! Server-sent events whose data may have to change: they are taken out of the stream one by one, wherever
//! its pieces begin and end, and each goes on as soon as it is whole.

use std::sync::Arc;

use axum::BoxError;
use axum::body::Bytes;
use futures::{Stream, StreamExt as _, future, stream};
use http::Method;
use url::Url;

use crate::access::Caller;

use super::LONGEST_ANSWER;
use super::listing;
use super::route::Route;

/// What changes in the answers to one request.
pub(super) struct Changes {
    route: Arc<Route>,
    caller: Arc<Caller>,
    /// The server's address that was asked.
    asked: Url,
    /// Do lists of tools lose those that the caller may not call?
    pub(super) hides_tools: bool,
}

impl Changes {
    pub(super) fn new(route: Arc<Route>, caller: Arc<Caller>, asked: Url) -> Self {
        Self { route, caller, asked, hides_tools: false }
    }

    /// Can events change? A stream of the older transport begins with an address.
    pub(super) fn are_due(&self, method: &Method) -> bool {
        self.hides_tools || *method == Method::GET
    }

    /// An answer with a list of tools, as the caller sees it; none if it stays as it is.
    pub(super) fn of_message(&self, message: &[u8]) -> Option<String> {
        let rules = &self.route.forwarding.tools;
        let is_hidden = |tool: &str| !self.caller.scopes().includes(&rules.needed(tool));
        listing::without(std::str::from_utf8(message).ok()?, &is_hidden)
    }

    fn of_data(&self, kind: &str, data: &str) -> Option<String> {
        if kind == "endpoint" {
            return self.route.outside(data.trim(), &self.asked).filter(|outside| outside != data);
        }
        self.hides_tools.then(|| self.of_message(data.as_bytes())).flatten()
    }

    /// An event as it should be; none if it stays as it is.
    fn of_event(&self, event: &str) -> Option<String> {
        let mut kind = "";
        let mut data: Vec<&str> = Vec::new();
        let mut others = String::new();
        for line in event.split(['\n', '\r']) {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data.push(value),
                _ if line.is_empty() => {}
                _ => {
                    others.push_str(line);
                    others.push('\n');
                }
            }
            if field == "event" {
                kind = value;
            }
        }
        let changed = self.of_data(kind, &data.join("\n")).filter(|_| !data.is_empty())?;
        let lines = changed.split('\n').map(|line| format!("data: {line}\n"));
        Some(format!("{others}{}\n", lines.collect::<String>()))
    }
}

/// The events of one stream.
pub(super) struct Events {
    changes: Changes,
    held: Vec<u8>,
    /// Characters in the line so far.
    line: usize,
    /// Was the last byte a CR, and did it end an empty line?
    cr: Option<bool>,
    /// Nothing changes any more.
    is_over: bool,
}

impl Events {
    pub(super) fn new(changes: Changes) -> Self {
        Self { changes, held: Vec::new(), line: 0, cr: None, is_over: false }
    }

    /// The stream as it should be.
    pub(super) fn over(
        mut self,
        pieces: impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static,
    ) -> impl Stream<Item = Result<Bytes, BoxError>> + Send + 'static {
        let pieces = pieces.map(Some).chain(stream::once(future::ready(None)));
        let changed = pieces.scan(false, move |has_failed, piece| {
            let next = match piece {
                _ if *has_failed => return future::ready(None),
                Some(Ok(piece)) => self.push(piece),
                Some(Err(fault)) => Err(fault),
                None => Ok(std::mem::take(&mut self.held).into()),
            };
            *has_failed = next.is_err();
            future::ready(Some(next))
        });
        changed.filter(|piece| future::ready(!matches!(piece, Ok(piece) if piece.is_empty())))
    }

    /// What goes on when this piece has come.
    fn push(&mut self, piece: Bytes) -> Result<Bytes, BoxError> {
        if self.is_over {
            return Ok(piece);
        }
        let mut out = Vec::with_capacity(piece.len());
        let mut from = 0;
        for (at, byte) in piece.iter().enumerate() {
            let Some(end) = self.ends(at, *byte) else { continue };
            self.held.extend_from_slice(piece.get(from..end).unwrap_or_default());
            from = end;
            self.release(&mut out);
            if self.is_over {
                break;
            }
        }
        let rest = piece.get(from..).unwrap_or_default();
        if self.is_over {
            out.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(rest);
        }
        if self.held.len() > LONGEST_ANSWER {
            return Err("an event is too long".into());
        }
        Ok(out.into())
    }

    /// Where an event ends, if this byte says so. An end is a CR, an LF or both.
    fn ends(&mut self, at: usize, byte: u8) -> Option<usize> {
        let mut end = None;
        if let Some(was_empty) = self.cr.take() {
            if byte == b'\n' {
                return was_empty.then_some(at + 1);
            }
            end = was_empty.then_some(at);
        }
        let is_empty = self.line == 0;
        self.line = if matches!(byte, b'\r' | b'\n') { 0 } else { self.line + 1 };
        match byte {
            b'\r' => self.cr = Some(is_empty),
            b'\n' if is_empty => end = Some(at + 1),
            _ => {}
        }
        end
    }

    fn release(&mut self, out: &mut Vec<u8>) {
        let event = std::mem::take(&mut self.held);
        let changed = std::str::from_utf8(&event).ok().and_then(|event| self.changes.of_event(event));
        match changed {
            Some(changed) => out.extend_from_slice(changed.as_bytes()),
            None => out.extend_from_slice(&event),
        }
        // The address is the first thing that the older transport says.
        let said_something = event.windows(5).any(|part| part == b"data:");
        self.is_over = said_something && !self.changes.hides_tools;
    }
}
