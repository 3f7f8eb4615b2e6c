//! How many sign-ins may be begun (REL-22): from one address, and in all.

use std::time::Duration;

use gatelodge::domain::AuditKind;
use gatelodge::store::Store as _;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::TestClient;
use crate::harness::extent::{extent, figure};
use crate::harness::redis_server::{RedisServer, installed};

async fn with(sign_ins: &str) -> TestBroker {
    let extra = format!("trusted_proxies: [127.0.0.1]\nsign_ins: {{ {sign_ins} }}\n");
    TestBroker::with(Setup { extra, ..Setup::default() }).await
}

/// Begins a sign-in, as a proxy of ours passes it on.
async fn begin(broker: &TestBroker, client: &TestClient, address: &str) -> Page {
    let url = client.authorize_url(broker);
    let request = Browser::new().http().get(&url).header("x-forwarded-for", address);
    Page::of(&url, request.send().await.expect("an answer")).await
}

/// REL-22: whoever begins too many waits a minute, and nobody else does. The page is no 400: to some
/// clients that means that they are not known (INT-45).
#[tokio::test]
async fn rel_22_one_address_begins_so_many_sign_ins() {
    let broker = with("per_address: 3").await;
    let client = TestClient::register(&broker).await;
    let from = async |address: &str| begin(&broker, &client, address).await.status;
    for _ in 0..3 {
        assert_eq!(from("2001:db8:0:1::1").await, 200);
    }
    let page = begin(&broker, &client, "2001:db8:0:1::2").await;
    assert_eq!(page.status, 429, "the same network");
    assert_eq!(page.header("retry-after"), "60");
    assert_eq!(page.text("h1"), "Too many people are signing in right now");
    assert_eq!(from("2001:db8:0:1::3").await, 429);
    assert_eq!(from("192.0.2.1").await, 200, "another address");
    broker.parts.journal.settled().await;
    let told = broker.store.recent_audit(100).await.unwrap();
    let told: Vec<_> = told.iter().filter(|event| event.kind == AuditKind::SignInsLimited).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].reason.as_deref().unwrap().contains("2001:db8:0:1::2"), "{told:?}");
    let (mut shown, more) = (0, extent(100, 10_000));
    for _ in 0..more {
        shown += usize::from(from("2001:db8:0:1::1").await == 200);
    }
    assert_eq!(shown, 0);
    broker.clock.advance(Duration::from_secs(20));
    assert_eq!((from("2001:db8:0:1::1").await, from("2001:db8:0:1::1").await), (200, 429));
    let seen = format!(
        "{more} beyond its share refused with 429; another address is served, and this one in a third of a minute"
    );
    figure("REL-22", "a flood of sign-ins from one address", &seen);
}

/// REL-22: from many addresses there are so many in all, and who is signed in goes on: with refresh
/// tokens, and in the browser.
#[tokio::test]
async fn rel_22_a_flood_of_sign_ins_leaves_redis_and_people_as_they_were() {
    if !installed() {
        return;
    }
    let redis = RedisServer::start();
    let store = format!("store: redis://127.0.0.1:{}/\n", redis.port);
    let extra = "trusted_proxies: [127.0.0.1]\nsign_ins: { most_pending: 20 }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, store, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let mut refresh = client.tokens(&broker).await.refresh;
    let (mut shown, begun) = (0, extent(200, 20_000));
    for number in 0..begun {
        let address = std::net::Ipv4Addr::from_bits(0xC000_0000 | u32::try_from(number).unwrap());
        let page = begin(&broker, &client, &address.to_string()).await;
        assert!(matches!(page.status, 200 | 429), "{}", page.status);
        shown += usize::from(page.status == 200);
        if number % (begun / 10) == 0 {
            let page = client.refresh(&broker, &refresh).await;
            assert_eq!(page.status, 200);
            page.json()["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
        }
    }
    assert_eq!(shown, 19, "with the one that was ended");
    assert_eq!(redis.ask::<Vec<String>>("KEYS gl:1:login:*").len(), 19);
    let seen = format!("{begun} begun, 20 may be: as many records left; 10 refreshes in between served");
    figure("REL-22", "a flood of sign-ins from many addresses: Redis", &seen);
    broker.clock.advance(Duration::from_secs(60));
    assert_eq!(begin(&broker, &client, "198.51.100.1").await.status, 200, "a tenth of ten minutes");
}
