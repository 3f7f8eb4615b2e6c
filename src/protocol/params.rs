//! The parameters of a request, from a query or a form body.

/// Decoded parameters in order. Empty means omitted (OAuth 2.1 section 3.1, SEC-011).
#[derive(Clone, Default)]
pub struct Params(Vec<(String, String)>);

/// A parameter was sent more than once (SEC-010, SEC-072).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is there more than once")]
pub struct Repeated(pub String);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text.
    #[must_use]
    pub fn parse(encoded: &[u8]) -> Self {
        let pairs = url::form_urlencoded::parse(encoded);
        Self(pairs.into_owned().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A parameter that may be there once.
    pub fn one(&self, name: &str) -> Result<Option<&str>, Repeated> {
        let mut found = self.all(name);
        let first = found.next();
        match found.next() {
            None => Ok(first),
            Some(_) => Err(Repeated(name.to_owned())),
        }
    }

    /// Every value of a parameter that may be there several times.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Is any parameter there twice that may not be? `resource` may (RFC 8707 section 2).
    pub fn check_repeats(&self) -> Result<(), Repeated> {
        for (at, (name, _)) in self.0.iter().enumerate() {
            let earlier = self.0.iter().take(at);
            if name != "resource" && earlier.clone().any(|(other, _)| other == name) {
                return Err(Repeated(name.clone()));
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Params {
    /// Names only: values can be secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_010_sec_011_repeats_are_found_and_empty_is_omitted() {
        let params = Params::parse(b"a=1&b=&a=2&resource=x&resource=y&c=%20z");
        assert_eq!(params.one("a"), Err(Repeated("a".into())));
        assert_eq!(params.one("b"), Ok(None));
        assert_eq!(params.one("c"), Ok(Some(" z")));
        assert_eq!(params.all("resource").count(), 2);
        assert_eq!(params.check_repeats(), Err(Repeated("a".into())));
        assert_eq!(Params::parse(b"resource=x&resource=y").check_repeats(), Ok(()));
        assert!(!format!("{params:?}").contains('z'));
    }
}
