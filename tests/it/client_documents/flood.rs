//! Documents that cannot be had, by the thousand: what stays of them in memory is nothing (REL-22).

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use futures::StreamExt as _;
use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::document_host::{Answer, DocumentHost, HOST, document};
use crate::harness::extent::{extent, figure};
use crate::harness::memory::resident;
use crate::harness::signer::ASSERTION_TYPE;

use super::{broker_for, client, shown};

/// A name that leads to the host, which has no certificate for it.
const UNPROVEN: &str = "unproven.example";

/// Names of hosts in these tests.
const HOSTS: usize = 5;

/// Callers at once.
const AT_ONCE: usize = 16;

/// How a document cannot be had.
struct Way {
    name: &'static str,
    /// Where the documents would be; each is below it.
    below: String,
    /// What is said of one.
    fault: &'static str,
    /// Whom to wait for: nobody, for long.
    hasty: bool,
}

/// The host's ways to fail, each below a path of its own, and those of the network.
fn ways(host: &DocumentHost) -> Vec<Way> {
    host.lookup.leads("inner.example", &[&["10.0.0.7"]]);
    host.lookup.leads(UNPROVEN, &[&["127.0.0.1"]]);
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let network = [
        ("no such name", "https://nowhere.example/".to_owned(), "could not be asked"),
        ("a private address", host.url_of("inner.example", "/"), "not public"),
        ("nobody listens", format!("https://{HOST}:{closed}/"), "could not be asked"),
        ("another name's certificate", host.url_of(UNPROVEN, "/"), "could not be asked"),
    ];
    let bomb = "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n".to_owned();
    let json = "200 OK\r\nContent-Type: application/json\r\n".to_owned();
    let foreign = document("https://app.example/another.json", &json!({}));
    let page = ("200 OK\r\nContent-Type: text/html\r\n".to_owned(), b"<html>".to_vec());
    let answers = [
        ("404", Answer::status("404 Not Found"), "status 200"),
        ("a redirect", Answer::status("302 Found\r\nLocation: https://app.example/x"), "status 200"),
        ("503", Answer::status("503 Service Unavailable"), "could not be asked"),
        ("too large", Answer::json(&json!({"padding": "x".repeat(6 * 1024)})), "more than is read"),
        ("without an end", Answer::Endless, "more than is read"),
        ("not JSON", Answer::Said(json, b"{\"client_id\":".to_vec()), "not JSON"),
        ("a gzip bomb", Answer::Said(bomb, vec![0x1f; 1024]), "not JSON"),
        ("a page", Answer::Said(page.0, page.1), "did not answer with JSON"),
        ("another client_id", Answer::json(&foreign), "not the URL that it stands at"),
        ("silence", Answer::Silence, "could not be asked"),
    ];
    let answers = answers.into_iter().enumerate().map(|(number, (name, answer, fault))| {
        let path = format!("/{number}/");
        host.answers(&path, answer);
        (name, host.url(&path), fault)
    });
    let all = network.into_iter().chain(answers.collect::<Vec<_>>());
    all.map(|(name, below, fault)| Way { name, below, fault, hasty: name == "silence" }).collect()
}

/// Asks for documents of these numbers, each from an address of its own, and sees each fail as it must.
async fn fail(broker: &TestBroker, host: &DocumentHost, way: &Way, numbers: std::ops::Range<usize>) {
    for start in numbers.clone().step_by(500) {
        let end = numbers.end.min(start + 500);
        let asked = (start..end).map(|number| async move {
            let id = ClientId::new(format!("{}{number}.json", way.below));
            let address = IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 | u32::try_from(number).unwrap()));
            // So that the host has turns: one in three seconds.
            broker.clock.advance(Duration::from_secs(3));
            let found = broker.parts.login.clients.find(&id, Some(address), broker.clock.now()).await;
            let fault = found.expect_err(way.name).to_string();
            assert!(fault.contains(way.fault), "{}: {fault}", way.name);
            // Also while the flood lasts: who asks, and whom, is counted for a minute; nothing else is there.
            let held = broker.parts.login.clients.documents().in_memory();
            assert_eq!((held.documents, held.keys), (0, 0), "{}: {held:?}", way.name);
            assert!(held.fetches <= AT_ONCE && held.counted <= 500 + HOSTS, "{}: {held:?}", way.name);
        });
        futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
        // As each minute does.
        broker.clock.advance(Duration::from_secs(60));
        broker.parts.tokens.authenticator.collect_garbage();
        host.forget();
    }
}

/// REL-22: however many documents fail, and however they do, nothing of them is kept: all that there is of
/// them is counted, at every answer and after each minute. In the long form the memory of the whole process
/// says so, too: flat within 8 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_documents_that_cannot_be_had_leave_nothing_in_memory() {
    let host = DocumentHost::start().await;
    let with = |documents| Setup { documents: Some(documents), ..Setup::default() };
    let broker = TestBroker::with(with(host.fetcher(&[HOST, UNPROVEN]))).await;
    let hasty = TestBroker::with(with(host.fetcher_within(&[HOST], Duration::from_millis(100)))).await;
    let (warm, each) = (extent(50, 1000), extent(200, 10_000));
    let ways = ways(&host);
    let mut before = 0;
    for numbers in [0..warm, warm..each] {
        before = resident();
        for way in &ways {
            let broker = if way.hasty { &hasty } else { &broker };
            fail(broker, &host, way, numbers.clone()).await;
            let left = broker.parts.login.clients.documents().in_memory();
            assert_eq!(left.all(), 0, "{}: {left:?}", way.name);
        }
    }
    let after = resident();
    let seen = format!(
        "{each} in each of {} ways: nothing left of them; the process has {} MiB after {warm}, {} MiB in the end",
        ways.len(),
        before / 1024,
        after / 1024
    );
    figure("REL-22", "clients' documents that cannot be had", &seen);
    assert!(extent(1, 0) == 1 || after <= before + 8 * 1024, "{seen}");
    let good = host.publishes("/good.json", &json!({}));
    assert_eq!(shown(&broker, &good).await.status, 200, "served as before");
}

/// REL-22: of good documents that nobody uses, so many are held; the ones that were fetched first make room.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_so_many_documents_are_held() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let (published, most) = (extent(1010, 3000), 1000);
    let urls = (0..published).map(|number| host.publishes(&format!("/{number}.json"), &json!({})));
    let asked = urls.map(|url| {
        let broker = &broker;
        async move {
            broker.clock.advance(Duration::from_secs(3));
            let found = broker.parts.login.clients.find(&ClientId::new(url), None, broker.clock.now()).await;
            assert!(found.expect("a document").is_some());
        }
    });
    futures::stream::iter(asked).buffer_unordered(AT_ONCE).collect::<()>().await;
    let held = broker.parts.login.clients.documents().in_memory();
    assert_eq!((held.documents, held.fetches), (most, 0), "{held:?}");
}

/// REL-22: of clients whose documents are good and whose keys cannot be had, so many are held, each with when
/// it was asked for last and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_so_many_keys_that_cannot_be_had_are_held() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let (published, most) = (extent(1010, 3000), 1000);
    let ways = [
        ("/none", Answer::status("404 Not Found")),
        ("/page", Answer::Said("200 OK\r\nContent-Type: text/html\r\n".to_owned(), b"<html>".to_vec())),
        ("/empty", Answer::json(&json!({ "keys": [] }))),
        ("/large", Answer::json(&json!({ "keys": [], "padding": "x".repeat(70 * 1024) }))),
    ];
    let paths = ways.map(|(path, answer)| {
        host.answers(path, answer);
        path
    });
    let urls = (0..published).zip(paths.iter().cycle()).map(|(number, keys)| {
        let signs = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url(keys) });
        host.publishes(&format!("/{number}.json"), &signs)
    });
    let asked = urls.map(|url| {
        let broker = &broker;
        async move {
            // So that the host has turns: five of this address in a minute.
            broker.clock.advance(Duration::from_secs(13));
            // Nobody looks at what it says: there are no keys for it.
            let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", "e30.e30.e30")];
            let page = client(&url).refresh_with(broker, "nothing", &proof).await;
            assert!([401, 503].contains(&page.status), "{}", page.body);
        }
    });
    futures::stream::iter(asked).buffer_unordered(AT_ONCE / 4).collect::<()>().await;
    let held = broker.parts.login.clients.documents().in_memory();
    assert_eq!((held.documents, held.keys, held.fetches), (most, most, 0), "{held:?}");
    let seen = format!(
        "{published} clients in 4 ways: of {most} it is held when they were asked for, of the rest nothing"
    );
    figure("REL-22", "clients' keys that cannot be had", &seen);
}
