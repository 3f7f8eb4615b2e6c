//! A real `redis-server` on a port of the kernel's choice, on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use gatelodge::secret::{Secret, random};

use super::temp_dir::TempDir;

/// Most attempts to find a port that nobody takes between our asking and Redis's binding it.
const ATTEMPTS: usize = 20;

/// The shell starts Redis, waits until its own standard input ends (we dropped the handle, or the
/// test process is gone, however that came about) and then kills Redis and removes its folder.
const KEEPER: &str = r#"
dir=$1; shift
redis-server "$@" &
server=$!
exec >/dev/null
cat
kill -9 "$server"
rm -rf "$dir"
"#;

/// A running server; killed on drop.
#[derive(Debug)]
pub(crate) struct RedisServer {
    keeper: Child,
    port: u16,
    _folder: TempDir,
}

impl RedisServer {
    /// Starts a server and returns once it accepts connections.
    pub(crate) fn start() -> Self {
        (0..ATTEMPTS).find_map(|_| Self::try_start()).expect("redis-server starts")
    }

    /// None if somebody else took the port.
    fn try_start() -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = TempDir::new();
        let path = folder.path().to_str().unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", path, "--bind", "127.0.0.1", "--port", &port.to_string()])
            // Uncompressed dumps, so that a test can look for words in them.
            .args(["--dir", path, "--save", "", "--appendonly", "no", "--rdbcompression", "no"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The log ends where Redis ends, so this loop does too.
        let log = BufReader::new(keeper.stdout.take().unwrap());
        let ready =
            log.lines().map_while(Result::ok).any(|line| line.contains("Ready to accept connections"));
        let server = Self { keeper, port, _folder: folder };
        ready.then_some(server)
    }

    /// Its address.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}/", self.port))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        drop(self.keeper.wait());
    }
}

/// A key prefix that no other test has.
pub(crate) fn fresh_prefix() -> String {
    format!("t-{}:", random::id())
}

/// Is `redis-server` installed? Without it a test has nothing to prove: under `CI=true` that is
/// a failure, elsewhere the test says so and returns.
#[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was skipped")]
pub(crate) fn installed() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    let installed = *INSTALLED.get_or_init(|| {
        let version = Command::new("redis-server").arg("--version").stdout(Stdio::null()).status();
        version.is_ok_and(|status| status.success())
    });
    if !installed {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "redis-server is not installed");
        println!("SKIPPED: redis-server is not installed");
    }
    installed
}

/// The server that the tests of this binary share, each under a prefix of its own.
/// None: see [`installed`]. It ends with the process, because its keeper's input does.
pub(crate) fn shared() -> Option<&'static RedisServer> {
    static SHARED: OnceLock<RedisServer> = OnceLock::new();
    installed().then(|| SHARED.get_or_init(RedisServer::start))
}
