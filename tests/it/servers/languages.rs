//! docs/servers: what a page shows is a program that runs, in front of a real broker. `./dev test` builds them
//! and installs what they need, as their lock files pin it.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use gatelodge::clock::{Clock as _, SystemClock};
use serde_json::json;
use tokio::net::TcpListener;

use crate::harness::broker::RESOURCE;
use crate::harness::keys::{TestKey, object};
use crate::harness::program::Started;

use super::stand::{Stand, whoami};

/// Longest wait for a server to say where it listens.
const START: Duration = Duration::from_secs(60);

/// How a server is started, and what is there once `./dev test` has prepared it.
type Server = (&'static [&'static str], &'static str);

const TYPESCRIPT: Server = (&["node", "typescript/build/server.js"], "typescript/build/server.js");
const PYTHON: Server = (&["python/.venv/bin/python", "-u", "python/server.py"], "python/.venv/.installed");
const FASTMCP: Server =
    (&["python/.venv/bin/python", "-u", "python/fastmcp_server.py"], "python/.venv/.installed");
const GO: Server = (&["go/build/notes"], "go/build/notes");

/// SEC-140, SEC-141, SEC-143, SEC-145 in TypeScript.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_141_the_server_in_typescript() {
    holds(TYPESCRIPT).await;
}

/// The same in Python, with the official SDK.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_141_the_server_in_python() {
    holds(PYTHON).await;
}

/// The same with `FastMCP`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_141_the_server_with_fastmcp() {
    holds(FASTMCP).await;
}

/// The same in Go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_141_the_server_in_go() {
    holds(GO).await;
}

/// PRIN-5: keys that cannot be had are no fault of the token; clients throw theirs away on a 401.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prin_5_without_keys_the_servers_answer_500() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let issuer = format!("http://{}", listener.local_addr().expect("an address"));
    let metadata = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
        "authorization_endpoint": format!("{issuer}/authorize"), "token_endpoint": format!("{issuer}/token"),
        "response_types_supported": ["code"]});
    let router = Router::new()
        .route("/.well-known/oauth-authorization-server", get(|| async move { Json(metadata) }))
        .fallback(|| async { StatusCode::INTERNAL_SERVER_ERROR });
    tokio::spawn(axum::serve(listener, router).into_future());
    let (key, now) = (TestKey::es256("k"), SystemClock.now().as_unix());
    let claims = json!({"iss": issuer, "sub": "p", "aud": RESOURCE, "iat": now, "exp": now + 600, "jti": "j",
        "client_id": "c", "scope": "mcp:read"});
    let token = key.sign(&key.header("at+jwt"), &object(claims));
    for (words, built) in [TYPESCRIPT, PYTHON] {
        if is_built(&folder().join(built)) {
            let (_server, origin) = start(words, &issuer);
            let answer = whoami(&format!("{origin}/mcp"), Some(&token)).await;
            assert_eq!(answer.status, 500, "{words:?}: {}", answer.body);
        }
    }
}

async fn holds((words, built): Server) {
    if !is_built(&folder().join(built)) {
        return;
    }
    let stand = Stand::start().await;
    let (_server, origin) = start(words, &stand.broker.issuer);
    stand.holds_at(&origin).await;
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/servers")
}

#[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was skipped")]
fn is_built(file: &Path) -> bool {
    let built = file.exists();
    if !built {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "there is no {}", file.display());
        println!("SKIPPED: there is no {}: ./dev test makes it", file.display());
    }
    built
}

/// Starts a server on a port of the kernel's choice, and reads where that is.
fn start(words: &[&str], issuer: &str) -> (Started, String) {
    let (program, arguments) = words.split_first().expect("a program");
    // Beside the sources, or on the path.
    let local = folder().join(program);
    let program = if local.exists() { local } else { PathBuf::from(program) };
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder());
    command.env("ISSUER", issuer).env("RESOURCE", RESOURCE).env("PORT", "0");
    // The two streams are one: servers say it on either.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    command.stdin(Stdio::null()).stdout(writer.try_clone().expect("a pipe")).stderr(writer);
    let server = Started(command.spawn().expect("the server starts"));
    drop(command);
    let (said, heard) = mpsc::channel();
    // The pipe is emptied until the server ends: a full one would stop it.
    std::thread::spawn(move || {
        let mut lines = Vec::new();
        for line in BufReader::new(reader).lines().map_while(Result::ok) {
            if let Some(port) = port_of(&line) {
                let _ = said.send(Ok(port));
            }
            lines.push(line);
        }
        let _ = said.send(Err(lines));
    });
    match heard.recv_timeout(START).expect("it says where it listens in time") {
        Ok(port) => (server, format!("http://127.0.0.1:{port}")),
        Err(lines) => panic!("it ended: {lines:#?}"),
    }
}

/// The port of a line such as `Uvicorn running on http://127.0.0.1:40001 (…)` or `listening { …, port: 40001 }`.
fn port_of(line: &str) -> Option<u16> {
    let (_, rest) = line.split_once("http://127.0.0.1:").or_else(|| line.split_once("port: "))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok().filter(|port| *port != 0)
}
