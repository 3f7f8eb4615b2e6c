//! `gatelodge explain`, as the program.

use std::fs;

use serde_json::{Value, json};

use crate::harness::program::program;
use crate::harness::temp_dir::TempDir;

const CONFIG: &str = "\
issuer: https://auth.example.com
store: redis://nowhere.example
secret: k7Qp-2mVx-9sLd-4tWz-8nRb-6yHc-1fGj
upstreams:
  - { id: okta, preset: okta, issuer: 'https://acme.okta.com', client_id: x, allowed_domains: [example.com] }
  - { id: google, preset: google, client_id: x, allowed_domains: [example.com] }
resources:
  - { url: 'https://mcp.example.com/mcp', name: T, scopes: { mcp:read: R, mcp:write: W, mcp:admin: A } }
  - { url: 'https://wiki.example.com/mcp', name: W, scopes: { wiki: W } }
  - url: https://api.example.com/mcp
    name: A
    scopes: { mcp:read: R, mcp:write: W, acme: A, globex: G }
    accepts: [access_token, api_key, partner, opaque, legacy, nightly]
    required_scopes: [mcp:read]
    tenants:
      acme: { upstream_url: 'http://acme:8000', required_scopes: acme }
      globex: { upstream_url: 'http://globex:8000', required_scopes: globex }
credentials:
  - { id: partner, type: jwt, issuer: 'https://partner.example', allowed_domains: [partner.example], required_scopes: [api], roles_claim: r.names }
  - { id: opaque, type: introspection, issuer: 'https://partner.example', client_id: x, client_secret: c4n4ry-1, scopes_from: token }
  - { id: legacy, type: remote, url: 'https://legacy.example/check', authorization: c4n4ry-2 }
  - { id: nightly, type: static, token: c4n4ry-3-0123456789-0123456789-0123456789, subject: nightly-report, scopes: [mcp:read, acme, wiki] }
access:
  default_scopes: [mcp:read]
  admin_users: [alice@example.com]
  admin_scopes: [mcp:admin]
  rules:
    - { groups: [platform], clients: [portal], scopes: [mcp:write], session: 12h }
    - { groups: [wiki], scopes: [wiki] }
    - { groups: [leavers], deny: true, reason: Goodbye. }
    - { upstreams: [partner, opaque, legacy], roles: [editor], scopes: [mcp:write, acme] }
";

struct Answer {
    code: Option<i32>,
    said: String,
    faults: String,
}

fn explain(claims: &str, words: &[&str]) -> Answer {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), CONFIG).unwrap();
    fs::write(folder.path().join("claims.json"), claims).unwrap();
    let mut command = program(folder.path());
    command.args(["explain", "--config", "g.yaml"]).args(words);
    if !claims.is_empty() {
        command.args(["--claims", "claims.json"]);
    }
    let ran = command.output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Answer { code: ran.status.code(), said: text(&ran.stdout), faults: text(&ran.stderr) }
}

const MCP: [&str; 4] = ["--upstream", "okta", "--resource", "https://mcp.example.com/mcp"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    MCP.iter().chain(more).copied().collect()
}

fn person(sub: &str, email: &str, groups: &[&str]) -> String {
    json!({ "iss": "https://acme.okta.com", "sub": sub, "email": email, "email_verified": true, "groups": groups })
        .to_string()
}

/// Every rule, why it applies or not, and what comes of it; no store and no network are asked.
#[test]
fn every_rule_is_told() {
    let bob = person("00u1", "bob@example.com", &["platform", "every\none\u{1b}[31m"]);
    let answer = explain(&bob, &MCP);
    assert_eq!(answer.code, Some(0), "{}", answer.faults);
    let said = &answer.said;
    for part in [
        "person     p_",
        "account    https://acme.okta.com|00u1",
        "email      bob@example.com",
        "domain     example.com",
        "groups     everyone[31m, platform",
        "  +        allowed_domains of okta: example.com is allowed",
        "  +        access.default_scopes: applies to everyone admitted → mcp:read",
        "  -        access.admin_users by address: email is bob@example.com, not alice@example.com",
        "  -        access.rules[0] (line 28): no client is named; asked: portal → mcp:write",
        "  -        access.rules[1] (line 29): group is not wiki → nothing on this server",
        "  -        access.rules[2] (line 30): group is not leavers → denies",
        "allowed    mcp:read\n",
        "granted    mcp:read\n",
        "session    90d",
    ] {
        assert!(said.contains(part), "{part:?} is missing from:\n{said}");
    }
    let with_client =
        explain(&bob, &with(&["--client", "portal", "--scope", "mcp:write mcp:admin nonsense"]));
    for part in [
        "  +        access.rules[0] (line 28): group is platform, client is portal → mcp:write",
        "allowed    mcp:read mcp:write\n",
        "asked      mcp:admin mcp:write\n",
        "granted    mcp:write\n",
        "session    12h\n",
    ] {
        assert!(with_client.said.contains(part), "{part:?} is missing from:\n{}", with_client.said);
    }
}

/// The hierarchy, the pin, and a denial.
#[test]
fn what_is_implied_pinned_and_denied_is_told() {
    let alice = explain(&person("1", "alice@example.com", &[]), &MCP).said;
    for part in [
        "implied    mcp:write\n",
        "allowed    mcp:admin mcp:read mcp:write\n",
        "pinned     alice@example.com",
    ] {
        assert!(alice.contains(part), "{part:?} is missing from:\n{alice}");
    }
    let gone = explain(&person("1", "alice@example.com", &["leavers"]), &MCP).said;
    for part in [
        "  !        access.rules[2] (line 30): group is leavers → denies",
        "granted    -\n",
        "refusal    Goodbye.",
    ] {
        assert!(gone.contains(part), "{part:?} is missing from:\n{gone}");
    }
}

/// SEC-053, IDP-google: the trust rule is the one of a sign-in.
#[test]
fn sec_053_idp_google_the_trust_rule_holds() {
    let unverified =
        json!({ "sub": "1", "email": "alice@example.com", "email_verified": "true" }).to_string();
    let said = explain(&unverified, &MCP).said;
    assert!(said.contains("email      - (none that is verified)"), "{said}");
    assert!(said.contains("refusal    the identity provider vouches for no organisation domain"), "{said}");
    let google = ["--upstream", "google", "--resource", "https://mcp.example.com/mcp", "--json"];
    let mut claims = json!({ "sub": "1", "email": "alice@example.com", "email_verified": true });
    let read = |claims: &Value| -> Value {
        let answer = explain(&claims.to_string(), &google);
        serde_json::from_str(&answer.said).unwrap_or_else(|_| panic!("{}", answer.faults))
    };
    assert_eq!(read(&claims)["granted"], "", "a consumer account on a corporate address");
    claims["hd"] = json!("example.com");
    let admin = read(&claims);
    assert_eq!(admin["granted"], "mcp:admin mcp:read mcp:write");
    assert_eq!(admin["pinned_address"], "alice@example.com");
    assert_eq!(admin["session_seconds"], 90 * 86_400);
    assert_eq!(
        admin["rules"][0],
        json!({
            "rule": "allowed_domains of google", "effect": "admit", "applied": true,
            "why": "example.com is allowed", "scopes": ""
        })
    );
    assert_eq!(admin["rules"].as_array().unwrap().len(), 7);
}

const API: [&str; 2] = ["--resource", "https://api.example.com/mcp"];

fn shown(credential: &str, claims: &Value) -> Answer {
    let claims = if claims.is_null() { String::new() } else { claims.to_string() };
    explain(&claims, &[&API[..], &["--credential", credential]].concat())
}

fn has(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(answer.said.contains(part), "{part:?} is missing from:\n{}{}", answer.said, answer.faults);
    }
    assert!(!answer.said.contains("c4n4ry") && !answer.faults.contains("c4n4ry"), "no secret");
}

/// The account of a token of others: the same trust, the same rules, and what the token itself bounds.
#[test]
fn what_the_account_of_a_foreign_token_gets_is_told() {
    let dave = json!({"iss": "https://partner.example", "aud": ["x", "https://API.example.com/mcp/"], "sub": "dave",
        "email": "dave@partner.example", "email_verified": true, "scope": "api", "exp": 1, "r": {"names": ["editor"]}});
    let answer = shown("partner", &dave);
    has(
        &answer,
        &[
            "person     p_",
            "account    https://partner.example|dave",
            "upstream   partner",
            "domain     partner.example",
            "roles      editor",
            "  +        allowed_domains of partner: partner.example is allowed",
            "  -        access.rules[0]",
            "  +        access.rules[3]",
            "granted    acme mcp:read mcp:write\n",
            "tenants    acme\n",
        ],
    );
    assert!(!answer.said.contains("session"), "it ends as it says itself: {}", answer.said);
    let plain = json!({"sub": "eve", "email": "alice@example.com", "email_verified": true, "scope": "api"});
    has(&shown("partner", &plain), &["refusal    the identity provider vouches for no organisation domain"]);
    let opaque = json!({"active": true, "sub": "carol", "roles": "editor", "scope": "mcp:write other"});
    has(
        &shown("opaque", &opaque),
        &["allowed    acme mcp:read mcp:write\n", "named      mcp:write other\n", "granted    mcp:write\n"],
    );
    let legacy = json!({"valid": true, "subject": "u-17", "claims": {"roles": ["editor"]}});
    has(
        &shown("legacy", &legacy),
        &["account    https://legacy.example/check|u-17", "granted    acme mcp:read mcp:write\n"],
    );
}

/// What stands in the configuration beside policy, and what a person's API key may do.
#[test]
fn what_other_credentials_get_is_told() {
    let nightly = shown("nightly", &Value::Null);
    has(
        &nightly,
        &[
            "person     nightly-report",
            "(it stands in the configuration",
            "granted    acme mcp:read\n",
            "tenants    acme\n",
        ],
    );
    let bob = person("00u1", "bob@example.com", &["platform"]);
    let key = [&API[..], &["--upstream", "okta", "--credential", "api_key", "--scope", "mcp:read mcp:write"]]
        .concat();
    let answer = explain(&bob, &key);
    has(
        &answer,
        &["person     p_", "asked      mcp:read mcp:write\n", "granted    mcp:read\n", "no client is named"],
    );
    assert!(!answer.said.contains("session"), "{}", answer.said);
}

/// SEC-143: what would be refused whatever policy says is refused here, too, and no claim is repeated.
#[test]
fn sec_143_what_no_rule_can_help_is_told() {
    let with = |name: &str, value: Value| {
        let mut claims =
            json!({"iss": "https://partner.example", "sub": "dave", "scope": "api", "name": "c4n4ry"});
        claims[name] = value;
        claims
    };
    for (claims, part) in [
        (with("iss", json!("https://evil.example")), "its iss is missing or is not what it must be"),
        (with("aud", json!("https://mcp.example.com/mcp")), "its aud is missing"),
        (with("sub", json!("")), "its subject is missing"),
        (with("scope", json!("other")), "lacks a scope of `required_scopes`"),
        (with("cnf", json!({})), "bound to a key"),
        (with("token_use", json!("id")), "no access token"),
        (Value::Null, "partner: what it says of its account is missing"),
    ] {
        let answer = shown("partner", &claims);
        assert_eq!((answer.code, answer.said.as_str()), (Some(1), ""), "{}", answer.faults);
        assert!(
            answer.faults.contains(part) && !answer.faults.contains("c4n4ry"),
            "{part}: {}",
            answer.faults
        );
    }
    let claims = with("email", Value::Null).to_string();
    for (words, part) in [
        (&["--credential", "partnr", API[0], API[1]][..], "no credential partnr"),
        (
            &["--credential", "partner", "--resource", "https://wiki.example.com/mcp"],
            "does not accept partner",
        ),
        (&["--credential", "partner", "--upstream", "okta", API[0], API[1]], "leave --upstream out"),
        (&["--credential", "api_key", API[0], API[1]], "say --upstream"),
    ] {
        let answer = explain(&claims, words);
        assert_eq!(answer.code, Some(1));
        assert!(
            answer.faults.contains(part) && !answer.faults.contains("c4n4ry"),
            "{part}: {}",
            answer.faults
        );
    }
    assert_eq!(explain("", &MCP).code, Some(2), "an upstream without claims");
}

/// What cannot be explained is said, with what there is; no claim is repeated.
#[test]
fn faults_are_told() {
    let good = person("1", "bob@example.com", &[]);
    for (claims, words, parts) in [
        (
            good.as_str(),
            ["--upstream", "otka", "--resource", "https://mcp.example.com/mcp"],
            ["no upstream otka", "okta, google"],
        ),
        (
            &good,
            ["--upstream", "okta", "--resource", "https://mcp.example.com"],
            ["no resource https://mcp.example.com", "https://wiki.example.com/mcp"],
        ),
        ("eyJhbGciOi.c4n4ry", MCP, ["claims.json: not a JSON object of claims", "payload of an ID token"]),
        (r#"["c4n4ry"]"#, MCP, ["claims.json: not a JSON object", "line 1"]),
        (r#"{ "email": "c4n4ry" }"#, MCP, ["is refused", "no sub"]),
        (
            r#"{ "sub": "1", "iss": "https://other.example" }"#,
            MCP,
            ["is refused", "issuer is https://acme.okta.com"],
        ),
    ] {
        let answer = explain(claims, &words);
        assert_eq!((answer.code, answer.said.as_str()), (Some(1), ""), "{}", answer.faults);
        for part in parts {
            assert!(answer.faults.contains(part), "{part:?} is missing from: {}", answer.faults);
        }
        assert!(!answer.faults.contains("c4n4ry"), "{}", answer.faults);
    }
    let missing = program(TempDir::new().path()).args(["explain", "--claims", "x"]).output().expect("runs");
    assert_eq!(missing.status.code(), Some(2));
}
