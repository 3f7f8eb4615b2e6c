//! `credentials`: every type takes its own keys, and none that would let too much in.

use gatelodge::config::{CredentialKind, ForeignConfig, ForeignWay};

use super::{ASKED, GOOD, good, only_fault, told};

/// [`GOOD`] with this credential, which the server accepts.
fn with(credential: &str) -> String {
    let accepting =
        GOOD.replacen("    name: Acme tools\n", "    name: Acme tools\n    accepts: [access_token, x]\n", 1);
    let lines = credential.replace('\n', "\n    ");
    format!("{accepting}credentials:\n  - id: x\n    {lines}\n{ASKED}")
}

/// Where the credential's first line stands.
const FIRST: u32 = 20;

const JWT: &str = "type: jwt\nissuer: https://idp.example\naudience: api";
const INTROSPECTION: &str =
    "type: introspection\nissuer: https://idp.example\naudience: api\nclient_id: us\nclient_secret: s";
const REMOTE: &str = "type: remote\nurl: https://checks.example/token";
const CLERK: &str = "type: clerk\nissuer: https://clerk.example\nauthorized_parties: https://app.example";

fn foreign(credential: &str) -> ForeignConfig {
    let config = good(&with(credential));
    let CredentialKind::Foreign(foreign) = config.credentials[0].kind.clone() else { panic!("{credential}") };
    *foreign
}

/// What holds where the file says nothing.
#[test]
fn what_a_foreign_credential_is_without_more_said() {
    let jwt = foreign(JWT);
    let ForeignWay::Jwt { jwks_url, jwks_refresh, algorithms, require_expiry, parties } = &jwt.way else {
        panic!("{jwt:?}")
    };
    assert_eq!((jwks_url, jwks_refresh.as_secs(), *require_expiry, parties), (&None, 3600, true, &None));
    assert_eq!(algorithms.join(" "), "ES256 ES384 RS256 RS384 RS512 PS256 EdDSA");
    assert_eq!(
        (jwt.audience, jwt.required_scopes, jwt.only_its_scopes),
        (vec!["api".to_owned()], vec![], false)
    );
    assert!(
        foreign(&JWT.replace("\naudience: api", "")).audience.is_empty(),
        "SEC-143: the server's own URL"
    );
    assert_eq!((jwt.clock_skew.as_secs(), jwt.max_age, jwt.timeout.as_secs()), (60, None, 5));
    let claims = [&jwt.subject_claim, &jwt.email_claim, &jwt.groups_claim, &jwt.roles_claim];
    assert_eq!(claims, ["sub", "email", "groups", "roles"]);
    assert!(!jwt.trust_email && jwt.allowed_domains.is_empty());
    for text in [INTROSPECTION, REMOTE] {
        let (ForeignWay::Introspection { asking, .. } | ForeignWay::Remote { asking, .. }) =
            foreign(text).way
        else {
            panic!("{text}")
        };
        assert_eq!((asking.cache.as_secs(), asking.most_calls.get()), (10, 600));
    }
    assert_eq!(foreign(REMOTE).issuer, "https://checks.example/token", "it speaks of accounts of its own");
    assert!(matches!(foreign(CLERK).way, ForeignWay::Jwt { parties: Some(_), require_expiry: true, .. }));
}

/// SEC-143, SEC-168: what would let in tokens that are for others does not start.
#[test]
fn sec_143_sec_168_a_foreign_credential_must_say_whose_tokens_count() {
    for (text, line, key, problem) in [
        (JWT.replace("api", "[]"), FIRST + 3, "audience", "is an empty list"),
        (JWT.replace("api", "''"), FIRST + 3, "audience", "is empty"),
        (
            CLERK.replace("\nauthorized_parties: https://app.example", ""),
            FIRST,
            "authorized_parties",
            "is missing",
        ),
        (
            CLERK.replace("https://app.example", "https://app.example/"),
            FIRST + 3,
            "authorized_parties",
            "is not an origin",
        ),
        (JWT.replace("\nissuer: https://idp.example", ""), FIRST, "issuer", "is missing"),
        (JWT.replace("https://idp", "http://idp"), FIRST + 2, "issuer", "is not an https URL"),
        (
            JWT.replace("https://idp.example", "https://u:p@idp.example"),
            FIRST + 2,
            "issuer",
            "is not an https URL",
        ),
        (JWT.replace("https://idp.example", "https://idp.example?x=1"), FIRST + 2, "issuer", "has a query"),
        (
            JWT.replace("https://idp.example", "https://auth.example.com"),
            FIRST + 2,
            "issuer",
            "is the broker itself",
        ),
        (REMOTE.replace("\nurl: https://checks.example/token", ""), FIRST, "url", "is missing"),
        (REMOTE.replace("https", "http"), FIRST + 2, "url", "is not an https URL"),
        (INTROSPECTION.replace("\nclient_secret: s", ""), FIRST, "client_secret", "is missing"),
        (INTROSPECTION.replace("\nclient_id: us", ""), FIRST, "client_id", "is missing"),
        (format!("{JWT}\nalgorithms: [RS256, HS256]"), FIRST + 4, "algorithms[1]", "is not known here"),
        (format!("{JWT}\nalgorithms: none"), FIRST + 4, "algorithms", "is not known here"),
        (format!("{JWT}\nrequire_expiry: false"), FIRST + 4, "require_expiry", "nothing else ends a token"),
        (format!("{JWT}\nclock_skew: 6m"), FIRST + 4, "clock_skew", "is out of range"),
        (format!("{JWT}\nsubject_claim: a..b"), FIRST + 4, "subject_claim", "is not a claim's name"),
        (format!("{JWT}\nscopes_from: both"), FIRST + 4, "scopes_from", "is not known here"),
        (format!("{REMOTE}\ncache: 2m"), FIRST + 3, "cache", "is out of range"),
        (format!("{REMOTE}\nmost_calls: 0"), FIRST + 3, "most_calls", "is not a number"),
        (format!("{INTROSPECTION}\nauth: none"), FIRST + 6, "auth", "is not known here"),
    ] {
        only_fault(&with(&text), line, &format!("credentials[0].{key}"), problem);
    }
    assert!(foreign(&format!("{JWT}\nrequire_expiry: false\nmax_age: 5m")).max_age.is_some());
}

/// A key that means nothing at a type is a fault, never ignored.
#[test]
fn every_type_takes_its_own_keys() {
    let nobody = "type: none\nscopes: [mcp:read]".to_owned();
    let here =
        |text: &str| with(text).replace("issuer: https://auth.example.com", "issuer: http://127.0.0.1:9400");
    for (text, key, value) in [
        (JWT, "url", "https://a.example"),
        (JWT, "cache", "1s"),
        (JWT, "token", "x"),
        (JWT, "scopes", "[mcp:read]"),
        (JWT, "authorized_parties", "https://app.example"),
        (INTROSPECTION, "jwks_url", "https://a.example"),
        (INTROSPECTION, "algorithms", "RS256"),
        (INTROSPECTION, "authorization", "x"),
        (REMOTE, "audience", "api"),
        (REMOTE, "subject_claim", "sub"),
        (REMOTE, "client_id", "x"),
        (CLERK, "require_expiry", "true"),
        (CLERK, "cache", "1s"),
        (nobody.as_str(), "subject", "x"),
        (nobody.as_str(), "issuer", "https://a.example"),
    ] {
        let text = here(&format!("{text}\n{key}: {value}"));
        let told = told(&text);
        let [only] = told.as_slice() else { panic!("{told:#?}") };
        assert!(only.contains(&format!("credentials[0].{key}: means nothing where `type` is")), "{only}");
    }
}

/// No credential at all only where nobody but this machine can come.
#[test]
fn nothing_is_enough_on_loopback_alone() {
    let nobody = with("type: none\nscopes: [mcp:read]");
    only_fault(&nobody, FIRST + 1, "credentials[0].type", "`issuer` is not on loopback");
    let here = nobody.replace("issuer: https://auth.example.com", "issuer: http://127.0.0.1:9400");
    assert!(matches!(good(&here).credentials[0].kind, CredentialKind::Nobody { .. }));
    for listen in ["0.0.0.0:9400", "'[::]:9400'", "192.0.2.1:9400"] {
        let open = format!("{here}listen: {listen}\n");
        only_fault(&open, FIRST + 1, "credentials[0].type", "`listen` is not on loopback");
    }
    only_fault(
        &here.replace("\n    scopes: [mcp:read]\n", "\n"),
        FIRST,
        "credentials[0]",
        "it allows nothing",
    );
}

/// Rules may name a credential where they name an upstream, and can only ask what it can tell.
#[test]
fn rules_may_be_about_foreign_credentials() {
    let rule = |more: &str, rule: &str| {
        let text = with(&format!("{JWT}{more}"));
        text.replacen(
            "  default_scopes: [mcp:read]\n",
            &format!("  default_scopes: [mcp:read]\n  rules:\n    - {rule}\n"),
            1,
        )
    };
    let domains = "\nallowed_domains: [partner.example]";
    for good_rule in [
        "{ upstreams: [x], groups: [a], scopes: [mcp:write] }",
        "{ upstreams: [x], subjects: 'https://idp.example|1', scopes: [mcp:write] }",
        "{ upstreams: [okta, x], domains: [partner.example], scopes: [mcp:write] }",
        "{ upstreams: [x], emails: [a@partner.example], scopes: [mcp:write] }",
    ] {
        let _ = good(&rule(domains, good_rule));
    }
    for (more, bad, problem) in [
        ("", "{ upstreams: [y], scopes: [mcp:write] }", "there is no upstream `y`"),
        ("", "{ upstreams: [x], domains: [partner.example], scopes: [mcp:write] }", "can never match"),
        (
            domains,
            "{ upstreams: [x], subjects: 'https://acme.okta.com|1', scopes: [mcp:write] }",
            "could never sign in",
        ),
    ] {
        let told = told(&rule(more, bad));
        assert!(told.len() == 1 && told[0].contains(problem), "{told:#?}");
    }
    // A static token is nobody's account.
    let text = rule("", "{ upstreams: [x], scopes: [mcp:write] }");
    let text = text.replace(
        "type: jwt\n    issuer: https://idp.example\n    audience: api",
        "type: static\n    token: ${SECRET}\n    subject: job\n    scopes: [mcp:read]",
    );
    assert!(told(&text)[0].contains("there is no upstream `x`"));
}

/// What is decided about no request is a fault, and not ignored.
#[test]
fn what_nobody_asks_about_has_no_effect() {
    for (key, written) in [
        ("accepts", "accepts: [access_token]"),
        ("required_scopes", "required_scopes: [mcp:read]"),
        ("limits", "limits: { per_address: 10 }"),
    ] {
        let text =
            GOOD.replacen("    name: Acme tools\n", &format!("    name: Acme tools\n    {written}\n"), 1);
        let problem = "has an effect only where we decide about requests";
        only_fault(&text, 13, &format!("resources[0].{key}"), problem);
        good(&format!("{text}{ASKED}"));
        good(&text.replacen(written, &format!("{written}\n    upstream_url: http://notes:9000/mcp"), 1));
    }
}

/// SEC-054: an account is known by one name. SEC-156: whom a server is told of fits in a header.
#[test]
fn sec_054_sec_156_whom_a_credential_stands_for() {
    let ours = JWT.replace("https://idp.example", "https://acme.okta.com");
    good(&with(&ours));
    let named = format!("{ours}\nsubject_claim: preferred_username");
    only_fault(&with(&named), FIRST + 4, "credentials[0].subject_claim", "known by `sub`");
    good(&with(&format!("{JWT}\nsubject_claim: preferred_username")));
    let token = "type: static\ntoken: 0123456789-0123456789-0123456789-xyz\nscopes: mcp:read";
    good(&with(&format!("{token}\nsubject: nightly job")));
    only_fault(
        &with(&format!("{token}\nsubject: nächtlich")),
        FIRST + 4,
        "credentials[0].subject",
        "fits in no header",
    );
}
