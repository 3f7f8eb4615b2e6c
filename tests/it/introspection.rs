//! Introspection (RFC 7662), and the end of much at once.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{ClientId, Haste, PersonId, Revoked};
use gatelodge::protocol::{KeySet, SigningAlgorithm};
use gatelodge::store::faulty::Operation;
use gatelodge::store::revocations::{Revocations, SLACK};
use gatelodge::store::{Store, StoreError};
use serde_json::{Value, json};

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::keys::{TestKey, object};
use crate::harness::temp_dir::TempDir;

const SERVER: &str = "notes-server";
const OTHER: &str = "wiki-server";
const SECRET: &str = "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9";

/// Two protected servers, each with a client of its own that may ask.
fn setup() -> Setup {
    let usual = Setup::default();
    let resources = format!(
        "{}  - url: https://wiki.example.com/mcp\n    name: Wiki\n    scopes: {{ wiki:read: Read }}\n",
        usual.resources
    );
    let extra = format!(
        "clients:\n  - {{ id: {SERVER}, name: Notes, secret: {SECRET}, introspects: {RESOURCE} }}\n  \
         - {{ id: {OTHER}, name: Wiki, secret: {SECRET}, introspects: [https://wiki.example.com/mcp] }}\n  \
         - {{ id: plain, name: Plain, secret: {SECRET}, redirect_uris: [https://plain.example/cb] }}\n"
    );
    Setup { extra, resources, ..usual }
}

async fn ask_as(broker: &TestBroker, client: (&str, &str), token: &str) -> Page {
    let url = broker.url("/oauth/introspect");
    let browser = Browser::new();
    let request = browser.http().post(&url).basic_auth(client.0, Some(client.1));
    let form = [("token", token), ("token_type_hint", "refresh_token")];
    Page::of(&url, request.form(&form).send().await.expect("an answer")).await
}

async fn ask(broker: &TestBroker, token: &str) -> Value {
    let page = ask_as(broker, (SERVER, SECRET), token).await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"), "{}", page.body);
    page.json()
}

fn inactive() -> Value {
    json!({ "active": false })
}

async fn signed_in(broker: &TestBroker) -> (TestClient, Tokens) {
    let client = TestClient::register(broker).await;
    let tokens = client.tokens(broker).await;
    (client, tokens)
}

/// SEC-130, SEC-131: a server learns all about its own tokens, and of everything else only that
/// it does not count.
#[tokio::test]
async fn sec_130_sec_131_a_server_asks_about_its_own_tokens() {
    let broker = TestBroker::with(setup()).await;
    let (client, tokens) = signed_in(&broker).await;
    let told = ask(&broker, &tokens.access).await;
    let claims = tokens.claims();
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope"] {
        assert_eq!(told[name], claims[name], "{name}");
    }
    assert_eq!((&told["active"], &told["token_type"]), (&json!(true), &json!("Bearer")));
    assert_eq!((&told["username"], &told["client_id"]), (&json!("alice@example.com"), &json!(client.id)));

    let foreign = ask_as(&broker, (OTHER, SECRET), &tokens.access).await;
    assert_eq!((foreign.status, foreign.json()), (200, inactive()), "another server's token");
    for not_ours in [tokens.refresh.as_str(), "nonsense", "a.b.c"] {
        assert_eq!(ask(&broker, not_ours).await, inactive(), "{not_ours}");
    }
    broker.clock.advance(Duration::from_secs(30 * 60));
    assert_eq!(ask(&broker, &tokens.access).await, inactive(), "expired");
}

/// REL-18: what the old key signed stays active through a rotation, and what the new one signs is;
/// after a leak only the latter.
#[tokio::test]
async fn rel_18_introspection_follows_the_signing_keys() {
    let broker = TestBroker::with(setup()).await;
    let keys = &broker.parts.keys;
    let (client, old) = signed_in(&broker).await;
    let is_active = async |token: &str| ask(&broker, token).await["active"] == true;
    assert!(keys.rotate(SigningAlgorithm::Es256, Haste::Now).await.expect("a rotation"));
    broker.clock.advance(Duration::from_secs(30));
    let new = Tokens::of(&client.refresh(&broker, &old.refresh).await);
    assert!(is_active(&old.access).await && is_active(&new.access).await);
    assert!(keys.rotate(SigningAlgorithm::Es256, Haste::Leaked).await.expect("a rotation"));
    broker.clock.advance(Duration::from_secs(30));
    let newest = Tokens::of(&client.refresh(&broker, &new.refresh).await);
    assert!(!is_active(&old.access).await && !is_active(&new.access).await);
    assert!(is_active(&newest.access).await);
}

/// SEC-130: without proof nobody is told anything; a client that protects nothing neither.
#[tokio::test]
async fn sec_130_who_asks_proves_who_it_is() {
    let broker = TestBroker::with(setup()).await;
    let (client, tokens) = signed_in(&broker).await;
    let wrong = ask_as(&broker, (SERVER, "not the secret"), &tokens.access).await;
    assert_eq!((wrong.status, wrong.error().as_str()), (401, "invalid_client"));
    let url = broker.url("/oauth/introspect");
    let browser = Browser::new();
    let form = [("token", tokens.access.as_str()), ("client_id", SERVER)];
    let nobody = Page::of(&url, browser.http().post(&url).form(&form).send().await.expect("an answer")).await;
    assert_eq!((nobody.status, nobody.error().as_str()), (401, "invalid_client"));
    let plain = ask_as(&broker, ("plain", SECRET), &tokens.access).await;
    assert_eq!((plain.status, plain.error().as_str()), (403, "access_denied"));
    let form = [("token", tokens.access.as_str()), ("client_id", client.id.as_str())];
    let public = Page::of(&url, browser.http().post(&url).form(&form).send().await.expect("an answer")).await;
    assert_eq!((public.status, public.error().as_str()), (403, "access_denied"), "the token's own client");
}

/// SEC-134, SEC-084, SEC-076: a grant that its client ended, whose refresh token was used again too
/// late, or whose code was used twice, takes its access tokens along.
#[tokio::test]
async fn sec_134_the_end_of_a_grant_is_the_end_of_its_tokens() {
    let broker = TestBroker::with(setup()).await;
    let (client, tokens) = signed_in(&broker).await;
    assert_eq!(client.revoke(&broker, &tokens.refresh).await.status, 200);
    assert_eq!(ask(&broker, &tokens.access).await, inactive());

    let (client, first) = signed_in(&broker).await;
    let second = Tokens::of(&client.refresh(&broker, &first.refresh).await);
    broker.clock.advance(Duration::from_secs(121));
    assert_eq!(client.refresh(&broker, &first.refresh).await.error(), "invalid_grant");
    assert_eq!(ask(&broker, &second.access).await, inactive());

    let client = TestClient::register(&broker).await;
    let code = client.code(&broker).await;
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    assert_eq!(client.redeem(&broker, &code).await.error(), "invalid_grant");
    assert_eq!(ask(&broker, &tokens.access).await, inactive());
}

/// SEC-132, SEC-134: what is revoked by person, by client or altogether ends within a second:
/// codes and refresh tokens as well as access tokens. Others go on, and so does a new sign-in.
#[tokio::test]
async fn sec_132_sec_134_much_ends_at_once() {
    let broker = TestBroker::with(setup()).await;
    for kind in ["person", "client", "everything"] {
        let (client, tokens) = signed_in(&broker).await;
        let code = client.code(&broker).await;
        let what = match kind {
            "person" => Revoked::Person(PersonId::parse(tokens.claims()["sub"].as_str().unwrap()).unwrap()),
            "client" => Revoked::Client(ClientId::new(&client.id)),
            _ => Revoked::Everything,
        };
        // By another process: this one learns of it from the store.
        let elsewhere = Revocations::new(Arc::clone(&broker.store) as Arc<dyn Store>);
        let (now, keep) = (gatelodge::clock::Clock::now(&*broker.clock), Duration::from_secs(3600));
        elsewhere.revoke(&what, now, keep).await.unwrap();
        broker.clock.advance(Duration::from_secs(1));
        assert_eq!(ask(&broker, &tokens.access).await, inactive(), "{kind}");
        assert_eq!(client.refresh(&broker, &tokens.refresh).await.error(), "invalid_grant", "{kind}");
        assert_eq!(client.redeem(&broker, &code).await.error(), "invalid_grant", "{kind}");
        broker.clock.advance(SLACK);
        let again = client.tokens(&broker).await;
        assert_eq!(ask(&broker, &again.access).await["active"], json!(true), "{kind}: a new sign-in");
    }
    let (_, tokens) = signed_in(&broker).await;
    let bob = Revoked::Person(PersonId::of(broker.provider.issuer(), "bob"));
    let revocations = Revocations::new(Arc::clone(&broker.store) as Arc<dyn Store>);
    let now = gatelodge::clock::Clock::now(&*broker.clock);
    revocations.revoke(&bob, now, Duration::from_secs(3600)).await.unwrap();
    broker.clock.advance(Duration::from_secs(1));
    assert_eq!(ask(&broker, &tokens.access).await["active"], json!(true), "somebody else's revocation");
}

/// PRIN-5: while the store does not answer, nobody is told that a token counts, nor that it does
/// not.
#[tokio::test]
async fn prin_5_a_store_fault_is_503_at_introspection() {
    let broker = TestBroker::with(setup()).await;
    let (_, tokens) = signed_in(&broker).await;
    for operation in [Operation::Grant, Operation::NotBefore] {
        broker.clock.advance(Duration::from_secs(1));
        broker.store.fail(operation);
        let page = ask_as(&broker, (SERVER, SECRET), &tokens.access).await;
        assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{operation:?}");
        broker.store.heal();
    }
    broker.store.fail(Operation::Revoke);
    let revocations = Revocations::new(Arc::clone(&broker.store) as Arc<dyn Store>);
    let now = gatelodge::clock::Clock::now(&*broker.clock);
    let failed = revocations.revoke(&Revoked::Everything, now, Duration::from_secs(1)).await;
    assert!(matches!(failed, Err(StoreError::Unavailable(_))));
}

/// SEC-137: announced where a server may ask, and only there.
#[tokio::test]
async fn sec_137_introspection_is_announced_where_it_is_served() {
    let metadata = async |broker: &TestBroker| {
        let url = broker.url("/.well-known/oauth-authorization-server");
        Browser::new().get(&url).await.json()
    };
    let with = TestBroker::with(setup()).await;
    let announced = metadata(&with).await;
    assert_eq!(announced["introspection_endpoint"], json!(with.url("/oauth/introspect")));
    assert_eq!(
        announced["introspection_endpoint_auth_methods_supported"],
        json!(["client_secret_basic", "client_secret_post", "private_key_jwt"])
    );
    // RFC 8414 section 2: with `private_key_jwt` they MUST be named.
    let algorithms = &announced["introspection_endpoint_auth_signing_alg_values_supported"];
    assert_eq!(algorithms, &announced["token_endpoint_auth_signing_alg_values_supported"]);
    assert_eq!(algorithms, &json!(KeySet::ALGORITHMS));
    let without = metadata(&TestBroker::start().await).await;
    assert!(without.as_object().unwrap().keys().all(|member| !member.starts_with("introspection_")));
}

/// SEC-068, SEC-130: a server that has keys and no secret asks with a signed assertion, each time with another.
#[tokio::test]
async fn sec_068_a_server_with_keys_asks() {
    const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
    let (folder, key) = (TempDir::new(), TestKey::es256("server-key"));
    let file = folder.path().join("jwks.json");
    std::fs::write(&file, json!({"keys": [key.jwk()]}).to_string()).expect("a file");
    let extra = format!(
        "clients:\n  - {{ id: signs, name: Signs, jwks_file: '{}', introspects: {RESOURCE} }}\n",
        file.display()
    );
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let (_, tokens) = signed_in(&broker).await;
    let asked = async |assertion: Option<&str>| {
        let url = broker.url("/oauth/introspect");
        let mut form = vec![("token", tokens.access.as_str()), ("client_id", "signs")];
        form.extend(
            assertion.iter().flat_map(|jwt| [("client_assertion_type", TYPE), ("client_assertion", *jwt)]),
        );
        Page::of(&url, Browser::new().http().post(&url).form(&form).send().await.expect("an answer")).await
    };
    let now = gatelodge::clock::Clock::now(&*broker.clock).as_unix();
    let assertion = |key: &TestKey, jti: &str| {
        let claims =
            json!({"iss": "signs", "sub": "signs", "aud": broker.issuer, "exp": now + 60, "jti": jti});
        key.sign(&key.header("JWT"), &object(claims))
    };
    let own = assertion(&key, "1");
    let page = asked(Some(&own)).await;
    assert_eq!((page.status, &page.json()["active"]), (200, &json!(true)), "{}", page.body);
    let stranger = assertion(&TestKey::es256("server-key"), "2");
    for refused in [None, Some(own.as_str()), Some(stranger.as_str())] {
        let page = asked(refused).await;
        assert_eq!((page.status, page.error().as_str()), (401, "invalid_client"), "{}", page.body);
    }
}
