//! How many requests may come to a protected server, from one address and with one credential.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use gatelodge::clock::Clock;
use gatelodge::store::faulty::Operation;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::clock::TestClock;
use crate::harness::provider::TestProvider;
use crate::harness::question::{NOTES, WIKI, ask_with};
use crate::harness::redis_server::{self, fresh_prefix};

const JOB: &str = "Bearer a-static-token-of-the-nightly-job-0123456789";
const PROBE: &str = "Bearer a-static-token-of-the-probe-0123456789abcd";

fn setup(limits: &str) -> Setup {
    let usual = Setup::default();
    let accepts = "    accepts: [job, probe]\n";
    let resources = format!(
        "{}{accepts}    limits: {limits}\n  - url: https://wiki.example.com/mcp\n    name: Wiki\n    \
         scopes: {{ mcp:read: Read }}\n{accepts}    limits: {limits}\n",
        usual.resources
    );
    let credential = |id: &str, token: &str| {
        let token = token.trim_start_matches("Bearer ");
        format!("  - {{ id: {id}, type: static, token: {token}, subject: {id}, scopes: [mcp:read] }}\n")
    };
    let credentials = [credential("job", JOB), credential("probe", PROBE)].concat();
    let extra = format!("trusted_proxies: [127.0.0.1]\nforward_auth: true\ncredentials:\n{credentials}");
    Setup { extra, resources, ..usual }
}

/// Asks about a request from an address with a credential.
async fn from(broker: &TestBroker, asked: &[(&str, &str)], address: &str, credential: &str) -> Page {
    let more = [("x-forwarded-for", address), ("authorization", credential)];
    ask_with(broker, &[asked, &more].concat()).await
}

async fn to_notes(broker: &TestBroker, address: &str, credential: &str) -> Page {
    from(broker, &NOTES, address, credential).await
}

/// A credential has its own quota at each server, and a new one in the next minute.
#[tokio::test]
async fn one_credential_has_so_many_requests_in_a_minute() {
    let broker = TestBroker::with(setup("{ per_credential: 3 }")).await;
    let into_the_minute = broker.clock.now().as_unix() % 60;
    for left in ["2", "1", "0"] {
        let page = to_notes(&broker, "192.0.2.1", JOB).await;
        assert_eq!(page.status, 200, "{}", page.body);
        assert_eq!(page.header("ratelimit-policy"), "\"credential\";q=3;w=60");
        let reset = 60 - into_the_minute;
        assert_eq!(page.header("ratelimit"), format!("\"credential\";r={left};t={reset}"));
    }
    let page = to_notes(&broker, "192.0.2.2", JOB).await;
    assert_eq!((page.status, page.json()["error"].as_str()), (429, Some("slow_down")));
    assert_eq!(page.header("retry-after"), (60 - into_the_minute).to_string());
    assert!(page.header("ratelimit").starts_with("\"credential\";r=0;"));
    assert_eq!(page.header("www-authenticate"), "", "a new token would not help");
    assert_eq!(to_notes(&broker, "192.0.2.1", PROBE).await.status, 200);
    assert_eq!(from(&broker, &WIKI, "192.0.2.1", JOB).await.status, 200);
    broker.clock.advance(Duration::from_secs(60 - into_the_minute));
    assert_eq!(to_notes(&broker, "192.0.2.1", JOB).await.status, 200);
}

/// An address is counted before its credential is looked at: nobody tries credentials without end.
#[tokio::test]
async fn one_address_has_so_many_requests_in_a_minute() {
    let broker = TestBroker::with(setup("{ per_address: 2, per_credential: 100 }")).await;
    assert_eq!(to_notes(&broker, "192.0.2.1", "Bearer wrong").await.status, 401);
    let page = to_notes(&broker, "192.0.2.1", JOB).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.header("ratelimit-policy").starts_with("\"address\";q=2;w=60, \"credential\";q=100;"));
    for credential in [JOB, "Bearer wrong"] {
        assert_eq!(to_notes(&broker, "192.0.2.1", credential).await.status, 429);
    }
    assert_eq!(to_notes(&broker, "192.0.2.2", JOB).await.status, 200);
    for (address, status) in [("2001:db8::1", 200), ("2001:db8::2", 200), ("2001:db8::3", 429)] {
        assert_eq!(to_notes(&broker, address, JOB).await.status, status, "{address}: a /64 is one");
    }
}

/// Replicas count together: whoever is asked, and however many at once, no more than the quota pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_count_together() {
    let Some(redis) = redis_server::shared() else { return };
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let setup = Setup { store, ..setup("{ per_credential: 50 }") };
    let clock = TestClock::new();
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    let replica = || TestBroker::replica(setup.clone(), Arc::clone(&clock), Arc::clone(&provider));
    let replicas = [replica().await, replica().await];
    let asked = (0..200).map(|number| to_notes(&replicas[number % 2], "192.0.2.1", JOB));
    let pages = join_all(asked).await;
    assert!(pages.iter().all(|page| matches!(page.status, 200 | 429)));
    assert_eq!(pages.iter().filter(|page| page.status == 200).count(), 50);
}

/// PRIN-5: a store that cannot count is not the client's fault.
#[tokio::test]
async fn a_store_that_does_not_count_is_no_fault_of_the_client() {
    let broker = TestBroker::with(setup("{ per_credential: 3 }")).await;
    broker.store.fail(Operation::TakeOfWindow);
    assert_eq!(to_notes(&broker, "192.0.2.1", JOB).await.status, 503);
    broker.store.heal();
    assert_eq!(to_notes(&broker, "192.0.2.1", JOB).await.status, 200);
}
