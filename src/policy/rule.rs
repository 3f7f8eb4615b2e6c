//! Does one rule apply, and why (not)?

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::domain::{Conditions, EmailAddress};

use super::Asked;

/// The absence of a group means nothing where the list is not whole.
pub(super) const UNTOLD_GROUPS: &str =
    "the identity provider did not tell all groups of this account, which has too many of them";

/// Does everything hold that a rule asks for? Says why, either way; the words are for the log and
/// for the operator, since they name what others are asked for.
pub(super) fn check(when: &Conditions, asked: &Asked<'_>) -> Result<String, String> {
    let Asked { identity, client, resource, .. } = *asked;
    let mut because = Vec::new();
    if !when.upstreams.is_empty() {
        because.push(one_of("upstream", &when.upstreams, Some(&identity.upstream))?);
    }
    if !when.domains.is_empty() {
        because.push(one_of("domain", &when.domains, identity.domain.as_ref())?);
    }
    if !when.emails.is_empty() {
        because.push(one_of("email", &when.emails, identity.own_email())?);
    }
    if !when.admins.is_empty() {
        because.push(one_of("email", &when.admins, identity.own_email())?);
        if asked.is_address_taken {
            return Err("this address is pinned to another account, which brought it first".to_owned());
        }
    }
    if !when.subjects.is_empty() {
        let own = when.subjects.iter().find(|account| identity.is(account));
        let own = own.ok_or_else(|| format!("the account is not {}", list(&when.subjects)))?;
        because.push(format!("the account is {own}"));
    }
    if !when.groups.is_empty() {
        because.push(any_of("group", &when.groups, Some(&identity.groups)).map_err(|absent| {
            if identity.groups_are_incomplete() { UNTOLD_GROUPS.to_owned() } else { absent }
        })?);
    }
    if !when.roles.is_empty() {
        because.push(any_of("role", &when.roles, Some(&identity.roles))?);
    }
    for (path, values) in &when.claims {
        because.push(any_of(&format!("claim {path}"), values, identity.claims.get(path))?);
    }
    if !when.clients.is_empty() {
        let client = client.ok_or_else(|| format!("no client is named; asked: {}", list(&when.clients)))?;
        because.push(one_of("client", &when.clients, Some(client))?);
    }
    if !when.resources.is_empty() {
        because.push(one_of("resource", &when.resources, Some(&resource.url))?);
    }
    if because.is_empty() {
        because.push("applies to everyone admitted".to_owned());
    }
    Ok(because.join(", "))
}

/// The same for a rule that denies: it also holds where nobody knows whether the person is in one
/// of its groups, or else whoever has many groups would escape it.
pub(super) fn check_denial(when: &Conditions, asked: &Asked<'_>) -> Result<String, String> {
    let checked = check(when, asked);
    if checked.is_ok() || when.groups.is_empty() || !asked.identity.groups_are_incomplete() {
        return checked;
    }
    let rest = Conditions { groups: Vec::new(), ..when.clone() };
    check(&rest, asked).map(|_| UNTOLD_GROUPS.to_owned())
}

/// The address that must be pinned to this person for the rule to apply.
pub(super) fn address_to_pin(when: &Conditions, asked: &Asked<'_>) -> Option<EmailAddress> {
    if when.admins.is_empty() { None } else { asked.identity.own_email().cloned() }
}

/// Is the fact one of those asked for? An absent fact fits nothing.
fn one_of<T: PartialEq + Display>(what: &str, asked: &[T], fact: Option<&T>) -> Result<String, String> {
    match fact {
        Some(fact) if asked.contains(fact) => Ok(format!("{what} is {fact}")),
        Some(fact) => Err(format!("{what} is {fact}, not {}", list(asked))),
        None => Err(format!("no {what} that the identity provider vouches for; asked: {}", list(asked))),
    }
}

/// Is one of the person's values one of those asked for?
fn any_of(what: &str, asked: &[String], held: Option<&BTreeSet<String>>) -> Result<String, String> {
    let fits = held.and_then(|held| asked.iter().find(|value| held.contains(*value)));
    fits.map(|value| format!("{what} is {value}")).ok_or_else(|| format!("{what} is not {}", list(asked)))
}

fn list<T: Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}
