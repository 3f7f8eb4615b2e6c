//! A cluster of three primaries, each with a replica.

use std::sync::OnceLock;
use std::time::Duration;

use gatelodge::store::redis::{Account, Servers, Shape, Tls};

use super::eventually::eventually;
use super::redis_server::{RedisServer, free_port, installed};

const BOUND: Duration = Duration::from_secs(20);
const SLOTS: [&str; 3] = ["0 5460", "5461 10922", "10923 16383"];

/// The six nodes; the first three begin as primaries.
pub(crate) struct ClusterRedis {
    pub(crate) nodes: Vec<RedisServer>,
}

impl ClusterRedis {
    /// Starts the nodes and returns once all agree on who serves what.
    pub(crate) fn start() -> Self {
        let nodes: Vec<(RedisServer, u16)> = (0..6).map(|_| node()).collect();
        for (number, (node, _)) in nodes.iter().enumerate() {
            if let Some(slots) = SLOTS.get(number) {
                node.ask::<()>(&format!("CLUSTER ADDSLOTSRANGE {slots}"));
            }
            node.ask::<()>(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
        }
        for (node, bus) in &nodes[1..] {
            nodes[0].0.ask::<()>(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port));
        }
        let nodes: Vec<RedisServer> = nodes.into_iter().map(|(node, _)| node).collect();
        let all =
            |fits: &dyn Fn(&str) -> bool| nodes.iter().all(|node| fits(&node.ask::<String>("CLUSTER NODES")));
        eventually("the nodes have met", BOUND, || {
            all(&|seen| {
                seen.lines().count() == 6 && !seen.contains("handshake") && !seen.contains("disconnected")
            })
        });
        for (replica, primary) in nodes[3..].iter().zip(&nodes) {
            let id: String = primary.ask("CLUSTER MYID");
            replica.ask::<()>(&format!("CLUSTER REPLICATE {id}"));
        }
        eventually("each primary has its replica", BOUND, || {
            let online = |node: &RedisServer| node.ask::<String>("INFO replication").contains("state=online");
            all(&|seen| seen.matches(" slave ").count() + seen.matches(",slave ").count() == 3)
                && nodes[..3].iter().all(online)
                && nodes.iter().all(|node| node.ask::<String>("CLUSTER INFO").contains("cluster_state:ok"))
        });
        Self { nodes }
    }

    /// As a store wants it: two of the six, the others are learnt.
    pub(crate) fn as_servers(&self) -> Servers {
        let nodes = self.nodes[1..3].iter().map(RedisServer::url).collect();
        Servers { shape: Shape::Cluster { nodes }, account: Account::default(), tls: Tls::default() }
    }

    /// The same in a configuration file.
    pub(crate) fn mapping(&self) -> String {
        format!("{{ cluster: \"{}\" }}", self.nodes[4].url().expose())
    }

    /// The primary that serves a key, as the cluster's first living node sees it.
    pub(crate) fn owner(&self, key: &str, seen_by: &RedisServer) -> &RedisServer {
        let slot: u16 = seen_by.ask(&format!("CLUSTER KEYSLOT {key}"));
        let ranges: Vec<Vec<redis::Value>> = seen_by.ask("CLUSTER SLOTS");
        let number = |value: &redis::Value| redis::from_redis_value::<u16>(value.clone()).unwrap();
        let range =
            ranges.iter().find(|range| (number(&range[0])..=number(&range[1])).contains(&slot)).unwrap();
        let redis::Value::Array(server) = &range[2] else { panic!("{range:?}") };
        let port = number(&server[1]);
        self.nodes.iter().find(|node| node.port == port).unwrap()
    }
}

/// A node and its bus port, both of the kernel's choice.
fn node() -> (RedisServer, u16) {
    let bus = free_port();
    let words =
        ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--repl-diskless-sync-delay", "0"];
    let port = bus.to_string();
    let words: Vec<&str> = words.into_iter().chain(["--cluster-port", &port]).collect();
    (RedisServer::start_with(&words), bus)
}

/// The one that the tests of this binary share; nobody breaks it.
pub(crate) fn shared() -> Option<&'static ClusterRedis> {
    static SHARED: OnceLock<ClusterRedis> = OnceLock::new();
    installed().then(|| SHARED.get_or_init(ClusterRedis::start))
}
