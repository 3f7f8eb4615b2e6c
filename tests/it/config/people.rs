//! Identity providers and protected servers.

use gatelodge::config::Preset;

use super::{bad, good, only_fault, plus, told, with};

const OKTA: &str = "    issuer: https://acme.okta.com";

/// There must be an upstream.
#[test]
fn no_upstream_is_a_fault() {
    let without = |list: &str| {
        format!(
            "issuer: https://a.example\nstore: memory\n{list}resources: [{{ url: 'https://m.example', name: M, scopes: {{ r: R }} }}]\naccess: {{ default_scopes: r }}\n"
        )
    };
    only_fault(&without(""), 1, "upstreams", "there is nobody to sign in with");
    only_fault(&without("upstreams: []\n"), 1, "upstreams", "there is nobody to sign in with");
}

/// SEC-143: no resource, or one without a URL, would be an empty audience.
#[test]
fn sec_143_an_empty_audience_does_not_start() {
    let text = with("  - url: https://mcp.example.com/mcp\n    name", "  - name");
    only_fault(&text, 11, "resources[0].url", "is missing");
    for (url, problem) in [
        ("''", "is empty"),
        ("' '", "is empty"),
        ("${EMPTY}", "is empty"),
        ("/mcp", "is not an absolute"),
        ("https://*.example.com/mcp", "without wildcard"),
        ("https://mcp.example.com/#x", "must have no fragment"),
    ] {
        let text = with("  - url: https://mcp.example.com/mcp", &format!("  - url: {url}"));
        only_fault(&text, 11, "resources[0].url", problem);
    }
    let none = "issuer: https://a.example\nstore: memory\nupstreams: [{ id: o, preset: okta, issuer: 'https://o.example', client_id: x }]\nresources: []\naccess: { contact: me }\n";
    let told = told(none);
    assert!(told.iter().any(|fault| fault.contains("resources: there is nothing to protect")), "{told:?}");
}

/// Presets: the label and issuer that come with them, and the list when the word is unknown.
#[test]
fn presets() {
    let google = with(OKTA, "    name: Work").replace("preset: okta", "preset: google");
    let google = good(&google);
    assert_eq!(google.upstreams[0].preset, Preset::Google);
    assert_eq!(google.upstreams[0].issuer, "https://accounts.google.com");
    assert_eq!(google.upstreams[0].name, "Work");
    assert_eq!(good(&with("preset: okta", "preset: oidc")).upstreams[0].name, "okta");
    for unknown in ["azure", "cognito", "gitlab", "Google"] {
        let faults = bad(&with("preset: okta", &format!("preset: {unknown}")));
        assert_eq!((faults.list[0].line, faults.list[0].path.as_str()), (5, "upstreams[0].preset"));
        let words = "write one of google, okta, keycloak, clerk, entra, auth0, github, oidc";
        assert!(faults.list[0].instead.starts_with(words), "{}", faults.list[0].instead);
    }
    only_fault(&with("    preset: okta\n", ""), 4, "upstreams[0].preset", "is missing");
}

/// IDP-google, IDP-clerk: where anyone can have an account, domains are required.
#[test]
fn google_and_clerk_need_allowed_domains() {
    for preset in ["google", "clerk"] {
        let issuer =
            if preset == "google" { "https://accounts.google.com" } else { "https://clerk.example.com" };
        let text = with("    allowed_domains: [example.com]\n", "")
            .replace("preset: okta", &format!("preset: {preset}"))
            .replace("https://acme.okta.com", issuer);
        only_fault(&text, 4, "upstreams[0].allowed_domains", "account could sign in");
    }
    assert!(good(&with("    allowed_domains: [example.com]\n", "")).upstreams[0].allowed_domains.is_empty());
}

/// One upstream in place of Okta's; its lines begin on line 6.
fn upstream(preset: &str, lines: &str) -> String {
    let text = with("preset: okta", &format!("preset: {preset}"));
    let usual = format!(
        "{OKTA}\n    client_id: gatelodge\n    client_secret: from-okta\n    allowed_domains: [example.com]\n"
    );
    assert!(text.contains(&usual));
    text.replace(&usual, &format!("    client_id: gatelodge\n    client_secret: x\n{lines}"))
}

const TENANT: &str = "8f14e45f-ceea-467f-9575-0a1b2c3d4e5f";

/// IDP-entra: many tenants behind one issuer need a list; a single tenant's issuer is its own.
#[test]
fn idp_entra_tenants() {
    let issuer = |tenant: &str| format!("    issuer: https://login.microsoftonline.com/{tenant}/v2.0\n");
    let listed = format!("    tenants: [{}]\n", TENANT.to_uppercase());
    let shared = good(&upstream("entra", &format!("{}{listed}", issuer("common"))));
    assert_eq!(shared.upstreams[0].tenants, [TENANT]);
    assert_eq!(shared.upstreams[0].name, "Microsoft Entra");
    assert!(good(&upstream("entra", &issuer(TENANT))).upstreams[0].tenants.is_empty());
    for tenant in ["common", "organizations"] {
        only_fault(&upstream("entra", &issuer(tenant)), 4, "upstreams[0].tenants", "any organisation");
    }
    let both = upstream("entra", &format!("{}{listed}", issuer(TENANT)));
    only_fault(&both, 9, "upstreams[0].tenants", "the issuer is one tenant's");
    for tenant in ["acme.onmicrosoft.com", "consumers", &TENANT.to_uppercase()] {
        only_fault(&upstream("entra", &issuer(tenant)), 8, "upstreams[0].issuer", "is not of the form");
    }
    let domain = upstream("entra", &format!("{}    tenants: [acme.com]\n", issuer("common")));
    only_fault(&domain, 9, "upstreams[0].tenants[0]", "is not a tenant's id");
}

/// IDP-github: organisations are required, domains mean nothing; Enterprise has its own API.
#[test]
fn idp_github_settings() {
    let github = good(&upstream("github", "    organizations: [acme]\n"));
    let github = &github.upstreams[0];
    assert_eq!((github.issuer.as_str(), github.api_url.as_deref()), ("https://github.com", None));
    assert_eq!(github.scopes, ["read:user", "user:email", "read:org"]);
    let own = good(&upstream("github", "    issuer: https://git.example.com\n    organizations: [acme]\n"));
    assert_eq!(own.upstreams[0].api_url.as_deref(), Some("https://git.example.com/api/v3"));
    only_fault(&upstream("github", ""), 4, "upstreams[0].organizations", "anyone with a GitHub account");
    let domains = upstream("github", "    organizations: [acme]\n    allowed_domains: [example.com]\n");
    only_fault(&domains, 9, "upstreams[0].allowed_domains", "means nothing at GitHub");
}

/// A key that a product does not have is a fault, not a wish.
#[test]
fn keys_of_other_products() {
    for (preset, line, key) in [
        ("okta", "organizations: [a]", "organizations"),
        ("oidc", "tenants: [8f14e45f-ceea-467f-9575-0a1b2c3d4e5f]", "tenants"),
        ("okta", "idp_hint: saml", "idp_hint"),
        ("okta", "email_verified_as_text: true", "email_verified_as_text"),
        ("keycloak", "api_url: https://api.example.com", "api_url"),
        ("auth0", "tenants: [8f14e45f-ceea-467f-9575-0a1b2c3d4e5f]", "tenants"),
    ] {
        let text = upstream(preset, &format!("    issuer: https://i.example\n    {line}\n"));
        only_fault(&text, 9, &format!("upstreams[0].{key}"), "means nothing at");
    }
    let http = upstream("github", "    organizations: [a]\n    api_url: http://api.example.com\n");
    only_fault(&http, 9, "upstreams[0].api_url", "is not an https URL");
    let clerk = good(&upstream("clerk", "    issuer: https://c.example\n    organizations: [org_1]\n"));
    assert!(clerk.upstreams[0].scopes.contains(&"user:org:read".to_owned()));
    let roles =
        good(&upstream("keycloak", "    issuer: https://k.example\n    roles_claim: realm_access.roles\n"));
    assert_eq!(roles.upstreams[0].roles_claim.as_deref(), Some("realm_access.roles"));
}

/// An upstream's issuer is https, or anything on loopback; Google's is Google.
#[test]
fn upstream_issuers() {
    for (issuer, problem) in [
        ("http://acme.okta.com", "is not https"),
        ("https://acme.okta.com?x", "is not an issuer URL"),
        ("https://u:p@acme.okta.com", "is not an issuer URL"),
        ("acme.okta.com", "is not an issuer URL"),
    ] {
        only_fault(&with(OKTA, &format!("    issuer: {issuer}")), 6, "upstreams[0].issuer", problem);
    }
    only_fault(&with(&format!("{OKTA}\n"), ""), 4, "upstreams[0].issuer", "is missing");
    only_fault(&with("preset: okta", "preset: google"), 6, "upstreams[0].issuer", "is not Google");
    // Byte for byte: Auth0's has a trailing slash.
    assert_eq!(good(&with(OKTA, "    issuer: https://a.example/")).upstreams[0].issuer, "https://a.example/");
    assert_eq!(good(&with(OKTA, "    issuer: http://127.0.0.1:1")).upstreams[0].issuer, "http://127.0.0.1:1");
}

/// The rest of an upstream's keys.
#[test]
fn upstream_values() {
    only_fault(&with("id: okta", "id: Okta/1"), 4, "upstreams[0].id", "cannot stand in a URL's path");
    only_fault(&with("    client_id: gatelodge\n", ""), 4, "upstreams[0].client_id", "is missing");
    for domain in ["'*.example.com'", "'@example.com'", "example", "example.com."] {
        let text = with("[example.com]", &format!("[{domain}]"));
        only_fault(&text, 9, "upstreams[0].allowed_domains[0]", "is not a domain name");
    }
    let scopes = |list: &str| with("    client_id", &format!("    scopes: {list}\n    client_id"));
    only_fault(&scopes("[email]"), 7, "upstreams[0].scopes", "`openid` is not among them");
    only_fault(&scopes("openid email"), 7, "upstreams[0].scopes", "is not a scope");
    let claim = |text: &str| with("    client_id", &format!("    groups_claim: {text}\n    client_id"));
    only_fault(&claim("a..b"), 7, "upstreams[0].groups_claim", "is not a claim's name");
    assert_eq!(good(&claim("realm_access.roles")).upstreams[0].groups_claim, "realm_access.roles");
}

/// Two of a kind.
#[test]
fn twins() {
    let second = |id: &str, name: &str| {
        with(
            "resources:",
            &format!(
                "  - {{ id: {id}, name: {name}, preset: oidc, issuer: 'https://i.example', client_id: x }}\nresources:"
            ),
        )
    };
    only_fault(&second("okta", "B"), 10, "upstreams[1].id", "another upstream has this id");
    only_fault(&second("b", "Okta"), 10, "upstreams[1].name", "same label");
    let resource = |url: &str, more: &str| {
        with("access:", &format!("  - {{ url: '{url}', name: B, scopes: {{ b: B }}{more} }}\naccess:"))
    };
    let same = resource("HTTPS://MCP.example.com:443/mcp/", "");
    only_fault(&same, 16, "resources[1].url", "another resource has this URL");
    let default = resource("https://b.example", ", default: true")
        .replace("    name: Acme", "    default: true\n    name: Acme");
    only_fault(&default, 17, "resources[1].default", "another resource is the default");
}

/// Scopes keep the order of the file, and each says what it means.
#[test]
fn resource_scopes() {
    let order = good(&with(
        "      mcp:read: Read documents\n",
        "      z: Last\n      mcp:read: Read\n      a: First\n",
    ));
    let names: Vec<&str> = order.resources[0].scopes.iter().map(|(scope, _)| scope.as_str()).collect();
    assert_eq!(names, ["z", "mcp:read", "a", "mcp:write"]);
    assert_eq!(order.resources[0].scopes[1].1, "Read");
    for (scope, path, problem) in [
        ("offline_access: x", "offline_access", "a word of OAuth itself"),
        ("'a b': x", "a b", "is not a scope"),
        ("a: ''", "a", "is empty"),
        ("a:", "a", "has no value"),
        ("'${NONE}': x", "${NONE}", "NONE is not set"),
        ("'${NONE:-mcp:write}': x", "${NONE:-mcp:write}", "given twice"),
    ] {
        let text =
            with("      mcp:write: Change documents\n", &format!("      mcp:write: Change\n      {scope}\n"));
        only_fault(&text, 16, &format!("resources[0].scopes.{path}"), problem);
    }
    let none = plus("").replace(
        "    scopes:\n      mcp:read: Read documents\n      mcp:write: Change documents\n",
        "    scopes: {}\n",
    );
    only_fault(&none, 13, "resources[0].scopes", "no scopes");
}

/// Facts are asked for again unless the operator does not want it; bounds without effect are a fault.
#[test]
fn how_facts_are_asked_for_again() {
    let seconds = |text: &str| {
        let recheck = good(text).upstreams[0].recheck;
        recheck.map(|recheck| (recheck.after.as_secs(), recheck.outage_tolerance.as_secs()))
    };
    assert_eq!(seconds(&with(OKTA, OKTA)), Some((60, 86_400)));
    let more = |lines: &str| with(OKTA, &format!("{OKTA}\n{lines}"));
    assert_eq!(
        seconds(&more("    recheck: true\n    recheck_after: 0s\n    outage_tolerance: 30d")),
        Some((0, 2_592_000))
    );
    assert_eq!(seconds(&more("    recheck: false")), None);
    assert_eq!(seconds(&more("    recheck: ${TRUE}")), Some((60, 86_400)));
    only_fault(&more("    recheck: maybe"), 7, "upstreams[0].recheck", "is not known here");
    only_fault(&more("    recheck_after: 25h"), 7, "upstreams[0].recheck_after", "is out of range");
    only_fault(&more("    outage_tolerance: 31d"), 7, "upstreams[0].outage_tolerance", "is out of range");
    for key in ["recheck_after", "outage_tolerance"] {
        let text = more(&format!("    recheck: false\n    {key}: 5m"));
        only_fault(&text, 8, &format!("upstreams[0].{key}"), "means nothing where `recheck` is false");
    }
}
