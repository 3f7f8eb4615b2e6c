//! A URL as client identifier, under which the client's metadata document stands
//! (draft-ietf-oauth-client-id-metadata-document, section "Client Identifier").

use std::fmt;

use url::{Host, Url};

/// Longest URL that is looked at.
const LONGEST: usize = 2048;

/// An https URL that may be a client identifier: nothing about it can be written in a second way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ClientIdUrl(Url);

/// Why a URL is no client identifier; in words for whoever wrote it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a client_id that is a URL must {0}")]
pub struct InvalidClientIdUrl(&'static str);

impl ClientIdUrl {
    /// Does this client identifier mean to be a URL? No identifier that we hand out does (SEC-114).
    #[must_use]
    pub fn is_meant(client_id: &str) -> bool {
        // Whatever comes before the first colon is a scheme, were it a URL.
        client_id.split_once(':').is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("https"))
    }

    /// Accepts https, a host by its name, and a path (SEC-117, SEC-124).
    pub fn parse(text: &str) -> Result<Self, InvalidClientIdUrl> {
        let must = |what| Err(InvalidClientIdUrl(what));
        if text.len() > LONGEST {
            return must("have at most 2,048 bytes");
        }
        let Ok(url) = Url::parse(text) else { return must("be a URL") };
        if url.scheme() != "https" {
            return must("begin with https://");
        }
        // An address names a machine and not an owner; `0x7f.1` and the like become addresses here.
        let Some(Host::Domain(host)) = url.host() else { return must("name its host by a domain name") };
        if !host.contains('.') || host.ends_with('.') {
            return must("name its host by a full domain name, without a dot at its end");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return must("have no fragment, user name or password");
        }
        if url.path() == "/" {
            return must("have a path");
        }
        // What the parser had to repair could be read differently elsewhere: upper case, `..`, `%2e`,
        // the default port, backslashes, a single slash, names that are not in ASCII.
        if url.as_str() != text {
            return must("be written in its normal form, without dot segments and default port");
        }
        Ok(Self(url))
    }

    /// The URL, byte for byte.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL.
    #[must_use]
    pub fn as_url(&self) -> &Url {
        &self.0
    }

    /// The host, whose owner the client is.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.domain().unwrap_or_default()
    }
}

impl fmt::Display for ClientIdUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_117_one_way_to_write_it() {
        for good in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://vscode.dev/oauth/client-metadata.json",
            "https://app.example:8443/client?v=2",
            "https://xn--bcher-kva.example/c",
        ] {
            let url = ClientIdUrl::parse(good).unwrap();
            assert_eq!(url.as_str(), good);
        }
        for bad in [
            "http://app.example/c",
            "https://app.example",
            "https://app.example/",
            "https://app.example/?c",
            "https://app.example/c#f",
            "https://app.example/c#",
            "https://u@app.example/c",
            "https://u:p@app.example/c",
            "https://:@app.example/c",
            "https://app.example/./c",
            "https://app.example/a/../c",
            "https://app.example/a/%2e%2E/c",
            "https://app.example/%2e/c",
            "https://app.example/a/..",
            "https:\\\\app.example\\c",
            "https://app.example\\c",
            "https:/app.example/c",
            "https:app.example/c",
            "https://app.example/c\n",
            " https://app.example/c",
            "https://app.example/\tc",
            "https://app.example/c\u{0}",
            "https://app.example:443/c",
            "https://APP.example/c",
            "HTTPS://app.example/c",
            "https://app.example/é",
            "https://",
            "https:",
        ] {
            assert!(ClientIdUrl::parse(bad).is_err(), "{bad:?}");
        }
        assert!(ClientIdUrl::parse(&format!("https://app.example/{}", "x".repeat(2048))).is_err());
    }

    #[test]
    fn sec_124_a_host_is_a_name_in_its_plain_form() {
        for bad in [
            "https://127.0.0.1/c",
            "https://0177.0.0.1/c",
            "https://0x7f000001/c",
            "https://0x7f.1/c",
            "https://2130706433/c",
            "https://127.1/c",
            "https://[::1]/c",
            "https://[::ffff:127.0.0.1]/c",
            "https://app.example./c",
            "https://localhost/c",
            "https://redis/c",
            "https://bücher.example/c",
            "https://app。example/c",
            // Punycode for what is ASCII already (RUSTSEC-2024-0421).
            "https://xn--app-.example/c",
            "https://xn--example-.com/c",
            "https://%61pp.example/c",
        ] {
            assert!(ClientIdUrl::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_means_to_be_a_url_is_told_apart() {
        assert!(ClientIdUrl::is_meant("https://app.example/c") && ClientIdUrl::is_meant("HTTPS:/x"));
        assert!(!ClientIdUrl::is_meant("glc_abc") && !ClientIdUrl::is_meant("http://app.example/c"));
    }
}
