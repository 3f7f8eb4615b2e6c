//! Who may register, for which redirects, how often and how many (SEC-113, SEC-116, INT-36, INT-37).

use std::time::Duration;

use futures::future::join_all;
use gatelodge::clock::Clock as _;
use gatelodge::domain::{AuditKind, ClientId};
use gatelodge::store::Store as _;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{REDIRECT, TestClient, Tokens, register};
use crate::harness::extent::{extent, figure};
use crate::harness::memory::resident;
use crate::harness::redis_server::{RedisServer, installed};
use crate::harness::temp_dir::TempDir;

const DAY: Duration = Duration::from_secs(24 * 3600);
const TOKEN: &str = "Rk4-initial-Wq8vXw3nT5yKb2Lr9sJd4Hf7";

async fn with(registration: &str) -> TestBroker {
    let extra = format!("registration: {{ {registration} }}\n");
    TestBroker::with(Setup { extra, ..Setup::default() }).await
}

async fn register_from(broker: &TestBroker, browser: &Browser, headers: &[(&str, &str)]) -> Page {
    let url = broker.url("/oauth/register");
    let mut request = browser.http().post(&url).json(&json!({ "redirect_uris": [REDIRECT] }));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Page::of(&url, request.send().await.expect("an answer")).await
}

/// SEC-116 (RFC 7591 section 3): behind an initial access token, which only whoever has it registers
/// with.
#[tokio::test]
async fn sec_116_an_initial_access_token_is_asked_for() {
    let broker = with(&format!("initial_access_token: {TOKEN}, per_address: 3")).await;
    let metadata = broker.browser().get(&broker.url("/.well-known/oauth-authorization-server")).await.json();
    assert_eq!(metadata["registration_endpoint"], broker.url("/oauth/register"), "still advertised");
    let browser = Browser::new();
    let basic = format!("Basic {TOKEN}");
    // More than may register in a minute: who may not register, uses up nobody's turn.
    for (header, challenge) in [
        (None, "Bearer"),
        (Some("Bearer x"), "Bearer error=\"invalid_token\""),
        (Some("Bearer "), "Bearer error=\"invalid_token\""),
        (Some(basic.as_str()), "Bearer error=\"invalid_token\""),
    ] {
        let headers: Vec<_> = header.iter().map(|header| ("authorization", *header)).collect();
        let page = register_from(&broker, &browser, &headers).await;
        assert_eq!((page.status, page.error().as_str()), (401, "invalid_token"), "{header:?}");
        assert_eq!(page.header("www-authenticate"), challenge, "{header:?}");
    }
    let page = register_from(&broker, &browser, &[("authorization", &format!("bearer {TOKEN}"))]).await;
    assert_eq!(page.status, 201, "{}", page.body);
}

/// `allowed_redirect_uris`: each redirect is one of those that the operator admits, or nothing is
/// registered (INT-28: all or none).
#[tokio::test]
async fn sec_109_redirects_are_those_that_the_operator_admits() {
    let broker = with(
        "allowed_redirect_uris: [claude.ai, '*.example.com', 'http://localhost', 'cursor:', \
         'https://vscode.dev/redirect']",
    )
    .await;
    for (uris, admitted) in [
        (json!(["https://claude.ai/api/mcp/auth_callback"]), true),
        (json!(["https://app.example.com/cb", "http://localhost:1/cb", "cursor://x/cb"]), true),
        (json!(["https://vscode.dev/redirect"]), true),
        (json!(["https://claude.ai.evil.example/api/mcp/auth_callback"]), false),
        (json!(["https://claude.ai/", "https://evil.example/"]), false),
        (json!(["http://127.0.0.1/cb"]), false),
        (json!(["https://vscode.dev/other"]), false),
        (json!(["vscode:/cb"]), false),
    ] {
        let page = register(&broker, &json!({ "redirect_uris": uris })).await;
        if admitted {
            assert_eq!(page.status, 201, "{uris}: {}", page.body);
        } else {
            assert_eq!((page.status, page.error().as_str()), (400, "invalid_redirect_uri"), "{uris}");
            let told = page.json()["error_description"].as_str().unwrap().to_owned();
            assert!(told.contains("the operator"), "{told}");
        }
    }
}

/// SEC-113, SEC-151: one address has its turns in a minute; a header that anybody can write gives it no
/// others. What the log is told of it is told once.
#[tokio::test]
async fn sec_113_one_address_registers_so_often() {
    let broker = with("per_address: 5").await;
    let browser = Browser::new();
    for _ in 0..5 {
        assert_eq!(register_from(&broker, &browser, &[]).await.status, 201);
    }
    for number in 0..4 {
        let page =
            register_from(&broker, &browser, &[("x-forwarded-for", &format!("192.0.2.{number}"))]).await;
        assert_eq!((page.status, page.error().as_str()), (429, "slow_down"));
        assert_eq!(page.header("retry-after"), "60");
        assert_eq!(page.header("access-control-allow-origin"), "*");
    }
    broker.parts.journal.settled().await;
    let told = broker.store.recent_audit(100).await.unwrap();
    let told: Vec<_> = told.iter().filter(|event| event.kind == AuditKind::RegistrationLimited).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].reason.as_deref().unwrap().contains("127.0.0.1"), "{told:?}");
    broker.clock.advance(Duration::from_secs(60));
    for _ in 0..5 {
        assert_eq!(register_from(&broker, &browser, &[]).await.status, 201);
    }
}

/// SEC-151: behind a proxy of ours each address has turns of its own; of IPv6 a network is one.
#[tokio::test]
async fn sec_151_a_trusted_proxy_says_who_registers() {
    let extra = "trusted_proxies: [127.0.0.1]\nregistration: { per_address: 2 }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let browser = Browser::new();
    let from = async |hops: &str| register_from(&broker, &browser, &[("x-forwarded-for", hops)]).await.status;
    for address in ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1"] {
        assert_eq!(
            (from(address).await, from(address).await, from(address).await),
            (201, 201, 429),
            "{address}"
        );
    }
    assert_eq!(from("192.0.2.3, 192.0.2.1").await, 429, "the first hop is the client's own word");
    assert_eq!(from("2001:db8:0:1::2").await, 429, "the same network");
    assert_eq!(from("2001:db8:0:2::1").await, 201);
}

/// INT-37: by default an address that many share registers as often as people connect.
#[tokio::test]
async fn int_37_many_register_from_one_address() {
    let broker = TestBroker::start().await;
    let browser = Browser::new();
    for _ in 0..60 {
        assert_eq!(register_from(&broker, &browser, &[]).await.status, 201);
    }
    broker.clock.advance(Duration::from_secs(2));
    // Two for each authorization (opencode), one a second from then on.
    for _ in 0..2 {
        assert_eq!(register_from(&broker, &browser, &[]).await.status, 201);
    }
}

/// INT-36: a registration that nobody uses ends; one that was used outlives its refresh tokens, and a
/// restart.
#[tokio::test]
async fn int_36_used_clients_stay_and_unused_ones_end() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let setup = || Setup {
        store: store.clone(),
        extra: "registration: { unused_lifetime: 1d }\n".to_owned(),
        ..Setup::default()
    };
    let broker = TestBroker::with(setup()).await;
    let (used, unused) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
    let tokens = used.tokens(&broker).await;
    let (clock, provider) = (broker.clock.clone(), broker.provider.clone());
    broker.stop().await;
    clock.advance(DAY * 29);
    let again = TestBroker::replica(setup(), clock, provider).await;
    again.store.tend(again.clock.now()).await.unwrap();
    assert_eq!(used.refresh(&again, &tokens.refresh).await.status, 200);
    let known = async |client: &TestClient| {
        again.store.client(&ClientId::new(&client.id), again.clock.now()).await.unwrap().is_some()
    };
    assert!(known(&used).await && !known(&unused).await);
    assert_eq!(again.browser().get(&unused.authorize_url(&again)).await.status, 400);
    again.clock.advance(DAY * 62);
    again.store.tend(again.clock.now()).await.unwrap();
    assert!(known(&used).await, "the grant is over, the client is known");
}

/// SEC-113: who floods, from however many addresses, fills nothing; people who are signed in do not
/// notice: a signed-in client refreshes in between. Each wave comes at once, as a flood does.
async fn flood(broker: &TestBroker, most_unused: usize, size: impl Fn() -> u64) -> Flood {
    let client = TestClient::register(broker).await;
    let mut tokens = client.tokens(broker).await;
    let browser = Browser::new();
    let waves = extent(6, 2000);
    let (mut before, mut last) = (Vec::new(), Vec::new());
    let mut at_first = (0, 0);
    for wave in 0..waves {
        let pages = join_all((0..most_unused).map(|number| {
            let number = u32::try_from((wave * most_unused + number) / 7).unwrap();
            let address = std::net::Ipv4Addr::from_bits(0xC000_0000 | number).to_string();
            let browser = &browser;
            async move { register_from(broker, browser, &[("x-forwarded-for", &address)]).await }
        }));
        let pages = pages.await;
        assert!(pages.iter().all(|page| page.status == 201), "{pages:?}");
        let ids = pages.iter().map(|page| ClientId::new(page.json()["client_id"].as_str().unwrap()));
        (before, last) = (last, ids.collect());
        tokens = Tokens::of(&client.refresh(broker, &tokens.refresh).await);
        broker.exchanges.forget();
        // Past the flood's first wave, and with the audit stream full.
        if wave == extent(2, 400) {
            broker.parts.journal.settled().await;
            at_first = (size(), resident());
        }
    }
    broker.parts.journal.settled().await;
    for (ids, left) in [(before, false), (last, true)] {
        for id in ids {
            let there = broker.store.client(&id, broker.clock.now()).await.unwrap().is_some();
            assert_eq!(there, left, "the newest, as many as there may be");
        }
    }
    assert_eq!(client.refresh(broker, &tokens.refresh).await.status, 200);
    Flood { registrations: waves * most_unused, size: [at_first.0, size()], memory: [at_first.1, resident()] }
}

/// What a flood left.
struct Flood {
    registrations: usize,
    /// Of the store, in bytes: early on, and in the end.
    size: [u64; 2],
    /// Of the process, broker and callers, in KiB.
    memory: [u64; 2],
}

const FLOODED: &str = "trusted_proxies: [127.0.0.1]\nregistration: { most_unused: 50 }\n";

fn told(what: &str, flood: &Flood) {
    let Flood { registrations, size: [at_first, at_last], memory: [early, late] } = flood;
    let seen = format!(
        "{registrations} registrations: 50 records left, as many as there may be; {} KiB early on, {} KiB in the \
         end; the process had {} MiB, then {} MiB; every refresh in between served",
        at_first / 1024,
        at_last / 1024,
        early / 1024,
        late / 1024
    );
    figure("REL-22", &format!("a flood of registrations from many addresses: {what}"), &seen);
    assert!(*at_last <= at_first + at_first / 2 + 512 * 1024, "{seen}");
    // In the short form other tests share the process.
    assert!(extent(1, 0) == 1 || *late <= early + 8 * 1024, "{seen}");
}

/// REL-22: the flood over the embedded store.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_a_flood_of_registrations_leaves_a_file_as_it_was() {
    let folder = TempDir::new();
    let path = folder.path().join("state.db");
    let setup =
        Setup { store: format!("store: {}\n", path.display()), extra: FLOODED.into(), ..Setup::default() };
    let broker = TestBroker::with(setup).await;
    let size = || std::fs::metadata(&path).expect("the file").len();
    told("embedded, in a file", &flood(&broker, 50, size).await);
}

/// REL-22: the same over Redis.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_22_a_flood_of_registrations_leaves_redis_as_it_was() {
    if !installed() {
        return;
    }
    let redis = RedisServer::start();
    let store = format!("store: redis://127.0.0.1:{}/\n", redis.port);
    let broker = TestBroker::with(Setup { store, extra: FLOODED.into(), ..Setup::default() }).await;
    let size = || {
        let memory: String = redis.ask("INFO memory");
        let used = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
        used.expect("a figure").trim().parse().expect("a number")
    };
    told("Redis", &flood(&broker, 50, size).await);
    assert_eq!(redis.ask::<Vec<String>>("KEYS gl:1:new:*").len(), 50);
    assert_eq!(redis.ask::<Vec<String>>("KEYS gl:1:client:*").len(), 1, "the one that is used");
}
