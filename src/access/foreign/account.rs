//! Who it is that somebody else vouches for, and what of it may decide.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::clock::Timestamp;
use crate::domain::{DomainName, EmailAddress, Identity, Resource, UpstreamId};
use crate::policy::Asked;
use crate::protocol::{Members, ResourceUri, ScopeSet, claims};

use super::vouched::{self, Refused, Vouched};
use super::{RemoteRules, Way, Whom};

/// What the operator says of a credential that somebody else vouches for.
#[derive(Debug, Clone)]
pub struct ForeignSettings {
    /// Its name in rules, where an upstream's could stand.
    pub id: UpstreamId,
    /// Who vouches for it.
    pub issuer: String,
    /// The domains whose addresses it may vouch for.
    pub domains: Vec<DomainName>,
    /// Where the account's name stands.
    pub subject_claim: String,
    /// Where the email address stands.
    pub email_claim: String,
    /// Does the address count without a claim that says so?
    pub trust_email: bool,
    /// Where groups stand.
    pub groups_claim: String,
    /// Where roles stand.
    pub roles_claim: String,
    /// The claims that rules ask for, by dotted path.
    pub claim_paths: Vec<String>,
    /// The scopes that it must carry, as its issuer names them.
    pub required_scopes: Vec<String>,
    /// Does it allow nothing that it does not name itself?
    pub only_its_scopes: bool,
    /// Whom it must be made out to.
    pub audience: Audience,
}

/// Whom a credential must be made out to (SEC-143).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The server at which it is shown, by its URL (RFC 8707): one for another server is no good here.
    Server,
    /// One of these, byte for byte, at every server.
    OneOf(Vec<String>),
    /// Something else says for whom it is, or whoever is asked about it knows.
    Anybody,
}

impl Audience {
    fn holds(&self, claims: &Members, server: &ResourceUri) -> Result<(), Refused> {
        let is_server = |aud: &str| ResourceUri::parse(aud).is_ok_and(|aud| aud == *server);
        match self {
            Self::Server => vouched::audience(claims, is_server),
            Self::OneOf(all) => vouched::audience(claims, |aud| all.iter().any(|own| own == aud)),
            Self::Anybody => Ok(()),
        }
    }
}

/// Who would show a credential, and what it names itself, where that bounds what it allows.
#[derive(Debug)]
pub struct SupposedAccount {
    /// Who.
    pub identity: Identity,
    /// What it names.
    pub named: Option<ScopeSet>,
}

/// What policy is asked about an account. No address is pinned by a token: whoever is an admin by address signs
/// in here once.
#[must_use]
pub fn asked_by<'a>(identity: &'a Identity, resource: &'a Resource) -> Asked<'a> {
    Asked { identity, client: None, resource, is_address_taken: true }
}

impl ForeignSettings {
    /// Is it made out to this server, and does it carry what it must?
    pub(super) fn admits(&self, vouched: &Vouched, server: &ResourceUri) -> Result<(), Refused> {
        self.audience.holds(&vouched.claims, server)?;
        let carries = self.required_scopes.iter().all(|scope| vouched.scopes.contains(scope));
        if carries { Ok(()) } else { Err(Refused::Scopes) }
    }

    /// The scopes that it names, where it allows nothing else.
    pub(super) fn named_by(&self, vouched: &Vouched) -> Option<ScopeSet> {
        let named = vouched.scopes.iter().filter_map(|scope| scope.parse().ok());
        self.only_its_scopes.then(|| named.collect())
    }

    /// Who a token would be of whose payload these are: or, where somebody is asked about it, who is told so.
    /// Nothing is proved, no time is looked at, nobody is asked; what says nothing of `iss` or `aud` may pass.
    pub fn supposed(
        &self,
        way: &Way,
        said: &Members,
        (server, now): (&ResourceUri, Timestamp),
    ) -> Result<SupposedAccount, String> {
        let vouched = self.read(way, said).map_err(|refused| refused.to_string())?;
        let mut wanted = self.clone();
        if !vouched.claims.contains_key("aud") {
            wanted.audience = Audience::Anybody;
        }
        wanted.admits(&vouched, server).map_err(|refused| refused.to_string())?;
        Ok(SupposedAccount { identity: self.identity(&vouched, now), named: self.named_by(&vouched) })
    }

    fn read(&self, way: &Way, said: &Members) -> Result<Vouched, Refused> {
        if matches!(way, Way::Elsewhere(Whom::Remote(_), _)) {
            return RemoteRules::supposed(said);
        }
        if said.get("iss").is_some_and(|iss| *iss != self.issuer) {
            return Err(Refused::Claim("iss"));
        }
        if let Way::Jwt(rules) = way {
            rules.is_of_the_kind(said)?;
        }
        vouched::is_unbound(said)?;
        let subject = vouched::subject(said, &self.subject_claim)?;
        let scopes = vouched::scopes(said);
        Ok(Vouched { subject, claims: said.clone(), scopes, began: None, until: None })
    }

    /// Only what may decide becomes part of the identity: an address that nobody vouches for is absent, and so
    /// is a domain that the operator gave it no say over.
    pub(super) fn identity(&self, vouched: &Vouched, now: Timestamp) -> Identity {
        let ForeignSettings { id, issuer, domains, email_claim, trust_email, .. } = self;
        let at = |path: &str| claims::at(&vouched.claims, path);
        let verified = *trust_email || at(&format!("{email_claim}_verified")) == Some(&Value::Bool(true));
        let email = at(email_claim).and_then(Value::as_str).filter(|_| verified);
        let email: Option<EmailAddress> = email.and_then(|email| email.parse().ok());
        let domain = email.as_ref().map(EmailAddress::domain).filter(|domain| domains.contains(domain));
        let names = |path: &str| match at(path) {
            Some(Value::String(one)) => BTreeSet::from([one.clone()]),
            _ => claims::qualified_names(&vouched.claims, path).unwrap_or_default(),
        };
        let asked = self.claim_paths.iter();
        let asked = asked.filter_map(|path| Some((path.clone(), at(path).map(claims::texts)?)));
        let name = vouched.claims.get("name").and_then(Value::as_str);
        let mut identity = Identity {
            upstream: id.clone(),
            issuer: issuer.clone(),
            subject: vouched.subject.clone(),
            domain: domain.cloned(),
            email,
            groups: names(&self.groups_claim),
            roles: names(&self.roles_claim),
            claims: asked.collect::<BTreeMap<_, _>>(),
            name: name.map(|name| name.chars().take(200).collect()),
            session: None,
            authenticated_at: now,
        };
        if self.tells_fewer_groups(&vouched.claims) {
            identity.mark_groups_incomplete();
        }
        identity
    }

    /// Does it only say that there are too many groups, as Entra does, or more than are read? Then the absence
    /// of one says nothing, and a rule that denies by groups holds.
    fn tells_fewer_groups(&self, claims: &Members) -> bool {
        let path = &self.groups_claim;
        let elsewhere = claims.get("_claim_names").is_some_and(|names| names.get(path).is_some());
        let flagged = claims.get("hasgroups").is_some_and(|flag| *flag != Value::Bool(false));
        let listed = claims::at(claims, path).and_then(Value::as_array).map_or(0, Vec::len);
        elsewhere || flagged || listed > claims::MOST
    }
}
