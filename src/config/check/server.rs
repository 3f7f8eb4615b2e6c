//! The broker itself: its name, its addresses, its logs.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;

use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::{LOG_FORMATS, RawConfig, RawLogs};
use super::super::settings::{LogConfig, LogFormat};
use super::super::text::Texts;
use super::Checked;
use super::values::Checker;
use crate::protocol::{InvalidIssuer, Issuer};

/// More than one machine has.
const MOST_CONNECTIONS: u32 = 1_000_000;

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

    pub(super) fn max_connections(&mut self, raw: &RawConfig) -> Checked<NonZeroU32> {
        let default = (defaults::MAX_CONNECTIONS, MOST_CONNECTIONS);
        self.count(&Place::root(), "max_connections", raw.max_connections.as_ref(), default)
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

    /// Whether proxies may ask; without one that is believed, nobody could.
    pub(super) fn forward_auth(&mut self, raw: &RawConfig, proxies: Option<&[IpNet]>) -> Checked<bool> {
        let written = raw.forward_auth.as_ref();
        let may_ask = self.or_default(&Place::root(), "forward_auth", written, "false")?;
        let is_on = self.flag(&may_ask)?;
        if is_on && proxies.is_some_and(<[IpNet]>::is_empty) {
            let instead = "list the address of your proxy under `trusted_proxies`";
            return Err(self.report(&may_ask.place, "there is no proxy that may ask", instead));
        }
        Ok(is_on)
    }

    /// Addresses and networks.
    pub(super) fn proxies(&mut self, parent: &Place, raw: Option<&Texts>) -> Checked<Vec<IpNet>> {
        self.distinct(parent, "trusted_proxies", raw, |checker, value| {
            let instead = "write an address such as 127.0.0.1, or a network such as 10.20.0.0/28";
            let one = value.text.parse().map(|address: IpAddr| IpNet::from(address.to_canonical()));
            let Ok(network) = one.or_else(|_| value.text.parse::<IpNet>()) else {
                let problem = format!("{} is neither an address nor a network", value.quoted());
                return Err(checker.report(&value.place, problem, instead));
            };
            if network.trunc() != network {
                let problem = format!("{} is an address in a network", value.quoted());
                return Err(checker.report(&value.place, problem, instead));
            }
            if network.prefix_len() == 0 {
                let problem = format!("{} is everybody: anyone could pretend to be anywhere", value.quoted());
                return Err(checker.report(&value.place, problem, instead));
            }
            Ok(network)
        })
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
