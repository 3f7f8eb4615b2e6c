//! How clients register themselves.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw_clients::RawRegistration;
use super::super::settings_clients::RegistrationConfig;
use super::super::text::{Text, Texts};
use super::Checked;
use super::values::{Checker, Limits};
use crate::protocol::RedirectPattern;
use crate::secret::{MasterSecret, Secret};

const UNUSED: Limits = Limits { default: defaults::UNUSED_LIFETIME, least: "1h", most: "365d" };

/// More than any limit means anything at.
const MOST: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn registration(&mut self, raw: &RawRegistration) -> Checked<RegistrationConfig> {
        let place = Place::root().key("registration", Place::root().spot);
        let open = self
            .or_default(&place, "open", raw.open.as_ref(), defaults::REGISTRATION_OPEN)
            .and_then(|value| self.flag(&value));
        let token = self.initial_access_token(raw, &place);
        let allowed = self.distinct(
            &place,
            "allowed_redirect_uris",
            raw.allowed_redirect_uris.as_ref(),
            |checker, value| {
                RedirectPattern::parse(&value.text).map_err(|invalid| {
                    let problem = format!("{} {invalid}", value.quoted());
                    let instead = "write a whole URI, a host (claude.ai, *.example.com), http://localhost, \
                                   http://127.0.0.1, or a scheme (cursor:)";
                    checker.report(&value.place, problem, instead)
                })
            },
        );
        let per_address =
            self.count(&place, "per_address", raw.per_address.as_ref(), (defaults::PER_ADDRESS, MOST));
        let most_unused =
            self.count(&place, "most_unused", raw.most_unused.as_ref(), (defaults::MOST_UNUSED, MOST));
        let unused = self.lifetime(&place, "unused_lifetime", raw.unused_lifetime.as_ref(), UNUSED);
        let secret_hosts = self.hosts(&place, "secret_hosts", raw.secret_hosts.as_ref());
        let open = open?;
        let texts = |texts: &Option<Texts>| texts.as_ref().map(|texts| texts.spot);
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.spot);
        let keys = [
            ("initial_access_token", text(&raw.initial_access_token)),
            ("initial_access_token_file", text(&raw.initial_access_token_file)),
            ("allowed_redirect_uris", texts(&raw.allowed_redirect_uris)),
            ("per_address", text(&raw.per_address)),
            ("most_unused", text(&raw.most_unused)),
            ("secret_hosts", texts(&raw.secret_hosts)),
        ];
        let idle = keys.into_iter().find_map(|(key, spot)| Some((key, spot.filter(|_| !open)?)));
        if let Some((key, spot)) = idle {
            return Err(self.report(
                &place.key(key, spot),
                "has no effect while `open` is false",
                "remove it",
            ));
        }
        Ok(RegistrationConfig {
            open,
            initial_access_token: token?,
            allowed_redirect_uris: allowed?,
            per_address: per_address?,
            most_unused: most_unused?,
            unused_lifetime: unused?.0,
            secret_hosts: secret_hosts?,
        })
    }

    /// As strong as the operator's own secret (SEC-168).
    fn initial_access_token(&mut self, raw: &RawRegistration, place: &Place) -> Checked<Option<Secret>> {
        let (given, file) = (raw.initial_access_token.as_ref(), raw.initial_access_token_file.as_ref());
        let Some((token, at)) = self.secret(place, "initial_access_token", given, file)? else {
            return Ok(None);
        };
        if !token.expose().bytes().all(|b| b.is_ascii_graphic()) {
            let problem = "holds what a bearer token cannot: spaces, or more than ASCII";
            return Err(self.report(&at, problem, "make one with: gatelodge secret"));
        }
        match MasterSecret::new(token.clone()) {
            Ok(_) => Ok(Some(token)),
            Err(weak) => Err(self.report(&at, weak.to_string(), "")),
        }
    }
}
