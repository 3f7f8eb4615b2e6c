//! Who may do what: everything named exists, and every rule can hold.

use std::time::Duration;

use gatelodge::domain::{Conditions, Effect};
use gatelodge::protocol::ScopeSet;

use super::{GOOD, good, only_fault, told, with};

/// [`GOOD`] with another `access`, whose first line is 17.
fn access(lines: &str) -> String {
    with("  default_scopes: [mcp:read]\n", lines)
}

/// Two more upstreams and one more server.
fn bigger(lines: &str) -> String {
    access(lines)
        .replace(
            "resources:\n",
            "  - { id: google, preset: google, client_id: x, allowed_domains: [example.org] }\nresources:\n",
        )
        .replace(
            "access:\n",
            "  - { url: 'https://wiki.example.com', name: W, scopes: { wiki: W } }\naccess:\n",
        )
}

/// Nobody could ever get anything.
#[test]
fn somebody_must_be_able_to_get_a_scope() {
    only_fault(&access("  contact: it@example.com\n"), 17, "access", "nobody could ever get any scope");
    only_fault(&access("  rules: []\n"), 17, "access", "nobody could ever get any scope");
    let without = GOOD.split("access:").next().unwrap();
    only_fault(without, 1, "access", "nobody could ever get any scope");
}

/// Every scope exists, and the near one is named.
#[test]
fn unknown_scopes_are_faults() {
    only_fault(
        &access("  default_scopes: mcp:raed\n"),
        17,
        "access.default_scopes",
        "no resource has the scope `mcp:raed`",
    );
    let admin = access("  admin_users: a@example.com\n  admin_scopes:\n    - mcp:read\n    - nope\n");
    only_fault(&admin, 20, "access.admin_scopes[1]", "no resource has the scope `nope`");
    let rule = access("  rules: [{ groups: g, scopes: nope }]\n");
    only_fault(&rule, 17, "access.rules[0].scopes", "no resource has the scope `nope`");
    let other =
        bigger("  rules:\n    - resources: https://wiki.example.com\n      scopes: [wiki, mcp:read]\n");
    only_fault(
        &other,
        21,
        "access.rules[0].scopes[1]",
        "the rule's resources do not have the scope `mcp:read`",
    );
}

/// Admins and what they get come together, and an admin can sign in.
#[test]
fn admins() {
    only_fault(
        &access("  admin_users: [a@example.com]\n"),
        17,
        "access.admin_users",
        "they would get nothing",
    );
    let scopes = access("  default_scopes: mcp:read\n  admin_scopes: [mcp:write]\n");
    only_fault(&scopes, 18, "access.admin_scopes", "nobody would get them");
    let admins = |list: &str| access(&format!("  admin_scopes: mcp:write\n  admin_users: {list}\n"));
    only_fault(
        &admins("[a@example.com, bob]"),
        18,
        "access.admin_users[1]",
        "`bob` is not a plain email address",
    );
    only_fault(&admins("[a@example.net]"), 18, "access.admin_users[0]", "could never sign in");
    // An upstream without a list may let in any domain.
    let open = admins("[a@example.net]").replace("    allowed_domains: [example.com]\n", "");
    assert_eq!(good(&open).access.admin_emails[0].to_string(), "a@example.net");
    let account = good(&admins("['https://acme.okta.com|00u1|x', a@example.com]")).access;
    assert_eq!((account.admin_emails.len(), account.admin_accounts[0].subject.as_str()), (1, "00u1|x"));
    let foreign = admins("['https://other.example|1']");
    only_fault(&foreign, 18, "access.admin_users[0]", "no upstream has this issuer");
    only_fault(&admins("[a@example.com, a@EXAMPLE.com]"), 18, "access.admin_users[1]", "given twice");
}

/// A rule names what exists, has a condition, and grants something.
#[test]
fn rules_name_what_exists() {
    let rule = |text: &str| access(&format!("  rules:\n    - {text}\n"));
    only_fault(
        &rule("{ upstreams: otka, scopes: mcp:read }"),
        18,
        "access.rules[0].upstreams",
        "no upstream `otka`",
    );
    only_fault(
        &rule("{ resources: 'https://other.example', scopes: mcp:read }"),
        18,
        "access.rules[0].resources",
        "no resource `https://other.example`",
    );
    only_fault(&rule("{ scopes: mcp:read }"), 18, "access.rules[0]", "no condition");
    only_fault(&rule("{ groups: g }"), 18, "access.rules[0].scopes", "would grant nothing");
    only_fault(&rule("{ groups: [], scopes: mcp:read }"), 18, "access.rules[0].groups", "is an empty list");
    only_fault(
        &rule("{ domains: '@a', scopes: mcp:read }"),
        18,
        "access.rules[0].domains",
        "not a domain name",
    );
    only_fault(&rule("{ rolls: g, scopes: mcp:read }"), 18, "access.rules[0].rolls", "no such key");
}

/// A rule that can never match is a fault.
#[test]
fn rules_that_never_match() {
    let rule = |text: &str| bigger(&format!("  rules:\n    - {text}\n"));
    let domain = "the rule can never match `example.org`";
    only_fault(
        &rule("{ upstreams: okta, domains: example.org, scopes: wiki }"),
        20,
        "access.rules[0].domains",
        domain,
    );
    good(&rule("{ upstreams: google, domains: example.org, scopes: wiki }"));
    good(&rule("{ domains: example.org, scopes: wiki }"));
    let nowhere = rule("{ domains: [example.org, example.net], scopes: wiki }");
    only_fault(&nowhere, 20, "access.rules[0].domains[1]", "the rule can never match `example.net`");
    // IDP-google: Google's ID tokens hold no groups.
    let groups = rule("{ upstreams: google, groups: g, scopes: wiki }");
    only_fault(&groups, 20, "access.rules[0].groups", "Google's sign-in tells no groups");
}

/// A rule arrives as it was written, single values and lists alike, and knows its line.
#[test]
fn rules_arrive() {
    let text = bigger(
        "  rules:\n    - groups: platform\n      scopes: mcp:write\n      session: 8h\n    - upstreams: [okta]\n      domains: [example.com]\n      emails: bob@example.com\n      subjects: https://acme.okta.com|1\n      roles: [a, b]\n      claims:\n        org.unit: [x, 'y']\n        https://example.com/roles: z\n      clients: c\n      resources: [https://wiki.example.com/]\n      deny: true\n      reason: Not here.\n",
    );
    let rules = good(&text).access.rules;
    assert_eq!(rules[0].name, "access.rules[0] (line 20)");
    assert_eq!(rules[0].when, Conditions { groups: vec!["platform".into()], ..Conditions::default() });
    let session = Some(Duration::from_secs(8 * 3600));
    assert_eq!(rules[0].effect, Effect::Grant { scopes: ScopeSet::parse_lenient("mcp:write"), session });
    assert_eq!(rules[1].name, "access.rules[1] (line 23)");
    let when = &rules[1].when;
    assert_eq!(when.upstreams[0].as_str(), "okta");
    assert_eq!(when.domains[0].as_str(), "example.com");
    assert_eq!(when.emails[0].to_string(), "bob@example.com");
    assert_eq!(when.subjects[0].to_string(), "https://acme.okta.com|1");
    assert_eq!(when.roles, ["a", "b"]);
    assert_eq!(when.claims["org.unit"], ["x", "y"]);
    assert_eq!(when.claims["https://example.com/roles"], ["z"]);
    assert_eq!(when.clients[0].as_str(), "c");
    assert_eq!(when.resources.len(), 1);
    assert_eq!(rules[1].effect, Effect::Deny { reason: Some("Not here.".into()) });
    let not_denying = bigger("  rules: [{ groups: g, scopes: wiki, deny: false }]\n");
    assert!(matches!(good(&not_denying).access.rules[0].effect, Effect::Grant { session: None, .. }));
}

/// What each condition refuses, with its line.
#[test]
fn conditions_that_cannot_hold() {
    let rule = |text: &str| bigger(&format!("  rules:\n    - {text}\n"));
    for (text, path, problem) in [
        ("{ emails: bob, scopes: wiki }", "emails", "`bob` is not a plain email address"),
        ("{ emails: b@example.net, scopes: wiki }", "emails", "the rule can never match `b@example.net`"),
        ("{ upstreams: okta, emails: [b@example.org], scopes: wiki }", "emails[0]", "can never match"),
        ("{ domains: example.com, emails: b@example.org, scopes: wiki }", "emails", "its domains are others"),
        ("{ subjects: 00u1, scopes: wiki }", "subjects", "`00u1` is not issuer|subject"),
        ("{ subjects: 'https://x.example|1', scopes: wiki }", "subjects", "no upstream has this issuer"),
        (
            "{ upstreams: google, subjects: 'https://acme.okta.com|1', scopes: wiki }",
            "subjects",
            "no upstream has",
        ),
        ("{ upstreams: google, roles: r, scopes: wiki }", "roles", "Google's sign-in tells no roles"),
        ("{ groups: [g, h, g], scopes: wiki }", "groups[2]", "`g` is given twice"),
        ("{ groups: g, scopes: [wiki, wiki] }", "scopes[1]", "`wiki` is given twice"),
        ("{ roles: [], scopes: wiki }", "roles", "is an empty list"),
        ("{ claims: {}, scopes: wiki }", "claims", "names no claim"),
        ("{ claims: { a: [] }, scopes: wiki }", "claims.a", "is an empty list"),
        ("{ claims: { a..b: x }, scopes: wiki }", "claims.a..b", "is not a claim's name or path"),
        ("{ claims: { a: true }, scopes: wiki }", "claims.a", "is read as a number or boolean"),
        ("{ claims: { a: { b: c } }, scopes: wiki }", "claims.a", "is a mapping"),
        ("{ claims: [a], scopes: wiki }", "claims", "is a list"),
        ("{ claims: { a: [x, x] }, scopes: wiki }", "claims.a[1]", "given twice"),
        ("{ claims: { email: b@example.com }, scopes: wiki }", "claims.email", "must not decide by itself"),
        ("{ claims: { upn: b@example.com }, scopes: wiki }", "claims.upn", "must not decide by itself"),
        ("{ claims: { sub: '1' }, scopes: wiki }", "claims.sub", "must not decide by itself"),
    ] {
        only_fault(&rule(text), 20, &format!("access.rules[0].{path}"), problem);
    }
    good(&rule("{ clients: anything, scopes: wiki }"));
    let closed = |id: &str| {
        let clients = "clients: [{ id: known, name: K, redirect_uris: [https://k.example/cb] }]\n";
        let rule = rule(&format!("{{ clients: {id}, scopes: wiki }}"));
        format!("{rule}{clients}registration: {{ open: false }}\n")
    };
    good(&closed("known"));
    only_fault(&closed("unknown"), 20, "access.rules[0].clients", "no client has this id");
    let by_url = closed("https://app.example/client.json");
    good(&by_url);
    let no_urls = format!("{by_url}client_documents: {{ enabled: false }}\n");
    only_fault(&no_urls, 20, "access.rules[0].clients", "no client has this id");
}

/// What an effect refuses: a denial that grants, a session that cannot be, a rule said twice.
#[test]
fn effects() {
    let rule = |text: &str| access(&format!("  default_scopes: mcp:read\n  rules:\n    - {text}\n"));
    good(&rule("{ groups: g, deny: true }"));
    for (text, path, problem) in [
        ("{ groups: g, deny: true, scopes: mcp:read }", ".scopes", "a rule that denies grants nothing"),
        ("{ groups: g, deny: true, session: 1h }", ".session", "a rule that denies grants nothing"),
        ("{ groups: g, deny: maybe }", ".deny", "`maybe` is not known here"),
        ("{ groups: g, deny: true, reason: '' }", ".reason", "is empty"),
        ("{ groups: g, scopes: mcp:read, reason: x }", ".reason", "only a rule with `deny: true` shows it"),
        ("{ deny: true }", "", "no condition"),
        ("{ domains: example.net, deny: true }", ".domains", "can never match"),
        ("{ groups: g, deny: false }", ".scopes", "would grant nothing"),
        ("{ groups: g, scopes: mcp:read, session: 91d }", ".session", "longer than tokens.refresh_absolute"),
        ("{ groups: g, scopes: mcp:read, session: 10s }", ".session", "out of range"),
        ("{ groups: g, scopes: mcp:read, session: soon }", ".session", "is not a duration"),
    ] {
        only_fault(&rule(text), 19, &format!("access.rules[0]{path}"), problem);
    }
    let longer = rule("{ groups: g, scopes: mcp:read, session: 91d }");
    good(&format!("{longer}tokens: {{ refresh_absolute: 100d }}\n"));
    let twice = rule("{ groups: g, scopes: mcp:read }\n    - { groups: [g], scopes: [mcp:read] }");
    only_fault(&twice, 20, "access.rules[1]", "says the same as access.rules[0] (line 19)");
    let denials = access("  rules: [{ groups: g, deny: true }]\n");
    only_fault(&denials, 17, "access", "nobody could ever get any scope");
}

/// Which scope implies which: known scopes, no circles, an effect; and what holds unsaid.
#[test]
fn hierarchies() {
    let with = |lines: &str| bigger(&format!("  default_scopes: mcp:read\n  scope_hierarchy:{lines}\n"));
    let steps = |text: &str| {
        let steps = good(text).access.scope_hierarchy;
        steps.into_iter().map(|(from, to)| format!("{from} > {to}")).collect::<Vec<_>>()
    };
    assert_eq!(steps(&bigger("  default_scopes: wiki\n")), ["mcp:admin > mcp:write", "mcp:write > mcp:read"]);
    assert!(steps(&with(" {}")).is_empty());
    assert_eq!(steps(&with(" { mcp:write: [mcp:read] }")), ["mcp:write > mcp:read"]);
    let path = "access.scope_hierarchy";
    for (lines, line, place, problem) in [
        (" mcp:write", 20, String::new(), "is a single value"),
        ("\n    mcp:wrote: mcp:read", 21, ".mcp:wrote".into(), "no resource has the scope `mcp:wrote`"),
        ("\n    mcp:write: [mcp:raed]", 21, ".mcp:write[0]".into(), "no resource has the scope `mcp:raed`"),
        ("\n    mcp:write: []", 21, ".mcp:write".into(), "is an empty list"),
        ("\n    mcp:write: mcp:write", 21, ".mcp:write".into(), "would imply itself"),
        (
            "\n    mcp:read: mcp:write\n    mcp:write: mcp:read",
            21,
            ".mcp:read".into(),
            "`mcp:read` would imply itself, by way of mcp:write",
        ),
        ("\n    mcp:write: mcp:read\n    mcp:read: wiki", 22, ".mcp:read".into(), "no resource has both"),
        ("\n    mcp:write: [mcp:read, mcp:read]", 21, ".mcp:write[1]".into(), "given twice"),
    ] {
        only_fault(&with(lines), line, &format!("{path}{place}"), problem);
    }
}

/// What depends on a faulty upstream or server is not reported on top of it.
#[test]
fn one_mistake_is_one_fault() {
    let text = access("  rules: [{ upstreams: okta, groups: g, scopes: mcp:read }]\n");
    assert_eq!(told(&text.replace("    client_id: gatelodge\n", "")).len(), 1);
    assert_eq!(told(&text.replace("url: https://mcp.example.com/mcp", "url: nope")).len(), 1);
}
