//! The conditions of a rule: each names what exists, and can hold for someone.

use std::collections::BTreeMap;

use super::super::fault::Place;
use super::super::raw_access::RawRule;
use super::super::settings::ResourceConfig;
use super::super::shape::nearest;
use super::super::text::Texts;
use super::access::Known;
use super::sources::Source;
use super::values::{Checker, Value};
use super::{Checked, Partly};
use crate::domain::{Account, ClientId, Conditions, DomainName, EmailAddress, OperatorClient, UpstreamId};
use crate::protocol::{ClientIdUrl, ResourceUri};

/// Claims that must not decide by themselves, and what to write instead (identity requirements).
const NEVER_BY_ITSELF: [(&str, &str); 8] = [
    ("sub", "use subjects: a subject means nothing without its issuer"),
    ("email", ADDRESS),
    ("email_verified", ADDRESS),
    ("preferred_username", ADDRESS),
    ("upn", ADDRESS),
    ("unique_name", ADDRESS),
    ("name", ADDRESS),
    ("nickname", ADDRESS),
];
const ADDRESS: &str = "use emails or domains, which count only where the provider is the authority";

/// The sources that a rule is for; unknown while one that it may mean has a fault of its own.
type Meant<'a> = Option<&'a [Source<'a>]>;

/// Does one of these let people of this domain in?
pub(super) fn admits(sources: &[Source<'_>], domain: &DomainName) -> bool {
    sources.iter().any(|one| one.any_domain || one.domains.contains(domain))
}

impl Checker<'_> {
    pub(super) fn conditions(
        &mut self,
        raw: &RawRule,
        place: &Place,
        known: Known<'_>,
    ) -> Checked<Conditions> {
        let upstreams = self.distinct(place, "upstreams", raw.upstreams.as_ref(), |checker, value| {
            checker.known_upstream(value, known)
        });
        let meant = upstreams.as_deref().ok().filter(|_| known.sources_are_complete()).map(|named| {
            let means = |source: &Source<'_>| named.is_empty() || named.contains(source.id);
            known.sources().filter(means).collect::<Vec<_>>()
        });
        let meant = meant.as_deref();
        let domains = self.distinct(place, "domains", raw.domains.as_ref(), |checker, value| {
            let domain = checker.domain(value)?;
            checker.admitted(value, &domain, meant).map(|()| domain)
        });
        let emails = self.distinct(place, "emails", raw.emails.as_ref(), |checker, value| {
            let email = checker.email(value)?;
            if domains.as_ref().is_ok_and(|all| !all.is_empty() && !all.contains(email.domain())) {
                let problem = format!("the rule can never match {}: its domains are others", value.quoted());
                return Err(checker.report(&value.place, problem, "remove one of the two conditions"));
            }
            checker.admitted(value, email.domain(), meant).map(|()| email)
        });
        let subjects = self.distinct(place, "subjects", raw.subjects.as_ref(), |checker, value| {
            checker.account(value, meant)
        });
        let groups = self.names((place, "groups"), raw.groups.as_ref(), meant);
        let roles = self.names((place, "roles"), raw.roles.as_ref(), meant);
        let claims = self.claims(raw, place);
        let clients = self.distinct(place, "clients", raw.clients.as_ref(), |checker, value| {
            checker.possible_client(value, known)
        });
        let resources = self.distinct(place, "resources", raw.resources.as_ref(), |checker, value| {
            checker.known_resource(value, known.resources)
        });
        Ok(Conditions {
            upstreams: upstreams?,
            domains: domains?,
            emails: emails?,
            admins: Vec::new(),
            subjects: subjects?,
            groups: groups?,
            roles: roles?,
            claims: claims?,
            clients: clients?,
            resources: resources?,
        })
    }

    fn known_upstream(&mut self, value: &Value, known: Known<'_>) -> Checked<UpstreamId> {
        let found = known.sources().find(|source| source.id.as_str() == value.text);
        let parsed = found.map(|source| source.id.clone());
        // One that was refused for another reason may be the one that is meant.
        let parsed =
            parsed.or_else(|| UpstreamId::parse(&value.text).filter(|_| !known.sources_are_complete()));
        parsed.ok_or_else(|| {
            let ids: Vec<&str> = known.sources().map(|source| source.id.as_str()).collect();
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

    /// One address.
    pub(super) fn email(&mut self, value: &Value) -> Checked<EmailAddress> {
        value
            .text
            .parse()
            .map_err(|invalid| self.report(&value.place, format!("{} {invalid}", value.quoted()), ""))
    }

    /// One account, of a provider that is known.
    pub(super) fn account(&mut self, value: &Value, meant: Meant<'_>) -> Checked<Account> {
        let account: Account = value.text.parse().map_err(|invalid| {
            let instead = "write the provider's issuer, a bar and the person's `sub` there";
            self.report(&value.place, format!("{} {invalid}", value.quoted()), instead)
        })?;
        match meant {
            Some(meant) if !meant.iter().any(|source| source.issuer == account.issuer) => {
                let problem = format!("{} could never sign in: no upstream has this issuer", value.quoted());
                let issuers: Vec<&str> = meant.iter().map(|source| source.issuer).collect();
                Err(self.report(&value.place, problem, format!("the issuers are: {}", issuers.join(", "))))
            }
            _ => Ok(account),
        }
    }

    fn admitted(&mut self, value: &Value, domain: &DomainName, meant: Meant<'_>) -> Checked<()> {
        if meant.is_none_or(|meant| admits(meant, domain)) {
            return Ok(());
        }
        let problem = format!(
            "the rule can never match {}: no upstream that it is for allows this domain",
            value.quoted()
        );
        let instead = "add the domain to an upstream's allowed_domains, or remove it here";
        Err(self.report(&value.place, problem, instead))
    }

    /// Groups or roles, from a provider that tells some.
    fn names(
        &mut self,
        (place, key): (&Place, &str),
        raw: Option<&Texts>,
        meant: Meant<'_>,
    ) -> Checked<Vec<String>> {
        let names = self.distinct(place, key, raw, |_, value| Ok(value.text.clone()));
        let untold = meant.is_some_and(|meant| meant.iter().all(|one| !one.tells_names));
        match raw {
            Some(raw) if untold => {
                let problem = format!("the rule can never match: Google's sign-in tells no {key}");
                let instead = "use domains or emails, or another upstream";
                Err(self.report(&place.key(key, raw.spot), problem, instead))
            }
            _ => names,
        }
    }

    fn claims(&mut self, raw: &RawRule, place: &Place) -> Checked<BTreeMap<String, Vec<String>>> {
        let mut claims = BTreeMap::new();
        let Some(raw) = &raw.claims else { return Ok(claims) };
        let place = place.key("claims", raw.spot);
        if raw.inner.0.is_empty() {
            return Err(self.report(&place, "names no claim", "write `path: value`, or remove the key"));
        }
        let mut failed = None;
        for (key, list) in &raw.inner.0 {
            let path = self.value(place.key(&key.written, key.spot), key);
            let path = path.and_then(|value| self.claim_path(&value, &claims));
            let values = self.distinct(&place, &key.written, Some(list), |_, value| Ok(value.text.clone()));
            match (path, values) {
                (Ok(path), Ok(values)) => drop(claims.insert(path, values)),
                (Err(reported), _) | (_, Err(reported)) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(claims), Err)
    }

    fn claim_path(&mut self, value: &Value, others: &BTreeMap<String, Vec<String>>) -> Checked<String> {
        if value.text.split('.').any(str::is_empty) {
            let problem = format!("{} is not a claim's name or path", value.quoted());
            return Err(self.report(&value.place, problem, "write for example department or org.unit"));
        }
        if let Some((_, instead)) = NEVER_BY_ITSELF.iter().find(|(name, _)| *name == value.text) {
            let problem = format!("{} must not decide by itself", value.quoted());
            return Err(self.report(&value.place, problem, *instead));
        }
        if others.contains_key(&value.text) {
            let problem = format!("{} is given twice", value.quoted());
            return Err(self.report(&value.place, problem, "keep one of them"));
        }
        Ok(value.text.clone())
    }

    /// A client that is configured, or that may register itself.
    fn possible_client(&mut self, value: &Value, known: Known<'_>) -> Checked<ClientId> {
        // Those that are added by command are not known here.
        let is_by_command = OperatorClient::is_meant(&value.text);
        let may_be_a_url = known.urls_are_clients && ClientIdUrl::parse(&value.text).is_ok();
        match known.only_clients.filter(|_| !may_be_a_url && !is_by_command) {
            Some(only) if !only.contains(&value.text.as_str()) => {
                let problem = format!(
                    "the rule can never match {}: no client has this id, and registration is closed",
                    value.quoted()
                );
                Err(self.report(&value.place, problem, format!("the clients are: {}", only.join(", "))))
            }
            _ => Ok(ClientId::new(&value.text)),
        }
    }
}
