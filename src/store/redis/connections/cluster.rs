//! A cluster: which node serves which slot, as far as is known.
//!
//! Each node has connections of its own, so one that is away holds up nobody else's keys. The
//! cluster client of the `redis` crate is not used: what it retries, it also retries after a
//! connection broke with the outcome unknown, and without retries it follows no redirection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use futures::future::{BoxFuture, FutureExt as _, select_ok};
use redis::{Cmd, RedisError, Value, from_redis_value};

use super::super::servers::{Account, Tls};
use super::address::{Address, Dialer};
use super::node::{Duty, Node, QUEUE};
use super::slot::{self, SLOTS};
use super::trouble::{Trouble, is_lost};
use crate::secret::Secret;

/// How many nodes are asked at once for the map.
const ASKED: usize = 12;

/// The nodes and the map.
pub(super) struct Cluster {
    seeds: Vec<Address>,
    dialer: Dialer,
    nodes: Mutex<HashMap<Address, Arc<Node>>>,
    /// The primary of each slot; empty until the first answer.
    owners: RwLock<Vec<Option<Arc<Node>>>>,
    /// How often something did not fit, and how many of these the map knows of. Where they differ,
    /// whoever comes next asks for the map.
    doubts: AtomicUsize,
    settled: AtomicUsize,
    /// One task asks; the others go on with what is known.
    asking: tokio::sync::Mutex<()>,
}

impl Cluster {
    pub(super) fn new(nodes: &[Secret], account: &Account, tls: &Tls) -> Result<Self, RedisError> {
        let dialers = nodes.iter().map(|url| Dialer::new(url, account, tls));
        let dialers = dialers.collect::<Result<Vec<_>, _>>()?;
        let seeds = dialers.iter().map(|dialer| dialer.address().clone()).collect();
        let dialer = dialers.into_iter().next().ok_or_else(super::nobody_named)?;
        Ok(Self {
            seeds,
            dialer,
            nodes: Mutex::default(),
            owners: RwLock::default(),
            doubts: AtomicUsize::new(1),
            settled: AtomicUsize::new(0),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// The primary of the key's slot, if the map is thought to be right.
    pub(super) fn known(&self, key: &str) -> Option<Arc<Node>> {
        if self.is_stale() { None } else { self.owner(slot::of(key)) }
    }

    /// The primary of the key's slot, asking for the map first.
    pub(super) async fn primary(&self, key: &str) -> Result<Arc<Node>, Trouble> {
        let slot = slot::of(key);
        let asked = self.learn(self.owner(slot).is_some()).await;
        match (self.owner(slot), asked) {
            (Some(owner), _) => Ok(owner),
            (None, Err(trouble)) => Err(trouble),
            (None, Ok(())) => Err(Trouble::Unreached(format!("no node serves slot {slot}"))),
        }
    }

    /// The map may be old.
    pub(super) fn distrust(&self) {
        self.doubts.fetch_add(1, Ordering::Relaxed);
    }

    /// From now on that address serves the key's slot.
    pub(super) fn moved(&self, key: &str, to: &Address) -> Result<Arc<Node>, RedisError> {
        let node = self.node(to)?;
        let mut owners = self.owners.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(owner) = owners.get_mut(usize::from(slot::of(key))) {
            *owner = Some(Arc::clone(&node));
        }
        self.distrust();
        Ok(node)
    }

    /// The node at an address.
    pub(super) fn node(&self, address: &Address) -> Result<Arc<Node>, RedisError> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(node) = nodes.get(address) {
            return Ok(Arc::clone(node));
        }
        let node = Arc::new(Node::new(&self.dialer, address, Duty::Any)?);
        nodes.insert(address.clone(), Arc::clone(&node));
        Ok(node)
    }

    /// Every node of the map, replicas too.
    pub(super) async fn every(&self) -> Result<Vec<Arc<Node>>, Trouble> {
        self.distrust();
        self.learn(false).await?;
        Ok(self.nodes.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect())
    }

    pub(super) fn describe(&self) -> String {
        let addresses: Vec<_> = self.seeds.iter().map(Address::to_string).collect();
        format!("cluster {}", addresses.join(", "))
    }

    fn is_stale(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) != self.settled.load(Ordering::Relaxed)
    }

    fn owner(&self, slot: u16) -> Option<Arc<Node>> {
        let owners = self.owners.read().unwrap_or_else(PoisonError::into_inner);
        owners.get(usize::from(slot)).cloned().flatten()
    }

    /// Asks for the map, if it is stale and nobody else is asking. `has_guess`: rather than to wait
    /// for who asks, the caller goes on with what is known.
    async fn learn(&self, has_guess: bool) -> Result<(), Trouble> {
        let _turn = match self.asking.try_lock() {
            Ok(turn) => turn,
            Err(_) if has_guess => return Ok(()),
            Err(_) => match tokio::time::timeout(QUEUE, self.asking.lock()).await {
                Ok(turn) => turn,
                Err(_) => {
                    return Err(Trouble::Unreached("asking for the cluster's slots takes too long".into()));
                }
            },
        };
        if !self.is_stale() {
            return Ok(());
        }
        // Doubts that come up meanwhile are not settled by this answer.
        let doubts = self.doubts.load(Ordering::Relaxed);
        let map = self.ask().await?;
        self.adopt(map).map_err(Trouble::Failed)?;
        self.settled.store(doubts, Ordering::Relaxed);
        Ok(())
    }

    /// The first answer counts. An old one is corrected by the next `MOVED`.
    async fn ask(&self) -> Result<Vec<Range>, Trouble> {
        let known: Vec<Address> =
            self.nodes.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect();
        let mut asked: Vec<Address> = Vec::new();
        for address in known.iter().chain(&self.seeds) {
            if asked.len() < ASKED && !asked.contains(address) {
                asked.push(address.clone());
            }
        }
        let answers = asked.iter().map(|address| self.slots_as_seen_by(address).boxed());
        Ok(select_ok(answers.collect::<Vec<BoxFuture<'_, _>>>()).await?.0)
    }

    async fn slots_as_seen_by(&self, address: &Address) -> Result<Vec<Range>, Trouble> {
        let at = |why: &dyn std::fmt::Display| Trouble::Unreached(format!("the node at {address}: {why}"));
        let node = self.node(address).map_err(|error| at(&error))?;
        let shared = node.shared().await.map_err(|trouble| at(&trouble))?;
        let mut question = Cmd::new();
        question.arg("CLUSTER").arg("SLOTS");
        let answer: Result<Vec<Vec<Value>>, _> = question.query_async(&mut shared.outbox.connection()).await;
        let answer = answer.map_err(|error| {
            if is_lost(&error) {
                node.give_up(&shared);
            }
            at(&error)
        })?;
        let ranges = answer.into_iter().map(|range| Range::read(range, &address.host));
        ranges.collect::<Option<Vec<_>>>().ok_or_else(|| at(&"its slots cannot be read"))
    }

    fn adopt(&self, map: Vec<Range>) -> Result<(), RedisError> {
        let mut owners = vec![None; usize::from(SLOTS)];
        let mut members = Vec::new();
        for range in map {
            for (number, address) in range.servers.iter().enumerate() {
                let node = self.node(address)?;
                if number == 0 {
                    let slots = usize::from(range.first)..=usize::from(range.last);
                    owners
                        .get_mut(slots)
                        .into_iter()
                        .flatten()
                        .for_each(|owner| *owner = Some(Arc::clone(&node)));
                }
                members.push(address.clone());
            }
        }
        *self.owners.write().unwrap_or_else(PoisonError::into_inner) = owners;
        // Who is no member any more is forgotten, connections and all.
        self.nodes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|address, _| members.contains(address));
        Ok(())
    }
}

/// Some slots and who serves them: the primary, then its replicas.
struct Range {
    first: u16,
    last: u16,
    servers: Vec<Address>,
}

impl Range {
    /// One entry of `CLUSTER SLOTS`. A host that the node does not know is its own.
    fn read(entry: Vec<Value>, asked: &str) -> Option<Self> {
        let mut entry = entry.into_iter();
        let first: u16 = from_redis_value(entry.next()?).ok()?;
        let last: u16 = from_redis_value(entry.next()?).ok()?;
        let mut servers = Vec::new();
        for server in entry {
            let mut server = from_redis_value::<Vec<Value>>(server).ok()?.into_iter();
            let host: Option<String> = from_redis_value(server.next()?).ok()?;
            let port: u16 = from_redis_value(server.next()?).ok()?;
            servers.push(Address { host: host.unwrap_or_default(), port }.or_on(asked));
        }
        (first <= last && last < SLOTS && !servers.is_empty()).then_some(Self { first, last, servers })
    }
}
