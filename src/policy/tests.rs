//! The policy as a whole: examples, and what holds for every policy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::domain::{
    Accepted, ClientId, Conditions, Effect, EmailAddress, Identity, RequestLimits, Resource, Rule, UpstreamId,
};
use crate::protocol::{ResourceUri, ScopeSet};

const ISSUER: &str = "https://acme.okta.example";

fn scopes(list: &str) -> ScopeSet {
    ScopeSet::parse_lenient(list)
}

fn resource() -> Resource {
    let all = ["mcp:read", "mcp:write", "mcp:admin"];
    Resource {
        url: ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
        name: "Tools".into(),
        scopes: all.map(|scope| (scope.parse().unwrap(), String::new())).into(),
        required: ScopeSet::default(),
        everyday: ScopeSet::default(),
        accepts: vec![Accepted::AccessToken],
        limits: RequestLimits::default(),
        tenants: None,
    }
}

fn upstream() -> UpstreamId {
    UpstreamId::parse("okta").unwrap()
}

fn person(email: &str, groups: &[&str]) -> Identity {
    let email: EmailAddress = email.parse().unwrap();
    Identity {
        upstream: upstream(),
        issuer: ISSUER.into(),
        subject: "1".into(),
        domain: Some(email.domain().clone()),
        email: Some(email),
        groups: groups.iter().map(ToString::to_string).collect(),
        roles: BTreeSet::new(),
        claims: BTreeMap::new(),
        name: None,
        session: None,
        authenticated_at: Timestamp::from_unix(0),
    }
}

fn grant(name: &str, when: Conditions, list: &str) -> Rule {
    Rule { name: name.into(), when, effect: Effect::Grant { scopes: scopes(list), session: None } }
}

fn deny(name: &str, when: Conditions, reason: Option<&str>) -> Rule {
    Rule { name: name.into(), when, effect: Effect::Deny { reason: reason.map(str::to_owned) } }
}

fn in_group(group: &str) -> Conditions {
    Conditions { groups: vec![group.into()], ..Conditions::default() }
}

fn usual_hierarchy() -> Hierarchy {
    let steps = [("mcp:admin", "mcp:write"), ("mcp:write", "mcp:read")];
    Hierarchy::new(steps.map(|(from, to)| (from.parse().unwrap(), scopes(to))))
}

fn policy_of(rules: Vec<Rule>, hierarchy: Hierarchy) -> Policy {
    let admission = Admission {
        name: "upstreams[0].allowed_domains".into(),
        upstream: upstream(),
        issuers: vec![ISSUER.into()],
        domains: vec!["example.com".parse().unwrap()],
        membership: None,
    };
    Policy::new(vec![admission], rules, hierarchy)
}

fn rules() -> Vec<Rule> {
    let admins = Conditions { admins: vec!["alice@example.com".parse().unwrap()], ..Conditions::default() };
    vec![
        grant("default_scopes", Conditions::default(), "mcp:read other:scope"),
        grant("admin_users", admins, "mcp:admin"),
        grant("rules[0]", in_group("platform"), "mcp:write"),
    ]
}

fn policy() -> Policy {
    policy_of(rules(), Hierarchy::default())
}

fn decided<'p>(policy: &'p Policy, identity: &Identity) -> Verdict<'p> {
    policy.decide(Asked::new(identity, &ClientId::new("c"), &resource()))
}

#[test]
fn domains_groups_and_admins_become_scopes() {
    let granted = |identity| decided(&policy(), &identity).scopes.to_string();
    assert_eq!(granted(person("bob@example.com", &[])), "mcp:read");
    assert_eq!(granted(person("bob@example.com", &["platform"])), "mcp:read mcp:write");
    assert_eq!(granted(person("alice@example.com", &["platform"])), "mcp:admin mcp:read mcp:write");
    assert_eq!(granted(person("eve@other.example", &["platform"])), "");
}

/// IDP-keycloak: `/a/platform` is not `platform`.
#[test]
fn idp_keycloak_names_are_compared_byte_for_byte() {
    let granted = |groups: &[&str]| {
        let policy = policy();
        decided(&policy, &person("bob@example.com", groups)).scopes.to_string()
    };
    assert_eq!(granted(&["/a/platform", "Platform", "platform "]), "mcp:read");
}

/// An address makes an admin only where the provider is the authority for its domain.
#[test]
fn an_admin_address_without_authority_is_nobody() {
    let mut alice = person("alice@example.com", &[]);
    alice.domain = None;
    let policy = policy();
    let verdict = decided(&policy, &alice);
    assert!(verdict.scopes.is_empty() && verdict.pin.is_none());
    assert!(verdict.refusals().contains("vouches for no organisation domain"));
}

/// An admin by address has to be pinned, and somebody else with the address is like anybody.
#[test]
fn an_admin_address_asks_for_its_pin() {
    let (policy, client, resource) = (policy(), ClientId::new("c"), resource());
    let alice = person("alice@example.com", &[]);
    let asked = Asked::new(&alice, &client, &resource);
    assert_eq!(policy.decide(asked).pin, alice.email);
    let taken = policy.decide(Asked { is_address_taken: true, ..asked });
    assert_eq!((taken.scopes.to_string().as_str(), taken.pin), ("mcp:read", None));
    assert!(taken.trace[2].reason.contains("pinned to another account"));
    assert_eq!(decided(&policy, &person("bob@example.com", &[])).pin, None);
}

#[test]
fn an_upstream_that_is_not_configured_brings_nobody() {
    let mut bob = person("bob@example.com", &[]);
    bob.upstream = UpstreamId::parse("other").unwrap();
    assert!(decided(&policy(), &bob).scopes.is_empty());
    let moved = Identity { issuer: "https://elsewhere.example".into(), ..person("bob@example.com", &[]) };
    assert!(decided(&policy(), &moved).scopes.is_empty(), "SEC-055");
}

#[test]
fn every_rule_is_explained() {
    let policy = policy();
    let verdict = decided(&policy, &person("bob@example.com", &[]));
    let reasons: Vec<_> = verdict.trace.iter().map(|o| (o.rule, o.applied)).collect();
    assert_eq!(
        reasons,
        [
            ("upstreams[0].allowed_domains", true),
            ("default_scopes", true),
            ("admin_users", false),
            ("rules[0]", false)
        ]
    );
    assert_eq!(verdict.applied(), "upstreams[0].allowed_domains, default_scopes");
    assert_eq!(verdict.narrow(&scopes("mcp:read mcp:admin")).to_string(), "mcp:read");
}

/// Every condition: what fits, and what does not.
#[test]
fn conditions() {
    let mut bob = person("bob@example.com", &["platform"]);
    bob.roles = BTreeSet::from(["editor".to_owned()]);
    bob.claims = BTreeMap::from([("org.unit".to_owned(), BTreeSet::from(["7".to_owned(), "8".to_owned()]))]);
    let when = Conditions::default;
    let account = |text: &str| vec![text.parse().unwrap()];
    let claim =
        |path: &str, values: &[&str]| (path.to_owned(), values.iter().map(ToString::to_string).collect());
    let url = |text: &str| vec![ResourceUri::parse(text).unwrap()];
    let cases = [
        (true, Conditions { upstreams: vec![upstream()], ..when() }),
        (false, Conditions { upstreams: vec![UpstreamId::parse("x").unwrap()], ..when() }),
        (true, Conditions { emails: vec!["bob@example.com".parse().unwrap()], ..when() }),
        (false, Conditions { emails: vec!["Bob@example.com".parse().unwrap()], ..when() }),
        (true, Conditions { subjects: account("https://acme.okta.example|1"), ..when() }),
        (false, Conditions { subjects: account("https://acme.okta.example|2"), ..when() }),
        (false, Conditions { subjects: account("https://other.example|1"), ..when() }),
        (true, Conditions { groups: vec!["x".into(), "platform".into()], ..when() }),
        (true, Conditions { roles: vec!["editor".into()], ..when() }),
        (false, Conditions { roles: vec!["platform".into()], ..when() }),
        (true, Conditions { claims: [claim("org.unit", &["9", "8"])].into(), ..when() }),
        (false, Conditions { claims: [claim("org.unit", &["9"])].into(), ..when() }),
        (false, Conditions { claims: [claim("org.unit", &["8"]), claim("none", &["8"])].into(), ..when() }),
        (true, Conditions { clients: vec![ClientId::new("c")], ..when() }),
        (false, Conditions { clients: vec![ClientId::new("d")], ..when() }),
        (true, Conditions { resources: url("https://mcp.example.com/mcp"), ..when() }),
        (false, Conditions { resources: url("https://mcp.example.com/other"), ..when() }),
        (false, Conditions { roles: vec!["editor".into()], clients: vec![ClientId::new("d")], ..when() }),
    ];
    for (fits, when) in cases {
        let policy = policy_of(vec![grant("rule", when.clone(), "mcp:read")], Hierarchy::default());
        let verdict = decided(&policy, &bob);
        assert_eq!(!verdict.scopes.is_empty(), fits, "{when:?}: {:?}", verdict.trace);
        // The same conditions keep out whom they let in.
        let rules = vec![grant("all", Conditions::default(), "mcp:read"), deny("no", when.clone(), None)];
        let policy = policy_of(rules, Hierarchy::default());
        assert_eq!(decided(&policy, &bob).scopes.is_empty(), fits, "{when:?}");
    }
}

/// A rule for a client applies to no question that names none.
#[test]
fn a_client_that_is_not_named_fits_no_rule() {
    let when = Conditions { clients: vec![ClientId::new("c")], ..Conditions::default() };
    let policy = policy_of(vec![grant("rule", when, "mcp:read")], Hierarchy::default());
    let (bob, resource) = (person("bob@example.com", &[]), resource());
    let asked = Asked { identity: &bob, client: None, resource: &resource, is_address_taken: false };
    let verdict = policy.decide(asked);
    assert!(verdict.scopes.is_empty() && verdict.refusals().contains("no client is named"));
}

#[test]
fn deny_wins_and_says_why() {
    let mut rules = rules();
    rules.insert(0, deny("rules[0]", in_group("contractors"), Some("Contractors use the portal.")));
    rules.push(deny("rules[2]", in_group("leavers"), None));
    let policy = policy_of(rules, usual_hierarchy());
    let alice = |groups: &[&str]| decided(&policy, &person("alice@example.com", groups));
    assert_eq!(alice(&[]).scopes.to_string(), "mcp:admin mcp:read mcp:write");
    let denied = alice(&["contractors", "platform"]);
    assert!(denied.scopes.is_empty() && denied.pin.is_none() && denied.session.is_none());
    assert_eq!(denied.refusal_for_person(), "Contractors use the portal.");
    assert_eq!(denied.refusals(), "rules[0] denies: group is contractors");
    assert!(alice(&["leavers"]).refusal_for_person().contains("denies this account"));
}

/// The shortest session of the rules that give something here.
#[test]
fn the_shortest_session_wins() {
    let hours = |hours| Duration::from_secs(hours * 3600);
    let with = |rule: Rule, session: u64| match rule.effect {
        Effect::Grant { scopes, .. } => {
            Rule { effect: Effect::Grant { scopes, session: Some(hours(session)) }, ..rule }
        }
        Effect::Deny { .. } => rule,
    };
    let policy = policy_of(
        vec![
            grant("all", Conditions::default(), "mcp:read"),
            with(grant("a", in_group("a"), "mcp:write"), 8),
            with(grant("b", in_group("b"), "mcp:admin"), 2),
            with(grant("elsewhere", in_group("c"), "wiki:read"), 1),
        ],
        Hierarchy::default(),
    );
    let session = |groups: &[&str]| decided(&policy, &person("bob@example.com", groups)).session;
    assert_eq!(session(&[]), None);
    assert_eq!(session(&["a"]), Some(hours(8)));
    assert_eq!(session(&["a", "b", "c"]), Some(hours(2)));
    let verdict = decided(&policy, &person("bob@example.com", &["a"]));
    assert_eq!((verdict.life(hours(24)), verdict.life(hours(1))), (hours(8), hours(1)));
}

/// What a scope implies counts only where the server has both.
#[test]
fn implied_scopes_are_the_server_s_own() {
    let rules = |list: &str| policy_of(vec![grant("all", Conditions::default(), list)], usual_hierarchy());
    let bob = person("bob@example.com", &[]);
    assert_eq!(decided(&rules("mcp:admin"), &bob).scopes.to_string(), "mcp:admin mcp:read mcp:write");
    let two = |first: &str, second: &str| Resource {
        scopes: [first, second].map(|scope| (scope.parse().unwrap(), String::new())).into(),
        ..resource()
    };
    let at = |policy: &Policy, server: &Resource| {
        policy.decide(Asked::new(&bob, &ClientId::new("c"), server)).scopes.to_string()
    };
    assert_eq!(at(&rules("mcp:admin"), &two("mcp:admin", "mcp:read")), "mcp:admin mcp:read");
    assert_eq!(at(&rules("mcp:admin"), &two("mcp:write", "mcp:read")), "", "it has no mcp:admin");
}

#[test]
fn the_claims_that_rules_ask_for_are_known() {
    let with = |paths: &[&str]| {
        let claims = paths.iter().map(|path| ((*path).to_owned(), vec!["x".to_owned()])).collect();
        grant("rule", Conditions { claims, ..Conditions::default() }, "mcp:read")
    };
    let policy = policy_of(vec![with(&["b.c", "a"]), with(&["a"])], Hierarchy::default());
    assert_eq!(policy.claim_paths(&upstream()).into_iter().collect::<Vec<_>>(), ["a", "b.c"]);
}

fn some(names: &'static [&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    proptest::sample::subsequence(names, 0..=names.len())
}

fn a_rule() -> impl Strategy<Value = Rule> {
    let when = (some(&["g1", "g2", "g3"]), some(&["r1", "r2"]), some(&["c", "d"]));
    let effect = (some(&["mcp:read", "mcp:write", "mcp:admin", "wiki:read"]), any::<bool>());
    (when, effect, proptest::option::of(1..100_u64)).prop_map(
        |((groups, roles, clients), (list, denies), session)| Rule {
            name: "rule".into(),
            when: Conditions {
                groups: groups.into_iter().map(Into::into).collect(),
                roles: roles.into_iter().map(Into::into).collect(),
                clients: clients.into_iter().map(ClientId::new).collect(),
                ..Conditions::default()
            },
            effect: if denies {
                Effect::Deny { reason: None }
            } else {
                let session = session.map(Duration::from_secs);
                Effect::Grant { scopes: scopes(&list.join(" ")), session }
            },
        },
    )
}

fn a_person() -> impl Strategy<Value = Identity> {
    (some(&["g1", "g2", "g3"]), some(&["r1", "r2"])).prop_map(|(groups, roles)| Identity {
        roles: roles.into_iter().map(Into::into).collect(),
        ..person("bob@example.com", &groups)
    })
}

proptest! {
    /// SEC-090: what holds for every policy. Nothing beyond the server's scopes; a deny rule that
    /// applies leaves nothing; without a rule nobody has more, unless it denies; losing a group
    /// or a role never gives more, unless a rule denies by it; a session is only ever shortened.
    #[test]
    fn sec_090_laws(rules in proptest::collection::vec(a_rule(), 0..6), bob in a_person(), out in 0..6_usize) {
        let whole = policy_of(rules.clone(), usual_hierarchy());
        let verdict = decided(&whole, &bob);
        prop_assert!(resource().scope_set().includes(&verdict.scopes));
        let denied = verdict.trace.iter().any(|o| o.applied && matches!(o.effect, Some(Effect::Deny { .. })));
        prop_assert!(!denied || verdict.scopes.is_empty());
        prop_assert_eq!(verdict.trace.len(), rules.len() + 1);

        if let Some(rule) = rules.get(out).filter(|rule| matches!(rule.effect, Effect::Grant { .. })) {
            let mut fewer = rules.clone();
            fewer.remove(out);
            let fewer = policy_of(fewer, usual_hierarchy());
            let without = decided(&fewer, &bob);
            prop_assert!(verdict.scopes.includes(&without.scopes), "{:?}", rule);
            let longest = Duration::from_secs(1000);
            prop_assert!(denied || verdict.life(longest) <= without.life(longest));
        }
        if !rules.iter().any(|rule| matches!(rule.effect, Effect::Deny { .. })) {
            let stranger = decided(&whole, &person("bob@example.com", &[])).scopes;
            prop_assert!(verdict.scopes.includes(&stranger));
        }
    }
}
