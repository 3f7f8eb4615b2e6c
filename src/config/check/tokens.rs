//! Lifetimes.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawTokens;
use super::super::settings::TokenConfig;
use super::Checked;
use super::values::{Checker, Limits};

const ACCESS: Limits = Limits { default: defaults::ACCESS_LIFETIME, least: "1m", most: "24h" };
const IDLE: Limits = Limits { default: defaults::REFRESH_IDLE, least: "1m", most: "365d" };
/// `most` is [`LONGEST_GRANT`](super::super::settings::LONGEST_GRANT).
const ABSOLUTE: Limits = Limits { default: defaults::REFRESH_ABSOLUTE, least: "1m", most: "3650d" };
const GRACE: Limits = Limits { default: defaults::REFRESH_GRACE, least: "0s", most: "1h" };
const CODE: Limits = Limits { default: defaults::CODE_LIFETIME, least: "1s", most: "60s" };
const LOGIN: Limits = Limits { default: defaults::LOGIN_LIFETIME, least: "1m", most: "10m" };

impl Checker<'_> {
    pub(super) fn tokens(&mut self, raw: &RawTokens) -> Checked<TokenConfig> {
        let place = Place::root().key("tokens", Place::root().spot);
        let access = self.lifetime(&place, "access_lifetime", raw.access_lifetime.as_ref(), ACCESS);
        let idle = self.lifetime(&place, "refresh_idle", raw.refresh_idle.as_ref(), IDLE);
        let absolute = self.lifetime(&place, "refresh_absolute", raw.refresh_absolute.as_ref(), ABSOLUTE);
        let grace = self.lifetime(&place, "refresh_grace", raw.refresh_grace.as_ref(), GRACE);
        let code = self.lifetime(&place, "code_lifetime", raw.code_lifetime.as_ref(), CODE);
        let login = self.lifetime(&place, "login_lifetime", raw.login_lifetime.as_ref(), LOGIN);
        let (access_lifetime, access_at) = access?;
        let (refresh_idle, idle_at) = idle?;
        let (refresh_absolute, absolute_at) = absolute?;
        // The fault stands where something is written: one of the two may be a default.
        if refresh_idle > refresh_absolute {
            let at = if raw.refresh_idle.is_some() { &idle_at } else { &absolute_at };
            let instead = "write a refresh_absolute that is at least refresh_idle (30d unless given)";
            return Err(self.report(at, "refresh_idle is longer than refresh_absolute", instead));
        }
        if access_lifetime > refresh_idle {
            let at = if raw.refresh_idle.is_some() { &idle_at } else { &access_at };
            let instead = "write a refresh_idle that is at least access_lifetime (30m unless given)";
            return Err(self.report(at, "access_lifetime is longer than refresh_idle", instead));
        }
        Ok(TokenConfig {
            access_lifetime,
            refresh_idle,
            refresh_absolute,
            refresh_grace: grace?.0,
            code_lifetime: code?.0,
            login_lifetime: login?.0,
        })
    }
}
