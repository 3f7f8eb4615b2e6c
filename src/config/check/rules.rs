//! Rules: each must have an effect for someone, and must not hold for everyone by accident.

use super::super::fault::Place;
use super::super::raw_access::RawRule;
use super::super::text::{Located, Spot, Text};
use super::Checked;
use super::access::Known;
use super::values::{Checker, Limits};
use crate::domain::{Effect, Rule};
use crate::protocol::ResourceUri;

/// A whole grant's life bounds it, too: `tokens.refresh_absolute`.
const SESSION: Limits = Limits { default: "8h", least: "1m", most: "3650d" };

impl Checker<'_> {
    pub(super) fn rules(
        &mut self,
        access: &Place,
        raw: &[Located<RawRule>],
        known: Known<'_>,
    ) -> Checked<Vec<Rule>> {
        let list = access.key("rules", access.spot);
        let mut rules: Vec<Rule> = Vec::with_capacity(raw.len());
        let mut failed = None;
        for (i, raw) in raw.iter().enumerate() {
            let place = list.item(i, raw.spot);
            match self.rule(&raw.inner, &place, known) {
                Ok(rule) => {
                    let same = |other: &&Rule| other.when == rule.when && other.effect == rule.effect;
                    if let Some(other) = rules.iter().find(same) {
                        let problem = format!("says the same as {}", other.name);
                        failed = Some(self.report(&place, problem, "keep one of them"));
                    }
                    rules.push(rule);
                }
                Err(reported) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(rules), Err)
    }

    fn rule(&mut self, raw: &RawRule, place: &Place, known: Known<'_>) -> Checked<Rule> {
        let when = self.conditions(raw, place, known);
        let only = when.as_ref().map(|when| when.resources.as_slice()).map_err(|reported| *reported);
        let effect = self.effect(raw, place, only, known);
        let texts = [
            &raw.upstreams,
            &raw.domains,
            &raw.emails,
            &raw.subjects,
            &raw.groups,
            &raw.roles,
            &raw.clients,
            &raw.resources,
        ];
        if raw.claims.is_none() && texts.iter().all(|condition| condition.is_none()) {
            let problem = "the rule has no condition, so it would hold for everyone";
            let instead = "add domains, groups or another condition, or use default_scopes";
            return Err(self.report(place, problem, instead));
        }
        Ok(Rule { name: format!("{} (line {})", place.path, place.spot.line), when: when?, effect: effect? })
    }

    fn effect(
        &mut self,
        raw: &RawRule,
        place: &Place,
        only: Checked<&[ResourceUri]>,
        known: Known<'_>,
    ) -> Checked<Effect> {
        let denies = match self.optional(place, "deny", raw.deny.as_ref())? {
            Some(value) => self.flag(&value)?,
            None => false,
        };
        let reason = self.optional(place, "reason", raw.reason.as_ref());
        if denies {
            let spot = |text: &Text| text.spot;
            let scopes = ("scopes", raw.scopes.as_ref().map(|scopes| scopes.spot));
            for (key, there) in [scopes, ("session", raw.session.as_ref().map(spot))] {
                self.without_effect(place, key, there, "a rule that denies grants nothing")?;
            }
            return Ok(Effect::Deny { reason: reason?.map(|reason| reason.text) });
        }
        let there = raw.reason.as_ref().map(|reason| reason.spot);
        self.without_effect(place, "reason", there, "only a rule with `deny: true` shows it")?;
        if raw.scopes.is_none() {
            let at = place.key("scopes", place.spot);
            let instead = "name the scopes that it grants, or write `deny: true`";
            self.report(&at, "is missing: the rule would grant nothing", instead);
        }
        let session = self.session(raw.session.as_ref(), place, known);
        let scopes = self.scopes((place, "scopes"), raw.scopes.as_ref(), only?, known);
        Ok(Effect::Grant { scopes: scopes?, session: session? })
    }

    fn without_effect(&mut self, place: &Place, key: &str, there: Option<Spot>, why: &str) -> Checked<()> {
        let Some(spot) = there else { return Ok(()) };
        Err(self.report(&place.key(key, spot), format!("has no effect: {why}"), "remove it"))
    }

    fn session(
        &mut self,
        raw: Option<&Text>,
        place: &Place,
        known: Known<'_>,
    ) -> Checked<Option<std::time::Duration>> {
        if raw.is_none() {
            return Ok(None);
        }
        let (session, at) = self.lifetime(place, "session", raw, SESSION)?;
        if known.tokens.is_some_and(|tokens| session > tokens.refresh_absolute) {
            let problem = "is longer than tokens.refresh_absolute (90d unless given), which ends every grant";
            return Err(self.report(&at, problem, "write a shorter time, or remove it"));
        }
        Ok(Some(session))
    }
}
