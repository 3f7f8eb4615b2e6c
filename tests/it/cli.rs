//! The program itself: checking a configuration, serving, ending.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Output, Stdio};

use crate::harness::program::{GOOD, Serving, Started, program};
use crate::harness::redis_server::{self, RedisServer};
use crate::harness::temp_dir::TempDir;

fn check(text: &str) -> Output {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), text).expect("a file");
    program(folder.path()).args(["check", "--config", "g.yaml"]).output().expect("the program runs")
}

/// SEC-168: every fault at once, each with its line, and exit code 2; a good file is said to be.
#[test]
fn sec_168_check_reports_every_fault_with_its_line() {
    let good = check(GOOD);
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    let bad = GOOD
        .replace("http://127.0.0.1:9", "http://auth.example.com")
        .replace("[mcp:read] }\nallowed", "[mcp:raed] }\nallowed");
    let output = check(&bad);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in ["g.yaml:1:", "https", "g.yaml:11:", "mcp:raed"] {
        assert!(said.contains(part), "{part} is missing from: {said}");
    }
}

/// REL-07: a Redis that may evict is refused, with what to set, and exit code 1.
#[test]
fn rel_07_serve_refuses_a_redis_that_evicts() {
    if !redis_server::installed() {
        return;
    }
    let redis = RedisServer::start_with(&["--maxmemory-policy", "allkeys-lru"]);
    let folder = TempDir::new();
    let store =
        format!("store: {}\nsecret: {}\n", redis.url().expose(), "k7Qp-2mVx-9sLd-4tWz-8nRb-6yHc-1fGj");
    fs::write(folder.path().join("g.yaml"), format!("{GOOD}{store}")).expect("a file");
    let ended = program(folder.path()).args(["serve", "--config", "g.yaml"]).output().expect("it runs");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("allkeys-lru") && said.contains("noeviction"), "{said}");
}

/// `serve` listens, answers, keeps its store and its secret to itself, lets nobody else have the
/// file, and ends on SIGTERM with success.
#[tokio::test]
async fn serve_answers_and_ends_gracefully() {
    let folder = TempDir::new();
    let mut serving = Serving::start(folder.path());
    let address = serving.address.clone();
    let browser = crate::harness::browser::Browser::new();
    assert_eq!(browser.get(&format!("http://{address}/healthz")).await.status, 200);
    assert_eq!(browser.get(&format!("http://{address}/readyz")).await.status, 200);
    use std::os::unix::fs::PermissionsExt as _;
    for file in ["gatelodge.db", "gatelodge.db.secret"] {
        let mode = fs::metadata(folder.path().join(file)).expect(file).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    // A container's health check: no shell, the same configuration.
    let probed = GOOD.replace("127.0.0.1:0", &address.replace("127.0.0.1", "0.0.0.0"));
    fs::write(folder.path().join("probed.yaml"), probed).expect("a file");
    let health = |flags: &[&str]| {
        let mut command = program(folder.path());
        command.args(["health", "--config", "probed.yaml"]).args(flags).output().expect("runs")
    };
    assert!(health(&[]).status.success());
    assert!(health(&["--ready"]).status.success());

    let second = program(folder.path()).args(["serve", "--config", "g.yaml"]).output().expect("runs");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("gatelodge.db") && said.contains("in use by another gatelodge"), "{said}");

    serving.terminate();
    assert!(serving.wait().success());
    let gone = health(&[]);
    assert_eq!(gone.status.code(), Some(1));
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.contains("gatelodge is not healthy"), "{said}");
}

/// `secret` makes one that a broker accepts, and leaves one that is there as it is.
#[test]
fn secret_is_made_once() {
    let folder = TempDir::new();
    let printed = program(folder.path()).arg("secret").output().expect("runs");
    let printed = String::from_utf8(printed.stdout).expect("text");
    let accepted =
        gatelodge::secret::MasterSecret::new(gatelodge::secret::Secret::new(printed.trim().into()));
    assert!(accepted.is_ok());

    let keep = || program(folder.path()).args(["secret", "--file", "s"]).output().expect("runs");
    let read = || fs::read_to_string(folder.path().join("s")).expect("a secret");
    let made = keep();
    assert!(made.status.success());
    let first = read();
    assert!(!String::from_utf8_lossy(&made.stdout).contains(first.trim()), "it is kept, not shown");
    assert!(keep().status.success());
    assert_eq!(read(), first);

    fs::write(folder.path().join("s"), "short").expect("a file");
    let refused = keep();
    assert!(!refused.status.success(), "a file that holds no secret is not taken for one");
    assert_eq!(read(), "short");
}

/// The demo's MCP server by itself says where it is and points to the broker.
#[tokio::test]
async fn the_mcp_server_runs_alone() {
    let folder = TempDir::new();
    let mut started = program(folder.path());
    started.args(["demo", "mcp-server", "--listen", "127.0.0.1:0", "--url", "http://127.0.0.1:9/mcp"]);
    started.args(["--issuer", "http://127.0.0.1:8"]).stdout(Stdio::piped());
    let mut served = Started(started.spawn().expect("the program starts"));
    let lines = BufReader::new(served.0.stdout.take().expect("its words")).lines();
    let line = lines.map(|line| line.expect("text")).find(|line| line.contains(" on ")).expect("it serves");
    let address = line.split(" on ").nth(1).and_then(|rest| rest.split(',').next()).expect("an address");
    let browser = crate::harness::browser::Browser::new();
    let metadata = browser.get(&format!("http://{address}/.well-known/oauth-protected-resource/mcp")).await;
    assert_eq!(metadata.status, 200);
    assert!(metadata.body.contains("http://127.0.0.1:8"), "{}", metadata.body);

    let refused =
        program(folder.path()).args(["demo", "mcp-server", "--url", "nonsense", "--issuer", "x"]).output();
    let said = String::from_utf8(refused.expect("runs").stderr).expect("text");
    assert!(said.contains("--url"), "{said}");
}

/// `keys`: says what it needs; publishes the next key and says from when it signs; does not add
/// another while one waits, brings it forward, and answers for a leak.
#[tokio::test]
async fn keys_are_listed_and_rotated() {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), GOOD).expect("a file");
    let keys = |words: &[&str]| {
        let ran = program(folder.path()).arg("keys").args(words).args(["--config", "g.yaml"]).output();
        let ran = ran.expect("runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    };
    let (code, _, said) = keys(&["list"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no store at ./gatelodge.db yet"), "{said}");
    assert!(!folder.path().join("gatelodge.db").exists(), "looking makes no store");

    let serving = Serving::start(folder.path());
    for words in [["list"].as_slice(), &["rotate"], &["rotate", "--now"]] {
        let (code, shown, said) = keys(words);
        assert_eq!((code, shown.as_str()), (Some(1), ""));
        for part in ["in use by another gatelodge process", "stop the broker", "stop the broker"] {
            assert!(said.contains(part), "{part} is missing from {said}");
        }
    }
    serving.kill();

    let states = |table: &str| -> Vec<String> {
        let rows = table.lines().skip_while(|line| !line.starts_with("KEY ")).skip(1);
        rows.map(|row| row.split_whitespace().nth(2).expect("a state").to_owned()).collect()
    };
    let (code, first, said) = keys(&["list"]);
    assert_eq!((code, states(&first)), (Some(0), vec!["signs".to_owned()]), "{said}");
    let (code, usual, _) = keys(&["rotate"]);
    assert_eq!((code, states(&usual)), (Some(0), vec!["signs".to_owned(), "next".into()]), "{usual}");
    assert!(usual.contains(" is published and signs from 20"), "{usual}");
    let (code, again, _) = keys(&["rotate"]);
    assert_eq!(code, Some(0));
    assert!(again.starts_with("A rotation is under way already.") && states(&again).len() == 2, "{again}");
    let (_, soon, _) = keys(&["rotate", "--now"]);
    assert_eq!(states(&soon).len(), 2, "the key that waits is brought forward: {soon}");
    assert_ne!(soon, usual);
    let (_, leaked, _) = keys(&["rotate", "--leaked"]);
    assert_eq!(states(&leaked), ["signs", "next", "next"], "{leaked}");
    let (_, listed, _) = keys(&["list"]);
    assert_eq!(states(&listed).len(), 3);
    assert!(!listed.contains("PRIVATE"));

    for (change, part) in [
        ("store: memory\n", "the store is the memory of the broker"),
        ("signing: { algorithm: EdDSA, key_file: key.pem }\n", "the keys are your own"),
    ] {
        let pem = gatelodge::tokens::SigningKey::generate(gatelodge::protocol::SigningAlgorithm::EdDsa);
        fs::write(folder.path().join("key.pem"), pem.expect("a key").expose()).expect("a file");
        fs::write(folder.path().join("g.yaml"), format!("{GOOD}{change}")).expect("a file");
        let (code, _, said) = keys(&["rotate"]);
        assert_eq!(code, Some(1));
        assert!(said.contains(part), "{said}");
    }
    let (code, own, _) = keys(&["list"]);
    assert_eq!((code, states(&own)), (Some(0), vec!["signs".to_owned()]));
    assert!(own.contains("EdDSA"), "{own}");
    fs::write(folder.path().join("g.yaml"), "issuer: nonsense\n").expect("a file");
    assert_eq!(keys(&["list"]).0, Some(2), "a fault of the configuration, as everywhere");
}

/// `sessions` lists what a person has granted, and ends one of these grants.
#[tokio::test]
async fn sessions_are_listed_and_ended_by_command() {
    use crate::harness::sample::{grant_of, later};
    use gatelodge::clock::{Clock as _, SystemClock};

    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), GOOD).expect("a file");
    let mut serving = Serving::start(folder.path());
    serving.terminate();
    assert!(serving.wait().success());
    // One of 64 names begins like an option.
    let mut grants = (0..10_000).map(|number| grant_of(&format!("person {number}")));
    let mut opened = grants.find(|grant| grant.id.to_string().starts_with('-')).expect("one");
    let now = SystemClock.now();
    (opened.created_at, opened.expires_at, opened.ends_at) = (now, later(86_400), later(86_400));
    let held = held_store(folder.path());
    gatelodge::store::Store::open_grant(&held, &opened, now).await.expect("a grant");
    drop(held);

    let sessions = |what: &[&str]| {
        let mut command = program(folder.path());
        let output = command.arg("sessions").args(what).args(["--config", "g.yaml"]).output();
        let output = output.expect("the program runs");
        let said = [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
        (output.status.code(), said.concat())
    };
    let person = opened.identity.person().to_string();
    let (code, listed) = sessions(&["list", "--person", &person]);
    assert_eq!(code, Some(0), "{listed}");
    for shown in
        [&opened.id.to_string(), "canary-person@example.com", "https://mcp.example.com/mcp", "not yet"]
    {
        assert!(listed.contains(shown), "{shown}: {listed}");
    }
    let (issuer, subject) = (&opened.identity.issuer, &opened.identity.subject);
    let (_, listed) = sessions(&["list", "--issuer", issuer, "--subject", subject, "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
    assert_eq!(listed[0]["session"], opened.id.to_string());
    assert_eq!(listed[0]["person"], person);

    let (code, said) = sessions(&["revoke", &opened.id.to_string()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(sessions(&["list", "--person", &person]).1.contains("has no session"));
    let (code, said) = sessions(&["revoke", &opened.id.to_string()]);
    assert!(code == Some(1) && said.contains("no such session"), "{said}");
    for wrong in [&["list"][..], &["list", "--person", "alice"], &["list", "--issuer", "x"], &["revoke", "x"]]
    {
        assert_eq!(sessions(wrong).0, Some(2), "{wrong:?}");
    }
}

/// The store of a broker that is not running.
fn held_store(folder: &std::path::Path) -> gatelodge::store::EmbeddedStore {
    let secret = fs::read_to_string(folder.join("gatelodge.db.secret")).expect("a secret");
    let secret = gatelodge::secret::Secret::new(secret.trim().to_owned());
    let sealer = gatelodge::secret::MasterSecret::new(secret).expect("a good one").sealer();
    gatelodge::store::EmbeddedStore::open(&folder.join("gatelodge.db"), sealer).expect("a store")
}

/// `revoke` writes into the store of a broker that is not running; one that is running holds the
/// file, and the command says so.
#[tokio::test]
async fn revoke_ends_access_by_command() {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), GOOD).expect("a file");
    let person = format!("p_{}", "a".repeat(43));
    let revoke = |what: &[&str]| {
        let mut command = program(folder.path());
        command.args(["revoke", "--config", "g.yaml"]).args(what).output().expect("the program runs")
    };
    let nowhere = revoke(&["--everything"]);
    let said = String::from_utf8_lossy(&nowhere.stderr).into_owned();
    assert!(!nowhere.status.success() && said.contains("there is no store at ./gatelodge.db yet"), "{said}");
    assert!(!folder.path().join("gatelodge.db").exists(), "looking for a store made one");
    let mut serving = Serving::start(folder.path());
    serving.terminate();
    assert!(serving.wait().success());

    let done = revoke(&["--person", &person]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let stranger = revoke(&["--client", "c"]);
    let said = String::from_utf8_lossy(&stranger.stderr).into_owned();
    assert!(stranger.status.success() && said.contains("nobody knows this client"), "{said}");
    let carol = ["--issuer", "https://idp.example", "--subject", "carol"];
    assert!(revoke(&carol).status.success() && revoke(&["--everything"]).status.success());
    for wrong in [
        &[][..],
        &["--person", "alice"],
        &["--everything", "--client", "c"],
        &["--issuer", "https://i.example"],
    ] {
        assert_eq!(revoke(wrong).status.code(), Some(2), "{wrong:?}");
    }

    let held = held_store(folder.path());
    let known =
        gatelodge::store::Store::not_before(&held, "").await.expect("an answer").expect("revocations");
    let person = gatelodge::domain::PersonId::parse(&person).expect("a person");
    let client = gatelodge::domain::ClientId::new("other");
    assert!(known.revokes(&person, &client, gatelodge::clock::Timestamp::from_unix(0)));
    let refused = revoke(&["--everything"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("in use by another gatelodge"), "{said}");
}

/// `admins` lists whose the addresses are, and takes a pin out.
#[tokio::test]
async fn admins_are_listed_and_unpinned() {
    let folder = TempDir::new();
    let config = GOOD.replace(
        "[mcp:read] }\nallowed",
        "[mcp:read], admin_users: [a@example.com, b@example.com], admin_scopes: [mcp:read] }\nallowed",
    );
    fs::write(folder.path().join("g.yaml"), &config).expect("a file");
    let admins = |words: &[&str]| {
        let ran = program(folder.path()).arg("admins").args(words).args(["--config", "g.yaml"]).output();
        let ran = ran.expect("runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (ran.status.code(), text(&ran.stdout), text(&ran.stderr))
    };
    let (code, _, said) = admins(&["list"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("there is no store at ./gatelodge.db yet"), "{said}");
    Serving::with(folder.path(), &config).kill();

    let person = gatelodge::domain::PersonId::of("https://idp.example", "1");
    {
        let secret = fs::read_to_string(folder.path().join("gatelodge.db.secret")).expect("a secret");
        let secret = gatelodge::secret::Secret::new(secret.trim().to_owned());
        let sealer = gatelodge::secret::MasterSecret::new(secret).expect("a good one").sealer();
        let path = folder.path().join("gatelodge.db");
        let store = gatelodge::store::EmbeddedStore::open(&path, sealer).expect("a store");
        let email = "a@example.com".parse().expect("an address");
        let pinned = gatelodge::store::Store::pin_admin(&store, &email, &person).await.expect("a pin");
        assert_eq!(pinned, person);
    }
    let (code, listed, said) = admins(&["list"]);
    assert_eq!(code, Some(0), "{said}");
    let lines: Vec<Vec<&str>> = listed.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1..], [vec!["a@example.com", person.as_str()], vec!["b@example.com", "-"]]);
    let (code, done, _) = admins(&["unpin", "a@example.com"]);
    assert_eq!(code, Some(0));
    assert!(done.contains(&format!("revoke --person {person}")), "{done}");
    let (_, again, _) = admins(&["unpin", "a@example.com"]);
    assert!(again.contains("is not pinned"), "{again}");
    assert_eq!(admins(&["unpin", "nobody"]).0, Some(2));
}
