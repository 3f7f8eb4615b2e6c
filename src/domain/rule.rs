//! Rules of access, as the configuration says them and policy reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::protocol::{ResourceUri, ScopeSet};

use super::{Account, ClientId, DomainName, EmailAddress, UpstreamId};

/// What a rule asks for. An empty list asks for nothing; of a list, one entry must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Signed in through one of these.
    pub upstreams: Vec<UpstreamId>,
    /// Of one of these domains, of which the upstream must be the authority.
    pub domains: Vec<DomainName>,
    /// One of these people, by verified address at a domain of which the upstream is the
    /// authority (identity requirements, "For all of them").
    pub emails: Vec<EmailAddress>,
    /// The same, and the address is pinned to the account that brought it first.
    pub admins: Vec<EmailAddress>,
    /// One of these accounts.
    pub subjects: Vec<Account>,
    /// A member of one of these groups, byte for byte.
    pub groups: Vec<String>,
    /// In one of these roles, byte for byte.
    pub roles: Vec<String>,
    /// Claims by path, each with one of these values, byte for byte.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Through one of these clients.
    pub clients: Vec<ClientId>,
    /// For one of these servers.
    pub resources: Vec<ResourceUri>,
}

/// What a rule does when it applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Adds to what the person may have.
    Grant {
        /// These scopes, where the server has them.
        scopes: ScopeSet,
        /// The longest life of a grant that it had a part in.
        session: Option<Duration>,
    },
    /// Takes everything, whatever other rules say.
    Deny {
        /// Why, in words for the person.
        reason: Option<String>,
    },
}

/// One rule: when everything that it asks for is so, it has its effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// Where it stands in the configuration.
    pub name: String,
    /// When it applies.
    pub when: Conditions,
    /// What it does then.
    pub effect: Effect,
}
