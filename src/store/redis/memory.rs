//! Whether Redis keeps what it was given.
//!
//! Every key is somebody's session, and the absence of one can be a revocation: a Redis that evicts
//! must not be used (REL-07). `INFO` says so; it needs no right to read the configuration.

use super::RedisStore;
use super::connections::{field, is_hidden};
use crate::store::StoreError;

/// The one policy that evicts nothing.
const KEEPS: &str = "noeviction";
/// How full it may be, in percent of `maxmemory`, before somebody has to know.
const FULL: u64 = 75;

/// When it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// At start: an unfit Redis is refused.
    Start,
    /// Later: whoever looks after the store is told.
    Running,
}

impl RedisStore {
    /// Looks at every server.
    pub(super) async fn look_at_memory(&self, moment: Moment) -> Result<(), StoreError> {
        let mut findings = Vec::new();
        for (address, answer) in self.connections.info("memory").await? {
            match answer {
                Ok(info) => findings.extend(finding(&info, moment).map(|what| format!("{address} {what}"))),
                Err(error) if moment == Moment::Start && is_hidden(&error) => {
                    tracing::warn!(server = %address, %error, "Redis does not answer INFO: whether it evicts \
                        keys and has replicas is not known, and revocations do not wait for replicas");
                }
                // A replica may be away. A primary that is, is told by every other call.
                Err(error) => tracing::warn!(server = %address, %error, "its memory could not be looked at"),
            }
        }
        if findings.is_empty() {
            Ok(())
        } else {
            Err(StoreError::Unfit(format!("Redis at {}", findings.join("; "))))
        }
    }
}

/// What is wrong with the memory of one server.
fn finding(info: &str, moment: Moment) -> Option<String> {
    match field(info, "maxmemory_policy") {
        Some(KEEPS) => {}
        Some(policy) => {
            return Some(format!(
                "may evict sessions and revocations (maxmemory-policy {policy}): set maxmemory-policy {KEEPS}"
            ));
        }
        None if moment == Moment::Start => {
            tracing::warn!("Redis hides its maxmemory-policy: make sure that it is {KEEPS}");
        }
        None => {}
    }
    let number = |name| field(info, name)?.parse::<u64>().ok();
    let (used, most) = (number("used_memory")?, number("maxmemory").filter(|most| *most > 0)?);
    let percent = used.saturating_mul(100) / most;
    // Reads go on even when it is full, so a broker may start.
    (moment == Moment::Running && percent >= FULL)
        .then(|| format!("uses {percent} % of its maxmemory: when it is full, it refuses every write"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rel_07_eviction_and_a_memory_that_fills_up_are_found() {
        let info = |policy: &str, used: u64, most: u64| {
            format!("# Memory\r\nused_memory:{used}\r\nmaxmemory:{most}\r\nmaxmemory_policy:{policy}\r\n")
        };
        let [start, running] = [Moment::Start, Moment::Running];
        assert_eq!(finding(&info("noeviction", 74, 100), running), None);
        assert_eq!(finding(&info("noeviction", 100, 0), running), None);
        assert!(finding(&info("noeviction", 75, 100), running).unwrap().contains("75 %"));
        assert_eq!(finding(&info("noeviction", 99, 100), start), None);
        for policy in ["allkeys-lru", "volatile-lru", "volatile-ttl", "allkeys-random"] {
            assert!(finding(&info(policy, 1, 0), start).unwrap().contains(policy));
            assert!(finding(&info(policy, 1, 0), running).unwrap().contains("noeviction"));
        }
        assert_eq!(finding("used_memory:1\r\n", running), None);
    }
}
