//! Rules: each must be able to hold for someone, and must not hold for everyone by accident.

use super::super::fault::Place;
use super::super::raw::RawRule;
use super::super::settings::{Preset, ResourceConfig, RuleConfig, UpstreamConfig};
use super::super::shape::nearest;
use super::super::text::Located;
use super::access::Known;
use super::values::{Checker, Value};
use super::{Checked, Partly};
use crate::domain::{DomainName, UpstreamId};
use crate::protocol::ResourceUri;

impl Checker<'_> {
    pub(super) fn rules(
        &mut self,
        access: &Place,
        raw: &[Located<RawRule>],
        known: Known<'_>,
    ) -> Checked<Vec<RuleConfig>> {
        let list = access.key("rules", access.spot);
        let mut rules = Vec::with_capacity(raw.len());
        let mut failed = None;
        for (i, raw) in raw.iter().enumerate() {
            match self.rule(&raw.inner, &list.item(i, raw.spot), known) {
                Ok(rule) => rules.push(rule),
                Err(reported) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(rules), Err)
    }

    fn rule(&mut self, raw: &RawRule, place: &Place, known: Known<'_>) -> Checked<RuleConfig> {
        let upstreams = self.list(place, "upstreams", raw.upstreams.as_ref(), |checker, value| {
            checker.known_upstream(value, known)
        });
        let groups = self.list(place, "groups", raw.groups.as_ref(), |_, value| Ok(value.text.clone()));
        let resources = self.list(place, "resources", raw.resources.as_ref(), |checker, value| {
            checker.known_resource(value, known.resources)
        });
        // Which upstreams a rule means is known only once all that it names are.
        let meant = upstreams.as_deref().ok().filter(|_| known.upstreams.complete).map(|named| {
            let means = |upstream: &&UpstreamConfig| named.is_empty() || named.contains(&upstream.id);
            known.upstreams.good.iter().filter(means).collect::<Vec<_>>()
        });
        let domains = self.rule_domains(raw, place, meant.as_deref());
        let no_groups = meant.is_some_and(|meant| meant.iter().all(|one| one.preset == Preset::Google));
        if let (Some(groups), true) = (&raw.groups, no_groups) {
            let at = place.key("groups", groups.spot);
            let problem = "the rule can never match: Google's sign-in tells no groups";
            self.report(&at, problem, "use domains or admin_users, or another upstream");
        }
        if raw.scopes.is_none() {
            let at = place.key("scopes", place.spot);
            self.report(&at, "is missing: the rule would grant nothing", "name the scopes that it grants");
        }
        let only = resources.as_deref();
        let scopes = match only {
            Ok(only) => self.scopes((place, "scopes"), raw.scopes.as_ref(), only, known),
            Err(reported) => Err(*reported),
        };
        let conditions = [&raw.upstreams, &raw.domains, &raw.groups, &raw.resources];
        if conditions.iter().all(|condition| condition.is_none()) {
            let problem = "the rule has no condition, so it would hold for everyone";
            let instead = "add upstreams, domains, groups or resources, or use default_scopes";
            return Err(self.report(place, problem, instead));
        }
        Ok(RuleConfig {
            line: place.spot.line,
            upstreams: upstreams?,
            domains: domains?,
            groups: groups?,
            resources: resources?,
            scopes: scopes?,
        })
    }

    fn known_upstream(&mut self, value: &Value, known: Known<'_>) -> Checked<UpstreamId> {
        let upstreams = known.upstreams;
        let found = upstreams.good.iter().find(|upstream| upstream.id.as_str() == value.text);
        let parsed = found.map(|upstream| upstream.id.clone());
        // An upstream that was refused for another reason may be the one that is meant.
        let parsed = parsed.or_else(|| UpstreamId::parse(&value.text).filter(|_| !upstreams.complete));
        parsed.ok_or_else(|| {
            let ids: Vec<&str> = upstreams.good.iter().map(|upstream| upstream.id.as_str()).collect();
            let near = nearest(&value.text, &ids).filter(|_| value.is_literal());
            let meant = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            let instead = format!("{meant}the upstreams are: {}", ids.join(", "));
            self.report(&value.place, format!("there is no upstream {}", value.quoted()), instead)
        })
    }

    pub(super) fn known_resource(
        &mut self,
        value: &Value,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<ResourceUri> {
        let url = self.resource_uri(value)?;
        if !resources.complete || resources.good.iter().any(|resource| resource.url == url) {
            return Ok(url);
        }
        let urls: Vec<&str> = resources.good.iter().map(|resource| resource.url.as_str()).collect();
        let instead = format!("the resources are: {}", urls.join(", "));
        Err(self.report(&value.place, format!("there is no resource {}", value.quoted()), instead))
    }

    fn rule_domains(
        &mut self,
        raw: &RawRule,
        place: &Place,
        meant: Option<&[&UpstreamConfig]>,
    ) -> Checked<Vec<DomainName>> {
        let domains = self.domains(place, "domains", raw.domains.as_ref())?;
        let (Some(meant), Some(raw)) = (meant, &raw.domains) else { return Ok(domains) };
        let mut failed = None;
        for (i, (domain, text)) in domains.iter().zip(&raw.list).enumerate() {
            let allows = |upstream: &&UpstreamConfig| {
                upstream.allowed_domains.is_empty() || upstream.allowed_domains.contains(domain)
            };
            if !meant.iter().any(allows) {
                let at = raw.place_of(&place.key("domains", raw.spot), i, text);
                let problem = format!(
                    "the rule can never match `{}`: no upstream that it is for allows this domain",
                    text.written.escape_debug()
                );
                let instead = "add the domain to an upstream's allowed_domains, or remove it here";
                failed = Some(self.report(&at, problem, instead));
            }
        }
        failed.map_or(Ok(domains), Err)
    }
}
