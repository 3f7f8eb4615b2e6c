//! `gatelodge api-keys`, in place of a broker on the embedded store.

use gatelodge::clock::{Clock as _, SystemClock};
use gatelodge::domain::{Grant, GrantId};
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::store::{EmbeddedStore, Store as _};
use serde_json::Value;

use crate::harness::program::{GOOD, program};
use crate::harness::sample::grant;
use crate::harness::temp_dir::TempDir;

const SECRET: &str = "k7Qp-2mVx-9sLd-4tWz-8nRb-6yHc-1fGj";

fn config() -> String {
    let accepts = GOOD
        .replace("scopes: { mcp:read: R } }", "scopes: { mcp:read: R, mcp:write: W }, accepts: [api_key] }");
    assert_ne!(accepts, GOOD);
    format!(
        "{accepts}store: ./state.db\nsecret: {SECRET}\ntrusted_proxies: [127.0.0.1]\nforward_auth: true\n"
    )
}

/// A store in which somebody has signed in at the provider of [`GOOD`]; who that is, and their account.
async fn signed_in(folder: &TempDir) -> (String, String) {
    std::fs::write(folder.path().join("g.yaml"), config()).expect("a file");
    let now = SystemClock.now();
    let mut opened: Grant = grant();
    opened.identity.upstream = gatelodge::domain::UpstreamId::parse("idp").unwrap();
    opened.identity.issuer = "https://idp.example".into();
    opened.identity.email = None;
    opened.identity.authenticated_at = now;
    let minute = std::time::Duration::from_secs(60);
    let person = opened.identity.person();
    let opened = Grant {
        id: GrantId::generate(&person),
        created_at: now,
        expires_at: now.plus(minute),
        ends_at: now.plus(minute),
        ..opened
    };
    let sealer = MasterSecret::new(Secret::new(SECRET.into())).expect("a secret").sealer();
    let store = EmbeddedStore::open(&folder.path().join("state.db"), sealer).expect("a store");
    store.open_grant(&opened, now).await.expect("a grant");
    (person.to_string(), format!("https://idp.example|{}", opened.identity.subject))
}

fn api_keys(folder: &TempDir, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = program(folder.path());
    let output =
        command.arg("api-keys").args(arguments).args(["--config", "g.yaml"]).output().expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn json(folder: &TempDir, arguments: &[&str]) -> Value {
    let (code, said) = api_keys(folder, &[arguments, &["--json"]].concat());
    assert_eq!(code, Some(0), "{arguments:?}: {said}");
    serde_json::from_str(&said).expect("JSON")
}

/// SEC-148: made, shown once, listed with its history, and revoked for ever.
#[tokio::test]
async fn sec_148_keys_are_made_listed_and_revoked_by_command() {
    let folder = TempDir::new();
    let (person, account) = signed_in(&folder).await;
    let of = |owner: &str| {
        ["create", "--owner", owner, "--name", "ci", "--resource", "https://mcp.example.com/mcp"]
            .map(str::to_owned)
    };
    let create = |owner: &str, more: &[&str]| {
        let all: Vec<String> = of(owner).into_iter().chain(more.iter().map(ToString::to_string)).collect();
        all
    };
    let run = |arguments: &[String]| {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        api_keys(&folder, &arguments)
    };
    let (code, said) = run(&create(&person, &["--scope", "read", "--expires", "never"]));
    assert!(
        code == Some(0) && said.contains("not shown again") && said.contains("expires    never"),
        "{said}"
    );
    let text = said.lines().find(|line| line.starts_with("glk_")).expect("a key").to_owned();
    let arguments = create(&account, &["--scope", "mcp:read"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let second = json(&folder, &arguments);
    assert!(second["key"].as_str().unwrap().starts_with("glk_") && second["owner"] == person.as_str());

    let (_, listed) = api_keys(&folder, &["list", "--owner", &person]);
    assert!(!listed.contains(&text) && listed.contains("last used  not yet"), "{listed}");
    let id = second["id"].as_str().unwrap();
    for _ in 0..2 {
        assert_eq!(api_keys(&folder, &["revoke", id]), (Some(0), format!("revoked {id}\n")));
    }
    let listed = json(&folder, &["list", "--owner", &account]);
    let states: Vec<&Value> = listed.as_array().unwrap().iter().map(|key| &key["state"]).collect();
    assert_eq!(states.iter().filter(|state| **state == "active").count(), 1, "{listed}");
    assert!(listed.as_array().unwrap().iter().any(|key| key["id"] == id && key["revoked_at"].is_string()));

    let (code, said) = run(&create(&person, &["--scope", "write"]));
    assert!(code == Some(1) && said.contains("beyond that: mcp:write"), "{said}");
    let stranger = "https://idp.example|nobody";
    let (code, said) = run(&create(stranger, &["--scope", "read"]));
    assert!(code == Some(1) && said.contains("must sign in once first"), "{said}");
    let (code, said) = run(&create("carol@example.com", &["--scope", "read"]));
    assert!(code == Some(1) && said.contains("only those of admin_users"), "{said}");
    assert_eq!(run(&create("carol", &["--scope", "read"])).0, Some(2));
    assert_eq!(run(&create(&person, &["--scope", "read", "--expires", "2d"])).0, Some(2));
    let (code, said) = api_keys(&folder, &["revoke", "0000000000000000000"]);
    assert!(code == Some(1) && said.contains("no such key"), "{said}");
    assert_eq!(api_keys(&folder, &["revoke", "x"]).0, Some(2));
}
