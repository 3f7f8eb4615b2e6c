//! A listener, the router, housekeeping, and a graceful end.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind};

use crate::broker::Broker;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::Config;
use crate::http::router;
use crate::keyring;
use crate::store::{Store, StoreError};

use super::{StartError, State, wire};

/// How often the store is tended and idle counters are collected.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How long open requests may go on after the end was asked for.
const DRAIN: Duration = Duration::from_secs(30);

/// How long the store may take the last events after that.
const SETTLE: Duration = Duration::from_secs(5);

/// Why serving ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// It never began.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address is taken, or not ours.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which address.
        address: String,
        /// What happened.
        source: io::Error,
    },
    /// The listener broke.
    #[error("serving failed: {0}")]
    Serve(#[from] io::Error),
}

/// Serves until SIGTERM or Ctrl-C.
pub async fn serve(config: &Config) -> Result<(), ServeError> {
    let listener = TcpListener::bind(config.listen).await;
    let listener =
        listener.map_err(|source| ServeError::Listen { address: config.listen.to_string(), source })?;
    serve_on(config, listener, Arc::new(SystemClock), end_asked()).await
}

/// Serves on a listener until `end`.
pub async fn serve_on(
    config: &Config,
    listener: TcpListener,
    clock: Arc<dyn Clock>,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let state = State::open(config, clock.now()).await?;
    let broker = Arc::new(wire(config, &state, Arc::clone(&clock))?);
    for upstream in config.upstreams.iter().filter(|upstream| upstream.email_verified_as_text) {
        tracing::warn!(upstream = %upstream.id, "email_verified_as_text: the text \"true\" verifies an email here");
    }
    tracing::info!(issuer = %config.issuer, listen = ?listener.local_addr().ok(), "gatelodge serves");
    let keeper = {
        let broker = Arc::clone(&broker);
        tokio::spawn(async move {
            let mut tick = tokio::time::interval(HOUSEKEEPING);
            loop {
                tick.tick().await;
                broker.tokens.authenticator.collect_garbage();
                broker.registration.collect_garbage();
                broker.login.begun.collect_garbage();
                tend(broker.store.as_ref(), clock.now()).await;
            }
        })
    };
    let key_keeper = tokio::spawn(keep_keys(Arc::clone(&broker)));
    let (ending, ended) = tokio::sync::oneshot::channel();
    let journal = broker.journal.clone();
    let service = router(broker).into_make_service_with_connect_info::<SocketAddr>();
    let server = axum::serve(listener, service).with_graceful_shutdown(async move {
        end.await;
        tracing::info!("ending: open requests are finished first");
        let _ = ending.send(());
    });
    let drained = async {
        let _ = ended.await;
        // Past this, whoever still holds a connection is cut off.
        let never = std::future::pending::<()>();
        let _ = tokio::time::timeout(DRAIN, never).await;
    };
    let served = tokio::select! {
        served = server => served,
        () = drained => Ok(()),
    };
    keeper.abort();
    key_keeper.abort();
    // Every call of the store ends in time; and what it does not take stands in the log.
    let _ = tokio::time::timeout(SETTLE, journal.settled()).await;
    Ok(served?)
}

/// Looks after the signing keys for as long as the broker serves. Of a store that is away for a
/// while the first look tells; the keys that are held go on.
async fn keep_keys(broker: Arc<Broker>) {
    let mut tick = tokio::time::interval(keyring::LOOK_EVERY);
    let mut failing = false;
    loop {
        tick.tick().await;
        match broker.keys.tend().await {
            Ok(()) => failing = false,
            Err(fault) if failing => tracing::debug!(%fault, "the signing keys still cannot be looked after"),
            Err(fault) => {
                failing = true;
                tracing::warn!(%fault, "the signing keys cannot be looked after; the known ones go on");
            }
        }
    }
}

/// Lets the store do what it does every minute, and says what came of it.
pub async fn tend(store: &dyn Store, now: Timestamp) {
    match store.tend(now).await {
        Ok(()) => {}
        // Each time that it is seen: somebody has to act, and what is alive stays alive.
        Err(StoreError::Unfit(fault)) => {
            tracing::error!(target: "alarm", %fault, "the store needs attention");
        }
        Err(fault) => tracing::warn!(%fault, "the store could not be tended"),
    }
}

/// SIGTERM or Ctrl-C. It is listened for from this call on, not only from the first poll: who sees
/// that the broker serves may ask it to end.
pub fn end_asked() -> impl Future<Output = ()> + Send + 'static {
    let listen = |kind| tokio::signal::unix::signal(kind).ok();
    let (interrupted, terminated) = (listen(SignalKind::interrupt()), listen(SignalKind::terminate()));
    async {
        tokio::select! {
            () = received(interrupted) => {}
            () = received(terminated) => {}
        }
    }
}

/// Never, where the signal cannot be listened for.
async fn received(signal: Option<Signal>) {
    match signal {
        Some(mut signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}
