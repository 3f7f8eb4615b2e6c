//! The provider is honest until a knob is turned; otherwise the tests that rely on it prove
//! nothing.

use std::time::Duration;

use axum::body::Body;
use axum::http::header::LOCATION;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use futures::FutureExt as _;
use gatelodge::clock::Clock as _;
use gatelodge::protocol::S256Challenge;
use http_body_util::BodyExt as _;
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::super::clock::TestClock;
use super::super::keys::{at_hash, object};
use super::*;

const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

async fn call(provider: &TestProvider, request: Request<Body>) -> (StatusCode, Value, String) {
    let response = endpoints::router(provider.shared.clone(), "").oneshot(request).await.unwrap();
    let status = response.status();
    let location = response.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, serde_json::from_slice(&body).unwrap_or_default(), location.unwrap_or_default())
}

async fn get(provider: &TestProvider, path: &str) -> (StatusCode, Value, String) {
    call(provider, Request::get(path).body(Body::empty()).unwrap()).await
}

/// Signs in and redeems the code; the answer of the token endpoint.
async fn sign_in(provider: &TestProvider) -> (StatusCode, Value) {
    let location = authorize(provider).await;
    let query: std::collections::HashMap<String, String> =
        url::Url::parse(&location).unwrap().query_pairs().into_owned().collect();
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", query.get("code").unwrap())
        .append_pair("redirect_uri", "http://127.0.0.1:1/cb")
        .append_pair("code_verifier", VERIFIER)
        .append_pair("client_id", provider.client_id())
        .append_pair("client_secret", provider.client_secret())
        .finish();
    let (status, body, _) = call(provider, Request::post("/token").body(Body::from(form)).unwrap()).await;
    (status, body)
}

async fn authorize(provider: &TestProvider) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", provider.client_id())
        .append_pair("redirect_uri", "http://127.0.0.1:1/cb")
        .append_pair("state", "s t")
        .append_pair("nonce", "n")
        .append_pair("code_challenge", S256Challenge::of_verifier(VERIFIER).as_str())
        .finish();
    let (status, _, location) = get(provider, &format!("/authorize?{query}")).await;
    assert_eq!(status, StatusCode::FOUND);
    location
}

fn part(token: &str, index: usize) -> Map<String, Value> {
    let part = token.split('.').nth(index).unwrap();
    object(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
}

fn id_token(answer: &Value) -> &str {
    answer["id_token"].as_str().unwrap()
}

#[tokio::test]
async fn an_honest_sign_in() {
    let clock = TestClock::new();
    let provider = TestProvider::start(clock.clone());
    clock.advance(Duration::from_secs(5));
    provider.sign_in_as(
        Person::new("bob", "bob@example.com").in_groups(&["staff"]).with("hd", json!("example.com")),
    );
    let (status, answer) = sign_in(&provider).await;
    assert_eq!(status, StatusCode::OK);
    let claims = part(id_token(&answer), 1);
    let now = clock.now().as_unix();
    let expected = json!({"iss": provider.issuer(), "aud": provider.client_id(), "sub": "bob", "name": "bob",
        "email": "bob@example.com", "email_verified": true, "groups": ["staff"], "hd": "example.com",
        "nonce": "n", "iat": now, "exp": now + 300, "auth_time": now,
        "at_hash": at_hash(answer["access_token"].as_str().unwrap())});
    assert_eq!(Value::Object(claims), expected);
    assert_eq!(provider.authorize_requests()[0]["state"], "s t");
    let redeemed = &provider.token_requests()[0];
    assert_eq!(redeemed.form["code_verifier"], VERIFIER);
    assert!(!redeemed.authorization_header);
    assert_eq!(provider.given_out().len(), 3);
}

#[tokio::test]
async fn it_really_listens() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let provider = TestProvider::start(TestClock::new());
    let address = provider.issuer().strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = "GET /.well-known/openid-configuration HTTP/1.0\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.0 200"), "{answer}");
    assert!(answer.contains(r#""authorization_response_iss_parameter_supported":true"#));
    assert_eq!(provider.fetches(), Fetches { discovery: 1, ..Fetches::default() });
}

#[tokio::test]
async fn claims_headers_and_signatures_go_wrong_as_told() {
    let provider = TestProvider::start(TestClock::new());
    provider.misbehave(|m| {
        m.claims = object(json!({"nonce": null, "exp": 1e300, "aud": ["a", "b"]}));
        m.header = object(json!({"typ": "x"}));
    });
    let (_, answer) = sign_in(&provider).await;
    let claims = part(id_token(&answer), 1);
    assert_eq!((claims.get("nonce"), &claims["exp"]), (None, &json!(1e300)));
    assert_eq!(part(id_token(&answer), 0)["typ"], "x");
    provider.behave();
    for (signing, alg) in [
        (Signing::Es256, "ES256"),
        (Signing::Rs256, "RS256"),
        (Signing::Unsigned, "none"),
        (Signing::HmacWithPublicKey, "HS256"),
        (Signing::HmacWithClientSecret, "HS256"),
        (Signing::AnotherKeySameKid, "ES256"),
        (Signing::EmbeddedJwk, "ES256"),
        (Signing::UnknownKid, "ES256"),
    ] {
        provider.misbehave(|m| m.signing = signing);
        let (_, answer) = sign_in(&provider).await;
        let header = part(id_token(&answer), 0);
        assert_eq!(header["alg"], alg, "{signing:?}");
        assert_eq!(header.contains_key("jwk"), signing == Signing::EmbeddedJwk);
    }
    let (_, before, _) = get(&provider, "/jwks").await;
    provider.rotate_keys();
    let (_, after, _) = get(&provider, "/jwks").await;
    assert_ne!(before["keys"][0], after["keys"][0]);
}

/// Both published keys really verify what they sign; a stranger under the same name does not.
#[tokio::test]
async fn honest_signatures_verify() {
    gatelodge::protocol::install_crypto();
    let provider = TestProvider::start(TestClock::new());
    let (_, jwks, _) = get(&provider, "/jwks").await;
    for (signing, index, good) in
        [(Signing::Es256, 0, true), (Signing::Rs256, 1, true), (Signing::AnotherKeySameKid, 0, false)]
    {
        provider.misbehave(|m| m.signing = signing);
        let (_, answer) = sign_in(&provider).await;
        let (message, signature) = id_token(&answer).rsplit_once('.').unwrap();
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwks["keys"][index].clone()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
        let alg = jwks["keys"][index]["alg"].as_str().unwrap().parse().unwrap();
        let verified = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, alg);
        assert_eq!(verified.unwrap(), good, "{signing:?}");
    }
}

#[tokio::test]
async fn endpoints_go_wrong_as_told() {
    let provider = TestProvider::start(TestClock::new());
    for (answer, status) in [
        (TokenAnswer::ServerError, StatusCode::INTERNAL_SERVER_ERROR),
        (TokenAnswer::InvalidGrant, StatusCode::BAD_REQUEST),
        (TokenAnswer::Redirect("http://127.0.0.1:1/".into()), StatusCode::TEMPORARY_REDIRECT),
    ] {
        provider.misbehave(|m| m.token = answer);
        assert_eq!(sign_in(&provider).await.0, status);
    }
    provider.misbehave(|m| m.token = TokenAnswer::NoIdToken);
    assert!(sign_in(&provider).await.1.get("id_token").is_none());
    provider.misbehave(|m| m.token = TokenAnswer::Huge);
    assert!(sign_in(&provider).await.1["padding"].as_str().unwrap().len() > 3_000_000);
    provider.misbehave(|m| m.token = TokenAnswer::Hang);
    assert!(sign_in(&provider).now_or_never().is_none());

    provider.misbehave(|m| {
        m.authorize_error = Some(("access_denied".into(), "<script>".into()));
        m.response_iss = ResponseIss::Wrong("https://evil.example".into());
    });
    let location = authorize(&provider).await;
    assert!(location.contains("error_description=%3Cscript%3E"), "{location}");
    assert!(location.contains("iss=https%3A%2F%2Fevil.example"), "{location}");
    provider.misbehave(|m| m.response_iss = ResponseIss::Missing);
    assert!(!authorize(&provider).await.contains("iss="));

    provider.misbehave(|m| m.discovery = object(json!({"issuer": "https://evil.example"})));
    let (_, document, _) = get(&provider, "/.well-known/openid-configuration").await;
    assert_eq!(document["issuer"], "https://evil.example");
    provider.misbehave(|m| (m.discovery_fails, m.jwks_fails) = (true, true));
    assert_eq!(get(&provider, "/.well-known/openid-configuration").await.0, 500);
    assert_eq!(get(&provider, "/jwks").await.0, 500);
}

#[tokio::test]
async fn userinfo_and_logout_tokens() {
    let provider = TestProvider::start(TestClock::new());
    let (_, answer) = sign_in(&provider).await;
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    provider.misbehave(|m| m.userinfo = object(json!({"sub": "mallory"})));
    let request = Request::get("/userinfo").header("authorization", bearer).body(Body::empty()).unwrap();
    let (_, info, _) = call(&provider, request).await;
    assert_eq!((&info["sub"], &info["email"]), (&json!("mallory"), &json!("alice@example.com")));
    assert_eq!(get(&provider, "/userinfo").await.0, StatusCode::UNAUTHORIZED);
    let token = provider.logout_token("alice", &object(json!({"nonce": "n", "jti": null})));
    assert_eq!(part(&token, 0)["typ"], "logout+jwt");
    let claims = part(&token, 1);
    assert_eq!((claims.get("jti"), &claims["nonce"]), (None, &json!("n")));
}
