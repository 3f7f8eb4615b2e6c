//! How long a document serves, and what serves while it cannot be fetched.

use std::time::Duration;

use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::Tokens;
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
        broker.clock.advance(MINUTE);
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

/// A broker over a file, and how another is started over it.
async fn over_a_file(host: &DocumentHost, folder: &TempDir) -> (Setup, TestBroker) {
    let setup = Setup {
        documents: Some(host.fetcher(&[HOST])),
        store: format!("store: {}\n", folder.path().join("gatelodge.db").display()),
        ..Setup::default()
    };
    (setup.clone(), TestBroker::with(setup).await)
}

/// The broker, stopped and started again.
async fn restarted(setup: &Setup, broker: TestBroker) -> TestBroker {
    let (clock, provider) = (broker.clock.clone(), broker.provider.clone());
    broker.stop().await;
    TestBroker::replica(setup.clone(), clock, provider).await
}

/// INT-43: what the host has taken back does not come back when it is away: not from memory and, where a
/// broker had only its store's word that there was such a client, not after a restart either.
#[tokio::test]
async fn int_43_what_is_taken_back_stays_away() {
    let (host, folder) = (DocumentHost::start().await, TempDir::new());
    let (setup, broker) = over_a_file(&host, &folder).await;
    let url = host.publishes("/client.json", &json!({}));
    let tokens = client(&url).tokens(&broker).await;
    host.answers("/client.json", Answer::status("403 Forbidden"));
    broker.clock.advance(MINUTE * 61);
    assert_eq!(shown(&broker, &url).await.status, 200, "the last good one");
    // This one has nothing in memory.
    let broker = restarted(&setup, broker).await;
    assert_eq!(shown(&broker, &url).await.status, 200, "the store's");
    let broker = restarted(&setup, broker).await;
    host.answers("/client.json", Answer::status("410 Gone"));
    assert_refused(&broker, &url, 400, "status 200").await;
    host.answers("/client.json", Answer::status("503 Service Unavailable"));
    assert_refused(&broker, &url, 503, "does not answer").await;
    let broker = restarted(&setup, broker).await;
    assert_refused(&broker, &url, 503, "does not answer").await;
    // There again, it is the client that it was, and known to the store.
    host.publishes("/client.json", &json!({}));
    assert_eq!(client(&url).refresh(&broker, &tokens.refresh).await.status, 200);
}

/// INT-43: what was taken out of the store goes back into it when it is good again: other replicas say by it
/// whether tokens count.
#[tokio::test]
async fn int_43_what_is_good_again_is_kept_again() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let url = host.publishes("/client.json", &json!({}));
    let id = gatelodge::domain::ClientId::new(&url);
    client(&url).tokens(&broker).await;
    let is_kept = async || {
        let now = gatelodge::clock::Clock::now(&*broker.clock);
        broker.store.client(&id, now).await.unwrap().is_some()
    };
    host.answers("/client.json", Answer::status("404 Not Found"));
    broker.clock.advance(MINUTE * 61);
    assert_refused(&broker, &url, 400, "status 200").await;
    assert!(!is_kept().await);
    host.publishes("/client.json", &json!({}));
    assert_eq!(shown(&broker, &url).await.status, 200);
    assert!(is_kept().await);
}

/// INT-43, SEC-118: at renewal only what is gone, or whole and no longer holds, is the client's word. Every
/// other answer leaves the last good document as it is, and no redirect is followed.
#[tokio::test]
async fn int_43_only_a_whole_answer_is_a_verdict() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let url = host.publishes("/client.json", &json!({}));
    let good = Answer::json(&document(&url, &json!({})));
    let half =
        Answer::Said("200 OK\r\nContent-Type: application/json\r\n".into(), b"{\"client_id\": ".to_vec());
    let html = Answer::Said("200 OK\r\nContent-Type: text/html\r\n".into(), b"<html>".to_vec());
    let elsewhere = format!("302 Found\r\nLocation: {}", host.url("/elsewhere.json"));
    client(&url).tokens(&broker).await;
    for (what, answer) in [
        ("a redirect", Answer::status(&elsewhere)),
        ("201", Answer::status("201 Created")),
        ("204", Answer::status("204 No Content")),
        ("half of it", half),
        ("a page", html),
        ("401", Answer::status("401 Unauthorized")),
        ("too large", Answer::json(&document(&url, &json!({"padding": "x".repeat(6 * 1024)})))),
    ] {
        host.answers("/client.json", answer);
        broker.clock.advance(MINUTE * 61);
        assert_eq!(shown(&broker, &url).await.status, 200, "{what}");
    }
    assert!(!host.requests().iter().any(|head| head.starts_with("GET /elsewhere")));
    for verdict in
        [Answer::status("404 Not Found"), Answer::json(&json!({"client_id": "https://a.example/b"}))]
    {
        host.answers("/client.json", good.clone());
        broker.clock.advance(MINUTE * 61);
        assert_eq!(shown(&broker, &url).await.status, 200);
        host.answers("/client.json", verdict);
        broker.clock.advance(MINUTE * 61);
        assert_eq!(shown(&broker, &url).await.status, 400);
    }
}

/// PRIN-5: a replica without the document, before a gate or over a store that is away, does not say that the
/// client is none.
#[tokio::test]
async fn prin_5_what_cannot_be_known_is_no_verdict() {
    let (host, folder) = (DocumentHost::start().await, TempDir::new());
    let (setup, broker) = over_a_file(&host, &folder).await;
    let url = host.publishes("/client.json", &json!({}));
    let tokens = client(&url).tokens(&broker).await;
    let unseen = host.url("/unseen.json");
    for gate in ["403 Forbidden", "302 Found\r\nLocation: https://app.example/login"] {
        host.answers("/unseen.json", Answer::status(gate));
        let page = client(&unseen).refresh(&broker, "nothing").await;
        assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{gate}");
    }
    host.answers("/client.json", Answer::status("503 Service Unavailable"));
    let broker = restarted(&setup, broker).await;
    broker.store.fail(Operation::StoredClient);
    assert_refused(&broker, &url, 503, "not possible right now").await;
    let page = client(&url).refresh(&broker, &tokens.refresh).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"));
    broker.store.heal();
    assert_eq!(shown(&broker, &url).await.status, 200);
}

/// INT-43, SEC-131: whether a token counts does not hang on the client's host, which is not even asked: by
/// introspection a stranger's server would decide over live sessions.
#[tokio::test]
async fn int_43_a_live_token_does_not_hang_on_the_client_s_host() {
    const SECRET: &str = "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9";
    let (host, folder) = (DocumentHost::start().await, TempDir::new());
    let setup = Setup {
        documents: Some(host.fetcher(&[HOST])),
        store: format!("store: {}\n", folder.path().join("gatelodge.db").display()),
        extra: format!(
            "clients:\n  - {{ id: asks, name: Asks, secret: {SECRET}, introspects: {RESOURCE} }}\n"
        ),
        ..Setup::default()
    };
    let broker = TestBroker::with(setup.clone()).await;
    let url = host.publishes("/client.json", &json!({}));
    let app = client(&url);
    let first = app.tokens(&broker).await;
    // The document is due at once, the token is young.
    broker.clock.advance(MINUTE * 59);
    let tokens = Tokens::of(&app.refresh(&broker, &first.refresh).await);
    broker.clock.advance(MINUTE * 2);
    let asked = host.requests().len();
    let is_active = async |broker: &TestBroker| {
        let url = broker.url("/oauth/introspect");
        let request = broker.browser().http().post(&url).basic_auth("asks", Some(SECRET));
        let page =
            Page::of(&url, request.form(&[("token", &tokens.access)]).send().await.expect("an answer")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        page.json()["active"] == json!(true)
    };
    for answer in ["404 Not Found", "302 Found\r\nLocation: https://app.example/x", "503 Oops"] {
        host.answers("/client.json", Answer::status(answer));
        assert!(is_active(&broker).await, "{answer}");
    }
    // So it is by the store alone.
    let broker = restarted(&setup, broker).await;
    let still_admits = async || {
        let now = gatelodge::clock::Clock::now(&*broker.clock);
        broker.parts.login.clients.still_admits(&gatelodge::domain::ClientId::new(&url), now).await.unwrap()
    };
    assert!(still_admits().await);
    assert_eq!(host.requests().len(), asked);
    // The token endpoint asks, and then it is known to all.
    host.answers("/client.json", Answer::status("404 Not Found"));
    assert_eq!(app.refresh(&broker, &tokens.refresh).await.status, 401);
    assert!(!still_admits().await);
}
