//! How faults are told; YAML; unknown keys; variables.

use super::{GOOD, bad, env, good, only_fault, plus, told, with};

/// The smallest file has no fault, and the defaults are what is documented.
#[test]
fn defaults_hold_where_the_file_says_nothing() {
    let config = good(GOOD);
    assert_eq!(config.listen.to_string(), "127.0.0.1:9400");
    assert!(config.registration.open && config.clients.is_empty() && config.allowed_hosts.is_empty());
    let seconds = [
        config.tokens.access_lifetime,
        config.tokens.refresh_idle,
        config.tokens.refresh_absolute,
        config.tokens.refresh_grace,
        config.tokens.code_lifetime,
        config.tokens.login_lifetime,
        config.registration.unused_lifetime,
    ]
    .map(|lifetime| lifetime.as_secs());
    assert_eq!(seconds, [1800, 30 * 86400, 90 * 86400, 120, 60, 600, 30 * 86400]);
    let (idle, absolute) = config.browser_sessions.ends.unwrap();
    assert_eq!((idle.as_secs(), absolute.as_secs()), (3600, 12 * 3600));
    assert_eq!(config.browser_sessions.remember_consent.as_secs(), 90 * 86400);
    assert_eq!(config.upstreams[0].name, "Okta");
    assert_eq!(config.upstreams[0].scopes, ["openid", "email", "profile"]);
    assert_eq!(config.upstreams[0].groups_claim, "groups");
    assert_eq!(config.signing.algorithm.as_str(), "ES256");
    assert_eq!(config.logs.level, "info");
}

/// SEC-168: every fault at once, each with file, line, column, path, problem and cure.
#[test]
fn sec_168_all_faults_are_told_at_once_in_the_order_of_lines() {
    let text = "\
issuer: http://auth.example.com
listne: 0.0.0.0:9400
secret: short
store: memory
upstreams:
  - id: Okta
    preset: octa
    client_id: x
resources:
  - url: ''
    name: x
    scopes: { 'a b': x }
access:
  account_key: email
  default_scopes: [nope]
tokens: { code_lifetime: 5m }
";
    let faults = bad(text);
    let places: Vec<(u32, &str)> = faults.list.iter().map(|f| (f.line, f.path.as_str())).collect();
    assert_eq!(
        places,
        [
            (1, "issuer"),
            (2, "listne"),
            (3, "secret"),
            (6, "upstreams[0].issuer"),
            (6, "upstreams[0].id"),
            (7, "upstreams[0].preset"),
            (10, "resources[0].url"),
            (12, "resources[0].scopes.a b"),
            (14, "access.account_key"),
            (16, "tokens.code_lifetime"),
        ]
    );
    let shown = faults.to_string();
    assert!(shown.starts_with("test.yaml:1:9: issuer: `http://auth.example.com` must be https"), "{shown}");
    assert!(
        shown.contains("test.yaml:2:1: listne: there is no such key\n    did you mean `listen`?"),
        "{shown}"
    );
    assert!(
        shown.contains("test.yaml:16:26: tokens.code_lifetime: `5m` is out of range\n    write 1s to 60s")
    );
}

/// SEC-168: an unknown key is refused wherever it stands, and the near one is named.
#[test]
fn sec_168_unknown_keys_are_refused() {
    for (text, line, path, instead) in [
        (
            plus("tokens: { acess_lifetime: 5m }\n"),
            18,
            "tokens.acess_lifetime",
            "did you mean `access_lifetime`?",
        ),
        (
            with("    name: Acme", "    title: x\n    name: Acme"),
            12,
            "resources[0].title",
            "the keys here are: ",
        ),
        (
            with("    client_id", "    clientid: x\n    client_id"),
            7,
            "upstreams[0].clientid",
            "did you mean `client_id`?",
        ),
        (plus("x-anchors: {}\n"), 18, "x-anchors", "the keys here are: "),
    ] {
        let faults = bad(&text);
        let [only] = faults.list.as_slice() else { panic!("{faults}") };
        assert_eq!((only.line, only.path.as_str()), (line, path));
        assert!(only.instead.starts_with(instead), "{only:?}");
    }
}

/// SEC-168, SEC-054: an email is never the account key, and the file cannot say otherwise.
#[test]
fn sec_168_email_as_account_key_is_refused_with_the_reason() {
    let faults = bad(&with("    client_id", "    account_key: email\n    client_id"));
    assert_eq!((faults.list[0].line, faults.list[0].path.as_str()), (7, "upstreams[0].account_key"));
    assert!(faults.list[0].instead.contains("issuer and subject"));
}

/// What is no YAML, or says a thing twice, is told with its line.
#[test]
fn yaml_faults_have_a_line() {
    only_fault(&plus("issuer: https://b.example\n"), 18, "", "`issuer` is given twice");
    only_fault("issuer: [\n", 1, "", "not valid YAML");
    only_fault(&plus("---\nissuer: x\n"), 19, "", "a second document");
    only_fault("", 1, "", "the file is empty");
    only_fault("- a\n", 1, "", "not a mapping");
    only_fault(&plus("logs: { level: *nope }\n"), 18, "", "no anchor");
}

/// A value of the wrong kind is told with what belongs there; a key without a value is no default.
#[test]
fn wrong_kinds_are_told() {
    assert!(
        told(&with("    name: Acme tools", "    name: [a]"))[0]
            .starts_with("12 resources[0].name: is a list")
    );
    assert!(told(&plus("tokens: 5m\n"))[0].starts_with("18 tokens: is a single value"));
    assert!(told(&plus("tokens:\n"))[0].starts_with("18 tokens: has no value"));
    only_fault(&plus("signing: { algorithm: }\n"), 18, "signing.algorithm", "has no value");
    only_fault(
        &with("  default_scopes: [mcp:read]", "  default_scopes: []"),
        17,
        "access.default_scopes",
        "empty list",
    );
    let number = with("  default_scopes: [mcp:read]", "  rules: [{ groups: 007, scopes: mcp:read }]");
    only_fault(&number, 17, "access.rules[0].groups", "is read as a number");
}

/// Plain and quoted scalars, and scalars of any type, take variables alike.
#[test]
fn variables_work_alike_in_every_scalar() {
    for written in
        ["${DOMAIN}", "'${DOMAIN}'", "\"${DOMAIN}\"", "${NONE:-example.com}", "'${NONE:-example.com}'"]
    {
        let config = good(&with("allowed_domains: [example.com]", &format!("allowed_domains: {written}")));
        assert_eq!(config.upstreams[0].allowed_domains[0].as_str(), "example.com", "{written}");
    }
    assert!(good(&plus("registration: { open: '${TRUE}' }\n")).registration.open);
    assert!(good(&plus("registration:\n  open: ${TRUE}\n")).registration.open);
    assert!(!good(&plus("registration: { open: false }\n")).registration.open);
}

/// An unset variable is a fault that names it and its line, plain or quoted; so is an empty one.
#[test]
fn an_unset_variable_is_named_with_its_line() {
    for written in ["${NONE}", "'${NONE}'", "\"${NONE}\""] {
        let text = with("client_id: gatelodge", &format!("client_id: {written}"));
        only_fault(&text, 7, "upstreams[0].client_id", "environment variable NONE is not set");
    }
    let hint = with("client_id: gatelodge", "client_id: ${NONE:?ask the platform team}");
    only_fault(&hint, 7, "upstreams[0].client_id", "NONE is not set: ask the platform team");
    only_fault(&with("client_id: gatelodge", "client_id: ${EMPTY}"), 7, "upstreams[0].client_id", "is empty");
    only_fault(&with("client_id: gatelodge", "client_id: ${NO"), 7, "upstreams[0].client_id", "`${` begins");
}

/// A value that looks like YAML stays a value.
#[test]
fn a_variable_cannot_change_the_structure() {
    let hostile = |name: &str| match name {
        "ID" => Some("x\nissuer: https://evil.example".to_owned()),
        other => env(other),
    };
    let config =
        gatelodge::config::parse(&with("client_id: gatelodge", "client_id: ${ID}"), "t", &hostile).unwrap();
    assert_eq!(config.issuer.as_str(), "https://auth.example.com");
    assert_eq!(config.upstreams[0].client_id, "x\nissuer: https://evil.example");
}

/// Numbers keep the spelling of the file.
#[test]
fn scalars_are_read_as_written() {
    let config = good(&with("client_secret: from-okta", "client_secret: 0012.50"));
    assert_eq!(config.upstreams[0].client_secret.as_ref().unwrap().expose(), "0012.50");
}

/// A file that is not there is a fault and not a panic.
#[test]
fn a_missing_file_is_told() {
    let faults =
        gatelodge::config::load(std::path::Path::new("/nonexistent/gatelodge.yaml"), &env).unwrap_err();
    assert!(
        faults.to_string().starts_with("/nonexistent/gatelodge.yaml:1:1: the file cannot be read"),
        "{faults}"
    );
}
