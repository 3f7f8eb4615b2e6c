//! A listener, the router, housekeeping, and a graceful end.

use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind};

use crate::broker::Broker;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::{Config, CredentialKind};
use crate::http::router;
use crate::keyring;
use crate::store::{Store, StoreError};

use super::{Connections, Patience, StartError, State, open_files, wire};

/// How often the store is tended and idle counters are collected.
const HOUSEKEEPING: Duration = Duration::from_secs(60);

/// How long the store may take the last events after the last request.
const SETTLE: Duration = Duration::from_secs(5);

/// Private networks in which clients may be, too (RFC 1918, RFC 6598).
const PRIVATE: [Ipv4Net; 4] = [
    Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 8),
    Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 0, 0), 12),
    Ipv4Net::new_assert(Ipv4Addr::new(192, 168, 0, 0), 16),
    Ipv4Net::new_assert(Ipv4Addr::new(100, 64, 0, 0), 10),
];

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
    for credential in &config.credentials {
        if matches!(credential.kind, CredentialKind::Nobody { .. }) {
            tracing::warn!(credential = %credential.id, "a credential of type none: whoever is on this machine needs \
                none where it is accepted; never in production");
        }
    }
    for network in config.trusted_proxies.iter().filter(|network| is_wide(network)) {
        tracing::warn!(%network, "trusted_proxies: whoever has an address in this network says for themselves where \
            they come from; name the proxies' own addresses");
    }
    tracing::info!(issuer = %config.issuer, listen = ?listener.local_addr().ok(), "gatelodge serves");
    let keeper = {
        let (broker, clock) = (Arc::clone(&broker), Arc::clone(&clock));
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
    let journal = broker.journal.clone();
    let listeners = broker.ending.clone();
    let end = async move {
        end.await;
        tracing::info!("ending: open requests are finished first");
        listeners.send_replace(true);
    };
    let most = config.max_connections;
    open_files::allow(most);
    Connections::new(router(broker), most, Patience::default(), clock).serve(listener, end).await;
    keeper.abort();
    key_keeper.abort();
    // Every call of the store ends in time; and what it does not take stands in the log.
    let _ = tokio::time::timeout(SETTLE, journal.settled()).await;
    Ok(())
}

/// Is more of a private network trusted than proxies need? Public ones are those of a large provider, who
/// says how wide they are.
fn is_wide(network: &IpNet) -> bool {
    match network {
        IpNet::V4(network) => {
            let meets = |private: &Ipv4Net| private.contains(network) || network.contains(private);
            network.prefix_len() < 16 && PRIVATE.iter().any(meets)
        }
        IpNet::V6(network) => network.prefix_len() < 48 && network.addr().is_unique_local(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_151_a_wide_private_network_is_told() {
        for (network, wide) in [
            ("10.0.0.0/8", true),
            ("172.16.0.0/12", true),
            ("192.168.0.0/15", true),
            ("100.64.0.0/10", true),
            ("8.0.0.0/5", true),
            ("10.32.0.0/11", true),
            ("fd00::/8", true),
            ("10.1.0.0/16", false),
            ("192.168.0.0/16", false),
            ("127.0.0.1/32", false),
            ("104.16.0.0/13", false),
            ("fd12:3456:789a::/48", false),
            ("2400:cb00::/32", false),
        ] {
            assert_eq!(is_wide(&network.parse().unwrap()), wide, "{network}");
        }
    }
}
