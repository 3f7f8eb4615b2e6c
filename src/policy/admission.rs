//! Whom an identity provider may bring at all.

use crate::domain::{DomainName, EmailAddress, Identity, UpstreamId};

/// Whom one identity provider may bring.
#[derive(Debug, Clone)]
pub struct Admission {
    /// Where it stands in the configuration.
    pub name: String,
    /// The provider's name.
    pub upstream: UpstreamId,
    /// Its issuer, or one for each of its tenants: an identity that another issuer vouched for
    /// under the same name is not its own (SEC-055).
    pub issuers: Vec<String>,
    /// People of these domains; an empty list brings everybody, but nobody whose domain another
    /// provider lists.
    pub domains: Vec<DomainName>,
    /// Members of these organisations.
    pub membership: Option<Membership>,
}

/// Which organisations, and which of an identity's claims says so.
#[derive(Debug, Clone)]
pub struct Membership {
    /// The claim.
    pub claim: String,
    /// One of these must stand there, byte for byte.
    pub of: Vec<String>,
}

/// May the person come in? Says why, either way.
pub(super) fn admit(all: &[Admission], identity: &Identity) -> Result<String, String> {
    let own = all.iter().find(|admission| admission.upstream == identity.upstream);
    let own = own.ok_or("this identity provider is not configured")?;
    if !own.issuers.contains(&identity.issuer) {
        return Err("this account is of an issuer or a tenant that is not admitted here".to_owned());
    }
    if let Some(Membership { claim, of }) = &own.membership {
        let held = identity.claims.get(claim);
        if !of.iter().any(|one| held.is_some_and(|held| held.contains(one))) {
            return Err("this account signed in for none of the organisations that are admitted".to_owned());
        }
    }
    if own.domains.is_empty() {
        // Also where this provider does not vouch for the domain: it may be where the account lives.
        let domain = identity.domain.as_ref().or(identity.email.as_ref().map(EmailAddress::domain));
        let elsewhere =
            |admission: &Admission| domain.is_some_and(|domain| admission.domains.contains(domain));
        if let (Some(domain), true) = (domain, all.iter().any(elsewhere)) {
            return Err(format!("people of {domain} sign in with another identity provider"));
        }
        return Ok("every account of this identity provider is admitted".to_owned());
    }
    match &identity.domain {
        Some(domain) if own.domains.contains(domain) => Ok(format!("{domain} is allowed")),
        Some(domain) => Err(format!("{domain} is not an allowed domain")),
        None => Err("the identity provider vouches for no organisation domain of this account".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::clock::Timestamp;

    fn admission(upstream: &str, domains: &[&str]) -> Admission {
        Admission {
            name: format!("allowed_domains of {upstream}"),
            upstream: UpstreamId::parse(upstream).unwrap(),
            issuers: vec![format!("https://{upstream}.example")],
            domains: domains.iter().map(|domain| domain.parse().unwrap()).collect(),
            membership: None,
        }
    }

    fn person(upstream: &str, email: &str, vouched: bool) -> Identity {
        let email: EmailAddress = email.parse().unwrap();
        Identity {
            upstream: UpstreamId::parse(upstream).unwrap(),
            issuer: format!("https://{upstream}.example"),
            subject: "1".into(),
            domain: Some(email.domain().clone()).filter(|_| vouched),
            email: Some(email),
            groups: BTreeSet::new(),
            roles: BTreeSet::new(),
            claims: BTreeMap::new(),
            name: None,
            session: None,
            authenticated_at: Timestamp::from_unix(0),
        }
    }

    /// "Domain X only via provider Y": a listed domain is refused at every provider that does not
    /// list it, also at one that admits everybody, and also where that one does not vouch for it.
    #[test]
    fn a_domain_that_is_listed_at_one_provider_is_refused_through_another() {
        let all = [
            admission("okta", &["example.com"]),
            admission("google", &["partner.example"]),
            admission("open", &[]),
        ];
        let admitted = |upstream, email, vouched| admit(&all, &person(upstream, email, vouched)).is_ok();
        assert!(admitted("okta", "a@example.com", true));
        assert!(!admitted("google", "a@example.com", true));
        assert!(!admitted("open", "a@example.com", true));
        assert!(!admitted("open", "a@partner.example", false));
        assert!(admitted("open", "a@other.example", true));
        assert!(!admitted("okta", "a@example.com", false));
        assert!(!admitted("nobody", "a@example.com", true));
    }

    #[test]
    fn an_organisation_is_one_of_those_listed_byte_for_byte() {
        let membership = Membership { claim: "org_id".into(), of: vec!["org_1".into()] };
        let all = [Admission { membership: Some(membership), ..admission("clerk", &[]) }];
        let mut alice = person("clerk", "a@example.com", true);
        assert!(admit(&all, &alice).is_err());
        for (org, expected) in [("org_2", false), ("ORG_1", false), ("org_1", true)] {
            alice.claims.insert("org_id".into(), BTreeSet::from([org.to_owned()]));
            assert_eq!(admit(&all, &alice).is_ok(), expected, "{org}");
        }
    }
}
