//! A primary, two replicas and three sentinels, which want one password, the sentinels another.

use std::collections::HashMap;
use std::sync::OnceLock;
use std::time::Duration;

use gatelodge::secret::Secret;
use gatelodge::store::redis::{Account, Servers, Shape, Tls};

use super::eventually::eventually;
use super::redis_server::{RedisServer, installed};

const OF_SERVERS: &str = "canary-of-the-servers";
const OF_SENTINELS: &str = "canary-of-the-sentinels";
const BOUND: Duration = Duration::from_secs(20);

/// How long the sentinels wait before they take the primary for dead.
pub(crate) const DETECTION: Duration = Duration::from_secs(1);

/// The six processes.
pub(crate) struct SentinelRedis {
    pub(crate) servers: Vec<RedisServer>,
    pub(crate) sentinels: Vec<RedisServer>,
}

impl SentinelRedis {
    /// Starts them and returns once the sentinels know each other and both replicas.
    pub(crate) fn start() -> Self {
        let locked =
            ["--requirepass", OF_SERVERS, "--masterauth", OF_SERVERS, "--repl-diskless-sync-delay", "0"];
        let primary = RedisServer::start_with(&locked).locked_by(OF_SERVERS);
        let of_primary = format!("127.0.0.1 {}", primary.port);
        let replica = || {
            let words: Vec<&str> = locked.into_iter().chain(["--replicaof", &of_primary]).collect();
            RedisServer::start_with(&words).locked_by(OF_SERVERS)
        };
        let servers = vec![replica(), replica(), primary].into_iter().rev().collect::<Vec<_>>();
        eventually("both replicas are in step", BOUND, || {
            let info: String = servers[0].ask("INFO replication");
            info.matches("state=online").count() == 2
        });
        let monitor = format!("sentinel monitor main {of_primary} 2");
        let sentinel = || {
            RedisServer::attempt(|port, folder| {
                let file = format!("{folder}/sentinel.conf");
                let milliseconds = DETECTION.as_millis();
                let text = format!(
                    "port {port}\nbind 127.0.0.1\ndir {folder}\n{monitor}\n\
                     sentinel down-after-milliseconds main {milliseconds}\n\
                     sentinel failover-timeout main 3000\nsentinel parallel-syncs main 2\n\
                     sentinel auth-pass main {OF_SERVERS}\nrequirepass {OF_SENTINELS}\n\
                     sentinel sentinel-pass {OF_SENTINELS}\n"
                );
                std::fs::write(&file, text).unwrap();
                vec![file, "--sentinel".to_owned()]
            })
            .locked_by(OF_SENTINELS)
        };
        let all = Self { servers, sentinels: (0..3).map(|_| sentinel()).collect() };
        eventually("the sentinels know everybody", BOUND, || {
            all.sentinels.iter().all(|sentinel| {
                let state: HashMap<String, String> = sentinel.ask("SENTINEL MASTER main");
                state["num-slaves"] == "2" && state["num-other-sentinels"] == "2"
            })
        });
        all
    }

    /// As a store wants it.
    pub(crate) fn as_servers(&self) -> Servers {
        Servers {
            shape: Shape::Sentinel {
                sentinels: self.sentinels.iter().map(RedisServer::url).collect::<Vec<Secret>>(),
                master: "main".to_owned(),
                account: account(OF_SENTINELS),
            },
            account: account(OF_SERVERS),
            tls: Tls::default(),
        }
    }

    /// The same in a configuration file.
    pub(crate) fn mapping(&self) -> String {
        let urls: Vec<String> =
            self.sentinels.iter().map(|one| format!("\"{}\"", one.url().expose())).collect();
        format!(
            "{{ sentinel: [{}], master: main, password: {OF_SERVERS}, sentinel_password: {OF_SENTINELS} }}",
            urls.join(", ")
        )
    }

    /// The port of the primary that most sentinels name. One that was frozen may still name the one
    /// before the last, so there can be three answers.
    pub(crate) fn named(&self) -> u16 {
        let mut most = None;
        eventually("most sentinels name the same primary", BOUND, || {
            let named: Vec<u16> = self.sentinels.iter().map(Self::named_by).collect();
            let votes = |port: &u16| named.iter().filter(|other| *other == port).count();
            most = named.iter().copied().find(|port| votes(port) * 2 > named.len());
            most.is_some()
        });
        most.expect("most of them agreed")
    }

    /// The port of the primary that this sentinel names.
    pub(crate) fn named_by(sentinel: &RedisServer) -> u16 {
        let (_, port): (String, u16) = sentinel.ask("SENTINEL GET-MASTER-ADDR-BY-NAME main");
        port
    }

    /// The server at a port.
    pub(crate) fn at(&self, port: u16) -> &RedisServer {
        self.servers.iter().find(|server| server.port == port).unwrap()
    }
}

fn account(password: &str) -> Account {
    Account { username: None, password: Some(Secret::new(password.to_owned())) }
}

/// The one that the tests of this binary share; nobody breaks it.
pub(crate) fn shared() -> Option<&'static SentinelRedis> {
    static SHARED: OnceLock<SentinelRedis> = OnceLock::new();
    installed().then(|| SHARED.get_or_init(SentinelRedis::start))
}
