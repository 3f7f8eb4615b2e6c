//! Clients that register themselves with public keys, and sign (RFC 7591 section 2, SEC-068, SEC-110).

use gatelodge::outbound::documents::Documents;
use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{REDIRECT, TestClient, register};
use crate::harness::document_host::{Answer, DocumentHost, HOST};
use crate::harness::keys::TestKey;
use crate::harness::signer::Signer;

/// What such a client registers.
fn signs(keys: &Value) -> Value {
    let mut metadata =
        json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "private_key_jwt" });
    metadata.as_object_mut().unwrap().extend(keys.as_object().unwrap().clone());
    metadata
}

async fn broker_with(documents: Documents, extra: &str) -> TestBroker {
    TestBroker::with(Setup { documents: Some(documents), extra: extra.into(), ..Setup::default() }).await
}

async fn put(answer: &Value, body: &Value) -> Page {
    let url = answer["registration_client_uri"].as_str().unwrap();
    let token = answer["registration_access_token"].as_str().unwrap();
    let request = Browser::new().http().put(url).bearer_auth(token).json(body);
    Page::of(url, request.send().await.expect("an answer")).await
}

fn client(answer: &Value) -> TestClient {
    let id = answer["client_id"].as_str().expect("an id").to_owned();
    TestClient { id, secret: None, redirect: REDIRECT.into() }
}

/// SEC-066, SEC-068: registered with keys, a client gets tokens by what it signs and by nothing else; the
/// answer says what is kept, and so does each later one.
#[tokio::test]
async fn sec_068_a_registrant_with_keys_signs() {
    let broker = TestBroker::start().await;
    let (key, next) = (TestKey::es256("first"), TestKey::rs256("second"));
    let jwks = json!({ "keys": [key.jwk()] });
    let page = register(&broker, &signs(&json!({ "jwks": jwks }))).await;
    assert_eq!(page.status, 201, "{}", page.body);
    let answer = page.json();
    assert_eq!(answer["token_endpoint_auth_method"], "private_key_jwt");
    assert_eq!((&answer["jwks"], answer.get("jwks_uri")), (&jwks, None));
    assert_eq!((answer.get("client_secret"), answer.get("client_secret_expires_at")), (None, None));

    let signer = Signer::new(client(&answer), &key);
    let tokens = signer.tokens(&broker).await;
    assert_eq!(signer.app.refresh(&broker, &tokens.refresh).await.status, 401, "without an assertion");
    let stranger = Signer::new(client(&answer), &TestKey::es256("first"));
    let forged = stranger.assertion(&broker, json!({ "jti": "forged" }));
    assert_eq!(stranger.refresh(&broker, &tokens.refresh, &forged).await.status, 401, "another key");
    let page = signer.refresh(&broker, &tokens.refresh, &signer.assertion(&broker, json!({}))).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let refresh = page.json()["refresh_token"].as_str().unwrap().to_owned();

    // RFC 7592: what was read can be sent back, and another key takes the place of the first.
    let url = answer["registration_client_uri"].as_str().unwrap();
    let token = answer["registration_access_token"].as_str().unwrap();
    let read = Browser::new().http().get(url).bearer_auth(token).send().await.expect("an answer");
    let read = Page::of(url, read).await.json();
    let page = put(&answer, &read).await;
    assert_eq!((page.status, &page.json()["jwks"]), (200, &jwks), "{}", page.body);
    let page = signer.refresh(&broker, &refresh, &signer.assertion(&broker, json!({}))).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let refresh = page.json()["refresh_token"].as_str().unwrap().to_owned();
    let mut changed = read.clone();
    changed["jwks"] = json!({ "keys": [next.jwk()] });
    assert_eq!(put(&answer, &changed).await.status, 200);
    let late = signer.assertion(&broker, json!({}));
    assert_eq!(signer.refresh(&broker, &refresh, &late).await.status, 401, "the key was taken back");
    let signer = Signer::new(client(&answer), &next);
    let fresh = signer.assertion(&broker, json!({ "jti": "by the second" }));
    assert_eq!(signer.refresh(&broker, &refresh, &fresh).await.status, 200);
    // An update says everything: keys that it leaves out are gone, and such a client cannot be.
    changed.as_object_mut().unwrap().remove("jwks");
    assert_eq!(put(&answer, &changed).await.error(), "invalid_client_metadata");
}

/// SEC-110: one place for the keys, public and usable ones, of a bounded size; said in JSON.
#[tokio::test]
async fn sec_110_keys_that_cannot_be_registered() {
    let broker = TestBroker::start().await;
    let public = TestKey::es256("key").jwk();
    let with = |member: &str, value: Value| {
        let mut key = public.clone();
        key[member] = value;
        json!({ "jwks": { "keys": [key] } })
    };
    let uri = "https://app.example/jwks.json";
    for keys in [
        json!({}),
        json!({ "jwks": null, "jwks_uri": "" }),
        json!({ "jwks": { "keys": [public] }, "jwks_uri": uri }),
        json!({ "jwks": { "keys": [] } }),
        json!({ "jwks": [public] }),
        json!({ "jwks": "x" }),
        with("d", json!("cHJpdmF0ZQ")),
        with("dp", json!("cHJpdmF0ZQ")),
        with("kty", json!("oct")),
        with("use", json!("enc")),
        with("kid", json!("k".repeat(9000))),
        json!({ "jwks": { "keys": [public, { "kty": "oct", "k": "c2VjcmV0" }] } }),
        json!({ "jwks_uri": "http://app.example/jwks.json" }),
        json!({ "jwks_uri": "https://127.0.0.1/jwks.json" }),
        json!({ "jwks_uri": "https://[::1]/jwks.json" }),
        json!({ "jwks_uri": "https://user@app.example/jwks.json" }),
        json!({ "jwks_uri": "data:application/json,{}" }),
        json!({ "jwks_uri": format!("{uri}?{}", "x".repeat(2048)) }),
    ] {
        let page = register(&broker, &signs(&keys)).await;
        assert_eq!((page.status, page.error().as_str()), (400, "invalid_client_metadata"), "{keys}");
    }
    let page = register(&broker, &signs(&json!({ "jwks": { "keys": [public] } }))).await;
    assert_eq!(page.status, 201, "{}", page.body);
}

/// SEC-112, SEC-122: a `jwks_uri` is asked when the client signs, not before; and never where it leads into
/// a private network, though the operator let a document's host be there.
#[tokio::test]
async fn sec_122_a_registrant_s_keys_are_fetched_from_public_hosts_only() {
    let host = DocumentHost::start().await;
    let broker = broker_with(host.fetcher(&[HOST]), "").await;
    let key = TestKey::es256("key");
    host.answers("/jwks.json", Answer::json(&json!({ "keys": [key.jwk()] })));
    let uri = host.url("/jwks.json");
    let answer = register(&broker, &signs(&json!({ "jwks_uri": uri }))).await.json();
    assert_eq!((answer["jwks_uri"].as_str(), answer.get("jwks")), (Some(uri.as_str()), None));
    assert!(host.lookup.asked().is_empty() && host.requests().is_empty(), "nothing at registration");
    let signer = Signer::new(client(&answer), &key);
    let page = signer.refresh(&broker, "nothing", &signer.assertion(&broker, json!({}))).await;
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    assert_eq!(host.lookup.asked(), [HOST], "the name was looked up");
    assert!(host.requests().is_empty(), "and nobody called");
}

/// SEC-128: whoever wants no documents fetched, or those of some hosts only, wants no registrant's keys
/// fetched elsewhere either.
#[tokio::test]
async fn sec_128_a_registrant_s_keys_are_of_admitted_hosts() {
    let host = DocumentHost::start().await;
    for rules in ["enabled: false", "allowed_hosts: [fine.example]", "denied_hosts: [app.example]"] {
        let broker = broker_with(host.fetcher(&[]), &format!("client_documents: {{ {rules} }}\n")).await;
        let page = register(&broker, &signs(&json!({ "jwks_uri": host.url("/jwks.json") }))).await;
        assert_eq!((page.status, page.error().as_str()), (400, "invalid_client_metadata"), "{rules}");
        assert!(page.body.contains("send jwks"), "{}", page.body);
        let key = TestKey::es256("key");
        let page = register(&broker, &signs(&json!({ "jwks": { "keys": [key.jwk()] } }))).await;
        assert_eq!(page.status, 201, "{rules}: {}", page.body);
    }
    assert!(host.lookup.asked().is_empty());
}
