//! What a client does with its registration later (RFC 7592, SEC-115).

use std::time::Duration;

use gatelodge::clock::Clock as _;
use gatelodge::domain::{AuditKind, ClientId};
use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{REDIRECT, TestClient, Tokens, authorize_url};
use crate::harness::managed::{Managed, ask};

const WEB: &str = "https://app.example/callback";
const OTHER: &str = "https://app.example/other";

#[track_caller]
fn assert_refused(page: &Page, challenge: &str) {
    assert_eq!((page.status, page.error().as_str()), (401, "invalid_token"), "{}", page.body);
    assert_eq!(page.header("www-authenticate"), challenge);
    assert_eq!(page.header("cache-control"), "no-store");
}

const WRONG: &str = "Bearer error=\"invalid_token\"";

async fn kinds(broker: &TestBroker) -> Vec<AuditKind> {
    broker.parts.journal.settled().await;
    broker.store.recent_audit(100).await.unwrap().into_iter().map(|event| event.kind).collect()
}

/// RFC 7592 sections 2.1 and 3: the client reads what it registered, all of it and nothing of its
/// secrets but the token that it brought.
#[tokio::test]
async fn sec_115_a_client_reads_what_it_registered() {
    let broker = TestBroker::start().await;
    let sent = json!({ "client_name": "App", "client_uri": "https://app.example", "scope": "mcp:read other",
        "redirect_uris": [WEB, "http://127.0.0.1:1/cb"], "software_id": "s", "software_version": "1",
        "grant_types": ["authorization_code"], "token_endpoint_auth_method": "client_secret_post" });
    let managed = Managed::register(&broker, sent).await;
    assert_eq!(managed.url(), broker.url(&format!("/oauth/register/{}", managed.client.id)));
    let page = managed.get().await;
    assert_eq!((page.status, page.header("cache-control")), (200, "no-store"));
    let mut expected = managed.answer.clone();
    expected.as_object_mut().unwrap().retain(|name, _| !name.starts_with("client_secret"));
    assert_eq!(page.json(), expected);
    assert_eq!(expected["scope"], "mcp:read");
    // The store has a digest of the token, and none of what it is made from.
    let kept = broker.store.client(&ClientId::new(&managed.client.id), broker.clock.now()).await.unwrap();
    assert!(!serde_json::to_string(&kept).unwrap().contains(managed.token()));
    assert!(!format!("{kept:?}").contains(managed.token()));
}

/// SEC-115: no token, a wrong one, another client's, one for a client that is gone: 401, one answer.
#[tokio::test]
async fn sec_115_a_wrong_token_is_refused() {
    let broker = TestBroker::start().await;
    let metadata = json!({ "redirect_uris": [WEB] });
    let managed = Managed::register(&broker, metadata.clone()).await;
    let other = Managed::register(&broker, metadata).await;
    let gone = broker.url("/oauth/register/glc_nobody");
    let body = || Some(json!({ "client_id": managed.client.id, "redirect_uris": [WEB] }));
    for method in ["GET", "PUT", "DELETE"] {
        let body = || body().filter(|_| method == "PUT");
        assert_refused(&ask(method, managed.url(), None, body()).await, "Bearer");
        for wrong in ["", "x", other.token(), &managed.token().to_uppercase()] {
            assert_refused(&ask(method, managed.url(), Some(wrong), body()).await, WRONG);
        }
        assert_refused(&ask(method, &gone, Some(managed.token()), body()).await, WRONG);
        let in_query = format!("{}?access_token={}", managed.url(), managed.token());
        assert_refused(&ask(method, &in_query, None, body()).await, "Bearer");
    }
    assert_eq!(managed.get().await.status, 200, "nothing of it did anything");
    broker.store.fail(Operation::StoredClient);
    assert_eq!(managed.get().await.status, 503, "a fault of the store is nobody else's");
}

/// Programs in browsers manage themselves, too: any origin, no credentials.
#[tokio::test]
async fn int_68_management_is_open_to_any_origin() {
    let broker = TestBroker::start().await;
    let managed = Managed::register(&broker, json!({ "redirect_uris": [WEB] })).await;
    let page = ask("OPTIONS", managed.url(), None, None).await;
    assert_eq!(page.status, 204);
    assert!(page.header("access-control-allow-methods").contains("PUT"));
    for page in [managed.get().await, ask("GET", managed.url(), None, None).await] {
        assert_eq!(page.header("access-control-allow-origin"), "*");
        assert_eq!(page.header("access-control-allow-credentials"), "");
    }
    assert_eq!(ask("POST", managed.url(), Some(managed.token()), None).await.status, 405);
}

/// RFC 7592 section 2.2: an update replaces everything, by the rules of registration.
#[tokio::test]
async fn sec_115_an_update_replaces_what_was_registered() {
    let broker = TestBroker::start().await;
    let sent = json!({ "client_name": "App", "client_uri": "https://app.example", "redirect_uris": [WEB] });
    let managed = Managed::register(&broker, sent).await;
    let page = managed.put(json!({ "client_name": "App 2", "redirect_uris": [OTHER], "scope": "" })).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let answer = page.json();
    assert_eq!((&answer["client_name"], &answer["redirect_uris"]), (&json!("App 2"), &json!([OTHER])));
    assert_eq!(answer.get("client_uri"), None, "what is not sent is no more");
    for same in ["client_id", "client_id_issued_at", "registration_access_token", "registration_client_uri"] {
        assert_eq!(answer[same], managed.answer[same], "{same}");
    }
    assert_eq!(managed.get().await.json(), answer);
    let moved = TestClient { redirect: OTHER.to_owned(), ..managed.client.clone() };
    assert_eq!(broker.browser().get(&moved.authorize_url(&broker)).await.status, 200);
    assert_eq!(broker.browser().get(&managed.client.authorize_url(&broker)).await.status, 400);

    let good = json!([WEB]);
    for (changes, error) in [
        (json!({ "redirect_uris": ["javascript:alert(1)"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": good, "client_id": "glc_other" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": good, "client_id": "" }), "invalid_client_metadata"),
        (json!({ "redirect_uris": good, "client_secret": "chosen" }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": good, "token_endpoint_auth_method": "private_key_jwt" }),
            "invalid_client_metadata",
        ),
        (json!({ "redirect_uris": good, "grant_types": ["password"] }), "invalid_client_metadata"),
    ] {
        let page = managed.put(changes.clone()).await;
        assert_eq!((page.status, page.error().as_str()), (400, error), "{changes}");
    }
    assert_eq!(ask("PUT", managed.url(), Some(managed.token()), Some(json!([]))).await.status, 400);
    assert_eq!(managed.get().await.json(), answer, "what was refused did nothing");
    // Some send back all that they were told.
    assert_eq!(managed.put(answer.clone()).await.json(), answer);
}

/// A secret is made where there was none, kept where there is one, and never chosen by the client.
#[tokio::test]
async fn sec_115_an_update_keeps_the_secret() {
    let broker = TestBroker::start().await;
    let with = |method: &str| json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": method });
    let managed = Managed::register(&broker, with("none")).await;
    let answer = managed.put(with("client_secret_post")).await.json();
    let secret = answer["client_secret"].as_str().expect("a new secret").to_owned();
    assert_eq!(answer["client_secret_expires_at"], 0);
    let mut changes = with("client_secret_basic");
    changes["client_secret"] = json!(secret);
    let answer = managed.put(changes).await.json();
    assert_eq!(answer["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!(answer.get("client_secret"), None, "it has it already");
    let confidential = TestClient { secret: Some(secret), ..managed.client.clone() };
    let tokens = confidential.tokens(&broker).await;
    let public = TestClient { secret: None, ..confidential.clone() };
    assert_eq!(public.refresh(&broker, &tokens.refresh).await.error(), "invalid_client");
    assert_eq!(confidential.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// SEC-115: the client is gone with its codes and its tokens, everywhere; another one's stay.
#[tokio::test]
async fn sec_115_a_deleted_client_s_tokens_die() {
    let server = "Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9";
    let extra =
        format!("clients:\n  - {{ id: notes, name: N, secret: {server}, introspects: {RESOURCE} }}\n");
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let metadata = json!({ "redirect_uris": [REDIRECT] });
    let managed = Managed::register(&broker, metadata.clone()).await;
    let bystander = TestClient::register(&broker).await;
    let (tokens, others) = (managed.client.tokens(&broker).await, bystander.tokens(&broker).await);
    let code = managed.client.code(&broker).await;
    let is_active = async |tokens: &Tokens| {
        let (browser, url) = (Browser::new(), broker.url("/oauth/introspect"));
        let request = browser.http().post(&url).basic_auth("notes", Some(server));
        let page = Page::of(&url, request.form(&[("token", &tokens.access)]).send().await.unwrap()).await;
        page.json()["active"].as_bool().unwrap()
    };
    assert!(is_active(&tokens).await);

    // What breaks off in between is asked for again.
    broker.store.fail(Operation::ForgetClient);
    assert_eq!(managed.delete().await.status, 503);
    broker.store.heal();
    let page = managed.delete().await;
    assert_eq!((page.status, page.body.as_str(), page.header("cache-control")), (204, "", "no-store"));
    assert_refused(&managed.delete().await, WRONG);
    assert_refused(&managed.get().await, WRONG);
    assert!(!is_active(&tokens).await);
    assert_eq!(managed.client.refresh(&broker, &tokens.refresh).await.error(), "invalid_client");
    assert_eq!(managed.client.redeem(&broker, &code).await.error(), "invalid_client");
    assert_eq!(broker.browser().get(&managed.client.authorize_url(&broker)).await.status, 400);
    assert!(is_active(&others).await);
    assert_eq!(bystander.refresh(&broker, &others.refresh).await.status, 200);
    assert!(kinds(&broker).await.contains(&AuditKind::ClientDeleted));
}

/// A client that nobody used leaves nothing behind: who registers and deletes in a loop fills nothing.
#[tokio::test]
async fn sec_115_deleting_an_unused_client_revokes_nothing() {
    let broker = TestBroker::start().await;
    for _ in 0..5 {
        let managed = Managed::register(&broker, json!({ "redirect_uris": [REDIRECT] })).await;
        let code = managed.client.code(&broker).await;
        assert_eq!(managed.delete().await.status, 204);
        assert_eq!(managed.client.redeem(&broker, &code).await.error(), "invalid_client");
    }
    assert_eq!(broker.store.not_before("").await.unwrap(), None);
    // One that was used is revoked.
    let managed = Managed::register(&broker, json!({ "redirect_uris": [REDIRECT] })).await;
    let used = managed.client.tokens(&broker).await;
    assert_eq!(managed.delete().await.status, 204);
    let revoked = broker.store.not_before("").await.unwrap().expect("a revocation");
    let client = ClientId::new(&managed.client.id);
    let person = gatelodge::domain::PersonId::parse(used.claims()["sub"].as_str().unwrap()).unwrap();
    assert!(revoked.revokes(&person, &client, broker.clock.now()));
}

/// Nor does a newcomer that changes: who does that in a loop makes no replica forget what it remembers.
#[tokio::test]
async fn sec_115_changing_an_unused_client_revokes_nothing() {
    let broker = TestBroker::start().await;
    let managed = Managed::register(&broker, json!({ "redirect_uris": [REDIRECT] })).await;
    let changes = json!({ "redirect_uris": [REDIRECT], "client_name": "Another" });
    assert_eq!(managed.put(changes.clone()).await.status, 200);
    assert_eq!(broker.store.not_before("").await.unwrap(), None);
    assert!(!kinds(&broker).await.contains(&AuditKind::ClientUpdated), "in the log alone");
    // One that is used is nobody's to remember for a while.
    managed.client.tokens(&broker).await;
    assert_eq!(managed.put(changes).await.status, 200);
    let revoked = broker.store.not_before("").await.unwrap().expect("a revocation");
    assert!(revoked.revokes_memory_of(&ClientId::new(&managed.client.id)));
    assert!(kinds(&broker).await.contains(&AuditKind::ClientUpdated));
}

/// SEC-037: whoever approved a client is asked again when it has changed its name or its redirects.
#[tokio::test]
async fn sec_037_an_updated_client_is_asked_for_again() {
    let broker = TestBroker::start().await;
    let metadata = json!({ "client_name": "Web app", "redirect_uris": [WEB] });
    let managed = Managed::register(&broker, metadata.clone()).await;
    let browser = broker.browser();
    managed.client.sign_in(&broker, &browser).await;
    let ask = async || browser.get(&authorize_url(&broker, &managed.client.request())).await;
    assert_eq!(ask().await.status, 303, "approved before");
    for changed in [
        json!({ "client_name": "Your bank", "redirect_uris": [WEB] }),
        json!({ "client_name": "Web app", "redirect_uris": [WEB, "https://evil.example/cb"] }),
    ] {
        assert_eq!(managed.put(changed.clone()).await.status, 200);
        assert_eq!(ask().await.status, 200, "{changed}");
        assert_eq!(managed.put(metadata.clone()).await.status, 200);
        assert_eq!(ask().await.status, 303, "as it was");
    }
}

/// SEC-116: where registration is closed since, a client still reads and deletes itself, and becomes
/// nobody else.
#[tokio::test]
async fn sec_116_a_closed_broker_lets_clients_go() {
    let folder = crate::harness::temp_dir::TempDir::new();
    let store = format!("store: {}\n", folder.path().join("state.db").display());
    let broker = TestBroker::with(Setup { store: store.clone(), ..Setup::default() }).await;
    let managed = Managed::register(&broker, json!({ "redirect_uris": [WEB] })).await;
    let (clock, provider) = (broker.clock.clone(), broker.provider.clone());
    broker.stop().await;
    clock.advance(Duration::from_secs(60));
    let extra = "registration: { open: false }\n".to_owned();
    let closed = TestBroker::replica(Setup { extra, store, ..Setup::default() }, clock, provider).await;
    let url = closed.url(&format!("/oauth/register/{}", managed.client.id));
    let body = json!({ "client_id": managed.client.id, "redirect_uris": [OTHER] });
    let page = ask("PUT", &url, Some(managed.token()), Some(body)).await;
    assert_eq!((page.status, page.error().as_str()), (403, "access_denied"));
    assert_eq!(ask("GET", &url, Some(managed.token()), None).await.json()["redirect_uris"], json!([WEB]));
    assert_eq!(ask("DELETE", &url, Some(managed.token()), None).await.status, 204);
}
