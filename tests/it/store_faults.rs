//! PRIN-5, INT-64: a store that fails is never the client's fault. Each operation fails in turn at
//! each endpoint that asks for it.

use std::time::Duration;

use gatelodge::store::faulty::Operation;
use serde_json::json;

use crate::harness::broker::TestBroker;
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{REDIRECT, TestClient, Tokens, register};

/// What programs get: 503, JSON, and when to come back.
fn assert_json_fault(page: &Page, operation: Operation) {
    assert_eq!(page.status, 503, "{operation:?} at {}: {}", page.url, page.body);
    assert_eq!(page.error(), "temporarily_unavailable", "{operation:?} at {}", page.url);
    assert!(page.header("content-type").starts_with("application/json"));
    assert_common(page);
}

/// What people get: 503, a page, and no redirect.
fn assert_page_fault(page: &Page, operation: Operation) {
    assert_eq!(page.status, 503, "{operation:?} at {}: {}", page.url, page.body);
    assert!(page.header("content-type").starts_with("text/html"));
    assert!(page.text("main").contains("Signing in is not possible right now"), "{}", page.text("main"));
    assert_common(page);
}

fn assert_common(page: &Page) {
    assert!(page.header("retry-after").parse::<u32>().is_ok(), "{}", page.url);
    assert_eq!(page.header("cache-control"), "no-store");
    assert!(page.location().is_none());
    assert!(page.headers.get("www-authenticate").is_none());
    // What is wrong inside stays inside.
    assert!(!page.body.contains("told to fail"), "{}", page.body);
}

/// The token endpoint and revocation: the fault costs the client nothing, and the same request
/// succeeds afterwards.
#[tokio::test]
async fn prin_5_at_the_token_endpoint_a_fault_costs_nothing() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for operation in [Operation::StoredClient, Operation::Grant, Operation::KeepClient, Operation::RedeemCode]
    {
        let code = client.code(&broker).await;
        broker.store.fail(operation);
        assert_json_fault(&client.redeem(&broker, &code).await, operation);
        broker.store.heal();
        assert_eq!(client.redeem(&broker, &code).await.status, 200, "{operation:?}");
    }
    let mut tokens = client.tokens(&broker).await;
    for operation in [Operation::NotBefore, Operation::Grant, Operation::RotateRefresh] {
        broker.store.fail(operation);
        // Revocations and clients are known for a while.
        broker.clock.advance(Duration::from_secs(1));
        assert_json_fault(&client.refresh(&broker, &tokens.refresh).await, operation);
        broker.store.heal();
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    for operation in [Operation::NotBefore, Operation::Grant, Operation::EndGrant] {
        broker.store.fail(operation);
        broker.clock.advance(Duration::from_secs(1));
        assert_json_fault(&client.revoke(&broker, &tokens.refresh).await, operation);
        broker.store.heal();
    }
    let tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    // Ended, but the store could not say that it will stay so: whoever comes again is told so, too,
    // until it can (REL-04).
    assert_eq!(client.revoke(&broker, &tokens.refresh).await.status, 200);
    broker.store.fail(Operation::EndGrant);
    assert_json_fault(&client.revoke(&broker, &tokens.refresh).await, Operation::EndGrant);
    broker.store.heal();
    assert_eq!(client.revoke(&broker, &tokens.refresh).await.status, 200);
}

/// A client that is asked for by a secret, or that nobody knows: still 503, never 401, while the
/// store cannot say.
#[tokio::test]
async fn prin_5_a_store_fault_is_not_invalid_client() {
    let broker = TestBroker::start().await;
    let metadata =
        json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "client_secret_basic" });
    let client = TestClient::register_with(&broker, metadata).await;
    let tokens = client.tokens(&broker).await;
    broker.store.fail(Operation::StoredClient);
    let wrong = TestClient { secret: Some("wrong".into()), ..client.clone() };
    let unknown = TestClient { id: "glc_nobody".into(), secret: None, ..client.clone() };
    for client in [&client, &wrong, &unknown] {
        assert_json_fault(&client.refresh(&broker, &tokens.refresh).await, Operation::StoredClient);
        assert_json_fault(&client.revoke(&broker, &tokens.refresh).await, Operation::StoredClient);
    }
    broker.store.heal();
    assert_eq!(wrong.refresh(&broker, &tokens.refresh).await.status, 401);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// A second redemption whose family cannot be ended is not answered as if it had been (SEC-076).
#[tokio::test]
async fn prin_5_a_replay_that_cannot_end_the_family_is_a_fault() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let code = client.code(&broker).await;
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    broker.store.fail(Operation::EndGrant);
    assert_json_fault(&client.redeem(&broker, &code).await, Operation::EndGrant);
    broker.store.heal();
    assert_eq!(client.redeem(&broker, &code).await.error(), "invalid_grant");
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.error(), "invalid_grant");
}

/// Registration and the readiness check.
#[tokio::test]
async fn int_64_registration_and_readiness() {
    let broker = TestBroker::start().await;
    for operation in [Operation::NextPlace, Operation::RegisterClient] {
        broker.store.fail(operation);
        let page = register(&broker, &json!({ "redirect_uris": [REDIRECT] })).await;
        assert_json_fault(&page, operation);
        broker.store.heal();
    }
    let browser = broker.browser();
    assert_eq!(browser.get(&broker.url("/readyz")).await.status, 200);
    broker.store.fail(Operation::Ping);
    assert_json_fault(&browser.get(&broker.url("/readyz")).await, Operation::Ping);
    assert_eq!(browser.get(&broker.url("/healthz")).await.status, 200, "the process is well");
}

/// Authorize, approve and decline: a page, and once the store is back the same page of consent
/// can be answered.
#[tokio::test]
async fn prin_5_in_front_of_a_person_a_fault_is_a_page_and_can_be_tried_again() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    for operation in [Operation::StoredClient, Operation::BeginLogin] {
        broker.store.fail(operation);
        assert_page_fault(&browser.get(&client.authorize_url(&broker)).await, operation);
        broker.store.heal();
    }
    let consent = browser.get(&client.authorize_url(&broker)).await;
    for operation in [Operation::Login, Operation::AdvanceLogin] {
        broker.store.fail(operation);
        assert_page_fault(&browser.press(&consent, "upstream", "idp").await, operation);
        broker.store.heal();
    }
    for operation in [Operation::Login, Operation::StoredClient, Operation::TakeLogin] {
        broker.store.fail(operation);
        assert_page_fault(&browser.press(&consent, "action", "deny").await, operation);
        broker.store.heal();
    }
    assert_eq!(browser.press(&consent, "upstream", "idp").await.status, 303);
}

/// The callback: a page; the upstream's code is not spent by a fault that comes before its
/// exchange, and reloading the page once the store is back finishes the sign-in.
#[tokio::test]
async fn prin_5_a_callback_can_be_reloaded_after_a_fault() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for operation in [Operation::Login, Operation::StoredClient, Operation::TakeLogin] {
        let browser = broker.browser();
        let callback = callback(&broker, &client, &browser).await;
        let before = broker.provider.token_requests().len();
        broker.store.fail(operation);
        assert_page_fault(&browser.get(&callback).await, operation);
        broker.store.heal();
        assert_eq!(broker.provider.token_requests().len(), before, "{operation:?}: no upstream call");
        let back = browser.get(&callback).await;
        assert_eq!(back.status, 303, "{operation:?}: {}", back.text("main"));
        assert!(query(&back.location().unwrap()).contains_key("code"));
    }
    let browser = broker.browser();
    let callback = callback(&broker, &client, &browser).await;
    broker.store.fail(Operation::OpenGrant);
    assert_page_fault(&browser.get(&callback).await, Operation::OpenGrant);
    broker.store.heal();
    // The upstream's code is spent by now (SEC-057): begin anew.
    assert_eq!(browser.get(&callback).await.status, 400);
}

async fn callback(broker: &TestBroker, client: &TestClient, browser: &Browser) -> String {
    let consent = browser.get(&client.authorize_url(broker)).await;
    let away = browser.press(&consent, "upstream", "idp").await;
    browser.get(&away.location().unwrap()).await.location().unwrap()
}

/// An audit event that cannot be kept fails nothing: it stands in the log.
#[tokio::test]
async fn an_audit_stream_that_fails_stops_nobody() {
    let broker = TestBroker::start().await;
    broker.store.fail(Operation::AppendAudit);
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    let next = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(client.revoke(&broker, &next.refresh).await.status, 200);
}

/// INT-08: with the store away altogether, metadata and keys are served, and requests that need
/// no store are answered as ever.
#[tokio::test]
async fn metadata_and_keys_go_on_without_a_store() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    broker.store.fail_everything();
    let browser = broker.browser();
    for path in [
        "/.well-known/oauth-authorization-server",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/jwks.json",
        "/oauth/jwks",
        "/healthz",
        "/",
    ] {
        assert_eq!(browser.get(&broker.url(path)).await.status, 200, "{path}");
    }
    assert_json_fault(&client.refresh(&broker, &tokens.refresh).await, Operation::StoredClient);
    assert_json_fault(
        &register(&broker, &json!({ "redirect_uris": [REDIRECT] })).await,
        Operation::StoredClient,
    );
    assert_page_fault(&browser.get(&client.authorize_url(&broker)).await, Operation::StoredClient);
}
