//! Who may do what, and whether anyone ever can.

use super::super::fault::Place;
use super::super::raw_access::{RawAccess, RawRule};
use super::super::settings::{AccessConfig, ResourceConfig, TokenConfig, UpstreamConfig};
use super::super::settings_credentials::CredentialConfig;
use super::super::shape::nearest;
use super::super::text::{Located, Spot, Texts};
use super::conditions::admits;
use super::values::{Checker, Value};
use super::{Checked, Partly};
use crate::domain::{Account, EmailAddress};
use crate::protocol::{ResourceUri, Scope, ScopeSet};

/// What rules may refer to.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) upstreams: &'a Partly<UpstreamConfig>,
    pub(super) credentials: &'a Partly<CredentialConfig>,
    pub(super) resources: &'a Partly<ResourceConfig>,
    /// The only clients that there can be, where that is known.
    pub(super) only_clients: Option<&'a [&'a str]>,
    /// May it also be any URL?
    pub(super) urls_are_clients: bool,
    pub(super) tokens: Option<&'a TokenConfig>,
}

/// An entry of `admin_users`.
#[derive(Clone, PartialEq)]
enum Admin {
    Email(EmailAddress),
    Account(Account),
}

impl Checker<'_> {
    pub(super) fn access(
        &mut self,
        raw: Option<&Located<RawAccess>>,
        known: Known<'_>,
    ) -> Checked<AccessConfig> {
        let place = Place::root().key("access", raw.map_or(Spot::START, |raw| raw.spot));
        let Some(Located { inner: raw, .. }) = raw else {
            return Err(self.nobody(&place));
        };
        let default_scopes = self.scopes((&place, "default_scopes"), raw.default_scopes.as_ref(), &[], known);
        let admin_scopes = self.scopes((&place, "admin_scopes"), raw.admin_scopes.as_ref(), &[], known);
        let admins = self.admin_users(&place, raw, known);
        let rules = self.rules(&place, raw.rules.as_deref().unwrap_or_default(), known);
        let scope_hierarchy = self.scope_hierarchy(&place, raw.scope_hierarchy.as_ref(), known);
        let contact = self.optional(&place, "contact", raw.contact.as_ref());
        let grants = |rule: &Located<RawRule>| rule.inner.deny.is_none() || rule.inner.scopes.is_some();
        let no_rules = !raw.rules.iter().flatten().any(grants);
        if raw.default_scopes.is_none() && raw.admin_users.is_none() && no_rules {
            return Err(self.nobody(&place));
        }
        let (mut admin_emails, mut admin_accounts) = (Vec::new(), Vec::new());
        for admin in admins? {
            match admin {
                Admin::Email(email) => admin_emails.push(email),
                Admin::Account(account) => admin_accounts.push(account),
            }
        }
        Ok(AccessConfig {
            default_scopes: default_scopes?,
            admin_emails,
            admin_accounts,
            admin_scopes: admin_scopes?,
            rules: rules?,
            scope_hierarchy: scope_hierarchy?,
            contact: contact?.map(|contact| contact.text),
        })
    }

    fn nobody(&mut self, place: &Place) -> super::Reported {
        let instead = "write default_scopes for everyone who may sign in, rules for some, or admin_users with admin_scopes";
        self.report(place, "nobody could ever get any scope", instead)
    }

    fn admin_users(&mut self, place: &Place, raw: &RawAccess, known: Known<'_>) -> Checked<Vec<Admin>> {
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
        let all: Vec<_> = known.sources().collect();
        let all = Some(all.as_slice()).filter(|_| known.sources_are_complete());
        // An address is pinned to whoever signs in with it, and to no token.
        let upstreams: Vec<_> = known.upstream_sources().collect();
        self.distinct(place, "admin_users", raw.admin_users.as_ref(), |checker, value| {
            if value.text.parse::<Account>().is_ok() {
                return checker.account(value, all).map(Admin::Account);
            }
            let email = checker.email(value)?;
            if known.upstreams.complete && !admits(&upstreams, email.domain()) {
                let problem =
                    format!("{} could never sign in: no upstream allows the domain", value.quoted());
                let instead = "add the domain to an upstream's allowed_domains, or remove the person";
                return Err(checker.report(&value.place, problem, instead));
            }
            Ok(Admin::Email(email))
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
        let check = |checker: &mut Self, value: &Value| checker.known_scope(value, only, known);
        self.distinct(parent, key, raw, check).map(|list| list.into_iter().collect())
    }

    /// One of them.
    pub(super) fn known_scope(
        &mut self,
        value: &Value,
        only: &[ResourceUri],
        known: Known<'_>,
    ) -> Checked<Scope> {
        let scope = self.scope(value)?;
        let resources = known.resources;
        let meant = |resource: &&ResourceConfig| only.is_empty() || only.contains(&resource.url);
        let scopes = resources.good.iter().filter(meant).flat_map(|resource| &resource.scopes);
        let names: Vec<&str> = scopes.map(|(scope, _)| scope.as_str()).collect();
        if !resources.complete || names.contains(&scope.as_str()) {
            return Ok(scope);
        }
        let whose = if only.is_empty() { "no resource has" } else { "the rule's resources do not have" };
        let near = nearest(scope.as_str(), &names).filter(|_| value.is_literal());
        let meant = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
        let instead = format!("{meant}the scopes are: {}", names.join(", "));
        Err(self.report(&value.place, format!("{whose} the scope {}", value.quoted()), instead))
    }
}
