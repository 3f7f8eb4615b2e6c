//! Queries and forms, each parameter once (RFC 6749 section 3.1).

use crate::protocol;
pub(super) use crate::protocol::Repeated;

/// Parameters, none of them twice; an empty one counts as omitted.
pub(super) struct Params(protocol::Params);

impl Params {
    /// Parses a query or a form.
    pub(super) fn parse(text: &str) -> Result<Self, Repeated> {
        let params = protocol::Params::parse(text.as_bytes());
        params.check_repeats()?;
        Ok(Self(params))
    }

    /// One parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.all(name).next()
    }
}
