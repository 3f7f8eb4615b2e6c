//! The token endpoint: who may ask, how, and what errors look like (section D).

use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{REDIRECT, TestClient, Tokens, VERIFIER};

const SECRET: &str = "a:secret+with/odd=characters-0123456789";

async fn with_confidential_clients() -> TestBroker {
    let extra = format!(
        "clients:\n  - {{ id: basic, name: Basic, redirect_uris: [\"{REDIRECT}\"], secret: \"{SECRET}\" }}\n  \
         - {{ id: post, name: Post, redirect_uris: [\"{REDIRECT}\"], secret: \"{SECRET}\", auth: client_secret_post }}\n  \
         - {{ id: public, name: Public, redirect_uris: [\"{REDIRECT}\"] }}\n"
    );
    TestBroker::with(Setup { extra, ..Setup::default() }).await
}

fn named(id: &str) -> TestClient {
    TestClient { id: id.into(), secret: None, redirect: REDIRECT.into() }
}

/// Sends a token request with an `Authorization` header or without.
async fn send(broker: &TestBroker, authorization: Option<&str>, form: &[(&str, &str)]) -> Page {
    let url = broker.url("/oauth/token");
    let browser = Browser::new();
    let mut request = browser.http().post(&url).form(form);
    if let Some(value) = authorization {
        request = request.header("authorization", value);
    }
    Page::of(&url, request.send().await.expect("an answer")).await
}

fn basic(id: &str, secret: &str) -> String {
    use base64::Engine as _;
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encode(id), encode(secret));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair))
}

/// SEC-062, SEC-063, SEC-065, SEC-070, SEC-072, INT-63, INT-65: what is no token request at all.
#[tokio::test]
async fn sec_062_to_072_odd_requests_get_json_errors() {
    let broker = with_confidential_clients().await;
    let browser = broker.browser();
    let url = broker.url("/oauth/token");
    assert_eq!(browser.get(&url).await.status, 405);
    let json = browser.http().post(&url).json(&json!({ "grant_type": "authorization_code" }));
    assert_eq!(Page::of(&url, json.send().await.expect("an answer")).await.status, 415);
    let queried = browser.post(&format!("{url}?client_secret=x"), &[("grant_type", "refresh_token")]).await;
    assert_eq!((queried.status, queried.error().as_str()), (400, "invalid_request"));
    let large = "x".repeat(70_000);
    assert_eq!(browser.post(&url, &[("code", &large)]).await.status, 413);
    for (form, status, error) in [
        (vec![("client_id", "public")], 400, "invalid_request"),
        (vec![("client_id", "public"), ("grant_type", "password")], 400, "unsupported_grant_type"),
        (vec![("client_id", "public"), ("grant_type", "client_credentials")], 400, "unsupported_grant_type"),
        (vec![("client_id", "public"), ("client_id", "public")], 400, "invalid_request"),
        (vec![("grant_type", "refresh_token")], 401, "invalid_client"),
        (vec![("client_id", "nobody"), ("grant_type", "refresh_token")], 401, "invalid_client"),
        (vec![("client_id", "public"), ("grant_type", "refresh_token")], 400, "invalid_request"),
        (vec![("client_id", "public"), ("grant_type", "authorization_code")], 400, "invalid_request"),
    ] {
        let page = send(&broker, None, &form).await;
        assert_eq!((page.status, page.error().as_str()), (status, error), "{form:?}");
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("content-type"), "application/json");
        assert_eq!(page.header("access-control-allow-origin"), "*", "INT-69: on errors too");
    }
}

/// SEC-064, SEC-066, SEC-067, SEC-071, INT-53: each client by its registered method only.
#[tokio::test]
async fn sec_066_the_registered_method_is_enforced() {
    let broker = with_confidential_clients().await;
    let right = basic("basic", SECRET);
    let wrong = basic("basic", "wrong");
    let post_by_basic = basic("post", SECRET);
    let public_by_basic = basic("public", SECRET);
    let empty_password = basic("public", "");
    let cases: &[(Option<&str>, &[(&str, &str)], bool)] = &[
        (Some(&right), &[], true),
        (Some(&right), &[("client_id", "basic")], true),
        (Some(&wrong), &[], false),
        (None, &[("client_id", "basic")], false),
        (None, &[("client_id", "basic"), ("client_secret", SECRET)], false),
        (None, &[("client_id", "post"), ("client_secret", SECRET)], true),
        (None, &[("client_id", "post"), ("client_secret", "wrong")], false),
        (Some(&post_by_basic), &[], false),
        (Some(&public_by_basic), &[], false),
        (Some(&empty_password), &[], true),
        (None, &[("client_id", "public"), ("client_secret", "")], true),
        (None, &[("client_id", "public"), ("client_secret", "x")], false),
        (Some("Bearer x"), &[("client_id", "public")], false),
    ];
    for (authorization, credentials, accepted) in cases {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", "glr_dead")];
        form.extend_from_slice(credentials);
        let page = send(&broker, *authorization, &form).await;
        let seen = (page.status, page.error());
        let due =
            if *accepted { (400, "invalid_grant".to_owned()) } else { (401, "invalid_client".to_owned()) };
        assert_eq!(seen, due, "{authorization:?} {credentials:?}");
        let challenged = !page.header("www-authenticate").is_empty();
        assert_eq!(challenged, !accepted && authorization.is_some(), "{authorization:?}");
    }
    let unknown = send(&broker, Some(&basic("nobody", SECRET)), &[("grant_type", "refresh_token")]).await;
    let mistaken = send(&broker, Some(&wrong), &[("grant_type", "refresh_token")]).await;
    assert_eq!(unknown.body, mistaken.body, "SEC-071: the same answer");
    let two = [("client_secret", SECRET), ("grant_type", "refresh_token")];
    assert_eq!(send(&broker, Some(&right), &two).await.error(), "invalid_request", "SEC-065");
    let other = [("client_id", "post"), ("grant_type", "refresh_token")];
    assert_eq!(send(&broker, Some(&right), &other).await.error(), "invalid_request");
}

/// SEC-069: guessing is slowed down; whoever has the secret is not.
#[tokio::test]
async fn sec_069_guessing_is_slowed_down_and_nobody_is_locked_out() {
    let broker = with_confidential_clients().await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", "glr_dead")];
    let guess = basic("basic", "wrong");
    let mut last = 401;
    for _ in 0..30 {
        last = send(&broker, Some(&guess), &form).await.status;
    }
    assert_eq!(last, 429);
    let slowed = send(&broker, Some(&guess), &form).await;
    assert_eq!(slowed.header("retry-after"), "60");
    assert_eq!(send(&broker, Some(&basic("basic", SECRET)), &form).await.error(), "invalid_grant");
    broker.clock.advance(std::time::Duration::from_secs(60));
    assert_eq!(send(&broker, Some(&guess), &form).await.status, 401);
}

/// INT-52: Go tries Basic first and then repeats the code in the body; the code survives a
/// failed attempt, and that attempt is no replay.
#[tokio::test]
async fn int_52_a_failed_attempt_does_not_burn_the_code() {
    let broker = with_confidential_clients().await;
    let client = named("post");
    let code = client.code(&broker).await;
    let form = [("grant_type", "authorization_code"), ("code", code.as_str()), ("code_verifier", VERIFIER)];
    assert_eq!(send(&broker, Some(&basic("post", SECRET)), &form).await.status, 401);
    let mut body = form.to_vec();
    body.extend([("client_id", "post"), ("client_secret", SECRET)]);
    let tokens = Tokens::of(&send(&broker, None, &body).await);
    assert!(!tokens.refresh.is_empty());
}

/// INT-58, INT-59, INT-60, SEC-063: the shape of success.
#[tokio::test]
async fn int_58_the_shape_of_success() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let page = client.redeem(&broker, &client.code(&broker).await).await;
    assert_eq!(page.header("cache-control"), "no-store");
    assert_eq!(page.header("content-type"), "application/json");
    let answer = page.json();
    let members: Vec<_> = answer.as_object().expect("an object").keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(1800)));
    assert!(answer.as_object().expect("an object").values().all(|value| !value.is_null()));
}
