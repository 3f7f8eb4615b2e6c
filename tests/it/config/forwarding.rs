//! How requests are passed on to a protected server.

use std::time::Duration;

use gatelodge::domain::IdentityForm;

use super::{bad, good, with};

const URL: &str = "  - url: https://mcp.example.com/mcp\n";

fn lines(lines: &str) -> String {
    let indented: Vec<String> = lines.lines().map(|line| format!("    {line}")).collect();
    with(URL, &format!("{URL}{}\n", indented.join("\n")))
}

#[test]
fn a_server_of_its_own_address_has_the_usual_limits() {
    let config = good(&lines("upstream_url: http://10.0.0.5:9000/mcp"));
    let forwarding = config.resources[0].forwarding.clone().expect("it is passed on");
    assert_eq!(forwarding.to.as_ref().map(url::Url::as_str), Some("http://10.0.0.5:9000/mcp"));
    assert_eq!(
        (forwarding.timeout, forwarding.stream_idle),
        (Duration::from_secs(60), Duration::from_secs(3600))
    );
    assert_eq!(forwarding.streams.get(), 100);
    assert_eq!((forwarding.body_limit, forwarding.forward_credential), (4 * 1024 * 1024, false));
    assert_eq!(forwarding.identity, IdentityForm::Headers);
    assert!(forwarding.tools.is_empty());
    assert!(good(super::GOOD).resources[0].forwarding.is_none());
}

#[test]
fn everything_can_be_said() {
    let config = good(&lines(
        "upstream_url: https://notes.internal/\nupstream_timeout: 5m\nstream_idle: 1d\nstreams: 7\nbody_limit: 64KiB\n\
         identity: jwt\nidentity_header: Authorization\ntools: { \"delete_*\": mcp:write, x: [mcp:read, mcp:write] }",
    ));
    let forwarding = config.resources[0].forwarding.clone().expect("it is passed on");
    assert_eq!(
        (forwarding.timeout, forwarding.stream_idle),
        (Duration::from_secs(300), Duration::from_secs(86400))
    );
    assert_eq!((forwarding.body_limit, forwarding.streams.get()), (65536, 7));
    assert_eq!(forwarding.identity, IdentityForm::Jwt(http::header::AUTHORIZATION));
    assert_eq!(forwarding.tools.needed("delete_all").to_string(), "mcp:write");
    assert_eq!(forwarding.tools.needed("x").to_string(), "mcp:read mcp:write");
}

/// SEC-168: nothing is silently ignored, and nothing leads where nobody means it to.
#[test]
fn sec_168_what_cannot_be_meant_is_refused() {
    let to = "upstream_url: http://10.0.0.5:9000/mcp\n";
    for (text, key, problem) in [
        ("upstream_url: 10.0.0.5:9000".to_owned(), "upstream_url", "no URL of a server"),
        ("upstream_url: ftp://a.example".to_owned(), "upstream_url", "no URL of a server"),
        ("upstream_url: http://u:p@a.example".to_owned(), "upstream_url", "no URL of a server"),
        ("upstream_url: http://a.example/?x=1".to_owned(), "upstream_url", "no URL of a server"),
        ("upstream_url: https://auth.example.com/x".to_owned(), "upstream_url", "leads back here"),
        ("upstream_url: https://mcp.example.com/mcp".to_owned(), "upstream_url", "leads back here"),
        ("body_limit: 1MiB".to_owned(), "body_limit", "only where requests are passed on"),
        ("tools: { x: mcp:read }".to_owned(), "tools", "only where requests are passed on"),
        ("identity: none".to_owned(), "identity", "only where requests are passed on"),
        (format!("{to}body_limit: 5000"), "body_limit", "no size"),
        (format!("{to}body_limit: 1GiB"), "body_limit", "no size"),
        (format!("{to}body_limit: 65MiB"), "body_limit", "no size"),
        ("streams: 7".to_owned(), "streams", "only where requests are passed on"),
        (format!("{to}streams: 0"), "streams", "is not a number"),
        (format!("{to}upstream_timeout: 2h"), "upstream_timeout", "out of range"),
        (format!("{to}stream_idle: 1s"), "stream_idle", "out of range"),
        (format!("{to}identity: header"), "identity", "not known"),
        (format!("{to}identity_header: X-Me"), "identity_header", "only with a jwt"),
        (format!("{to}identity: jwt\nidentity_header: X-Auth-User"), "identity_header", "no header for this"),
        (format!("{to}identity: jwt\nidentity_header: Host"), "identity_header", "no header for this"),
        (
            format!("{to}identity: jwt\nidentity_header: Authorization\nforward_credential: true"),
            "identity_header",
            "the client's credential goes there",
        ),
        (format!("{to}tools: {{}}"), "tools", "names no tool"),
        (format!("{to}tools: {{ x: mcp:admin }}"), "tools.x", "is no scope of this server"),
        (format!("{to}tools: {{ x: [] }}"), "tools.x", "empty list"),
    ] {
        let faults = bad(&lines(&text));
        let found = faults.list.iter().any(|fault| {
            fault.path.ends_with(&format!("resources[0].{key}")) && fault.problem.contains(problem)
        });
        assert!(found, "{text}: {faults}");
    }
}

/// What only the broker answers stays with it.
#[test]
fn sec_168_a_server_takes_nothing_of_the_broker_s_own_place() {
    let at = |issuer: &str, url: &str| {
        let text = lines("upstream_url: http://10.0.0.5:9000/mcp");
        text.replace("https://auth.example.com", issuer).replace("https://mcp.example.com/mcp", url)
    };
    let issuer = "https://auth.example.com";
    for path in ["/mcp", "/notes/oauth", "/oauthx"] {
        good(&at(issuer, &format!("{issuer}{path}")));
    }
    for path in ["", "/", "/oauth", "/oauth/mcp", "/.well-known/x", "/token", "/verify/mcp", "/admin/api"] {
        assert!(
            bad(&at(issuer, &format!("{issuer}{path}"))).to_string().contains("the broker itself"),
            "{path}"
        );
    }
    let deep = "https://auth.example.com/a/b";
    good(&at(deep, &format!("{issuer}/mcp")));
    good(&at(deep, &format!("{deep}/mcp")));
    for path in ["/a", "/a/b", "/a/b/oauth", "/oauth"] {
        assert!(
            bad(&at(deep, &format!("{issuer}{path}"))).to_string().contains("the broker itself"),
            "{path}"
        );
    }
    good(&at(issuer, "https://other.example.com"));
}

/// SEC-157: no server leads to another one, past that one's rules.
#[test]
fn sec_157_one_server_is_not_below_another() {
    let two = |first: &str, second: &str| {
        let more = format!(
            "  - url: https://wiki.example.com/mcp\n    name: Wiki\n    scopes: {{ wiki:read: Read }}\n    \
             upstream_url: {second}\n"
        );
        lines(&format!("upstream_url: {first}")).replacen("access:\n", &format!("{more}access:\n"), 1)
    };
    for (first, second) in [
        ("http://s:9/notes", "http://s:9/wiki"),
        ("http://s:9/wik", "http://s:9/wiki"),
        ("http://s:9/mcp", "http://s:9/mcp/"),
        ("http://s:9/", "http://t:9/wiki"),
    ] {
        good(&two(first, second));
    }
    for (first, second) in [
        ("http://s:9", "http://s:9/wiki"),
        ("http://s:9/a/", "http://s:9/a/b"),
        ("http://s:9/a/b", "http://s:9/a"),
    ] {
        let faults = bad(&two(first, second)).to_string();
        assert!(faults.contains("past its rules"), "{first} {second}: {faults}");
    }
}
