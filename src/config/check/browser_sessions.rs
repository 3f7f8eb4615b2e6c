//! How long browsers stay signed in.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawBrowserSessions;
use super::super::settings::BrowserSessionConfig;
use super::Checked;
use super::values::{Checker, Limits};

const IDLE: Limits = Limits { default: defaults::SESSION_IDLE, least: "1m", most: "30d" };
const ABSOLUTE: Limits = Limits { default: defaults::SESSION_ABSOLUTE, least: "0s", most: "30d" };
const REMEMBER: Limits = Limits { default: defaults::REMEMBER_CONSENT, least: "0s", most: "365d" };

impl Checker<'_> {
    pub(super) fn browser_sessions(&mut self, raw: &RawBrowserSessions) -> Checked<BrowserSessionConfig> {
        let place = Place::root().key("browser_sessions", Place::root().spot);
        let idle = self.lifetime(&place, "idle", raw.idle.as_ref(), IDLE);
        let absolute = self.lifetime(&place, "absolute", raw.absolute.as_ref(), ABSOLUTE);
        let remember = self.lifetime(&place, "remember_consent", raw.remember_consent.as_ref(), REMEMBER);
        let ((idle, idle_at), (absolute, absolute_at)) = (idle?, absolute?);
        let (remember_consent, remember_at) = remember?;
        if absolute.is_zero() {
            for (at, there) in [(&idle_at, &raw.idle), (&remember_at, &raw.remember_consent)] {
                if there.is_some() {
                    let problem = "has no effect: with `absolute: 0s` there are no browser sessions";
                    return Err(self.report(at, problem, "remove it"));
                }
            }
            return Ok(BrowserSessionConfig { ends: None, remember_consent: absolute });
        }
        // The fault stands where something is written: one of the two may be a default.
        if idle > absolute {
            let at = if raw.idle.is_some() { &idle_at } else { &absolute_at };
            let instead = "write an absolute that is at least idle (1h unless given), or 0s for no sessions";
            return Err(self.report(at, "idle is longer than absolute", instead));
        }
        Ok(BrowserSessionConfig { ends: Some((idle, absolute)), remember_consent })
    }
}
