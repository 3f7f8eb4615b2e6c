//! How much strangers may make us fetch (SEC-128). Documents and keys have budgets of their own, so that
//! whoever makes up documents at a host does not use up the turns of the keys that stand there.

use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::clock::Clock;
use crate::rate::{RateLimit, network};

/// Unknown documents of one host in a minute: for one address, so that no one keeps a host's clients
/// unknown to everybody else, and for all.
const HOST_FOR_ADDRESS: NonZeroU32 = NonZeroU32::new(5).expect("5 is not zero");
const HOST: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");

/// Keys that are not held, from one host in a minute: for the clients of one host, and for all.
const KEYS_FOR_CLIENTS: NonZeroU32 = NonZeroU32::new(20).expect("20 is not zero");
const KEYS: NonZeroU32 = NonZeroU32::new(120).expect("120 is not zero");

/// Fetches under way at once, of documents and of keys.
const AT_ONCE: usize = 32;

/// What there was too much of. For the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Unknown documents for one address.
    Address,
    /// Unknown documents of one host for one address.
    AddressAndHost,
    /// Unknown documents of one host.
    Host,
    /// Documents at once.
    Places,
    /// Keys at one host, for the clients of one host.
    KeysForClients,
    /// Keys at one host.
    KeysHost,
    /// Keys at once.
    KeyPlaces,
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "address",
            Self::AddressAndHost => "address and host",
            Self::Host => "host",
            Self::Places => "places",
            Self::KeysForClients => "keys for one host's clients",
            Self::KeysHost => "keys of one host",
            Self::KeyPlaces => "places for keys",
        })
    }
}

/// The turns and places of documents.
#[derive(Debug)]
pub(super) struct DocumentBudget {
    addresses: RateLimit<IpAddr>,
    hosts_for_addresses: RateLimit<(IpAddr, String)>,
    hosts: RateLimit<String>,
    places: Arc<Semaphore>,
}

impl DocumentBudget {
    pub(super) fn new(per_address: NonZeroU32, clock: &Arc<dyn Clock>) -> Self {
        Self {
            addresses: RateLimit::per_minute(per_address, Arc::clone(clock)),
            hosts_for_addresses: RateLimit::per_minute(HOST_FOR_ADDRESS, Arc::clone(clock)),
            hosts: RateLimit::per_minute(HOST, Arc::clone(clock)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Counts an unknown document. What one address may not have costs the others nothing.
    pub(super) fn take_turn(&self, address: Option<IpAddr>, host: &str) -> Result<(), Limit> {
        let host = host.to_owned();
        if let Some(network) = address.map(network) {
            within(&self.hosts_for_addresses, &(network, host.clone()), Limit::AddressAndHost)?;
            within(&self.addresses, &network, Limit::Address)?;
        }
        within(&self.hosts, &host, Limit::Host)
    }

    /// One of the places, for as long as it is held.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Limit> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Limit::Places)
    }

    pub(super) fn counted(&self) -> usize {
        self.addresses.keys() + self.hosts_for_addresses.keys() + self.hosts.keys()
    }

    pub(super) fn collect_garbage(&self) {
        self.addresses.collect_garbage();
        self.hosts_for_addresses.collect_garbage();
        self.hosts.collect_garbage();
    }
}

/// The turns and places of keys.
#[derive(Debug)]
pub(super) struct KeyBudget {
    hosts_for_clients: RateLimit<(String, String)>,
    hosts: RateLimit<String>,
    places: Arc<Semaphore>,
}

impl KeyBudget {
    pub(super) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            hosts_for_clients: RateLimit::per_minute(KEYS_FOR_CLIENTS, Arc::clone(clock)),
            hosts: RateLimit::per_minute(KEYS, Arc::clone(clock)),
            places: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }

    /// Counts keys that are not held, of a client of one host at another.
    pub(super) fn take_turn(&self, client: &str, keys: &str) -> Result<(), Limit> {
        let pair = (client.to_owned(), keys.to_owned());
        within(&self.hosts_for_clients, &pair, Limit::KeysForClients)?;
        within(&self.hosts, &pair.1, Limit::KeysHost)
    }

    /// One of the places, for as long as it is held.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Limit> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Limit::KeyPlaces)
    }

    pub(super) fn counted(&self) -> usize {
        self.hosts_for_clients.keys() + self.hosts.keys()
    }

    pub(super) fn collect_garbage(&self) {
        self.hosts_for_clients.collect_garbage();
        self.hosts.collect_garbage();
    }
}

fn within<K: std::hash::Hash + Eq + Clone>(rate: &RateLimit<K>, key: &K, limit: Limit) -> Result<(), Limit> {
    if rate.allows(key) { Ok(()) } else { Err(limit) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::clock::Timestamp;

    #[derive(Debug)]
    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix(1_700_000_000)
        }

        fn elapsed(&self) -> Duration {
            Duration::ZERO
        }
    }

    /// What the clients of one host use up at the keys' host, those of another still have.
    #[test]
    fn sec_128_turns_of_keys_are_by_the_clients_host() {
        let budget = KeyBudget::new(&(Arc::new(Still) as Arc<dyn Clock>));
        let taken = (0..30).filter(|_| budget.take_turn("mine.example", "keys.example").is_ok()).count();
        assert_eq!(taken, 20);
        assert_eq!(budget.take_turn("mine.example", "keys.example"), Err(Limit::KeysForClients));
        assert_eq!(budget.take_turn("yours.example", "keys.example"), Ok(()));
        assert_eq!(budget.take_turn("mine.example", "other.example"), Ok(()));
        let many =
            (0..300).filter(|host| budget.take_turn(&format!("{host}.example"), "keys.example").is_ok());
        assert_eq!(many.count(), 120 - 21);
        assert_eq!(budget.take_turn("last.example", "keys.example"), Err(Limit::KeysHost));
    }

    /// What one address uses up at a host, the others still have.
    #[test]
    fn sec_128_turns_of_documents_are_by_address_and_host() {
        let per_address = NonZeroU32::new(7).unwrap();
        let budget = DocumentBudget::new(per_address, &(Arc::new(Still) as Arc<dyn Clock>));
        let from = |last: u8| Some(IpAddr::from([192, 0, 2, last]));
        for _ in 0..5 {
            assert_eq!(budget.take_turn(from(1), "app.example"), Ok(()));
        }
        assert_eq!(budget.take_turn(from(1), "app.example"), Err(Limit::AddressAndHost));
        assert_eq!(budget.take_turn(from(2), "app.example"), Ok(()));
        assert_eq!(budget.take_turn(from(1), "a.example"), Ok(()));
        assert_eq!(budget.take_turn(from(1), "b.example"), Ok(()));
        assert_eq!(budget.take_turn(from(1), "c.example"), Err(Limit::Address));
        let all = (0..200).filter(|_| budget.take_turn(None, "app.example").is_ok()).count();
        assert_eq!(all, 120 - 6);
        assert_eq!(budget.take_turn(from(3), "app.example"), Err(Limit::Host));
    }
}
