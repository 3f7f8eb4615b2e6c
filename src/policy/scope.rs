//! Where a scope is decided.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{ClientId, Conditions, Effect, EmailAddress, Identity, Resource, Rule, UpstreamId};
use crate::protocol::ScopeSet;

use super::rule::{self, UNTOLD_GROUPS};
use super::{Admission, Hierarchy, admission};

/// Who asks, through what, and for where.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Who.
    pub identity: &'a Identity,
    /// Through which client; none where an operator asks what would be.
    pub client: Option<&'a ClientId>,
    /// For which server.
    pub resource: &'a Resource,
    /// Is the person's address pinned to another account?
    pub is_address_taken: bool,
}

impl<'a> Asked<'a> {
    /// A person, through a client, for a server.
    #[must_use]
    pub fn new(identity: &'a Identity, client: &'a ClientId, resource: &'a Resource) -> Self {
        Self { identity, client: Some(client), resource, is_address_taken: false }
    }
}

/// What became of one rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOutcome<'p> {
    /// Where the rule stands in the configuration.
    pub rule: &'p str,
    /// What it does when it applies; none for the gate, which admits or does not.
    pub effect: Option<&'p Effect>,
    /// Did it apply?
    pub applied: bool,
    /// Why, or why not.
    pub reason: String,
}

/// What policy says of a person and a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict<'p> {
    /// Everything that the person may have there, and what it implies. Empty: no access.
    pub scopes: ScopeSet,
    /// The longest life of a grant: the shortest that a rule which gives something here names.
    pub session: Option<Duration>,
    /// An admin rule applied by this address: the verdict holds only if it is pinned to this
    /// person. Else ask again with [`Asked::is_address_taken`].
    pub pin: Option<EmailAddress>,
    /// Each rule and what became of it, in order; first the gate.
    pub trace: Vec<RuleOutcome<'p>>,
}

impl Verdict<'_> {
    /// What is granted of what was asked.
    #[must_use]
    pub fn narrow(&self, asked: &ScopeSet) -> ScopeSet {
        self.scopes.intersect(asked)
    }

    /// How long a grant may live where `longest` holds for everybody.
    #[must_use]
    pub fn life(&self, longest: Duration) -> Duration {
        self.session.map_or(longest, |session| session.min(longest))
    }

    /// The rules that applied, by name.
    #[must_use]
    pub fn applied(&self) -> String {
        let applied = self.trace.iter().filter(|outcome| outcome.applied);
        applied.map(|outcome| outcome.rule).collect::<Vec<_>>().join(", ")
    }

    /// Why there is nothing, in words for the person: never who else is named in a rule.
    #[must_use]
    pub fn refusal_for_person(&self) -> String {
        let untold = |outcome: &RuleOutcome<'_>| outcome.reason == UNTOLD_GROUPS;
        if self.scopes.is_empty() && self.trace.iter().any(untold) {
            return UNTOLD_GROUPS.to_owned();
        }
        if let Some(Effect::Deny { reason }) = self.denials().next().and_then(|denial| denial.effect) {
            let unsaid = || "the organisation's policy denies this account access here".to_owned();
            return reason.clone().unwrap_or_else(unsaid);
        }
        match self.trace.first() {
            Some(gate) if !gate.applied => gate.reason.clone(),
            _ => "no rule of the organisation's policy gives this account anything here".to_owned(),
        }
    }

    /// Why there is nothing, for the log: the rules that deny, or else every rule that did not
    /// apply.
    #[must_use]
    pub fn refusals(&self) -> String {
        let mut told: Vec<String> =
            self.denials().map(|denial| format!("{} denies: {}", denial.rule, denial.reason)).collect();
        if told.is_empty() {
            let refused = self.trace.iter().filter(|outcome| !outcome.applied);
            told = refused.map(|outcome| format!("{}: {}", outcome.rule, outcome.reason)).collect();
        }
        told.join("; ")
    }

    fn denials(&self) -> impl Iterator<Item = &RuleOutcome<'_>> {
        self.trace
            .iter()
            .filter(|outcome| outcome.applied && matches!(outcome.effect, Some(Effect::Deny { .. })))
    }
}

/// The whole policy.
#[derive(Debug, Clone)]
pub struct Policy {
    admissions: Vec<Admission>,
    rules: Vec<Rule>,
    hierarchy: Hierarchy,
}

impl Policy {
    /// A policy: whom each upstream may bring (one that is not listed brings nobody), the rules,
    /// and which scopes imply which.
    #[must_use]
    pub fn new(admissions: Vec<Admission>, rules: Vec<Rule>, hierarchy: Hierarchy) -> Self {
        Self { admissions, rules, hierarchy }
    }

    /// The claims that rules for this provider ask for, by path: what an [`Identity`] of it has to carry
    /// beside the rest.
    #[must_use]
    pub fn claim_paths(&self, upstream: &UpstreamId) -> BTreeSet<&str> {
        self.rules_for(upstream).flat_map(|rule| rule.when.claims.keys()).map(String::as_str).collect()
    }

    /// Does a rule for this provider ask for a group?
    #[must_use]
    pub fn asks_for_groups(&self, upstream: &UpstreamId) -> bool {
        self.rules_for(upstream).any(|rule| !rule.when.groups.is_empty())
    }

    fn rules_for(&self, upstream: &UpstreamId) -> impl Iterator<Item = &Rule> {
        let is_meant =
            move |when: &Conditions| when.upstreams.is_empty() || when.upstreams.contains(upstream);
        self.rules.iter().filter(move |rule| is_meant(&rule.when))
    }

    /// Decides. A person who is not admitted, or whom a rule denies, gets nothing, whatever other
    /// rules say; otherwise the scopes of all rules that apply, as far as the server has them, and
    /// what these imply there.
    #[must_use]
    pub fn decide<'p>(&'p self, asked: Asked<'_>) -> Verdict<'p> {
        let gate = self.admit(asked.identity);
        let nothing = Verdict { scopes: ScopeSet::default(), session: None, pin: None, trace: Vec::new() };
        if !gate.applied {
            return Verdict { trace: vec![gate], ..nothing };
        }
        let here = asked.resource.scope_set();
        let mut verdict = Verdict { trace: vec![gate], ..nothing.clone() };
        let mut is_denied = false;
        for rule in &self.rules {
            let checked = match &rule.effect {
                Effect::Grant { .. } => rule::check(&rule.when, &asked),
                Effect::Deny { .. } => rule::check_denial(&rule.when, &asked),
            };
            let applied = checked.is_ok();
            if applied {
                match &rule.effect {
                    Effect::Deny { .. } => is_denied = true,
                    Effect::Grant { scopes, session } => {
                        let given = scopes.intersect(&here);
                        if !given.is_empty() {
                            verdict.session = [verdict.session, *session].into_iter().flatten().min();
                        }
                        verdict.scopes = verdict.scopes.union(&given);
                        verdict.pin = verdict.pin.or_else(|| rule::address_to_pin(&rule.when, &asked));
                    }
                }
            }
            let reason = checked.unwrap_or_else(|refusal| refusal);
            verdict.trace.push(RuleOutcome { rule: &rule.name, effect: Some(&rule.effect), applied, reason });
        }
        if is_denied {
            return Verdict { trace: verdict.trace, ..nothing };
        }
        verdict.scopes = self.hierarchy.closure(&verdict.scopes).intersect(&here);
        verdict
    }

    fn admit<'p>(&'p self, identity: &Identity) -> RuleOutcome<'p> {
        let listed = self.admissions.iter().find(|admission| admission.upstream == identity.upstream);
        let admitted = admission::admit(&self.admissions, identity);
        let applied = admitted.is_ok();
        let reason = admitted.unwrap_or_else(|refusal| refusal);
        let rule = listed.map_or("upstreams", |admission| admission.name.as_str());
        RuleOutcome { rule, effect: None, applied, reason }
    }
}
