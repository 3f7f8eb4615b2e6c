//! How many sign-ins may be begun (REL-22): from one address, and in all.

use std::time::Duration;

use gatelodge::domain::AuditKind;
use gatelodge::store::Store as _;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{REDIRECT, TestClient};
use crate::harness::extent::figure;
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
    broker.clock.advance(Duration::from_secs(20));
    assert_eq!((from("2001:db8:0:1::1").await, from("2001:db8:0:1::1").await), (200, 429));
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
    let extra = "trusted_proxies: [127.0.0.1]\nsign_ins: { per_address: 20, most_pending: 40 }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, store, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let mut refresh = client.tokens(&broker).await.refresh;
    let mut shown = 0;
    for number in 0..200 {
        let page = begin(&broker, &client, &format!("192.0.2.{number}")).await;
        assert!(matches!(page.status, 200 | 429), "{}", page.status);
        shown += usize::from(page.status == 200);
        if number % 20 == 0 {
            let page = client.refresh(&broker, &refresh).await;
            assert_eq!(page.status, 200);
            page.json()["refresh_token"].as_str().unwrap().clone_into(&mut refresh);
        }
    }
    assert_eq!(shown, 19, "half of them at once; one was ended");
    assert_eq!(redis.ask::<Vec<String>>("KEYS gl:1:login:*").len(), 19);
    figure("REL-22", "a flood of sign-ins from 200 addresses", "19 records, every refresh in between served");
    broker.clock.advance(Duration::from_secs(60));
    assert_eq!(begin(&broker, &client, "198.51.100.1").await.status, 200, "a tenth of ten minutes");
}

/// REL-22: who is signed in counts alone, whatever strangers and neighbours do.
#[tokio::test]
async fn rel_22_who_is_signed_in_is_not_held_up_by_strangers() {
    let broker = with("per_address: 2, most_pending: 4").await;
    // Of a program on the machine: its person is asked each time (SEC-038).
    let metadata = json!({ "redirect_uris": ["http://127.0.0.1:5000/callback"] });
    let client = TestClient::register_with(&broker, metadata).await;
    let browser = Browser::new();
    client.sign_in(&broker, &browser).await;
    for number in 0..4 {
        begin(&broker, &client, &format!("192.0.2.{number}")).await;
    }
    assert_eq!(begin(&broker, &client, "198.51.100.1").await.status, 429, "strangers have used up all");
    let url = client.authorize_url(&broker);
    for _ in 0..60 {
        assert_eq!(browser.get(&url).await.status, 200);
    }
    assert_eq!(browser.get(&url).await.status, 429, "one person has a limit, too");
}

/// REL-22: a page elsewhere cannot spend the turns of those who look at it.
#[tokio::test]
async fn rel_22_pictures_of_another_page_begin_no_sign_in() {
    let broker = with("per_address: 2").await;
    let client = TestClient::register(&broker).await;
    let url = client.authorize_url(&broker);
    let as_part = async |purpose: &str| {
        let request = Browser::new().http().get(&url).header("sec-fetch-dest", purpose);
        Page::of(&url, request.send().await.expect("an answer")).await.status
    };
    for purpose in ["image", "script", "iframe", "empty", "image"] {
        assert_eq!(as_part(purpose).await, 400, "{purpose}");
    }
    assert_eq!((as_part("document").await, as_part("document").await), (200, 200), "nothing was counted");
}

/// REL-14: a clock that is set back holds nobody up.
#[tokio::test]
async fn rel_14_a_clock_that_is_set_back_counts_nobody_twice() {
    let broker = with("per_address: 2").await;
    let client = TestClient::register(&broker).await;
    let from = async |address: &str| begin(&broker, &client, address).await.status;
    assert_eq!((from("192.0.2.1").await, from("192.0.2.1").await, from("192.0.2.1").await), (200, 200, 429));
    broker.clock.set_back(Duration::from_secs(3600));
    broker.clock.advance(Duration::from_secs(60));
    assert_eq!(from("192.0.2.1").await, 200);
}

/// REL-22: whoever comes with many applications does not push the honest ones out of those that wait.
#[tokio::test]
async fn rel_22_one_address_shows_so_many_applications() {
    let extra = "trusted_proxies: [127.0.0.1]\nclients: { require_approval: true }\n\
                 registration: { per_address: 1000 }\n";
    let broker = TestBroker::with(Setup { extra: extra.to_owned(), ..Setup::default() }).await;
    for number in 0..61 {
        let metadata = json!({ "client_name": format!("App {number}"), "redirect_uris": [REDIRECT] });
        let client = TestClient::register_with(&broker, metadata).await;
        let page = begin(&broker, &client, "192.0.2.1").await;
        assert_eq!(page.status, if number < 60 { 403 } else { 429 }, "{number}");
    }
    let client = TestClient::register(&broker).await;
    assert_eq!(begin(&broker, &client, "192.0.2.2").await.status, 403);
}
