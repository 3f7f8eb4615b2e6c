//! A primary that sentinels name.
//!
//! All sentinels are asked at once, and the first answer whose server says of itself that it is a
//! primary counts: one silent sentinel costs nothing, and an old answer is found out.

use std::sync::{Arc, PoisonError, RwLock};

use futures::future::{BoxFuture, FutureExt as _, select_ok};
use redis::{Client, Cmd, RedisError};

use super::super::servers::{Account, Tls};
use super::address::{Address, Dialer, limits};
use super::node::{Duty, Node, QUEUE};
use super::trouble::Trouble;
use crate::secret::Secret;

/// The sentinels, and whom they named last.
pub(super) struct Sentinel {
    sentinels: Vec<Dialer>,
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
        let sentinels = sentinels.iter().map(|url| Dialer::new(url, account, tls));
        Ok(Self {
            sentinels: sentinels.collect::<Result<_, _>>()?,
            master: master.to_owned(),
            server: Dialer::new(first, server_account, tls)?,
            primary: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        })
    }

    /// The primary, as far as is known.
    pub(super) fn known(&self) -> Option<Arc<Node>> {
        self.primary.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The primary, asking if it is not known.
    pub(super) async fn primary(&self) -> Result<Arc<Node>, Trouble> {
        let Ok(_turn) = tokio::time::timeout(QUEUE, self.asking.lock()).await else {
            return Err(Trouble::Unreached("asking the sentinels takes too long".into()));
        };
        if let Some(known) = self.known() {
            return Ok(known);
        }
        let answers = self.sentinels.iter().map(|sentinel| self.named_by(sentinel).boxed());
        let (primary, _) = select_ok(answers.collect::<Vec<BoxFuture<'_, _>>>()).await?;
        *self.primary.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&primary));
        Ok(primary)
    }

    /// This one may be the primary no more.
    pub(super) fn distrust(&self, node: &Arc<Node>) {
        let mut primary = self.primary.write().unwrap_or_else(PoisonError::into_inner);
        if primary.as_ref().is_some_and(|known| Arc::ptr_eq(known, node)) {
            *primary = None;
        }
    }

    pub(super) fn describe(&self) -> String {
        let addresses: Vec<_> = self.sentinels.iter().map(|one| one.address().to_string()).collect();
        format!("{} (sentinels {})", self.master, addresses.join(", "))
    }

    async fn named_by(&self, sentinel: &Dialer) -> Result<Arc<Node>, Trouble> {
        let failed = |error: RedisError| {
            Trouble::Unreached(format!("the sentinel at {}: {error}", sentinel.address()))
        };
        let client = Client::open(sentinel.to(sentinel.address())).map_err(failed)?;
        let mut connection =
            client.get_multiplexed_async_connection_with_config(&limits()).await.map_err(failed)?;
        let mut question = Cmd::new();
        question.arg("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        let answer: Option<(String, u16)> = question.query_async(&mut connection).await.map_err(failed)?;
        let Some((host, port)) = answer else {
            let why = format!("the sentinel at {} knows no master `{}`", sentinel.address(), self.master);
            return Err(Trouble::Unreached(why));
        };
        let address = Address { host, port };
        let node = Node::new(&self.server, &address, Duty::Primary).map_err(failed)?;
        // The first connection asks for the role.
        node.shared().await.map_err(|trouble| {
            Trouble::Unreached(format!(
                "{address}, named by the sentinel at {}: {trouble}",
                sentinel.address()
            ))
        })?;
        Ok(Arc::new(node))
    }
}
