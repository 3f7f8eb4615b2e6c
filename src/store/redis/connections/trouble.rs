//! What may go wrong with a command, and what that says about it.

use std::fmt;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use super::address::Address;

/// Why there is no answer to a command.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There was no connection: nothing was sent.
    Unreached(String),
    /// Redis refused, or the connection broke.
    Failed(RedisError),
    /// It was done, and no replica said that it has it.
    NotReplicated(u64),
}

/// What may be tried after a command that was certainly not executed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// The same again, at whoever serves the key now.
    Rediscover,
    /// The same again after a moment.
    Pause,
    /// There, and from now on. An address without a host is on the host that said so.
    Moved(Option<Address>),
    /// There, this once.
    Ask(Option<Address>),
}

impl Trouble {
    /// What may be tried. None where the command may have been executed: a broken or silent
    /// connection does not say, and a second `redeem_code` or `take_login` would be told that
    /// somebody was first. None, too, where another attempt would be answered alike.
    pub(super) fn remedy(&self) -> Option<Remedy> {
        let error = match self {
            Self::Unreached(_) => return Some(Remedy::Rediscover),
            Self::NotReplicated(_) => return None,
            Self::Failed(error) => error,
        };
        let redirect = || Address::parse(error.redirect_node()?.0);
        let ErrorKind::Server(kind) = error.kind() else { return None };
        #[expect(clippy::wildcard_enum_match_arm, reason = "whatever else Redis says, it will say again")]
        match kind {
            ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown => Some(Remedy::Rediscover),
            ServerErrorKind::TryAgain | ServerErrorKind::BusyLoading | ServerErrorKind::ClusterDown => {
                Some(Remedy::Pause)
            }
            ServerErrorKind::Moved => Some(Remedy::Moved(redirect())),
            ServerErrorKind::Ask => Some(Remedy::Ask(redirect())),
            _ => None,
        }
    }

    /// Does somebody else serve this key, for all we know? Then whoever asks next asks who.
    pub(super) fn is_about_the_server(&self) -> bool {
        match self {
            Self::Unreached(_) => true,
            Self::NotReplicated(_) => false,
            Self::Failed(error) => {
                is_lost(error) || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ClusterDown))
            }
        }
    }
}

/// Is the connection of no more use? Broken, silent, or to a server that cannot write: a primary
/// that was demoted answers READONLY for ever.
pub(super) fn is_lost(error: &RedisError) -> bool {
    error.is_unrecoverable_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || matches!(
            error.kind(),
            ErrorKind::Io
                | ErrorKind::Parse
                | ErrorKind::AuthenticationFailed
                | ErrorKind::Server(ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown)
        )
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreached(why) => f.write_str(why),
            Self::Failed(error) => error.fmt(f),
            Self::NotReplicated(replicas) => {
                write!(f, "none of its {replicas} replica(s) has acknowledged the revocation")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(line: &str) -> Trouble {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Trouble::Failed(value.extract_error().unwrap_err())
    }

    /// REL-08: what is tried again is what Redis says it did not do, and nothing else.
    #[test]
    fn rel_08_only_what_was_not_executed_is_tried_again() {
        let there = || Address::parse("10.0.0.7:6380");
        for (line, remedy) in [
            ("READONLY You can't write against a read only replica.", Some(Remedy::Rediscover)),
            ("MASTERDOWN Link with MASTER is down", Some(Remedy::Rediscover)),
            ("LOADING Redis is loading the dataset in memory", Some(Remedy::Pause)),
            ("TRYAGAIN Multiple keys request during rehashing of slot", Some(Remedy::Pause)),
            ("CLUSTERDOWN The cluster is down", Some(Remedy::Pause)),
            ("MOVED 3999 10.0.0.7:6380", Some(Remedy::Moved(there()))),
            ("ASK 3999 10.0.0.7:6380", Some(Remedy::Ask(there()))),
            ("OOM command not allowed when used memory > 'maxmemory'.", None),
            ("NOREPLICAS Not enough good replicas to write.", None),
            ("NOPERM this user has no permissions", None),
            ("ERR unknown command", None),
        ] {
            assert_eq!(answered(line).remedy(), remedy, "{line}");
        }
        for kind in [std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::TimedOut] {
            let broken = Trouble::Failed(std::io::Error::from(kind).into());
            assert_eq!(broken.remedy(), None, "the outcome is unknown");
            assert!(broken.is_about_the_server());
        }
        assert_eq!(Trouble::Unreached(String::new()).remedy(), Some(Remedy::Rediscover));
        assert_eq!(Trouble::NotReplicated(2).remedy(), None);
    }
}
