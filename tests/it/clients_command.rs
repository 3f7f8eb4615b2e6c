//! `gatelodge clients`, as a program beside a broker on Redis and in place of one on the embedded store.

use std::fs;

use gatelodge::clock::{Clock as _, SystemClock};
use gatelodge::domain::Application;
use gatelodge::secret::MasterSecret;
use gatelodge::store::{ClientBook as _, RedisStore};
use serde_json::Value;

use crate::harness::program::{GOOD, Serving, program};
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::sample::client;
use crate::harness::temp_dir::TempDir;

const SECRET: &str = "k7Qp-2mVx-9sLd-4tWz-8nRb-6yHc-1fGj";

/// Exit code and what was said, on both streams.
fn clients(folder: &TempDir, words: &[&str]) -> (Option<i32>, String) {
    let ran = program(folder.path()).arg("clients").args(words).args(["--config", "g.yaml"]).output();
    let ran = ran.expect("the program runs");
    let said = [ran.stdout, ran.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    (ran.status.code(), said.concat())
}

fn json(folder: &TempDir, words: &[&str]) -> Value {
    let (code, said) = clients(folder, &[words, &["--json"]].concat());
    assert_eq!(code, Some(0), "{said}");
    serde_json::from_str(&said).expect("JSON")
}

const ADD: [&str; 5] =
    ["add", "--name", "Nightly report", "--redirect-uri", "https://reports.example.com/cb"];

/// The embedded store has to be there, and free; what was said about clients is checked.
#[test]
fn a_client_is_added_listed_and_removed() {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), GOOD).expect("a file");
    let (code, said) = clients(&folder, &ADD);
    assert!(code == Some(1) && said.contains("there is no store at ./gatelodge.db yet"), "{said}");
    let serving = Serving::start(folder.path());
    let (code, said) = clients(&folder, &ADD);
    assert!(code == Some(1) && said.contains("in use by another gatelodge"), "{said}");
    serving.kill();

    let (code, said) = clients(&folder, &["list"]);
    assert_eq!((code, said.as_str()), (Some(0), "No client was added.\n"));
    let wide =
        ["--auth", "client_secret_basic", "--scope", "mcp:read", "--resource", "https://mcp.example.com/mcp"];
    let added = json(&folder, &[&ADD[..], &wide, &["--no-refresh"]].concat());
    let (id, secret) = (added["client_id"].as_str().unwrap(), added["client_secret"].as_str().unwrap());
    assert!(id.starts_with("glo_") && secret.len() == 43, "{added}");
    assert_eq!(added["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!((&added["scope"], &added["refreshes"]), (&"mcp:read".into(), &false.into()));
    let (_, listed) = clients(&folder, &["list"]);
    for part in [id, "Nightly report", "https://reports.example.com/cb", "mcp:read"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    assert!(!listed.contains(secret), "shown once");
    assert_eq!(json(&folder, &["list"])[0]["client_id"], id);

    let rotated = json(&folder, &["rotate-secret", id]);
    assert_ne!(rotated["client_secret"], secret);
    let public = json(&folder, &ADD);
    assert_eq!(public["client_secret"], Value::Null);
    let (code, said) = clients(&folder, &["rotate-secret", public["client_id"].as_str().unwrap()]);
    assert!(code == Some(1) && said.contains("has no secret"), "{said}");
    let (code, said) = clients(&folder, &["remove", id]);
    assert!(code == Some(0) && said.contains("its grants have ended"), "{said}");
    let (code, said) = clients(&folder, &["remove", id]);
    assert!(code == Some(1) && said.contains("no client was added under this id"), "{said}");
}

/// What cannot be is refused, before anything is kept.
#[test]
fn what_does_not_fit_is_refused() {
    let folder = TempDir::new();
    let named = "clients:\n  - { id: named, name: N, redirect_uris: 'https://n.example/cb' }\n";
    Serving::with(folder.path(), &format!("{GOOD}{named}")).kill();
    let key = serde_json::json!({"keys": [crate::harness::keys::TestKey::es256("k").jwk()]}).to_string();
    fs::write(folder.path().join("jwks.json"), key).expect("a file");
    fs::write(folder.path().join("private.json"), r#"{"keys":[{"kty":"EC","d":"x"}]}"#).expect("a file");
    for (more, problem) in [
        (&["--auth", "private_key_jwt"][..], "needs --jwks"),
        (&["--jwks", "jwks.json"], "keys are for --auth private_key_jwt"),
        (&["--auth", "private_key_jwt", "--jwks", "private.json"], "private or symmetric key"),
        (&["--auth", "private_key_jwt", "--jwks", "nowhere.json"], "nowhere.json"),
        (&["--auth", "private_key_jwt", "--jwks-uri", "http://a.example/k"], "https URL"),
        (&["--scope", "mcp:other"], "no configured resource has the scope mcp:other"),
        (&["--resource", "https://other.example/mcp"], "not one of the configured resources"),
    ] {
        let (code, said) = clients(&folder, &[&ADD[..], more].concat());
        assert!(code == Some(1) && said.contains(problem), "{more:?}: {said}");
    }
    for wrong in
        [&["add"][..], &["add", "--name", "N"], &["add", "--name", "N", "--redirect-uri", "javascript:1"]]
    {
        assert_eq!(clients(&folder, wrong).0, Some(2), "{wrong:?}");
    }
    let (code, said) = clients(&folder, &["remove", "named"]);
    assert!(code == Some(1) && said.contains("stands in the configuration file"), "{said}");
    assert_eq!(clients(&folder, &["list"]).1, "No client was added.\n");
    let signing = ["--auth", "private_key_jwt", "--jwks", "jwks.json"];
    let added = json(&folder, &[&ADD[..], &signing].concat());
    assert_eq!(added["token_endpoint_auth_method"], "private_key_jwt");
}

/// Beside a broker on Redis: what waits is listed by its code, approved, and refused again.
#[tokio::test]
async fn applications_are_decided_by_command() {
    let Some(redis) = redis_server::shared() else { return };
    let (folder, prefix) = (TempDir::new(), fresh_prefix());
    let url = redis.url();
    let store = format!("store: {}\nstore_prefix: \"{prefix}\"\nsecret: {SECRET}\n", url.expose());
    fs::write(folder.path().join("g.yaml"), format!("{GOOD}{store}")).expect("a file");
    let sealer = MasterSecret::new(gatelodge::secret::Secret::new(SECRET.into())).expect("a secret").sealer();
    let store = RedisStore::connect(&redis.servers(), &prefix, sealer).await.expect("a store");
    assert_eq!(clients(&folder, &["list", "--waiting"]).1, "No application waits.\n");
    let asked = gatelodge::domain::Client { name: Some("Tool\u{1b}[2J\nx".into()), ..client("glc_1") };
    let application = Application::of(&asked, SystemClock.now());
    store.await_approval(&application, SystemClock.now()).await.expect("it waits");

    let code = application.code();
    let (_, listed) = clients(&folder, &["list", "--waiting"]);
    assert!(listed.starts_with(&code) && listed.contains("glc_1"), "{listed}");
    assert!(!listed.contains('\u{1b}') && listed.contains("\\n"), "a stranger's text is escaped: {listed}");
    assert_eq!(json(&folder, &["list", "--waiting"])[0]["code"], code);
    let (status, said) = clients(&folder, &["approve", "0000-0000-0000-0000"]);
    assert!(status == Some(1) && said.contains("no application has this code"), "{said}");
    for (word, is_approved) in [("approve", true), ("refuse", false), ("approve", true)] {
        let (status, said) = clients(&folder, &[word, &code]);
        assert!(status == Some(0) && said.contains("127.0.0.1"), "{said}");
        let decision = store.decision(&application.key).await.expect("an answer").expect("a decision");
        assert_eq!(decision.is_approved, is_approved);
    }
    assert_eq!(clients(&folder, &["list", "--waiting"]).1, "No application waits.\n");
    assert_eq!(json(&folder, &["list", "--decided"])[0]["decision"], "approved");
}
