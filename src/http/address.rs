//! Where a request comes from: the other end of its connection, unless that is a proxy of ours, which
//! says so in `X-Forwarded-For`. Nobody else is believed: anyone can write a header (SEC-151).

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Once};

use axum::extract::{ConnectInfo, FromRequestParts};
use http::header::HeaderName;
use http::request::Parts;
use ipnet::IpNet;

use crate::broker::Broker;

const FORWARDED: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What else a proxy says of what it passes on.
const PASSED_ON: [&str; 4] = ["forwarded", "via", "x-real-ip", "x-forwarded-host"];

/// A deployment that was not told of its own proxy is worth one line.
static TOLD: Once = Once::new();

/// The address of whoever asks.
pub(super) struct Address(pub(super) IpAddr);

impl FromRequestParts<Arc<Broker>> for Address {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, broker: &Arc<Broker>) -> Result<Self, Infallible> {
        Ok(Self(of(parts, &broker.trusted_proxies)))
    }
}

/// Does the request come straight from a proxy of ours?
pub(super) fn is_from_a_proxy(parts: &Parts, trusted: &[IpNet]) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    peer.is_some_and(|peer| trusted.iter().any(|network| network.contains(&peer)))
}

/// Does the request begin and stay on this machine? Of what a proxy passes on only if it says so.
pub(super) fn is_local(parts: &Parts, trusted: &[IpNet]) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip().to_canonical());
    if !peer.is_some_and(|peer| peer.is_loopback()) {
        return false;
    }
    let mut passed_on = parts.headers.get_all(FORWARDED).iter().peekable();
    match (is_from_a_proxy(parts, trusted), passed_on.peek().is_some()) {
        (true, true) => passed_on.all(|header| {
            let hops = String::from_utf8_lossy(header.as_bytes());
            hops.split(',').all(|hop| read(hop.trim()).is_some_and(|hop| hop.is_loopback()))
        }),
        (false, false) => !PASSED_ON.iter().any(|name| parts.headers.contains_key(*name)),
        (true, false) | (false, true) => false,
    }
}

/// Where a request comes from, by its parts. Where there is no connection, everybody is one.
pub(super) fn of(parts: &Parts, trusted: &[IpNet]) -> IpAddr {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip().to_canonical());
    let is_ours = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
    if !is_ours(&peer) {
        if parts.headers.contains_key(FORWARDED) {
            TOLD.call_once(|| {
                tracing::warn!(%peer, "X-Forwarded-For of a peer that is not in trusted_proxies is not believed: \
                    if that is your proxy, everybody behind it counts as one address");
            });
        }
        return peer;
    }
    // Each proxy writes behind what it was told, so from the end on it is true as long as it is ours.
    let mut address = peer;
    for header in parts.headers.get_all(FORWARDED).iter().rev() {
        for hop in String::from_utf8_lossy(header.as_bytes()).rsplit(',') {
            let Some(hop) = read(hop.trim()) else { return address };
            address = hop;
            if !is_ours(&address) {
                return address;
            }
        }
    }
    address
}

/// An address, as some write it with a port.
fn read(hop: &str) -> Option<IpAddr> {
    let bare = hop.strip_prefix('[').and_then(|hop| hop.strip_suffix(']')).unwrap_or(hop);
    let address = bare.parse().or_else(|_| hop.parse().map(|address: SocketAddr| address.ip())).ok()?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn seen(peer: &str, forwarded: &[&str]) -> String {
        let trusted = ["10.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
        let peer: SocketAddr = peer.parse().unwrap();
        let mut request = Request::builder().extension(ConnectInfo(peer));
        for hops in forwarded {
            request = request.header(FORWARDED, *hops);
        }
        of(&request.body(()).unwrap().into_parts().0, &trusted).to_string()
    }

    #[test]
    fn sec_151_only_our_proxies_say_where_a_request_comes_from() {
        assert_eq!(seen("192.0.2.7:1", &[]), "192.0.2.7");
        assert_eq!(seen("192.0.2.7:1", &["198.51.100.1"]), "192.0.2.7", "anybody can write a header");
        assert_eq!(seen("10.0.0.1:1", &[]), "10.0.0.1");
        assert_eq!(seen("10.0.0.1:1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("[::ffff:10.0.0.1]:1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(seen("[::1]:1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1:1", &["203.0.113.9, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1:1", &["203.0.113.9", "198.51.100.1", "10.0.0.2,10.0.0.3"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1:1", &["10.0.0.9, 10.0.0.2"]), "10.0.0.9", "all of them ours");
        assert_eq!(seen("10.0.0.1:1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(seen("10.0.0.1:1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(seen("10.0.0.1:1", &["[2001:db8::1]"]), "2001:db8::1");
        for unreadable in ["unknown", "", "198.51.100.1, _hidden", "198.51.100.1, "] {
            assert_eq!(seen("10.0.0.1:1", &[unreadable]), "10.0.0.1", "{unreadable}");
        }
    }
    /// A request without a credential counts only where it cannot come from anywhere else.
    #[test]
    fn what_begins_and_stays_on_this_machine() {
        let local = |peer: &str, trusted: &[&str], headers: &[(&'static str, &str)]| {
            let trusted: Vec<IpNet> = trusted.iter().map(|network| network.parse().unwrap()).collect();
            let peer: SocketAddr = peer.parse().unwrap();
            let mut request = Request::builder().extension(ConnectInfo(peer));
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            is_local(&request.body(()).unwrap().into_parts().0, &trusted)
        };
        let proxy = ["127.0.0.1/32"];
        for peer in ["127.0.0.1:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(local(peer, &[], &[]), "{peer}");
        }
        assert!(local("127.0.0.1:1", &proxy, &[("x-forwarded-for", "127.0.0.1, ::1")]));
        assert!(!local("192.0.2.7:1", &[], &[]));
        assert!(!local("127.0.0.1:1", &proxy, &[]), "a proxy that does not say");
        for name in ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-host"] {
            assert!(!local("127.0.0.1:1", &[], &[(name, "127.0.0.1")]), "a proxy that nobody knows: {name}");
        }
        for hops in ["192.0.2.7", "127.0.0.1, 192.0.2.7", "192.0.2.7, 127.0.0.1", "unknown", "", "127.0.0.1,"]
        {
            assert!(!local("127.0.0.1:1", &proxy, &[("x-forwarded-for", hops)]), "{hops}");
        }
    }
}
