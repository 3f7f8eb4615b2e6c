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
access:
  default_scopes: [mcp:read]
  admin_users: [alice@example.com]
  admin_scopes: [mcp:admin]
  rules:
    - { groups: [platform], clients: [portal], scopes: [mcp:write], session: 12h }
    - { groups: [wiki], scopes: [wiki] }
    - { groups: [leavers], deny: true, reason: Goodbye. }
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
    command.args(["explain", "--config", "g.yaml", "--claims", "claims.json"]).args(words);
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
        "  -        access.rules[0] (line 15): no client is named; asked: portal → mcp:write",
        "  -        access.rules[1] (line 16): group is not wiki → nothing on this server",
        "  -        access.rules[2] (line 17): group is not leavers → denies",
        "allowed    mcp:read\n",
        "granted    mcp:read\n",
        "session    90d",
    ] {
        assert!(said.contains(part), "{part:?} is missing from:\n{said}");
    }
    let with_client =
        explain(&bob, &with(&["--client", "portal", "--scope", "mcp:write mcp:admin nonsense"]));
    for part in [
        "  +        access.rules[0] (line 15): group is platform, client is portal → mcp:write",
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
        "  !        access.rules[2] (line 17): group is leavers → denies",
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
    assert_eq!(admin["rules"].as_array().unwrap().len(), 6);
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
