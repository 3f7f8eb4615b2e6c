//! Who may do what, and whether anyone ever can.

use super::super::fault::Place;
use super::super::raw::RawAccess;
use super::super::settings::{AccessConfig, ResourceConfig, UpstreamConfig};
use super::super::shape::nearest;
use super::super::text::{Located, Spot, Texts};
use super::values::Checker;
use super::{Checked, Partly};
use crate::domain::EmailAddress;
use crate::protocol::{ResourceUri, ScopeSet};

/// What rules may refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) upstreams: &'a Partly<UpstreamConfig>,
    pub(super) resources: &'a Partly<ResourceConfig>,
}

impl Checker<'_> {
    pub(super) fn access(
        &mut self,
        raw: Option<&Located<RawAccess>>,
        upstreams: &Partly<UpstreamConfig>,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<AccessConfig> {
        let known = Known { upstreams, resources };
        let place = Place::root().key("access", raw.map_or(Spot::START, |raw| raw.spot));
        let Some(Located { inner: raw, .. }) = raw else {
            return Err(self.nobody(&place));
        };
        let default_scopes = self.scopes((&place, "default_scopes"), raw.default_scopes.as_ref(), &[], known);
        let admin_scopes = self.scopes((&place, "admin_scopes"), raw.admin_scopes.as_ref(), &[], known);
        let admin_users = self.admin_users(&place, raw, known);
        let rules = self.rules(&place, raw.rules.as_deref().unwrap_or_default(), known);
        let contact = self.optional(&place, "contact", raw.contact.as_ref());
        let no_rules = raw.rules.as_ref().is_none_or(Vec::is_empty);
        if raw.default_scopes.is_none() && raw.admin_users.is_none() && no_rules {
            return Err(self.nobody(&place));
        }
        Ok(AccessConfig {
            default_scopes: default_scopes?,
            admin_users: admin_users?,
            admin_scopes: admin_scopes?,
            rules: rules?,
            contact: contact?.map(|contact| contact.text),
        })
    }

    fn nobody(&mut self, place: &Place) -> super::Reported {
        let instead = "write default_scopes for everyone who may sign in, rules for some, or admin_users with admin_scopes";
        self.report(place, "nobody could ever get any scope", instead)
    }

    fn admin_users(
        &mut self,
        place: &Place,
        raw: &RawAccess,
        known: Known<'_>,
    ) -> Checked<Vec<EmailAddress>> {
        match (&raw.admin_users, &raw.admin_scopes) {
            (Some(users), None) => {
                let at = place.key("admin_users", users.spot);
                self.report(&at, "they would get nothing: `admin_scopes` is missing", "add admin_scopes");
            }
            (None, Some(scopes)) => {
                let at = place.key("admin_scopes", scopes.spot);
                self.report(&at, "nobody would get them: `admin_users` is missing", "add admin_users");
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        self.list(place, "admin_users", raw.admin_users.as_ref(), |checker, value| {
            let email: EmailAddress = value.text.parse().map_err(|invalid| {
                checker.report(&value.place, format!("{} {invalid}", value.quoted()), "")
            })?;
            let upstreams = known.upstreams;
            let may_sign_in = |upstream: &UpstreamConfig| {
                upstream.allowed_domains.is_empty() || upstream.allowed_domains.contains(email.domain())
            };
            if upstreams.complete && !upstreams.good.iter().any(may_sign_in) {
                let problem =
                    format!("{} could never sign in: no upstream allows the domain", value.quoted());
                let instead = "add the domain to an upstream's allowed_domains, or remove the person";
                return Err(checker.report(&value.place, problem, instead));
            }
            Ok(email)
        })
    }

    /// Scopes that some of these resources have; of any resource, if none is named.
    pub(super) fn scopes(
        &mut self,
        (parent, key): (&Place, &str),
        raw: Option<&Texts>,
        only: &[ResourceUri],
        known: Known<'_>,
    ) -> Checked<ScopeSet> {
        let resources = known.resources;
        let meant = |resource: &&ResourceConfig| only.is_empty() || only.contains(&resource.url);
        let scopes = resources.good.iter().filter(meant).flat_map(|resource| &resource.scopes);
        let names: Vec<&str> = scopes.map(|(scope, _)| scope.as_str()).collect();
        let whose = if only.is_empty() { "no resource has" } else { "the rule's resources do not have" };
        let list = self.list(parent, key, raw, |checker, value| {
            let scope = checker.scope(value)?;
            if !resources.complete || names.contains(&scope.as_str()) {
                return Ok(scope);
            }
            let near = nearest(scope.as_str(), &names).filter(|_| value.is_literal());
            let meant = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
            let instead = format!("{meant}the scopes are: {}", names.join(", "));
            Err(checker.report(&value.place, format!("{whose} the scope {}", value.quoted()), instead))
        })?;
        Ok(list.into_iter().collect())
    }
}
