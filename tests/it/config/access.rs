//! Who may do what: everything named exists, and every rule can hold.

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
    assert_eq!(good(&open).access.admin_users[0].to_string(), "a@example.net");
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
    only_fault(&rule("{ roles: g, scopes: mcp:read }"), 18, "access.rules[0].roles", "no such key");
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
        "  rules:\n    - groups: platform\n      scopes: mcp:write\n    - upstreams: [okta]\n      domains: [example.com]\n      resources: [https://wiki.example.com/]\n      scopes: [wiki]\n",
    );
    let rules = good(&text).access.rules;
    assert_eq!((rules[0].line, rules[1].line), (20, 22));
    assert_eq!(rules[0].groups, ["platform"]);
    assert_eq!(rules[0].scopes.to_string(), "mcp:write");
    assert!(rules[0].upstreams.is_empty() && rules[0].domains.is_empty() && rules[0].resources.is_empty());
    assert_eq!(rules[1].upstreams[0].as_str(), "okta");
    assert_eq!(rules[1].domains[0].as_str(), "example.com");
    assert_eq!(rules[1].resources.len(), 1);
}

/// What depends on a faulty upstream or server is not reported on top of it.
#[test]
fn one_mistake_is_one_fault() {
    let text = access("  rules: [{ upstreams: okta, groups: g, scopes: mcp:read }]\n");
    assert_eq!(told(&text.replace("    client_id: gatelodge\n", "")).len(), 1);
    assert_eq!(told(&text.replace("url: https://mcp.example.com/mcp", "url: nope")).len(), 1);
}
