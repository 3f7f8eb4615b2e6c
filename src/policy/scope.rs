//! Where a scope is decided.

use crate::domain::{Identity, Resource};
use crate::protocol::ScopeSet;

use super::rule::UNTOLD_GROUPS;
use super::{Admission, Rule, admission};

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome {
    /// Where the rule stands in the configuration.
    pub rule: String,
    /// Did it apply?
    pub applied: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What policy says of a person and a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Everything that the person may have there. Empty: no access.
    pub scopes: ScopeSet,
    /// Each rule and what became of it, in order.
    pub trace: Vec<RuleOutcome>,
}

impl Verdict {
    /// What is granted of what was asked.
    #[must_use]
    pub fn narrow(&self, asked: &ScopeSet) -> ScopeSet {
        self.scopes.intersect(asked)
    }

    /// Why there is nothing, in words for the person: never who else is named in a rule.
    #[must_use]
    pub fn refusal_for_person(&self) -> String {
        match self.trace.first() {
            Some(gate) if !gate.applied => gate.reason.clone(),
            _ if self.trace.iter().any(|outcome| outcome.reason == UNTOLD_GROUPS) => UNTOLD_GROUPS.to_owned(),
            _ => "no rule of the organisation's policy gives this account anything here".to_owned(),
        }
    }

    /// Why there is nothing, for the log: every rule that did not apply.
    #[must_use]
    pub fn refusals(&self) -> Vec<String> {
        let refused = self.trace.iter().filter(|outcome| !outcome.applied);
        refused.map(|outcome| format!("{}: {}", outcome.rule, outcome.reason)).collect()
    }
}

/// The whole policy.
#[derive(Debug, Clone)]
pub struct Policy {
    admissions: Vec<Admission>,
    rules: Vec<Rule>,
}

impl Policy {
    /// A policy: whom each upstream may bring (one that is not listed brings nobody), and the
    /// rules.
    #[must_use]
    pub fn new(admissions: Vec<Admission>, rules: Vec<Rule>) -> Self {
        Self { admissions, rules }
    }

    /// Decides. A person who is not admitted gets nothing, whatever the rules say; otherwise
    /// the scopes of all rules that apply, as far as the server has them.
    #[must_use]
    pub fn decide(&self, identity: &Identity, resource: &Resource) -> Verdict {
        let mut trace = vec![self.admit(identity)];
        if trace.iter().any(|gate| !gate.applied) {
            return Verdict { scopes: ScopeSet::default(), trace };
        }
        let mut scopes = ScopeSet::default();
        for rule in &self.rules {
            let (applied, reason) = match rule.check(identity, resource) {
                Ok(because) => {
                    scopes = scopes.union(&rule.scopes);
                    (true, because)
                }
                Err(refusal) => (false, refusal),
            };
            trace.push(RuleOutcome { rule: rule.name.clone(), applied, reason });
        }
        Verdict { scopes: scopes.intersect(&resource.scope_set()), trace }
    }

    fn admit(&self, identity: &Identity) -> RuleOutcome {
        let rule = format!("allowed_domains of {}", identity.upstream);
        let (applied, reason) = match admission::admit(&self.admissions, identity) {
            Ok(reason) => (true, reason),
            Err(reason) => (false, reason),
        };
        RuleOutcome { rule, applied, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::domain::UpstreamId;
    use crate::policy::Conditions;
    use crate::protocol::ResourceUri;

    fn scopes(list: &str) -> ScopeSet {
        ScopeSet::parse_lenient(list)
    }

    fn resource() -> Resource {
        let all = ["mcp:read", "mcp:write", "mcp:admin"];
        Resource {
            url: ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
            name: "Tools".into(),
            scopes: all.map(|scope| (scope.parse().unwrap(), String::new())).into(),
        }
    }

    fn upstream() -> UpstreamId {
        UpstreamId::parse("okta").unwrap()
    }

    fn person(email: &str, groups: &[&str]) -> Identity {
        let email: crate::domain::EmailAddress = email.parse().unwrap();
        Identity {
            upstream: upstream(),
            issuer: "https://acme.okta.example".into(),
            subject: "1".into(),
            domain: Some(email.domain().clone()),
            email: Some(email),
            groups: groups.iter().map(ToString::to_string).collect(),
            roles: std::collections::BTreeSet::new(),
            claims: std::collections::BTreeMap::new(),
            name: None,
            authenticated_at: Timestamp::from_unix(0),
        }
    }

    fn policy() -> Policy {
        let rule = |name: &str, when, list| Rule { name: name.into(), when, scopes: scopes(list) };
        Policy::new(
            vec![Admission {
                upstream: upstream(),
                issuers: vec!["https://acme.okta.example".into()],
                domains: vec!["example.com".parse().unwrap()],
                membership: None,
            }],
            vec![
                rule("default_scopes", Conditions::default(), "mcp:read other:scope"),
                rule(
                    "admin_users",
                    Conditions {
                        emails: vec!["alice@example.com".parse().unwrap()],
                        ..Conditions::default()
                    },
                    "mcp:admin",
                ),
                rule(
                    "rules[0]",
                    Conditions { groups: vec!["platform".into()], ..Conditions::default() },
                    "mcp:write",
                ),
            ],
        )
    }

    #[test]
    fn domains_groups_and_admins_become_scopes() {
        let granted = |identity| policy().decide(&identity, &resource()).scopes.to_string();
        assert_eq!(granted(person("bob@example.com", &[])), "mcp:read");
        assert_eq!(granted(person("bob@example.com", &["platform"])), "mcp:read mcp:write");
        assert_eq!(granted(person("alice@example.com", &["platform"])), "mcp:admin mcp:read mcp:write");
        assert_eq!(granted(person("eve@other.example", &["platform"])), "");
    }

    #[test]
    fn group_names_are_compared_byte_for_byte() {
        let granted = policy().decide(&person("bob@example.com", &["/a/platform", "Platform"]), &resource());
        assert_eq!(granted.scopes.to_string(), "mcp:read");
    }

    /// An address makes an admin only where the provider is the authority for its domain.
    #[test]
    fn an_admin_address_without_authority_is_nobody() {
        let mut alice = person("alice@example.com", &[]);
        alice.domain = None;
        let verdict = policy().decide(&alice, &resource());
        assert!(verdict.scopes.is_empty());
        assert!(verdict.refusals().join(" ").contains("vouches for no organisation domain"));
    }

    #[test]
    fn an_upstream_that_is_not_configured_brings_nobody() {
        let mut bob = person("bob@example.com", &[]);
        bob.upstream = UpstreamId::parse("other").unwrap();
        assert!(policy().decide(&bob, &resource()).scopes.is_empty());
    }

    #[test]
    fn every_rule_is_explained() {
        let verdict = policy().decide(&person("bob@example.com", &[]), &resource());
        let reasons: Vec<_> = verdict.trace.iter().map(|o| (o.rule.as_str(), o.applied)).collect();
        assert_eq!(
            reasons,
            [
                ("allowed_domains of okta", true),
                ("default_scopes", true),
                ("admin_users", false),
                ("rules[0]", false)
            ]
        );
        assert_eq!(verdict.narrow(&scopes("mcp:read mcp:admin")).to_string(), "mcp:read");
    }
}
