//! Where a stranger's URL may not lead, and what its answer may not be.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::document_host::{Answer, DocumentHost, HOST, document};

use super::{assert_refused, broker_for, client, shown};

/// SEC-117, SEC-124: a URL that could be read in two ways is refused before a name is looked up.
#[tokio::test]
async fn sec_117_an_odd_url_is_refused_unseen() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    for odd in [
        "https://app.example/",
        "https://app.example",
        "https://app.example/a/../client.json",
        "https://app.example/%2e%2e/client.json",
        "https://app.example/client.json#x",
        "https://user@app.example/client.json",
        "https://app.example:443/client.json",
        "https://APP.example/client.json",
        "https://app.example./client.json",
        "https:\\\\app.example\\client.json",
        "https:/app.example/client.json",
        "https://127.0.0.1/client.json",
        "https://0x7f.1/client.json",
        "https://2130706433/client.json",
        "https://[::1]/client.json",
        "https://localhost/client.json",
    ] {
        assert_refused(&broker, odd, 400, "").await;
    }
    assert!(host.lookup.asked().is_empty() && host.requests().is_empty());
    // Another scheme is no URL of ours: a client that nobody knows.
    assert_refused(&broker, "http://app.example/client.json", 400, "not known").await;
}

/// SEC-122, SEC-123: one address among several that is not public is enough: nobody is called.
#[tokio::test]
async fn sec_122_no_name_leads_into_our_network() {
    let host = DocumentHost::start().await;
    // As in production: no host may lead into the network.
    let setup = Setup { documents: Some(host.fetcher(&[])), ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    let url = host.publishes("/client.json", &json!({}));
    let inner: [&[&str]; 11] = [
        &["127.0.0.1"],
        &["10.0.0.7"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::7f00:1"],
        &["2002:7f00:1::1"],
        &["fec0::1"],
        &["1.1.1.1", "127.0.0.1"],
        &["127.0.0.1", "2606:4700::1111"],
    ];
    for addresses in inner {
        host.lookup.leads(HOST, &[addresses]);
        assert_refused(&broker, &url, 503, "does not answer").await;
    }
    assert!(host.requests().is_empty());
}

/// SEC-123: the name is looked up once, and the connection goes where that look-up said: a name that turns
/// round right after it was looked at changes nothing, whichever way it turns.
#[tokio::test]
async fn sec_123_the_connection_goes_where_was_looked() {
    const REBOUND: &str = "rebound.example";
    let host = DocumentHost::start().await;
    // One host whose name may lead to loopback, where the server listens; any other may not.
    let setup = Setup { documents: Some(host.fetcher(&[REBOUND])), ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    let url = host.url_of(REBOUND, "/client.json");
    host.answers("/client.json", Answer::json(&document(&url, &json!({}))));
    // A second look-up would lead where nobody listens.
    host.lookup.leads(REBOUND, &[&["127.0.0.1"], &["127.0.0.9"]]);
    assert_eq!(shown(&broker, &url).await.status, 200);
    assert_eq!((host.lookup.asked(), host.requests().len()), (vec![REBOUND.to_owned()], 1));
    // The other way round: where was looked nobody listens, and a second look-up would find the server.
    let second = host.url_of(REBOUND, "/second.json");
    host.answers("/second.json", Answer::json(&document(&second, &json!({}))));
    host.lookup.leads(REBOUND, &[&["127.0.0.9"], &["127.0.0.1"]]);
    assert_refused(&broker, &second, 503, "does not answer").await;
    // What may not be called is not called, whatever would come next.
    let inner = host.url("/client.json");
    host.lookup.leads(HOST, &[&["127.0.0.1"], &["192.0.2.1"]]);
    assert_refused(&broker, &inner, 503, "does not answer").await;
    assert_eq!(host.requests().len(), 1, "no other request came");
    assert_eq!(host.lookup.asked(), [REBOUND, REBOUND, HOST], "one look-up each");
}

/// SEC-118, SEC-120: 200 with JSON and nothing else; a redirect to a good document is not followed.
#[tokio::test]
async fn sec_118_only_200_with_json_counts() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let good = host.publishes("/good.json", &json!({}));
    for (line, status) in [
        ("301 Moved Permanently\r\nLocation: {good}", 400),
        ("302 Found\r\nLocation: {good}", 400),
        ("307 Temporary Redirect\r\nLocation: {good}", 400),
        ("201 Created", 400),
        ("204 No Content", 400),
        ("206 Partial Content", 400),
        ("304 Not Modified", 400),
        ("401 Unauthorized", 400),
        ("404 Not Found", 400),
        ("410 Gone", 400),
        // Their fault, and another time it may go.
        ("429 Too Many Requests", 503),
        ("500 Internal Server Error", 503),
        ("503 Service Unavailable", 503),
    ] {
        // So that the host has turns.
        broker.clock.advance(Duration::from_secs(60));
        host.answers("/client.json", Answer::status(&line.replace("{good}", &good)));
        assert_refused(&broker, &host.url("/client.json"), status, "").await;
    }
    assert!(!host.requests().iter().any(|head| head.starts_with("GET /good.json")));
    let own = |path: &str| document(&host.url(path), &json!({})).to_string().into_bytes();
    for (kind, good) in [
        ("application/json", true),
        ("application/JSON; charset=utf-8", true),
        ("application/client-metadata+json", true),
        ("text/html", false),
        ("text/plain", false),
        ("text/json", false),
        ("", false),
    ] {
        broker.clock.advance(Duration::from_secs(60));
        let path = format!("/{}", kind.replace(['/', ';', ' ', '='], "-"));
        host.answers(&path, Answer::Said(format!("200 OK\r\nContent-Type: {kind}\r\n"), own(&path)));
        let page = shown(&broker, &host.url(&path)).await;
        assert_eq!(page.status, if good { 200 } else { 400 }, "{kind}: {}", page.body);
    }
}

/// SEC-121: more than 5 KiB, an endless answer, and a body that claims to be compressed are not read on.
#[tokio::test]
async fn sec_121_a_document_is_small() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let long = host.publishes("/long.json", &json!({"padding": "x".repeat(5 * 1024)}));
    assert_refused(&broker, &long, 400, "more than is read").await;
    let fits = host.publishes("/fits.json", &json!({"padding": "x".repeat(4 * 1024)}));
    assert_eq!(shown(&broker, &fits).await.status, 200);
    host.answers("/endless.json", Answer::Endless);
    assert_refused(&broker, &host.url("/endless.json"), 400, "more than is read").await;
    // Nothing is decompressed, so a bomb is noise.
    let head = "200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n";
    host.answers("/bomb.json", Answer::Said(head.into(), vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]));
    assert_refused(&broker, &host.url("/bomb.json"), 400, "not JSON").await;
}

/// SEC-121: a host that says nothing is left in time. The patience is short here; the real one is 5 s.
#[tokio::test]
async fn sec_121_a_host_that_is_silent_is_left() {
    assert_eq!(gatelodge::outbound::documents::PATIENCE, Duration::from_secs(5));
    let host = DocumentHost::start().await;
    let documents = Some(host.fetcher_within(&[HOST], Duration::from_millis(200)));
    let broker = TestBroker::with(Setup { documents, ..Setup::default() }).await;
    host.answers("/client.json", Answer::Silence);
    assert_refused(&broker, &host.url("/client.json"), 503, "does not answer").await;
}

/// SEC-121: one that answers, and so slowly that it would take a minute, is left in time as well: the patience
/// is for the whole of the answer.
#[tokio::test]
async fn sec_121_a_host_that_drips_is_left() {
    let host = DocumentHost::start().await;
    let documents = Some(host.fetcher_within(&[HOST], Duration::from_millis(500)));
    let broker = TestBroker::with(Setup { documents, ..Setup::default() }).await;
    let url = host.url("/client.json");
    let whole = document(&url, &json!({})).to_string().into_bytes();
    let pause = Duration::from_millis(20);
    assert!(pause * u32::try_from(whole.len()).unwrap() > Duration::from_secs(2), "far too slow in all");
    host.answers("/client.json", Answer::Drip(whole, pause));
    assert_refused(&broker, &url, 503, "does not answer").await;
}

/// SEC-119, SEC-125: the document is about its own URL and holds no secret.
#[tokio::test]
async fn sec_119_a_document_for_another_url_is_refused() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    for (path, more) in [
        ("/a.json", json!({"client_id": host.url("/b.json")})),
        ("/c.json", json!({"client_id": null})),
        ("/d.json", json!({"token_endpoint_auth_method": "client_secret_basic"})),
        ("/e.json", json!({"client_secret": "everybody reads this"})),
        ("/f.json", json!({"client_name": null})),
        ("/g.json", json!({"redirect_uris": []})),
    ] {
        broker.clock.advance(Duration::from_secs(60));
        let url = host.publishes(path, &more);
        assert_refused(&broker, &url, 400, "").await;
    }
}

/// SEC-127, SEC-129, SEC-112: nothing but the document is fetched, by us or by the person's browser, and
/// nothing of ours goes along.
#[tokio::test]
async fn sec_129_nothing_of_ours_goes_along() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let [logo, policy, keys] = ["/logo.png", "/policy", "/jwks.json"].map(|path| host.url(path));
    let more = json!({"logo_uri": logo, "policy_uri": policy, "tos_uri": policy, "client_uri": policy, "jwks_uri": keys});
    let url = host.publishes("/client.json", &more);
    let page = shown(&broker, &url).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let body = page.body.to_ascii_lowercase();
    for outside in ["<image", "<iframe", "srcset", "url(", "/logo.png", "/policy"] {
        assert!(!body.contains(outside), "{outside}: {body}");
    }
    for source in body.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(source.starts_with("/assets/"), "not ours: {source}");
    }
    client(&url).tokens(&broker).await;
    let requests = host.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    let head = requests[0].to_ascii_lowercase();
    for header in ["cookie", "authorization", "referer", "accept-encoding", "x-forwarded", "origin"] {
        assert!(!head.contains(&format!("\r\n{header}")), "{head}");
    }
}

/// SEC-128, INT-45: one address makes us ask for so many unknown documents in a minute, wherever it names
/// them; then it is told to come again, which to no client means that it is not known. What is known already
/// costs nothing.
#[tokio::test]
async fn sec_128_one_address_makes_us_ask_for_few_unknown_documents() {
    let host = DocumentHost::start().await;
    let limited = "trusted_proxies: [127.0.0.1]\nclient_documents: { per_address: 3 }\n";
    let broker = broker_for(&host, limited).await;
    let urls: Vec<_> = (0..6).map(|n| host.publishes(&format!("/{n}.json"), &json!({}))).collect();
    let shown_to = async |address: &str, url: &str| {
        let at = client(url).authorize_url(&broker);
        let request = broker.browser().http().get(&at).header("x-forwarded-for", address);
        Page::of(&at, request.send().await.expect("an answer")).await
    };
    for url in &urls[..3] {
        assert_eq!(shown_to("2001:db8:0:1::1", url).await.status, 200);
    }
    let page = shown_to("2001:db8:0:1::2", &urls[3]).await;
    assert_eq!((page.status, page.header("retry-after")), (503, "5"), "the same network: {}", page.body);
    assert!(page.body.contains("too many documents"), "{}", page.body);
    let endpoint = broker.url("/oauth/token");
    let form = [("grant_type", "refresh_token"), ("refresh_token", "nothing"), ("client_id", &urls[3])];
    let request =
        broker.browser().http().post(&endpoint).header("x-forwarded-for", "2001:db8:0:1::3").form(&form);
    let page = Page::of(&endpoint, request.send().await.expect("an answer")).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    assert_eq!(host.requests().len(), 3);
    assert_eq!(shown_to("2001:db8:0:1::1", &urls[0]).await.status, 200, "known");
    assert_eq!(shown_to("192.0.2.1", &urls[3]).await.status, 200, "another address");
    broker.clock.advance(Duration::from_secs(20));
    assert_eq!(shown_to("2001:db8:0:1::1", &urls[4]).await.status, 200);
    assert_eq!(shown_to("2001:db8:0:1::1", &urls[5]).await.status, 503);
    assert_eq!(host.requests().len(), 5);
}

/// SEC-128: whoever makes up URLs at one host soon costs that host nothing more, and does not keep what is
/// there unknown to others; all together ask for so many. Known ones go on.
#[tokio::test]
async fn sec_128_a_host_is_asked_for_few_unknown_documents() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let clients = &broker.parts.login.clients;
    let find = async |url: &str, address: u32| {
        let address = IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 | address));
        let now = broker.clock.now();
        clients.find(&ClientId::new(url), Some(address), now).await.map_err(|fault| fault.to_string())
    };
    let good = host.publishes("/good.json", &json!({}));
    let made_up = |number: u32| host.url(&format!("/made-up-{number}"));
    for number in 0..60 {
        find(&made_up(number), 1).await.expect_err("no document");
    }
    assert_eq!(host.requests().len(), 5);
    assert!(find(&good, 1).await.expect_err("no turn").contains("too many"));
    assert!(find(&good, 2).await.is_ok(), "to another address");
    for number in 0..240 {
        find(&made_up(number), 10 + number).await.expect_err("no document");
    }
    assert_eq!(host.requests().len(), 120);
    assert!(
        find(&host.publishes("/other.json", &json!({})), 3).await.expect_err("no turn").contains("too many")
    );
    // What was good is renewed all the same.
    let before = host.requests().len();
    broker.clock.advance(Duration::from_secs(3601));
    for number in 0..240 {
        find(&made_up(number), 10 + number).await.expect_err("no document");
    }
    assert!(find(&good, 1).await.is_ok());
    assert_eq!(host.requests().len(), before + 121);
    // So old that it does not count, it is as unknown as any other.
    broker.clock.advance(Duration::from_secs(400 * 24 * 3600));
    for number in 0..5 {
        find(&made_up(number), 1).await.expect_err("no document");
    }
    assert!(find(&good, 1).await.expect_err("no turn").contains("too many"));
}
