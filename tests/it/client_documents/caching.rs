//! How long a document serves, and what serves while it cannot be fetched.

use std::time::Duration;

use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::document_host::{Answer, DocumentHost, HOST, document};
use crate::harness::extent::figure;
use crate::harness::temp_dir::TempDir;

use super::{assert_refused, broker_for, client, shown};

const MINUTE: Duration = Duration::from_secs(60);

/// SEC-126: the server's word on freshness holds within our own bounds: 5 minutes and a day.
#[tokio::test]
async fn sec_126_freshness_is_the_server_s_within_bounds() {
    for (headers, minutes) in [
        ("", 60),
        ("Cache-Control: max-age=600\r\n", 10),
        ("Cache-Control: max-age=1\r\n", 5),
        ("Cache-Control: no-store\r\n", 5),
        ("Cache-Control: max-age=31536000\r\n", 24 * 60),
    ] {
        let host = DocumentHost::start().await;
        let broker = broker_for(&host, "").await;
        let url = host.url("/client.json");
        host.answers("/client.json", Answer::json_with(headers, &document(&url, &json!({}))));
        for _ in 0..3 {
            assert_eq!(shown(&broker, &url).await.status, 200);
        }
        broker.clock.advance(Duration::from_secs(minutes * 60 - 1));
        assert_eq!(shown(&broker, &url).await.status, 200);
        assert_eq!(host.requests().len(), 1, "{headers}");
        broker.clock.advance(Duration::from_secs(1));
        assert_eq!(shown(&broker, &url).await.status, 200);
        assert_eq!(host.requests().len(), 2, "{headers}");
    }
}

/// SEC-126: an error or a bad document is asked for again at once.
#[tokio::test]
async fn sec_126_errors_are_not_kept() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let bad =
        [Answer::status("404 Not Found"), Answer::status("500 Oops"), Answer::json(&json!({"client_id": 1}))];
    for (n, bad) in bad.into_iter().enumerate() {
        let path = format!("/{n}.json");
        host.answers(&path, bad);
        assert_ne!(shown(&broker, &host.url(&path)).await.status, 200);
        let url = host.publishes(&path, &json!({}));
        assert_eq!(shown(&broker, &url).await.status, 200);
    }
}

/// SEC-126: twenty who come at once cost one fetch.
#[tokio::test]
async fn sec_126_one_fetch_for_all() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let url = host.publishes("/client.json", &json!({}));
    let pages = futures::future::join_all((0..20).map(|_| shown(&broker, &url))).await;
    assert!(pages.iter().all(|page| page.status == 200));
    assert_eq!(host.requests().len(), 1);
}

/// INT-43, INT-42: while the document cannot be fetched the last good one serves: sign-ins and refreshes
/// go on. A host that answers that there is none any more is believed.
#[tokio::test]
async fn int_43_a_fetch_error_is_no_verdict() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let url = host.publishes("/client.json", &json!({}));
    let app = client(&url);
    let tokens = app.tokens(&broker).await;
    host.answers("/client.json", Answer::status("502 Bad Gateway"));
    broker.clock.advance(MINUTE * 61);
    assert_eq!(shown(&broker, &url).await.status, 200);
    let tried = host.requests().len();
    let again = app.refresh(&broker, &tokens.refresh).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert_eq!(host.requests().len(), tried, "not asked at every request while it is down");
    host.lookup.leads(HOST, &[&[]]);
    broker.clock.advance(MINUTE * 2);
    assert_eq!(shown(&broker, &url).await.status, 200);
    host.lookup.leads(HOST, &[&["127.0.0.1"]]);
    host.answers("/client.json", Answer::status("404 Not Found"));
    broker.clock.advance(MINUTE * 2);
    assert_refused(&broker, &url, 400, "status 200").await;
}

/// INT-36, INT-43, REL-15: a broker that starts while the host, or the name service, is away still knows
/// the client; one that was never seen gets a page that says so, and at the token endpoint 503.
#[tokio::test]
async fn rel_15_known_clients_outlive_a_restart() {
    let folder = TempDir::new();
    let host = DocumentHost::start().await;
    let setup = Setup {
        documents: Some(host.fetcher(&[HOST])),
        store: format!("store: {}\n", folder.path().join("gatelodge.db").display()),
        ..Setup::default()
    };
    let first = TestBroker::with(setup.clone()).await;
    let url = host.publishes("/client.json", &json!({}));
    let app = client(&url);
    let tokens = app.tokens(&first).await;
    let (clock, provider) = (first.clock.clone(), first.provider.clone());
    first.stop().await;
    host.lookup.leads(HOST, &[&[]]);
    let second = TestBroker::replica(setup, clock, provider).await;
    assert_eq!(app.refresh(&second, &tokens.refresh).await.status, 200);
    assert_eq!(shown(&second, &url).await.status, 200);
    let unseen = host.publishes("/unseen.json", &json!({}));
    assert_refused(&second, &unseen, 503, "does not answer").await;
    let page = client(&unseen).refresh(&second, &tokens.refresh).await;
    assert_eq!((page.status, page.json()["error"].as_str()), (503, Some("temporarily_unavailable")));
    figure(
        "REL-15",
        "names of clients' hosts cannot be resolved",
        "a known client signs in and refreshes, after a restart too; an unknown one is told at once",
    );
}

/// PRIN-5: a store that is away costs a known document nothing.
#[tokio::test]
async fn a_document_is_fetched_without_the_store() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    broker.store.fail(Operation::RememberClient);
    let url = host.publishes("/client.json", &json!({}));
    assert_eq!(shown(&broker, &url).await.status, 200);
}

/// SEC-113, SEC-128: anybody can publish documents, so only a client that somebody has used is kept.
#[tokio::test]
async fn sec_113_only_a_used_client_s_document_is_kept() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let now = gatelodge::clock::Clock::now(&*broker.clock);
    let url = host.publishes("/client.json", &json!({}));
    let id = gatelodge::domain::ClientId::new(&url);
    assert_eq!(shown(&broker, &url).await.status, 200);
    assert_eq!(broker.store.client(&id, now).await.unwrap(), None);
    client(&url).tokens(&broker).await;
    assert!(broker.store.client(&id, now).await.unwrap().is_some());
}

/// INT-43: a gate in front of the host is no verdict on a document that was good; what the host has taken
/// back does not come back when it is away.
#[tokio::test]
async fn int_43_what_is_taken_back_stays_away() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let url = host.publishes("/client.json", &json!({}));
    client(&url).tokens(&broker).await;
    host.answers("/client.json", Answer::status("403 Forbidden"));
    broker.clock.advance(MINUTE * 61);
    assert_eq!(shown(&broker, &url).await.status, 200, "the last good one");
    host.answers("/client.json", Answer::status("410 Gone"));
    broker.clock.advance(MINUTE * 61);
    assert_refused(&broker, &url, 400, "status 200").await;
    host.answers("/client.json", Answer::status("503 Service Unavailable"));
    assert_refused(&broker, &url, 503, "does not answer").await;
}
