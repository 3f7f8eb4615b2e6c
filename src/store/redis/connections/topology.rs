//! Who serves a key.

use std::sync::Arc;

use redis::RedisError;

use super::super::servers::{Servers, Shape};
use super::address::Dialer;
use super::cluster::Cluster;
use super::node::{Duty, Node};
use super::sentinel::Sentinel;
use super::trouble::{Remedy, Trouble};

/// The three shapes, each knowing whom to ask.
pub(super) enum Topology {
    Single(Arc<Node>),
    Sentinel(Sentinel),
    Cluster(Box<Cluster>),
}

impl Topology {
    pub(super) fn new(servers: &Servers) -> Result<Self, RedisError> {
        let Servers { shape, account, tls } = servers;
        Ok(match shape {
            Shape::Single { url } => {
                let dialer = Dialer::new(url, account, tls)?;
                Self::Single(Arc::new(Node::new(&dialer, dialer.address(), Duty::Any)?))
            }
            Shape::Sentinel { sentinels, master, account: to_sentinels } => {
                Self::Sentinel(Sentinel::new(sentinels, master, to_sentinels, (account, tls))?)
            }
            Shape::Cluster { nodes } => Self::Cluster(Box::new(Cluster::new(nodes, account, tls)?)),
        })
    }

    /// The server that serves the key, finding out if need be.
    pub(super) async fn primary(&self, key: &str) -> Result<Arc<Node>, Trouble> {
        match self {
            Self::Single(node) => Ok(Arc::clone(node)),
            Self::Sentinel(sentinel) => match sentinel.known() {
                Some(node) => Ok(node),
                None => Box::pin(sentinel.primary()).await,
            },
            Self::Cluster(cluster) => match cluster.known(key) {
                Some(node) => Ok(node),
                None => Box::pin(cluster.primary(key)).await,
            },
        }
    }

    /// The server that serves the key, not only as far as is known: a revocation that goes to a
    /// primary which sentinels have replaced would be undone.
    pub(super) async fn confirmed_primary(&self, key: &str) -> Result<Arc<Node>, Trouble> {
        match self {
            Self::Sentinel(sentinel) => Box::pin(sentinel.confirmed()).await,
            // A cluster's old primary refuses by itself.
            Self::Single(_) | Self::Cluster(_) => self.primary(key).await,
        }
    }

    /// This server does not serve as was thought.
    pub(super) fn distrust(&self, node: &Arc<Node>) {
        match self {
            Self::Single(_) => {}
            Self::Sentinel(sentinel) => sentinel.distrust(node),
            Self::Cluster(cluster) => cluster.distrust(),
        }
    }

    /// Where `MOVED` or `ASK`, said by `from`, points to. Nowhere outside a cluster.
    pub(super) fn detour(&self, key: &str, from: Option<&Node>, remedy: &Remedy) -> Option<Arc<Node>> {
        let Self::Cluster(cluster) = self else { return None };
        let (Remedy::Moved(to) | Remedy::Ask(to)) = remedy else { return None };
        let to = to.clone()?;
        let to = match from {
            Some(node) => to.or_on(&node.address().host),
            None => to,
        };
        let node =
            if matches!(remedy, Remedy::Moved(_)) { cluster.moved(key, &to) } else { cluster.node(&to) };
        node.ok()
    }

    /// Every server that keeps our keys.
    pub(super) async fn every(&self) -> Result<Vec<Arc<Node>>, Trouble> {
        match self {
            Self::Single(_) | Self::Sentinel(_) => Ok(vec![self.primary("").await?]),
            Self::Cluster(cluster) => cluster.every().await,
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Single(node) => node.address().to_string(),
            Self::Sentinel(sentinel) => sentinel.describe(),
            Self::Cluster(cluster) => cluster.describe(),
        }
    }
}
