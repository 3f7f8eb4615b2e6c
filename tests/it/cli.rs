//! The program itself: checking a configuration, serving, ending.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

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

    let second = program(folder.path()).args(["serve", "--config", "g.yaml"]).output().expect("runs");
    assert!(!second.status.success());
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("gatelodge.db") && said.contains("in use by another gatelodge"), "{said}");

    let pid = served.0.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    assert!(served.0.wait().expect("it ends").success());
}
