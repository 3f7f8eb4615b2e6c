//! Where one server listens, and how a connection to it is made.

use std::fmt;
use std::time::Duration;

use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo as _, RedisError, TlsCertificates,
};

use super::super::servers::{Account, Tls};
use crate::secret::Secret;

/// Longest time to connect, TLS and AUTH included.
pub(super) const CONNECT: Duration = Duration::from_secs(2);
/// Longest time for a command.
pub(super) const COMMAND: Duration = Duration::from_secs(2);

/// A host and a port.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// As Redis writes it: IPv6 without brackets, and no host at all for "mine".
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        Some(Self { host: host.to_owned(), port: port.parse().ok()? })
    }

    /// The same, with a host.
    pub(super) fn or_on(self, host: &str) -> Self {
        if self.host.is_empty() { Self { host: host.to_owned(), ..self } } else { self }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Everything about a connection but the address: account, database, certificates.
#[derive(Clone)]
pub(super) struct Dialer {
    template: ConnectionInfo,
    address: Address,
}

impl Dialer {
    /// Reads a URL, and the certificates, so that their faults are told at start. No message
    /// quotes the URL.
    pub(super) fn new(url: &Secret, account: &Account, tls: &Tls) -> Result<Self, RedisError> {
        // Many callers share a connection: no command may wait until the one before it is acknowledged.
        let at_once = TcpSettings::default().set_nodelay(true);
        let mut info = url.expose().into_connection_info()?.set_tcp_settings(at_once);
        let mut settings = info.redis_settings().clone();
        if let Some(username) = &account.username {
            settings = settings.set_username(username);
        }
        if let Some(password) = &account.password {
            settings = settings.set_password(password.expose());
        }
        info = info.set_redis_settings(settings);
        if tls.authorities.is_some() || tls.identity.is_some() {
            let client_tls = tls.identity.as_ref().map(|(certificate, key)| ClientTlsConfig {
                client_cert: certificate.clone().into_bytes(),
                client_key: key.expose().as_bytes().to_vec(),
            });
            let root_cert = tls.authorities.as_ref().map(|pem| pem.clone().into_bytes());
            let client = Client::build_with_tls(info, TlsCertificates { client_tls, root_cert })?;
            info = client.get_connection_info().clone();
        }
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Address { host: host.clone(), port: *port }
            }
            ConnectionAddr::Unix(_) | _ => {
                return Err(RedisError::from((ErrorKind::InvalidClientConfig, "not a TCP address")));
            }
        };
        Ok(Self { template: info, address })
    }

    /// Where the URL points to.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// How to connect to that address.
    pub(super) fn to(&self, address: &Address) -> ConnectionInfo {
        let Address { host, port } = address.clone();
        let there = match self.template.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            ConnectionAddr::Tcp(..) | ConnectionAddr::Unix(_) | _ => ConnectionAddr::Tcp(host, port),
        };
        self.template.clone().set_addr(there)
    }
}

/// The time limits of every connection.
pub(super) fn limits() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(Some(CONNECT)).set_response_timeout(Some(COMMAND))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// REL-05: with Nagle's algorithm, commands of other callers would wait for an acknowledgement.
    #[test]
    fn rel_05_a_command_is_sent_at_once() {
        let url = Secret::new("redis://user:password@127.0.0.1:6379/".into());
        let dialer = Dialer::new(&url, &Account::default(), &Tls::default()).unwrap();
        let elsewhere = dialer.to(&Address { host: "10.0.0.7".into(), port: 6380 });
        assert!(elsewhere.tcp_settings().nodelay());
    }
}
