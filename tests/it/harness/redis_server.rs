//! A real `redis-server` on a port of the kernel's choice, on loopback.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use gatelodge::secret::{Secret, random};
use gatelodge::store::redis::Servers;
use redis::{Cmd, Connection, FromRedisValue};

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
[ "$dir" = - ] || rm -rf "$dir"
"#;

/// A running server; killed on drop.
#[derive(Debug)]
pub(crate) struct RedisServer {
    /// One for each life; the first one removes the folder.
    keepers: Vec<Child>,
    words: Vec<String>,
    process: u32,
    pub(crate) port: u16,
    folder: Option<TempDir>,
    /// What its default user has to show, if anything.
    password: Option<&'static str>,
}

impl RedisServer {
    /// Starts a server and returns once it accepts connections.
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same, with further options.
    pub(crate) fn start_with(options: &[&str]) -> Self {
        Self::attempt(|port, folder| {
            let (port, folder) = (port.to_string(), folder.to_owned());
            // Uncompressed dumps, so that a test can look for words in them.
            let fixed = ["--bind", "127.0.0.1", "--port", &port, "--dir", &folder, "--save", ""];
            let words = fixed.into_iter().chain(["--appendonly", "no", "--rdbcompression", "no"]);
            words.chain(options.iter().copied()).map(str::to_owned).collect()
        })
    }

    /// Starts whatever the words say, given a port and a folder.
    pub(crate) fn attempt(words: impl Fn(u16, &str) -> Vec<String>) -> Self {
        let once = || {
            let (port, folder) = (free_port(), TempDir::new());
            let path = folder.path().to_str().unwrap().to_owned();
            let mut server = Self::launch(&path, &words(port, &path), port)?;
            server.folder = Some(folder);
            Some(server)
        };
        (0..ATTEMPTS).find_map(|_| once()).expect("redis-server starts")
    }

    /// Starts a server whose folder somebody else keeps. None if somebody else took the port.
    pub(crate) fn launch(remove: &str, words: &[String], port: u16) -> Option<Self> {
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "sh", remove])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // The log ends where Redis ends, so this loop does too. Each line begins with the process.
        let log = BufReader::new(keeper.stdout.take().unwrap());
        let is_ready =
            |line: &String| line.contains("Ready to accept connections") || line.contains("+monitor master");
        let ready = log.lines().map_while(Result::ok).find(is_ready);
        let process = ready.as_ref().and_then(|line| line.split(':').next()?.trim().parse().ok());
        let (keepers, words) = (vec![keeper], words.to_vec());
        let server =
            Self { keepers, words, process: process.unwrap_or(0), port, folder: None, password: None };
        process.is_some().then_some(server)
    }

    /// Starts a server that was killed once more, on its port and in its folder.
    pub(crate) fn start_again(&mut self) {
        // Somebody's outgoing connection may have the port for a moment.
        let again = (0..ATTEMPTS).find_map(|_| Self::launch("-", &self.words, self.port));
        let mut again = again.expect("the port is still free");
        self.process = again.process;
        self.keepers.append(&mut again.keepers);
    }

    /// Its default user has to show this.
    pub(crate) fn locked_by(self, password: &'static str) -> Self {
        let mut locked = self;
        locked.password = Some(password);
        locked
    }

    /// Its URL, without a password.
    pub(crate) fn url(&self) -> Secret {
        Secret::new(format!("redis://127.0.0.1:{}/", self.port))
    }

    /// It alone, as a store wants it.
    pub(crate) fn servers(&self) -> Servers {
        Servers::single(self.url())
    }

    /// A plain connection.
    pub(crate) fn connection(&self) -> Connection {
        let account = self.password.map(|password| format!(":{password}@")).unwrap_or_default();
        let url = format!("redis://{account}127.0.0.1:{}/", self.port);
        redis::Client::open(url).unwrap().get_connection().unwrap()
    }

    /// Sends a command, word by word.
    pub(crate) fn ask<T: FromRedisValue>(&self, words: &str) -> T {
        let mut command = Cmd::new();
        for word in words.split(' ') {
            command.arg(word);
        }
        command.query(&mut self.connection()).unwrap_or_else(|error| panic!("{words}: {error}"))
    }

    /// `KILL`, `STOP`, `CONT`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.process.to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{name}");
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        while let Some(mut keeper) = self.keepers.pop() {
            drop(keeper.stdin.take());
            drop(keeper.wait());
        }
    }
}

/// A port that nobody has right now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
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
