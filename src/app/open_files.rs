//! How many files the process may open: each connection is one, and may lead to another, to a server behind us, a
//! provider or the store.

use std::num::NonZeroU32;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as the process may, and says so where that is too little for so many connections.
pub(super) fn allow(connections: NonZeroU32) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(fault) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%fault, "the limit of open files stays as it is");
    }
    let wanted = 2 * u64::from(connections.get());
    if let Some(may_open) = getrlimit(Resource::Nofile).current.filter(|may_open| *may_open < wanted) {
        tracing::warn!(
            may_open,
            max_connections = connections,
            "max_connections needs two open files each, and there are fewer: raise LimitNOFILE or `ulimit -n`, or \
             lower max_connections"
        );
    }
}
