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
    for unknown in ["entra", "auth0", "github", "Google"] {
        let faults = bad(&with("preset: okta", &format!("preset: {unknown}")));
        assert_eq!((faults.list[0].line, faults.list[0].path.as_str()), (5, "upstreams[0].preset"));
        assert!(faults.list[0].instead.starts_with("write one of google, okta, keycloak, clerk, oidc"));
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
