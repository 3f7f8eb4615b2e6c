//! What the tests stand on.
//!
//! - [`backend`]: a server behind the gateway.
//! - [`body`]: a request body that notices whether it was read.
//! - [`broker`]: a broker in process; [`browser`]: cookies and forms; [`client`]: an MCP client.
//! - [`clock`]: time that a test moves by hand.
//! - [`document_host`]: a web server with a name of its own, for documents of clients.
//! - [`extent`]: the short and the long form of a fault test, and its figures.
//! - [`fault_proxy`]: what a network may do, between two real programs.
//! - [`fleet`]: processes of the program on one Redis, behind one origin.
//! - [`front`]: one public origin in front of several replicas.
//! - [`github`]: a server that is shaped like GitHub.
//! - [`keys`]: signing keys that sign whatever they are told to.
//! - [`managed`]: a client that manages its registration.
//! - [`memory`]: how much of it this process has.
//! - [`oracle`]: a server that is asked about tokens.
//! - [`program`]: the program itself, as a process.
//! - [`provider`]: an OpenID provider that misbehaves on request.
//! - [`recorder`]: everything that a broker was asked and answered.
//! - [`eventually`]: waiting for a condition, with a bound.
//! - [`redis_server`]: a real `redis-server`, and the one place that decides what happens without.
//! - [`redis_tls`], [`redis_sentinel`], [`redis_cluster`]: the same with TLS and an ACL user, behind
//!   sentinels, as a cluster.
//! - [`reverse_proxy`]: a real nginx or Caddy.
//! - [`sample`]: records to put into a store.
//! - [`signer`]: a client that signs.
//! - [`small_disk`]: a disk of a few megabytes, to be filled.
//! - [`temp_dir`]: folders that vanish.

pub(crate) mod backend;
pub(crate) mod body;
pub(crate) mod broker;
pub(crate) mod browser;
pub(crate) mod client;
pub(crate) mod clock;
pub(crate) mod document_host;
pub(crate) mod eventually;
pub(crate) mod extent;
pub(crate) mod fault_proxy;
pub(crate) mod fleet;
pub(crate) mod front;
pub(crate) mod github;
pub(crate) mod keys;
pub(crate) mod managed;
pub(crate) mod memory;
pub(crate) mod oracle;
pub(crate) mod program;
pub(crate) mod provider;
pub(crate) mod question;
pub(crate) mod recorder;
pub(crate) mod redis_cluster;
pub(crate) mod redis_sentinel;
pub(crate) mod redis_server;
pub(crate) mod redis_tls;
pub(crate) mod reverse_proxy;
pub(crate) mod sample;
pub(crate) mod signer;
pub(crate) mod small_disk;
pub(crate) mod temp_dir;
