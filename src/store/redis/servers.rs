//! Where Redis is, and how to get in.

use crate::secret::Secret;

/// One server, a primary that sentinels name, or a cluster; and how every server of it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers {
    /// Which of the three.
    pub shape: Shape,
    /// Who we are. What stands here goes before what a URL says.
    pub account: Account,
    /// Certificates, for `rediss://`.
    pub tls: Tls,
}

/// The three shapes of a Redis. Each URL is `redis://` or `rediss://`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// One server.
    Single {
        /// Its URL; it may hold user and password.
        url: Secret,
    },
    /// A primary and its replicas, watched by sentinels.
    Sentinel {
        /// The sentinels; the scheme holds for the servers, too.
        sentinels: Vec<Secret>,
        /// What the sentinels call the primary.
        master: String,
        /// Who we are to the sentinels.
        account: Account,
    },
    /// A cluster.
    Cluster {
        /// Some of its nodes; the others are learnt.
        nodes: Vec<Secret>,
    },
}

/// A user and a password.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Account {
    /// The ACL user; without one, Redis's `default`.
    pub username: Option<String>,
    /// The password.
    pub password: Option<Secret>,
}

/// Certificates in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tls {
    /// Whom to trust, instead of what the machine trusts.
    pub authorities: Option<String>,
    /// Our own certificate and its key, where Redis asks for one.
    pub identity: Option<(String, Secret)>,
}

impl Servers {
    /// One server, and nothing beside its URL.
    #[must_use]
    pub fn single(url: Secret) -> Self {
        Self { shape: Shape::Single { url }, account: Account::default(), tls: Tls::default() }
    }
}
