//! Where the keys of clients that sign come from, and who is asked for them how often.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use serde_json::{Value, json};

use crate::harness::broker::TestBroker;
use crate::harness::client::Tokens;
use crate::harness::document_host::{Answer, DocumentHost};
use crate::harness::keys::TestKey;
use crate::harness::signer::Signer;

use super::signing::assert_invalid_client;
use super::{broker_for, client};

/// A document that names its keys at this path of the host.
fn keys_at(host: &DocumentHost, path: &str) -> Value {
    json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url(path)})
}

fn jwks(keys: &[&TestKey]) -> Answer {
    Answer::json(&json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()}))
}

/// How often this path was asked for.
fn fetches(host: &DocumentHost, path: &str) -> usize {
    let line = format!("GET {path}");
    host.requests().iter().filter(|head| head.starts_with(&line)).count()
}

/// Asks for the document of this URL from the address of this number.
async fn find(broker: &TestBroker, url: &str, address: u32) -> Result<(), String> {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0B00_0000 | address));
    let found = broker.parts.login.clients.find(&ClientId::new(url), Some(address), broker.clock.now()).await;
    found.map(drop).map_err(|fault| fault.to_string())
}

/// A signed refresh: its status and its error.
async fn signed(signer: &Signer, broker: &TestBroker, token: &str) -> (u16, String) {
    let page = signer.refresh(broker, token, &signer.assertion(broker, json!({}))).await;
    (page.status, if page.status == 200 { String::new() } else { page.error() })
}

/// What is no answer about keys.
fn gates() -> [(&'static str, Answer); 7] {
    let page = Answer::Said("200 OK\r\nContent-Type: text/html\r\n".into(), b"<html>".to_vec());
    let half = Answer::Said("200 OK\r\nContent-Type: application/json\r\n".into(), b"{\"keys\": [".to_vec());
    [
        ("401", Answer::status("401 Unauthorized")),
        ("403", Answer::status("403 Forbidden")),
        ("a redirect", Answer::status("302 Found\r\nLocation: https://app.example/x")),
        ("a page", page),
        ("half of them", half),
        ("429", Answer::status("429 Too Many Requests")),
        ("503", Answer::status("503 Service Unavailable")),
    ]
}

/// INT-43, PRIN-5: a gate in front of the keys' host does not say that the client is none: keys that were good
/// serve for a day, and where there are none it is told to come again.
#[tokio::test]
async fn int_43_a_gate_before_the_keys_is_no_verdict() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let key = TestKey::es256("key");
    for (number, (what, gate)) in gates().into_iter().enumerate() {
        broker.clock.advance(Duration::from_secs(60));
        let path = format!("/keys-{number}.json");
        let url = host.publishes(&format!("/{number}.json"), &keys_at(&host, &path));
        let signer = Signer::new(client(&url), &key);
        host.answers(&path, gate.clone());
        let busy = (503, "temporarily_unavailable".to_owned());
        assert_eq!(signed(&signer, &broker, "nothing").await, busy, "{what}, never had");
        assert_eq!(signed(&signer, &broker, "nothing").await, busy, "{what}, at once again");
        assert_eq!(fetches(&host, &path), 1, "{what}");

        broker.clock.advance(Duration::from_secs(31));
        host.answers(&path, jwks(&[&key]));
        let tokens = signer.tokens(&broker).await;
        broker.clock.advance(Duration::from_secs(3700));
        host.answers(&path, gate);
        let before = fetches(&host, &path);
        let mut refresh = tokens.refresh;
        for _ in 0..3 {
            let page = signer.refresh(&broker, &refresh, &signer.assertion(&broker, json!({}))).await;
            refresh = Tokens::of(&page).refresh;
        }
        assert_eq!(fetches(&host, &path), before + 1, "{what}: asked once, not at every request");
        // One that nobody knows costs no more than that, and is no verdict while nobody can look.
        let stranger = Signer::new(client(&url), &TestKey::es256("other"));
        for _ in 0..5 {
            assert_eq!(signed(&stranger, &broker, "nothing").await, busy, "{what}, another key");
        }
        assert_eq!(fetches(&host, &path), before + 1, "{what}");
    }
}

/// What is gone from its place, or there and without a key, is believed.
#[tokio::test]
async fn int_43_keys_that_are_taken_back_count_no_more() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let key = TestKey::es256("key");
    for (number, answer) in [Answer::status("404 Not Found"), jwks(&[])].into_iter().enumerate() {
        let path = format!("/keys-{number}.json");
        host.answers(&path, jwks(&[&key]));
        let signer =
            Signer::new(client(&host.publishes(&format!("/{number}.json"), &keys_at(&host, &path))), &key);
        signer.tokens(&broker).await;
        host.answers(&path, answer);
        broker.clock.advance(Duration::from_secs(3700));
        for _ in 0..3 {
            assert_eq!(signed(&signer, &broker, "nothing").await.0, 401);
        }
        assert_eq!(fetches(&host, &path), 2);
    }
}

/// SEC-128: who makes up documents at the host where a client's keys are does not use up its turns, nor the
/// places: both are of the keys alone.
#[tokio::test]
async fn sec_128_made_up_documents_leave_the_keys_their_turns() {
    let host = DocumentHost::start().await;
    let broker = std::sync::Arc::new(broker_for(&host, "").await);
    let key = TestKey::es256("key");
    host.answers("/jwks.json", jwks(&[&key]));
    let url = host.publishes("/client.json", &keys_at(&host, "/jwks.json"));
    find(&broker, &url, 1).await.expect("a document");
    // All places.
    host.answers("/silent/", Answer::Silence);
    let silent: Vec<_> = (0..32).map(|number| host.url(&format!("/silent/{number}"))).collect();
    let asking = silent.into_iter().enumerate().map(|(number, url)| {
        let broker = std::sync::Arc::clone(&broker);
        tokio::spawn(async move { find(&broker, &url, 100 + u32::try_from(number).unwrap()).await })
    });
    let asking: Vec<_> = asking.collect();
    let all_ask = async {
        while broker.parts.login.clients.documents().in_memory().fetches < 32 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), all_ask).await.expect("all of them ask");
    // All turns.
    let mut refused = 0;
    for number in 0..240 {
        let fault = find(&broker, &host.url(&format!("/made-up-{number}")), 1000 + number).await.unwrap_err();
        refused += usize::from(fault.contains("too many"));
    }
    assert_eq!(refused, 240);
    Signer::new(client(&url), &key).tokens(&broker).await;
    assert_eq!(fetches(&host, "/jwks.json"), 1);
    asking.iter().for_each(tokio::task::JoinHandle::abort);
}

/// SEC-128: the clients of one host make us ask for so many unknown keys; the operator's own client, whose keys
/// are at the same place, is none of them, and keys that were good are asked for as before.
#[tokio::test]
async fn sec_128_strangers_keys_do_not_count_for_the_operator_s_clients() {
    let host = DocumentHost::start().await;
    let own = format!(
        "clients:\n  - {{ id: own, name: Own, redirect_uris: [http://127.0.0.1:39999/callback], auth: private_key_jwt, \
         jwks_uri: '{}' }}\n",
        host.url("/own-keys.json")
    );
    let broker = broker_for(&host, &own).await;
    let key = TestKey::es256("key");
    host.answers("/own-keys.json", jwks(&[&key]));
    host.answers("/good-keys.json", jwks(&[&key]));
    let mut good =
        Signer::new(client(&host.publishes("/good.json", &keys_at(&host, "/good-keys.json"))), &key);
    let tokens = good.tokens(&broker).await;
    broker.clock.advance(Duration::from_secs(3500));
    for number in 0..30 {
        let url = host.publishes(&format!("/{number}.json"), &keys_at(&host, &format!("/none-{number}")));
        find(&broker, &url, number).await.expect("a document");
        let (status, _) = signed(&Signer::new(client(&url), &key), &broker, "nothing").await;
        assert_eq!(status, if number < 20 { 401 } else { 503 }, "{number}");
    }
    assert_eq!(fetches(&host, "/none-"), 20);
    Signer::new(client("own"), &key).tokens(&broker).await;
    assert_eq!(fetches(&host, "/own-keys.json"), 1);
    good.key = TestKey::es256("rotated");
    host.answers("/good-keys.json", jwks(&[&good.key]));
    let (status, error) = signed(&good, &broker, &tokens.refresh).await;
    assert_eq!((status, fetches(&host, "/good-keys.json")), (200, 2), "{error}");
}

/// `jwks_uri`: fetched under the same guard, kept for an hour; an unknown key asks again at most every
/// 30 s, and while the host is away the last good keys serve.
#[tokio::test]
async fn sec_068_keys_by_reference() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let key = TestKey::es256("first");
    host.answers("/jwks.json", jwks(&[&key]));
    let more = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/jwks.json")});
    let url = host.publishes("/client.json", &more);
    let signer = Signer::new(client(&url), &key);
    let tokens = signer.tokens(&broker).await;
    let fetches = || host.requests().iter().filter(|head| head.starts_with("GET /jwks.json")).count();
    assert_eq!(fetches(), 1);
    // A new key is found, but not by asking at every request.
    let next = Signer::new(client(&url), &TestKey::es256("second"));
    let stranger = next.assertion(&broker, json!({}));
    assert_invalid_client(&next.refresh(&broker, &tokens.refresh, &stranger).await, "not published");
    assert_eq!(fetches(), 1);
    broker.clock.advance(Duration::from_secs(31));
    host.answers("/jwks.json", jwks(&[&key, &next.key]));
    let assertion = next.assertion(&broker, json!({"jti": "second"}));
    assert_eq!(next.refresh(&broker, &tokens.refresh, &assertion).await.status, 200);
    assert_eq!(fetches(), 2);
    // The host is away.
    host.answers("/jwks.json", Answer::status("503 Service Unavailable"));
    broker.clock.advance(Duration::from_secs(3700));
    let assertion = next.assertion(&broker, json!({"jti": "third"}));
    let page = next.refresh(&broker, &tokens.refresh, &assertion).await;
    assert_eq!(page.status, 400, "past the grace window, but the client is known: {}", page.body);
    assert_eq!(page.json()["error"], "invalid_grant");
    // Keys that were never had are no verdict either.
    let unseen = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/none.json")});
    host.answers("/none.json", Answer::status("500 Oops"));
    let other = Signer::new(client(&host.publishes("/other.json", &unseen)), &key);
    let assertion = other.assertion(&broker, json!({}));
    assert_eq!(other.refresh(&broker, &tokens.refresh, &assertion).await.status, 503);
}

/// SEC-122: the operator's word that a host may be in our network is for whom the operator meant: that host's
/// own documents, and clients of the operator's. A document elsewhere that names its keys there makes us call
/// nobody.
#[tokio::test]
async fn sec_122_no_document_makes_us_fetch_keys_from_a_private_host_that_is_not_its_own() {
    const INNER: &str = "other.example";
    let host = DocumentHost::start().await;
    host.lookup.leads(INNER, &[&["127.0.0.1"]]);
    let key = TestKey::es256("key");
    host.answers("/jwks.json", Answer::json(&json!({"keys": [key.jwk()]})));
    let inner_keys = host.url_of(INNER, "/jwks.json");
    let own = format!(
        "clients:\n  - {{ id: own, name: Own, redirect_uris: [http://127.0.0.1:39999/callback], auth: private_key_jwt, \
         jwks_uri: '{inner_keys}' }}\n"
    );
    let broker = broker_for(&host, &own).await;
    let fetches = || host.requests().iter().filter(|head| head.starts_with("GET /jwks.json")).count();
    let signs = |keys: &str| json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys});

    let foreign = Signer::new(client(&host.publishes("/client.json", &signs(&inner_keys))), &key);
    let assertion = foreign.assertion(&broker, json!({}));
    let page = foreign.refresh(&broker, "nothing", &assertion).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    assert_eq!(fetches(), 0, "nobody is called");

    let same_host = Signer::new(client(&host.publishes("/own.json", &signs(&host.url("/jwks.json")))), &key);
    same_host.tokens(&broker).await;
    assert_eq!(fetches(), 1);
    Signer::new(client("own"), &key).tokens(&broker).await;
    assert_eq!(fetches(), 2, "the operator named it");
}

/// SEC-128: keys that cannot be had are not asked for at every attempt: their host is somebody else's.
#[tokio::test]
async fn sec_128_keys_that_cannot_be_had_are_not_asked_for_again_at_once() {
    let host = DocumentHost::start().await;
    let broker = broker_for(&host, "").await;
    let more = json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": host.url("/none.json")});
    let signer = Signer::new(client(&host.publishes("/client.json", &more)), &TestKey::es256("key"));
    let fetches = || host.requests().iter().filter(|head| head.starts_with("GET /none.json")).count();
    for _ in 0..10 {
        let assertion = signer.assertion(&broker, json!({}));
        let page = signer.refresh(&broker, "nothing", &assertion).await;
        assert!([401, 503].contains(&page.status), "{}", page.body);
    }
    assert_eq!(fetches(), 1);
    broker.clock.advance(Duration::from_secs(31));
    signer.refresh(&broker, "nothing", &signer.assertion(&broker, json!({}))).await;
    assert_eq!(fetches(), 2);
}
