//! Clients that were added by command, and how they prove themselves.

use std::time::Duration;

use gatelodge::clients::OperatorSecrets;
use gatelodge::clock::Clock as _;
use gatelodge::domain::{
    Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin, OperatorClient, SecretPlace,
};
use gatelodge::protocol::RedirectUri;
use gatelodge::secret::{MasterSecret, Secret};
use gatelodge::store::ClientBook as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{REDIRECT, TestClient, Tokens};
use crate::harness::keys::{TestKey, object};
use crate::harness::temp_dir::TempDir;

use super::{Restarted, broker_with, is_invalid_grant};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
const NEW: &str = "Nw4jRt7cBv9mXe2kLz5pQs8dYh1uGf6oWa3";

fn secrets(of: &str) -> OperatorSecrets {
    OperatorSecrets::new(&MasterSecret::new(Secret::new(of.into())).expect("a good one"))
}

/// Adds a confidential client; gives back how it signs in.
async fn added(broker: &TestBroker, sent: SecretPlace) -> TestClient {
    let id = OperatorClient::new_id();
    let (secret, held) = secrets(&Setup::default().secret).make(&id);
    let client = Client {
        id: id.clone(),
        name: Some("Own".into()),
        redirect_uris: vec![RedirectUri::parse(REDIRECT).expect("a URI")],
        auth: OperatorSecrets::method(sent, held),
        origin: ClientOrigin::Operator,
        may_refresh: true,
        limits: ClientLimits::default(),
        created_at: broker.clock.now(),
        expires_at: None,
        registration: None,
    };
    let kept = broker.store.replace_operator_client(&OperatorClient { client, version: 1 }, 0).await;
    assert!(kept.expect("kept"));
    TestClient { id: id.to_string(), secret: Some(secret.expose().to_owned()), redirect: REDIRECT.into() }
}

async fn rotate(broker: &TestBroker, client: &TestClient) -> TestClient {
    let id = ClientId::new(&client.id);
    let known = broker.store.operator_client(&id).await.expect("an answer").expect("a client");
    let made = secrets(&Setup::default().secret).rotated(&known, broker.clock.now());
    let (secret, next) = made.expect("it has a secret");
    assert!(broker.store.replace_operator_client(&next, known.version).await.expect("kept"));
    TestClient { secret: Some(secret.expose().to_owned()), ..client.clone() }
}

fn is_invalid_client(page: &Page) -> bool {
    (page.status, page.error().as_str()) == (401, "invalid_client")
}

/// SEC-066: the secret counts where it belongs, and nowhere else; without it there is nothing.
#[tokio::test]
async fn sec_066_a_secret_stands_where_it_belongs() {
    let broker = broker_with("clients: { allow: [claude] }\n").await;
    for (sent, in_header, in_body) in [(SecretPlace::Header, 200, 401), (SecretPlace::Body, 401, 200)] {
        let client = added(&broker, sent).await;
        let public = TestClient { secret: None, ..client.clone() };
        let secret = client.secret.clone().expect("a secret");
        let body = [("client_secret", secret.as_str())];
        let code = client.code(&broker).await;
        assert!(is_invalid_client(&public.redeem(&broker, &code).await));
        let wrong = TestClient { secret: Some(format!("{secret}x")), ..client.clone() };
        assert!(is_invalid_client(&wrong.redeem(&broker, &code).await));
        let [ours, theirs] = if in_header == 200 {
            [client.redeem(&broker, &code).await, public.redeem_with(&broker, "x", &body).await]
        } else {
            [public.redeem_with(&broker, &code, &body).await, client.redeem(&broker, "x").await]
        };
        assert_eq!((ours.status, theirs.status), (200, in_header.max(in_body)), "{}", ours.body);
    }
}

/// A new secret counts at once, the old one for a day more; the next change does not prolong that.
#[tokio::test]
async fn a_secret_is_replaced_without_a_gap() {
    let broker = broker_with("").await;
    let client = added(&broker, SecretPlace::Header).await;
    let mut tokens = client.tokens(&broker).await;
    let second = rotate(&broker, &client).await;
    for one in [&client, &second] {
        tokens = Tokens::of(&one.refresh(&broker, &tokens.refresh).await);
    }
    broker.clock.advance(Duration::from_secs(23 * 3600));
    let third = rotate(&broker, &second).await;
    for one in [&client, &second, &third] {
        tokens = Tokens::of(&one.refresh(&broker, &tokens.refresh).await);
    }
    broker.clock.advance(Duration::from_secs(3600));
    assert!(is_invalid_client(&client.refresh(&broker, &tokens.refresh).await));
    for one in [&second, &third] {
        tokens = Tokens::of(&one.refresh(&broker, &tokens.refresh).await);
    }
    broker.clock.advance(Duration::from_secs(23 * 3600));
    assert!(is_invalid_client(&second.refresh(&broker, &tokens.refresh).await));
    assert_eq!(third.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// The operator's secret changes: a client that came meanwhile needs the previous one no longer, and
/// another one does. What is stored is neither the secret nor its plain digest.
#[tokio::test]
async fn a_hash_follows_the_operator_s_secret() {
    let mut restarted = Restarted::new().await;
    let broker = restarted.with("").await;
    let [came, stayed] =
        [added(&broker, SecretPlace::Header).await, added(&broker, SecretPlace::Header).await];
    let secret = came.secret.clone().expect("a secret");
    let known = broker.store.operator_client(&ClientId::new(&came.id)).await.unwrap().unwrap();
    let stored = serde_json::to_string(&known).unwrap();
    assert!(!stored.contains(&secret));
    assert!(!stored.contains(gatelodge::secret::Digest::of(&secret).as_str()));
    broker.stop().await;
    let old = Setup::default().secret;
    let both =
        Setup { secret: NEW.into(), extra: format!("previous_secrets: [{old}]\n"), ..Setup::default() };
    let broker = restarted.start(both).await;
    assert!(is_invalid_grant(&came.refresh(&broker, "x").await), "it is known, its token is not");
    broker.stop().await;
    let broker = restarted.start(Setup { secret: NEW.into(), ..Setup::default() }).await;
    assert!(is_invalid_grant(&came.refresh(&broker, "x").await));
    assert!(is_invalid_client(&stayed.refresh(&broker, "x").await));
}

/// A removed client is unknown at once; a store that cannot say is no verdict (PRIN-5).
#[tokio::test]
async fn a_removed_client_is_unknown() {
    let broker = broker_with("").await;
    let client = added(&broker, SecretPlace::Header).await;
    let tokens = client.tokens(&broker).await;
    broker.store.fail(Operation::OperatorClient);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 503);
    broker.store.heal();
    assert!(broker.store.remove_operator_client(&ClientId::new(&client.id)).await.unwrap());
    assert!(is_invalid_client(&client.refresh(&broker, &tokens.refresh).await));
    assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 400);
}

/// SEC-068: a client of the configuration signs with the key in its file.
#[tokio::test]
async fn sec_068_a_configured_client_signs() {
    let folder = TempDir::new();
    let key = TestKey::es256("own-key");
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, json!({"keys": [key.jwk()]}).to_string()).expect("a file");
    let extra = format!(
        "clients:\n  - {{ id: own, name: Own, redirect_uris: '{REDIRECT}', auth: private_key_jwt, jwks_file: '{}' }}\n",
        file.display()
    );
    let broker = broker_with(&extra).await;
    let client = TestClient { id: "own".into(), secret: None, redirect: REDIRECT.into() };
    let code = client.code(&broker).await;
    assert!(is_invalid_client(&client.redeem(&broker, &code).await));
    let assertion = |key: &TestKey, jti: &str| {
        let now = broker.clock.now().as_unix();
        let claims = json!({"iss": "own", "sub": "own", "aud": broker.issuer, "iat": now, "exp": now + 60, "jti": jti});
        key.sign(&key.header("JWT"), &object(claims))
    };
    let stranger = assertion(&TestKey::es256("own-key"), "1");
    let proof = [("client_assertion_type", TYPE), ("client_assertion", stranger.as_str())];
    assert!(is_invalid_client(&client.redeem_with(&broker, &code, &proof).await));
    let own = assertion(&key, "2");
    let proof = [("client_assertion_type", TYPE), ("client_assertion", own.as_str())];
    let _ = Tokens::of(&client.redeem_with(&broker, &code, &proof).await);
}

/// What an older release wrote about a client's method is still read.
#[test]
fn the_methods_of_older_records_are_read() {
    let digest = gatelodge::secret::Digest::of("secret");
    let stored = json!({"method": "client_secret_basic", "by": digest});
    let read: ClientAuthMethod = serde_json::from_value(stored).expect("a method");
    assert_eq!(read, ClientAuthMethod::ClientSecretBasic(digest));
}
