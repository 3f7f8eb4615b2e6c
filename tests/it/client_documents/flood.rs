//! Documents that cannot be had, by the thousand: what stays of them in memory is nothing (REL-22).

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::time::Duration;

use futures::StreamExt as _;
use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use procfs::process::Process;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::document_host::{Answer, DocumentHost, HOST, document};
use crate::harness::extent::{extent, figure};

use super::{broker_for, shown};

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
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let network = [
        ("no such name", "https://nowhere.example/".to_owned(), "could not be asked"),
        ("a private address", host.url_of("inner.example", "/"), "not public"),
        ("nobody listens", format!("https://{HOST}:{closed}/"), "could not be asked"),
    ];
    let bomb = "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n".to_owned();
    let foreign = document("https://app.example/another.json", &json!({}));
    let page = ("200 OK\r\nContent-Type: text/html\r\n".to_owned(), b"<html>".to_vec());
    let answers = [
        ("404", Answer::status("404 Not Found"), "status 200"),
        ("a redirect", Answer::status("302 Found\r\nLocation: https://app.example/x"), "status 200"),
        ("503", Answer::status("503 Service Unavailable"), "could not be asked"),
        ("too large", Answer::json(&json!({"padding": "x".repeat(6 * 1024)})), "more than is read"),
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
        });
        futures::stream::iter(asked).buffer_unordered(16).collect::<()>().await;
        // As each minute does.
        broker.clock.advance(Duration::from_secs(60));
        broker.parts.tokens.authenticator.collect_garbage();
        host.forget();
    }
}

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    Process::myself().and_then(|process| process.status()).ok().and_then(|status| status.vmrss).unwrap_or(0)
}

/// REL-22: however many documents fail, and however they do, nothing of them is kept. In the long form
/// the memory of the whole process says so, too: flat within 8 MiB.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_documents_that_cannot_be_had_leave_nothing_in_memory() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let hasty = Some(host.fetcher_within(&[HOST], Duration::from_millis(100)));
    let hasty = TestBroker::with(Setup { documents: hasty, ..Setup::default() }).await;
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
    futures::stream::iter(asked).buffer_unordered(16).collect::<()>().await;
    let held = broker.parts.login.clients.documents().in_memory();
    assert_eq!((held.documents, held.fetches), (most, 0), "{held:?}");
}
