//! Queries and forms, each parameter once (RFC 6749 section 3.1).

use std::collections::BTreeMap;

use url::form_urlencoded;

/// Parameters; an empty one counts as omitted.
#[derive(Debug, Clone)]
pub(super) struct Params(BTreeMap<String, String>);

/// A parameter that stands there twice.
#[derive(Debug)]
pub(super) struct Repeated(pub(super) String);

impl Params {
    /// Parses a query or a form.
    pub(super) fn parse(text: &str) -> Result<Self, Repeated> {
        let mut params = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(text.as_bytes()).into_owned() {
            if params.contains_key(&name) {
                return Err(Repeated(name));
            }
            params.insert(name, value);
        }
        params.retain(|_, value| !value.is_empty());
        Ok(Self(params))
    }

    /// One parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}
