//! API keys, and the HTTP API for them.

use gatelodge::domain::Accepted;

use super::{ASKED, good, only_fault, plus, with};

/// [`super::GOOD`] with a server that accepts keys, and more.
fn accepting(more: &str) -> String {
    let accepts =
        with("    name: Acme tools\n", "    name: Acme tools\n    accepts: [api_key, access_token]\n");
    format!("{accepts}{more}{ASKED}")
}

/// SEC-150: keys are accepted where that is written, under a scheme that means nothing else.
#[test]
fn sec_150_keys_are_accepted_where_it_is_written() {
    assert_eq!(good(&plus("")).resources[0].accepts, [Accepted::AccessToken]);
    let config = good(&accepting("api_keys: { scheme: trustgrid-token }\n"));
    assert_eq!(config.resources[0].accepts, [Accepted::ApiKey, Accepted::AccessToken]);
    assert_eq!(config.api_key_scheme.as_deref(), Some("trustgrid-token"));
    assert_eq!(good(&accepting("")).api_key_scheme, None);
    for (scheme, problem) in [
        ("bearer", "meaning of its own"),
        ("Basic", "meaning of its own"),
        ("DPOP", "meaning of its own"),
        ("'two words'", "no name of a scheme"),
        ("'a:b'", "no name of a scheme"),
        ("ä", "no name of a scheme"),
        ("''", "empty"),
    ] {
        only_fault(
            &accepting(&format!("api_keys: {{ scheme: {scheme} }}\n")),
            19,
            "api_keys.scheme",
            problem,
        );
    }
    only_fault(&plus("api_keys: { scheme: x }\n"), 18, "api_keys.scheme", "no resource accepts API keys");
    let named = accepting(
        "credentials:\n  - { id: api_key, type: static, token: x, subject: s, scopes: [mcp:read] }\n",
    );
    assert!(super::told(&named).iter().any(|told| told.contains("is no such name")));
}

/// The API is a server beside the others, and takes nothing of theirs.
#[test]
fn the_api_is_one_more_server() {
    assert_eq!(good(&plus("")).admin_api, None);
    let config = good(&plus("admin_api: true\n"));
    let [tools, api] = config.resources.as_slice() else { panic!("{:?}", config.resources) };
    assert!(tools.default && !api.default);
    assert_eq!(api.url.as_str(), "https://auth.example.com/admin/api");
    assert_eq!((Some(&api.url), &api.accepts), (config.admin_api.as_ref(), &vec![Accepted::AccessToken]));
    let granted = with("default_scopes: [mcp:read]", "default_scopes: [mcp:read, 'gatelodge:keys']");
    assert_eq!(
        good(&format!("{granted}admin_api: true\n")).access.default_scopes.to_string(),
        "gatelodge:keys mcp:read"
    );
    only_fault(&granted, 17, "access.default_scopes[1]", "no resource has the scope");
    let taken = "      'gatelodge:admin': Ours\n";
    let scopes =
        with("      mcp:write: Change documents\n", &format!("      mcp:write: Change documents\n{taken}"));
    only_fault(&format!("{scopes}admin_api: true\n"), 19, "admin_api", "has the URL or a scope of this API");
    let same = with("https://mcp.example.com/mcp", "https://auth.example.com/admin/api/");
    only_fault(&format!("{same}admin_api: true\n"), 18, "admin_api", "has the URL or a scope of this API");
}
