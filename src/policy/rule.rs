//! One rule: when everything that it asks for is so, it grants its scopes.

use std::fmt::Display;

use crate::domain::{DomainName, EmailAddress, Identity, Resource, UpstreamId};
use crate::protocol::{ResourceUri, ScopeSet};

/// The absence of a group means nothing where the list is not whole.
pub(super) const UNTOLD_GROUPS: &str =
    "the identity provider did not tell all groups of this account, which has too many of them";

/// What a rule asks for. An empty list asks for nothing; of a list, one entry must fit.
#[derive(Debug, Clone, Default)]
pub struct Conditions {
    /// Signed in through one of these.
    pub upstreams: Vec<UpstreamId>,
    /// Of one of these domains, of which the upstream must be the authority.
    pub domains: Vec<DomainName>,
    /// A member of one of these groups, byte for byte.
    pub groups: Vec<String>,
    /// One of these people, by verified address at a domain of which the upstream is the
    /// authority (identity requirements, "For all of them").
    pub emails: Vec<EmailAddress>,
    /// For one of these servers.
    pub resources: Vec<ResourceUri>,
}

/// One rule of the policy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Where it stands in the configuration.
    pub name: String,
    /// When it applies.
    pub when: Conditions,
    /// What it grants.
    pub scopes: ScopeSet,
}

impl Rule {
    /// Does the rule apply? Says why, either way.
    pub(super) fn check(&self, identity: &Identity, resource: &Resource) -> Result<String, String> {
        let when = &self.when;
        let mut because = Vec::new();
        if !when.upstreams.is_empty() {
            because.push(one_of("upstream", &when.upstreams, Some(&identity.upstream))?);
        }
        if !when.domains.is_empty() {
            because.push(one_of("domain", &when.domains, identity.domain.as_ref())?);
        }
        if !when.emails.is_empty() {
            let authoritative =
                identity.email.as_ref().filter(|email| identity.domain.as_ref() == Some(email.domain()));
            because.push(one_of("email", &when.emails, authoritative)?);
        }
        if !when.groups.is_empty() {
            let held = when.groups.iter().find(|group| identity.groups.contains(*group));
            let held = held.ok_or_else(|| {
                let absent = || format!("not in a group of: {}", when.groups.join(", "));
                if identity.groups_are_incomplete() { UNTOLD_GROUPS.to_owned() } else { absent() }
            })?;
            because.push(format!("group is {held}"));
        }
        if !when.resources.is_empty() {
            because.push(one_of("resource", &when.resources, Some(&resource.url))?);
        }
        if because.is_empty() {
            because.push("applies to everyone admitted".to_owned());
        }
        Ok(because.join(", "))
    }
}

/// Is the fact one of those asked for? An absent fact fits nothing.
fn one_of<T: PartialEq + Display>(what: &str, asked: &[T], fact: Option<&T>) -> Result<String, String> {
    match fact {
        Some(fact) if asked.contains(fact) => Ok(format!("{what} is {fact}")),
        Some(fact) => Err(format!("{what} is {fact}, not {}", list(asked))),
        None => Err(format!("no {what} that the identity provider vouches for; asked: {}", list(asked))),
    }
}

fn list<T: Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
