//! Several tenants behind one protected server.

use gatelodge::domain::TenantName;

use super::{GOOD, bad, good};

/// A server whose resource has these lines more.
fn server(lines: &str) -> String {
    let own = "  - url: https://mcp.example.com/mcp\n    name: Acme tools\n    scopes:\n      mcp:read: R\n      \
               mcp:write: W\n      tenant:acme: A\n      tenant:globex: G\n";
    let lines: Vec<String> = lines.lines().map(|line| format!("    {line}")).collect();
    let lines = lines.join("\n");
    let (before, _) = GOOD.split_once("resources:\n").expect("a list");
    format!("{before}resources:\n{own}{lines}\naccess:\n  default_scopes: [mcp:read]\n")
}

const TENANTS: &str = "tenants:\n  acme: { upstream_url: http://acme:8000/mcp, required_scopes: tenant:acme }\n  \
                       Globex-2: { upstream_url: http://globex:8000, required_scopes: [tenant:globex, mcp:write] }\n";

#[test]
fn tenants_have_servers_and_scopes() {
    let config = good(&server(&format!("required_scopes: mcp:read\n{TENANTS}")));
    let resource = &config.resources[0];
    let forwarding = resource.forwarding.as_ref().expect("it is passed on");
    let tenants = forwarding.tenants.as_ref().expect("tenants");
    assert_eq!((forwarding.to.as_ref(), tenants.is_optional), (None, false));
    assert_eq!(tenants.header, "x-tenant-id");
    let globex = tenants.find(&TenantName::parse("Globex-2").unwrap()).expect("it is there");
    assert_eq!(globex.to.as_str(), "http://globex:8000/");
    assert_eq!(globex.needed.to_string(), "mcp:write tenant:globex");
    assert!(tenants.find(&TenantName::parse("globex-2").unwrap()).is_none(), "capitals count");
    assert_eq!(resource.everyday_scopes.to_string(), "mcp:read", "what tenants need is not asked for first");
    let named =
        format!("everyday_scopes: tenant:acme\ntenant_header: Tenant\nupstream_url: http://s:9\n{TENANTS}");
    let config = good(&server(&named));
    let tenants =
        config.resources[0].forwarding.as_ref().and_then(|to| to.tenants.as_ref()).expect("tenants");
    assert!(tenants.is_optional && tenants.header == "tenant");
    assert_eq!(config.resources[0].everyday_scopes.to_string(), "tenant:acme");
}

/// SEC-168: nothing is silently ignored, and nobody chooses a tenant whom no scope keeps from it.
#[test]
fn sec_168_faults_of_tenants() {
    let of_one = |inner: &str| format!("tenants: {{ acme: {{ {inner} }} }}");
    let to = "upstream_url: 'http://acme:8000'";
    for (lines, path, problem) in [
        ("tenant_header: X-Tenant-ID".to_owned(), "tenant_header", "only where requests are passed on"),
        ("upstream_url: http://s:9\ntenant_header: X-T".to_owned(), "tenant_header", "only with tenants"),
        ("tenants: {}".to_owned(), "tenants", "names no tenant"),
        (of_one(to), "tenants.acme.required_scopes", "is missing"),
        (of_one(&format!("{to}, required_scopes: []")), "tenants.acme.required_scopes", "empty list"),
        (
            of_one(&format!("{to}, required_scopes: other")),
            "tenants.acme.required_scopes",
            "no scope of this",
        ),
        (of_one("required_scopes: 'tenant:acme'"), "tenants.acme.upstream_url", "is missing"),
        (
            of_one("upstream_url: 's:9', required_scopes: 'tenant:acme'"),
            "tenants.acme.upstream_url",
            "no URL",
        ),
        (of_one(&format!("{to}, url: x")), "tenants.acme.url", "no such key"),
        (
            of_one("upstream_url: 'https://mcp.example.com/x', required_scopes: 'tenant:acme'"),
            "tenants.acme.upstream_url",
            "leads back here",
        ),
        (TENANTS.replace("acme:", "\"a b\":"), "tenants.a b", "cannot be a tenant's name"),
        (TENANTS.replace("Globex-2:", "ACME:"), "tenants.ACME", "differs in capitals only"),
        (TENANTS.replace("globex:8000", "acme:8000"), "tenants.Globex-2.upstream_url", "past its rules"),
        (
            format!("upstream_url: http://acme:8000/mcp/x\n{TENANTS}"),
            "tenants.acme.upstream_url",
            "past its rules",
        ),
        (format!("upstream_url: http://acme:8000\n{TENANTS}"), "upstream_url", "past its rules"),
        (
            format!("identity: jwt\nidentity_header: X-T\ntenant_header: X-T\n{TENANTS}"),
            "tenant_header",
            "who asks is told there",
        ),
    ] {
        let faults = bad(&server(&lines));
        let found = faults.list.iter().any(|fault| {
            fault.path.ends_with(&format!("resources[0].{path}")) && fault.problem.contains(problem)
        });
        assert!(found, "{lines}: {faults}");
    }
    // The same server may be several tenants': it is told whose request it is.
    good(&server(&TENANTS.replace("globex:8000", "acme:8000/mcp")));
}

/// No header that means something else on the way.
#[test]
fn sec_168_the_header_of_tenants_is_nobody_else_s() {
    let with = |name: &str| server(&format!("tenant_header: \"{name}\"\n{TENANTS}"));
    for name in ["X-Tenant-ID", "x-org", "Tenant", "Acme-Tenant-Id"] {
        good(&with(name));
    }
    for name in [
        "Authorization",
        "Host",
        "Cookie",
        "Connection",
        "Content-Type",
        "Origin",
        "Mcp-Session-Id",
        "Mcp-Tenant",
        "X-Auth-Tenant",
        "X-Forwarded-Host",
        "X-Original-URL",
        "X-API-Key",
        "X-Real-IP",
        "X-HTTP-Method-Override",
        "X_Tenant",
        "X-Tenant_ID",
        "Sec-Tenant",
        "Proxy-Tenant",
        "Access-Control-Tenant",
        "X-Request-Id",
        "X-T:",
        "x t",
    ] {
        let faults = bad(&with(name)).to_string();
        assert!(faults.contains("is no header for this"), "{name}: {faults}");
    }
}
