//! A primary that sentinels name.
//!
//! All sentinels are asked at once, and the one that knows of the latest failover (the highest
//! `config-epoch`) is believed; the server then has to say of itself that it is a primary. They are
//! asked when a connection fails, and every second besides: a primary that was replaced goes on
//! taking writes until the sentinels demote it, and these writes are lost.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use redis::{Cmd, Pipeline, RedisError};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::super::servers::{Account, Tls};
use super::address::{Address, Dialer};
use super::node::{Duty, Node, QUEUE};
use super::trouble::{Trouble, is_lost};
use crate::secret::Secret;

/// Longest time that a sentinel is waited for.
const ANSWER: Duration = Duration::from_millis(700);
/// And once most of them have answered.
const REST: Duration = Duration::from_millis(100);
/// How often they are asked without a reason.
const WATCH: Duration = Duration::from_secs(1);

/// The sentinels, and whom they named last.
pub(super) struct Sentinel {
    watched: Arc<Watched>,
    watcher: JoinHandle<()>,
}

struct Watched {
    sentinels: Vec<Node>,
    master: String,
    /// How to connect to a server; its own address is a sentinel's.
    server: Dialer,
    primary: RwLock<Option<Arc<Node>>>,
    /// One task asks; the others wait for it.
    asking: tokio::sync::Mutex<()>,
}

impl Sentinel {
    pub(super) fn new(
        sentinels: &[Secret],
        master: &str,
        account: &Account,
        (server_account, tls): (&Account, &Tls),
    ) -> Result<Self, RedisError> {
        let first = sentinels.first().ok_or_else(super::nobody_named)?;
        let sentinels = sentinels.iter().map(|url| {
            let dialer = Dialer::new(url, account, tls)?;
            Node::new(&dialer, dialer.address(), Duty::Any)
        });
        let watched = Arc::new(Watched {
            sentinels: sentinels.collect::<Result<_, _>>()?,
            master: master.to_owned(),
            server: Dialer::new(first, server_account, tls)?,
            primary: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        });
        let watcher = tokio::spawn(watch(Arc::clone(&watched)));
        Ok(Self { watched, watcher })
    }

    /// The primary, as far as is known.
    pub(super) fn known(&self) -> Option<Arc<Node>> {
        self.watched.known()
    }

    /// The primary, asking if it is not known.
    pub(super) async fn primary(&self) -> Result<Arc<Node>, Trouble> {
        let _turn = self.watched.turn().await?;
        match self.known() {
            Some(known) => Ok(known),
            None => self.watched.ask().await,
        }
    }

    /// The primary that the sentinels name right now.
    pub(super) async fn confirmed(&self) -> Result<Arc<Node>, Trouble> {
        let _turn = self.watched.turn().await?;
        self.watched.ask().await
    }

    /// This one may be the primary no more.
    pub(super) fn distrust(&self, node: &Arc<Node>) {
        let mut primary = self.watched.primary.write().unwrap_or_else(PoisonError::into_inner);
        if primary.as_ref().is_some_and(|known| Arc::ptr_eq(known, node)) {
            *primary = None;
        }
    }

    pub(super) fn describe(&self) -> String {
        let addresses = self.watched.sentinels.iter().map(|one| one.address().to_string());
        format!("{} (sentinels {})", self.watched.master, addresses.collect::<Vec<_>>().join(", "))
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

async fn watch(watched: Arc<Watched>) {
    let mut tick = tokio::time::interval(WATCH);
    loop {
        tick.tick().await;
        // Who has no primary asks for it when it is needed, and who is asking has the turn.
        if watched.known().is_some()
            && let Ok(_turn) = watched.asking.try_lock()
        {
            // Whoever needs the primary is told what is wrong.
            let _ = watched.ask().await;
        }
    }
}

impl Watched {
    fn known(&self) -> Option<Arc<Node>> {
        self.primary.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, primary: Option<Arc<Node>>) {
        *self.primary.write().unwrap_or_else(PoisonError::into_inner) = primary;
    }

    async fn turn(&self) -> Result<tokio::sync::MutexGuard<'_, ()>, Trouble> {
        let turn = tokio::time::timeout(QUEUE, self.asking.lock()).await;
        turn.map_err(|_| Trouble::Unreached("asking the sentinels takes too long".into()))
    }

    /// Asks who is the primary, and turns to it if that is somebody else.
    async fn ask(&self) -> Result<Arc<Node>, Trouble> {
        let address = self.named().await?;
        match self.known() {
            Some(known) if *known.address() == address => return Ok(known),
            // From now on nothing is sent to the old one.
            _ => self.set(None),
        }
        let node = Node::new(&self.server, &address, Duty::Primary).map_err(Trouble::Failed)?;
        // The first connection asks for the role.
        let reached = node.shared().await;
        reached.map_err(|trouble| Trouble::Unreached(format!("the primary {address}: {trouble}")))?;
        let node = Arc::new(node);
        self.set(Some(Arc::clone(&node)));
        Ok(node)
    }

    /// Whom the sentinel of the latest failover names. Once most have answered, the others have
    /// [`REST`]: one that is frozen must not slow down every revocation.
    async fn named(&self) -> Result<Address, Trouble> {
        let mut pending: FuturesUnordered<_> = self.sentinels.iter().map(|one| self.named_by(one)).collect();
        let mut deadline = Instant::now() + ANSWER;
        let mut named = Vec::new();
        let mut failed = Vec::new();
        while let Ok(Some(answer)) = tokio::time::timeout_at(deadline, pending.next()).await {
            match answer {
                Ok(answer) => named.push(answer),
                Err(why) => failed.push(why),
            }
            if named.len() * 2 > self.sentinels.len() {
                deadline = deadline.min(Instant::now() + REST);
            }
        }
        let latest = named.into_iter().max_by_key(|(epoch, _)| *epoch);
        latest.map(|(_, address)| address).ok_or_else(|| {
            failed.push(format!("{} sentinel(s) did not answer", pending.len()));
            Trouble::Unreached(failed.join("; "))
        })
    }

    /// The epoch, and the address: `SENTINEL MASTER` alone would name the new primary later.
    async fn named_by(&self, sentinel: &Node) -> Result<(u64, Address), String> {
        let failed = |why: &dyn std::fmt::Display| format!("the sentinel at {}: {why}", sentinel.address());
        let ask = |what: &str| {
            let mut question = Cmd::new();
            question.arg("SENTINEL").arg(what).arg(&self.master);
            question
        };
        let mut questions = Pipeline::new();
        questions.add_command(ask("GET-MASTER-ADDR-BY-NAME")).add_command(ask("MASTER"));
        let shared = sentinel.shared().await.map_err(|trouble| failed(&trouble))?;
        let answer = questions.query_async(&mut shared.outbox.connection()).await;
        let (address, state): (Option<(String, u16)>, HashMap<String, String>) =
            answer.map_err(|error: RedisError| {
                if is_lost(&error) {
                    sentinel.give_up(&shared);
                }
                failed(&error)
            })?;
        let unknown = || failed(&format_args!("knows no master `{}`", self.master));
        let (host, port) = address.ok_or_else(unknown)?;
        let epoch = state.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
        Ok((epoch, Address { host, port }))
    }
}
