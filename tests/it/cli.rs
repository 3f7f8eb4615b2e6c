//! The program itself: checking a configuration, serving, ending.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::harness::redis_server::{self, RedisServer};
use crate::harness::temp_dir::TempDir;

const GOOD: &str = "issuer: http://127.0.0.1:9\nlisten: 127.0.0.1:0\nupstreams:\n  - id: idp\n    preset: oidc\n    \
                    issuer: https://idp.example\n    client_id: x\n    allowed_domains: [example.com]\nresources:\n  \
                    - { url: https://mcp.example.com/mcp, name: T, scopes: { mcp:read: R } }\n\
                    access: { default_scopes: [mcp:read] }\nlogs: { format: text }\n";

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatelodge"));
    command.current_dir(folder).env_remove("GATELODGE_CONFIG");
    command
}

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
        .replace("[mcp:read] }\nlogs", "[mcp:raed] }\nlogs");
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

/// A started program that is ended with the test.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `serve` listens, answers, keeps its store and its secret to itself, lets nobody else have the
/// file, and ends on SIGTERM with success.
#[tokio::test]
async fn serve_answers_and_ends_gracefully() {
    let folder = TempDir::new();
    fs::write(folder.path().join("g.yaml"), GOOD).expect("a file");
    let mut started = program(folder.path());
    started.args(["serve", "--config", "g.yaml"]).stderr(Stdio::piped());
    let mut served = Served(started.spawn().expect("the program starts"));
    let log = BufReader::new(served.0.stderr.take().expect("a log"));
    let mut lines = log.lines().map(|line| line.expect("text"));
    let line = lines.find(|line| line.contains("gatelodge serves")).expect("it serves");
    let address = line.split("Some(").nth(1).and_then(|rest| rest.split(')').next()).expect("an address");

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

    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert!(served.0.wait().expect("it ends").success());
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
    let mut served = Served(started.spawn().expect("the program starts"));
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
