//! Clients whose identifier is the URL of their metadata.
//!
//! - `guard`: where a stranger's URL may not lead (SEC-117 to SEC-124, SEC-128, SEC-129).
//! - `flood`: documents that cannot be had, by the thousand (REL-22).
//! - `caching`: how long a document serves, and what does while there is none.
//! - `signing`: clients that prove themselves with a signed JWT (SEC-068); `keys`: where their keys come from.
//! - here: what such a client is and may do.

mod caching;
mod flood;
mod guard;
mod keys;
mod signing;

use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{REDIRECT, TestClient, authorize_url};
use crate::harness::document_host::{DocumentHost, HOST};

/// A broker that takes the host's documents, though they are on loopback.
async fn broker_for(host: &DocumentHost, extra: &str) -> TestBroker {
    let documents = Some(host.fetcher(&[HOST, "other.example"]));
    TestBroker::with(Setup { documents, extra: extra.into(), ..Setup::default() }).await
}

/// The client of this URL.
fn client(url: &str) -> TestClient {
    TestClient { id: url.into(), secret: None, redirect: REDIRECT.into() }
}

/// What the authorization endpoint shows to it.
async fn shown(broker: &TestBroker, url: &str) -> Page {
    broker.browser().get(&client(url).authorize_url(broker)).await
}

/// The status of the page, and that no redirect is on it.
async fn assert_refused(broker: &TestBroker, url: &str, status: u16, says: &str) {
    let page = shown(broker, url).await;
    assert_eq!(page.status, status, "{url}: {}", page.body);
    assert!(page.location().is_none() && !page.body.contains(REDIRECT), "{url}");
    assert!(page.body.contains(says), "{url}: {}", page.body);
}

/// INT-39, INT-41: a client that is known by its document signs in, gets tokens, refreshes, and uses any
/// loopback port; the page names the host that vouches for it.
#[tokio::test]
async fn int_39_a_document_is_a_registration() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let more = json!({"redirect_uris": ["http://localhost/callback"], "grant_types": ["authorization_code"]});
    let url = host.publishes("/client.json", &more);
    let client = TestClient { redirect: "http://localhost:39123/callback".into(), ..client(&url) };
    let page = broker.browser().get(&client.authorize_url(&broker)).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert!(page.body.contains(HOST) && page.body.contains("Document App"), "{}", page.body);
    let tokens = client.tokens(&broker).await;
    assert_eq!(tokens.claims()["client_id"], url);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
    let elsewhere = client.request_with(&[("redirect_uri", "http://localhost:39123/other")]);
    assert_eq!(broker.browser().get(&authorize_url(&broker, &elsewhere)).await.status, 400);
}

/// The metadata says that such clients are taken, and no longer where the operator wants none.
#[tokio::test]
async fn the_metadata_says_whether_documents_are_taken() {
    let host = DocumentHost::start().await;
    let announced = |page: Page| page.json()["client_id_metadata_document_supported"].clone();
    let url = "/.well-known/oauth-authorization-server";
    let open = broker_for(&host, "").await;
    assert_eq!(announced(open.browser().get(&open.url(url)).await), json!(true));
    let closed = broker_for(&host, "client_documents: { enabled: false }\n").await;
    assert_eq!(announced(closed.browser().get(&closed.url(url)).await), json!(false));
    let known = host.publishes("/client.json", &json!({}));
    assert_refused(&closed, &known, 400, "not admitted").await;
    assert!(host.requests().is_empty() && host.lookup.asked().is_empty());
}

/// SEC-128: hosts are let in and kept out by whole labels, before anything is asked of anybody.
#[tokio::test]
async fn sec_128_hosts_by_whole_label() {
    let host = DocumentHost::start().await;
    let lists = "client_documents:\n  allowed_hosts: [app.example, fine.example]\n  denied_hosts: [bad.fine.example]\n";
    let broker = broker_for(&host, lists).await;
    let good = host.publishes("/client.json", &json!({}));
    assert_eq!(shown(&broker, &good).await.status, 200);
    let asked = host.lookup.asked().len();
    for other in
        ["badapp.example", "app.example.evil.example", "example", "bad.fine.example", "x.bad.fine.example"]
    {
        let url = host.url_of(other, "/client.json");
        let page = shown(&broker, &url).await;
        assert_eq!(page.status, 400, "{other}");
    }
    assert_eq!(host.lookup.asked().len(), asked);
}

/// INT-42: a pinned document stands for one that cannot be fetched; nobody is asked for it.
#[tokio::test]
async fn int_42_a_pinned_document_is_not_fetched() {
    let host = DocumentHost::start().await;
    let pinned = "client_documents:\n  enabled: false\n  pinned:\n    - client_id: https://intranet.example/client.json\n      \
                  document: |\n        {\"client_id\": \"https://intranet.example/client.json\", \"client_name\": \"Intranet\",\n         \
                  \"redirect_uris\": [\"http://127.0.0.1:39999/callback\"]}\n";
    let broker = broker_for(&host, pinned).await;
    let client = client("https://intranet.example/client.json");
    let tokens = client.tokens(&broker).await;
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
    assert!(host.requests().is_empty() && host.lookup.asked().is_empty());
}

/// SEC-032, SEC-129: what the document says is hostile text on the page, and what is wrong with it is
/// said in our own words.
#[tokio::test]
async fn sec_032_the_document_s_words_are_data() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let name = "<script>alert(1)</script>\u{202e}";
    let url = host.publishes("/client.json", &json!({"client_name": name}));
    let page = shown(&broker, &url).await;
    assert!(!page.body.contains("<script>") && !page.body.contains('\u{202e}'), "{}", page.body);
    let said: Value = json!({"redirect_uris": ["javascript:alert('canary-of-the-document')"]});
    let bad = host.publishes("/bad.json", &said);
    let page = shown(&broker, &bad).await;
    assert_eq!(page.status, 400);
    assert!(!page.body.contains("<script") && !page.body.contains("href=\"javascript"), "{}", page.body);
}
