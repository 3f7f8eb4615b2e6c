//! How a server is told who asks.

use std::time::Duration;

use gatelodge::domain::Haste;
use gatelodge::protocol::{Jws, KeySet, SigningAlgorithm};
use serde_json::Value;

use super::{RESOURCE, Scene, page};
use crate::harness::backend::Backend;

async fn keys(scene: &Scene) -> KeySet {
    let page = crate::harness::browser::Browser::new().get(&scene.broker.url("/.well-known/jwks.json")).await;
    KeySet::from_jwks(&page.json())
}

async fn told(scene: &Scene, name: &str) -> String {
    assert_eq!(scene.ask("POST", "/mcp").await.status, 200);
    let arrived = scene.backend.only();
    assert!(arrived.all("x-auth-user").is_empty(), "one way only");
    let [one] = arrived.all(name)[..] else { panic!("{arrived:?}") };
    one.to_owned()
}

/// SEC-141, SEC-147: a short token of ours of a type of its own, which is good at the server and nowhere else.
#[tokio::test]
async fn sec_141_an_identity_token_is_no_access_token() {
    let scene = Scene::with(Backend::plain().await, &["identity: jwt"]).await;
    let forged =
        scene.request("POST", "/mcp").header("x-gatelodge-identity", "forged").header("x-auth-user", "root");
    assert_eq!(page(forged).await.status, 200);
    let arrived = scene.backend.only();
    assert_eq!(arrived.all("x-gatelodge-identity").len(), 1);
    assert!(arrived.all("authorization").is_empty() && arrived.all("x-auth-user").is_empty());
    let token = arrived.all("x-gatelodge-identity")[0].to_owned();
    let jws = Jws::parse(&token).unwrap();
    assert_eq!(jws.header("typ"), Some("gatelodge-identity+jwt"));
    let claims = Value::Object(jws.verify(&keys(&scene).await).unwrap().into_iter().collect());
    let access = scene.tokens.claims();
    for name in ["iss", "sub", "scope", "client_id", "email", "name"] {
        assert_eq!(claims[name], access[name], "{name}");
    }
    assert_eq!(claims["aud"], RESOURCE);
    assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    // Whoever gets hold of it gets in nowhere with it.
    let answer = scene.post(&format!("Bearer {token}"), "{}").await;
    assert_eq!(answer.status, 401);
}

/// One signature serves a caller for a while, and no other caller; a key that leaked signs no more.
#[tokio::test]
async fn rel_18_an_identity_token_serves_for_a_while() {
    let scene =
        Scene::with(Backend::plain().await, &["identity: jwt", "identity_header: Authorization"]).await;
    let first = told(&scene, "authorization").await;
    assert!(first.starts_with("Bearer ") && first != scene.bearer());
    scene.broker.clock.advance(Duration::from_secs(29));
    assert_eq!(told(&scene, "authorization").await, first);
    let narrow = scene.narrow("mcp:read").await;
    assert_eq!(scene.post(&narrow, "{}").await.status, 200);
    let other = scene.backend.only().all("authorization")[0].to_owned();
    let token = other.strip_prefix("Bearer ").unwrap();
    let claims = Jws::parse(token).unwrap().verify(&keys(&scene).await).unwrap();
    assert_eq!(claims["scope"], "mcp:read");
    scene.broker.clock.advance(Duration::from_secs(1));
    let second = told(&scene, "authorization").await;
    assert_ne!(second, first);
    assert!(
        scene.broker.parts.keys.rotate(SigningAlgorithm::Es256, Haste::Leaked).await.expect("a rotation")
    );
    // The token of the same caller, signed anew, by the key that is there now.
    let tokens = scene.client.tokens(&scene.broker).await;
    let answer = scene.post(&format!("Bearer {}", tokens.access), "{}").await;
    assert_eq!(answer.status, 200);
    let third = scene.backend.only().all("authorization")[0].to_owned();
    let token = third.strip_prefix("Bearer ").unwrap();
    assert!(Jws::parse(token).unwrap().verify(&keys(&scene).await).is_ok());
}

/// A server that wants to know nothing is told nothing, not even by the client.
#[tokio::test]
async fn sec_154_a_server_can_be_told_nothing() {
    let scene = Scene::with(Backend::plain().await, &["identity: none"]).await;
    let forged =
        scene.request("POST", "/mcp").header("x-auth-user", "root").header("x-auth-email", "r@example.com");
    assert_eq!(page(forged).await.status, 200);
    let arrived = scene.backend.only();
    assert!(!arrived.headers.keys().any(|name| name.as_str().starts_with("x-auth-")), "{arrived:?}");
    assert!(arrived.all("authorization").is_empty());
}
