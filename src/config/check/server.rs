//! The broker itself: its name, its addresses, its logs.

use std::net::SocketAddr;

use tracing_subscriber::EnvFilter;
use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::{LOG_FORMATS, RawConfig, RawLogs, RawRegistration};
use super::super::settings::{LogConfig, LogFormat, RegistrationConfig};
use super::super::text::Texts;
use super::Checked;
use super::values::{Checker, Limits};
use crate::protocol::{InvalidIssuer, Issuer};

const UNUSED: Limits = Limits { default: defaults::UNUSED_LIFETIME, least: "1h", most: "365d" };
const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];

impl Checker<'_> {
    pub(super) fn issuer(&mut self, raw: &RawConfig) -> Checked<Issuer> {
        let instead = "write the broker's public URL, such as https://auth.example.com";
        let value = self.required(&Place::root(), "issuer", raw.issuer.as_ref(), instead)?;
        Issuer::parse(&value.text).map_err(|invalid| match invalid {
            InvalidIssuer::NotNormal(normal) if value.is_literal() => {
                let problem = format!("{} is not in its normal form", value.quoted());
                self.report(&value.place, problem, format!("write {normal}"))
            }
            InvalidIssuer::NotNormal(_) => {
                let problem = format!("{} is not in its normal form", value.quoted());
                let instead = "use lower case, no default port, no trailing slash";
                self.report(&value.place, problem, instead)
            }
            InvalidIssuer::NotAUrl | InvalidIssuer::NotHttps | InvalidIssuer::HasExtras => {
                self.report(&value.place, format!("{} {invalid}", value.quoted()), "")
            }
        })
    }

    pub(super) fn listen(&mut self, raw: &RawConfig) -> Checked<SocketAddr> {
        let value = self.or_default(&Place::root(), "listen", raw.listen.as_ref(), defaults::LISTEN)?;
        value.text.parse().map_err(|_| {
            let problem = format!("{} is not an address with a port", value.quoted());
            self.report(
                &value.place,
                problem,
                "write for example 127.0.0.1:9400, or 0.0.0.0:9400 for every interface",
            )
        })
    }

    /// A list of host names, each with a port or without.
    pub(super) fn hosts(&mut self, parent: &Place, key: &str, raw: Option<&Texts>) -> Checked<Vec<String>> {
        self.list(parent, key, raw, |checker, value| {
            let host = value.text.to_ascii_lowercase();
            let plain =
                |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
            let parsed = Url::parse(&format!("http://{host}/"));
            if host.bytes().all(plain) && parsed.is_ok_and(|url| url.has_host()) {
                return Ok(host);
            }
            let problem = format!("{} is not a host name", value.quoted());
            Err(checker.report(
                &value.place,
                problem,
                "write a name such as auth.internal or auth.internal:9400, without scheme, path or wildcard",
            ))
        })
    }

    pub(super) fn registration(&mut self, raw: &RawRegistration) -> Checked<RegistrationConfig> {
        let place = Place::root().key("registration", Place::root().spot);
        let open = self
            .or_default(&place, "open", raw.open.as_ref(), defaults::REGISTRATION_OPEN)
            .and_then(|value| self.flag(&value));
        let unused = self.lifetime(&place, "unused_lifetime", raw.unused_lifetime.as_ref(), UNUSED);
        let secret_hosts = self.hosts(&place, "secret_hosts", raw.secret_hosts.as_ref());
        let open = open?;
        if let (false, Some(hosts)) = (open, &raw.secret_hosts) {
            let place = place.key("secret_hosts", hosts.spot);
            return Err(self.report(&place, "has no effect while `open` is false", "remove it"));
        }
        Ok(RegistrationConfig { open, unused_lifetime: unused?.0, secret_hosts: secret_hosts? })
    }

    pub(super) fn logs(&mut self, raw: &RawLogs) -> Checked<LogConfig> {
        let place = Place::root().key("logs", Place::root().spot);
        let [text, json] = LOG_FORMATS;
        let format = self
            .or_default(&place, "format", raw.format.as_ref(), defaults::LOG_FORMAT)
            .and_then(|value| self.word(&value, &[(text, LogFormat::Text), (json, LogFormat::Json)]));
        let level = self.or_default(&place, "level", raw.level.as_ref(), defaults::LOG_LEVEL)?;
        // A bare word that is no level would be taken for a module's name.
        let known = |part: &str| part.contains('=') || LEVELS.contains(&part.trim());
        if !level.text.split(',').all(known) || EnvFilter::try_new(&level.text).is_err() {
            let problem = format!("{} is not a log filter", level.quoted());
            let instead = format!("write one of {}, or for example info,gatelodge=debug", LEVELS.join(", "));
            return Err(self.report(&level.place, problem, instead));
        }
        Ok(LogConfig { format: format?, level: level.text })
    }
}
