//! The demo's identity provider, asked as an OpenID client and as a browser would ask it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, LOCATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatelodge::clock::Clock as _;
use gatelodge::demo::provider::DemoProvider;
use gatelodge::protocol::S256Challenge;
use gatelodge::secret::Secret;
use http_body_util::BodyExt as _;
use scraper::{Html, Selector};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use url::form_urlencoded;

use crate::harness::clock::TestClock;
use crate::harness::keys::at_hash;

const ISSUER: &str = "http://127.0.0.1:9401";
const RETURN: &str = "http://127.0.0.1:9400/oauth/callback/demo";
const SECRET: &str = "p%+&ü: secret";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters";

struct Demo {
    clock: Arc<TestClock>,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: impl axum::http::header::AsHeaderName) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The query of the redirect back to the client.
    fn returned(&self) -> HashMap<String, String> {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.text);
        let location = self.header(LOCATION);
        assert!(location.starts_with(&format!("{RETURN}?")), "{location}");
        url::Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }
}

fn form(pairs: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

fn request(changes: &[(&str, &str)]) -> String {
    let challenge = S256Challenge::of_verifier(VERIFIER);
    let mut pairs = vec![
        ("client_id", "gatelodge"),
        ("redirect_uri", RETURN),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s\"<t>&"),
        ("nonce", "n"),
        ("code_challenge", challenge.as_str()),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        pairs.push((name, value));
    }
    form(&pairs)
}

/// What the page's form carries along; the person must have a button in it.
fn carried_request(page: &str, person: &str) -> String {
    let html = Html::parse_document(page);
    let find = |css: &str| html.select(&Selector::parse(css).unwrap()).next();
    assert!(find(&format!("form[method=post] button[name=person][value={person}]")).is_some());
    let hidden = find("form[method=post] input[name=request]").unwrap();
    hidden.value().attr("value").unwrap().to_owned()
}

impl Demo {
    fn new() -> Self {
        let clock = TestClock::new();
        let provider = DemoProvider::new(
            ISSUER.into(),
            "gatelodge".into(),
            Secret::new(SECRET.into()),
            vec![RETURN.into()],
            clock.clone(),
        );
        Self { clock, router: provider.router() }
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, path: &str, body: String, authorization: Option<String>) -> Answer {
        let mut request = Request::post(path).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Opens the page, reads the form as a browser would, and presses a person's button.
    async fn choose(&self, person: &str) -> Answer {
        let page = self.get(&format!("/authorize?{}", request(&[]))).await;
        assert_eq!(page.status, StatusCode::OK);
        let carried = carried_request(&page.text, person);
        self.post("/authorize", form(&[("request", &carried), ("person", person)]), None).await
    }

    async fn redeem(&self, code: &str, changes: &[(&str, &str)]) -> Answer {
        let mut pairs = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", RETURN),
            ("code_verifier", VERIFIER),
            ("client_id", "gatelodge"),
            ("client_secret", SECRET),
        ];
        for (name, value) in changes {
            pairs.retain(|(other, _)| other != name);
            pairs.push((name, value));
        }
        self.post("/token", form(&pairs), None).await
    }

    async fn code(&self) -> String {
        self.choose("alice").await.returned().remove("code").unwrap()
    }
}

/// OpenID Connect Discovery section 4.3: the issuer is the one that was asked.
#[tokio::test]
async fn discovery_names_the_endpoints() {
    let demo = Demo::new();
    let answer = demo.get("/.well-known/openid-configuration").await;
    assert_eq!(answer.header(CONTENT_TYPE), "application/json");
    let document = answer.json();
    assert_eq!(document["issuer"], ISSUER);
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES256"]));
    let keys = demo.get("/jwks").await.json();
    assert_eq!(keys["keys"][0]["kty"], "EC");
    assert!(keys["keys"][0].get("d").is_none());
}

/// SEC-014, SEC-043, SEC-051: state and `iss` come back, and the ID token carries the nonce, a
/// fitting `at_hash` and a signature of the published key.
#[tokio::test]
async fn a_person_signs_in() {
    gatelodge::protocol::install_crypto();
    let demo = Demo::new();
    let returned = demo.choose("alice").await.returned();
    assert_eq!((returned["state"].as_str(), returned["iss"].as_str()), ("s\"<t>&", ISSUER));
    demo.clock.advance(Duration::from_secs(7));

    let answer = demo.redeem(&returned["code"], &[]).await;
    assert_eq!((answer.status, answer.header("cache-control")), (StatusCode::OK, "no-store"));
    let tokens = answer.json();
    let access_token = tokens["access_token"].as_str().unwrap();
    let (message, signature) = tokens["id_token"].as_str().unwrap().rsplit_once('.').unwrap();
    let jwk = serde_json::from_value(demo.get("/jwks").await.json()["keys"][0].clone()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    let algorithm = jsonwebtoken::Algorithm::ES256;
    assert!(jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap());

    let payload = URL_SAFE_NO_PAD.decode(message.split_once('.').unwrap().1).unwrap();
    let mut claims: Value = serde_json::from_slice(&payload).unwrap();
    let subject = claims.as_object_mut().unwrap().remove("sub").unwrap();
    let now = demo.clock.now().as_unix();
    let expected = json!({"iss": ISSUER, "aud": "gatelodge", "iat": now, "exp": now + 300,
        "auth_time": now - 7, "nonce": "n", "at_hash": at_hash(access_token), "name": "Alice",
        "email": "alice@example.com", "email_verified": true, "groups": ["platform"]});
    assert_eq!(claims, expected);

    let bearer = Some(format!("Bearer {access_token}"));
    let info = demo.post("/userinfo", String::new(), bearer.clone()).await.json();
    assert_eq!((&info["sub"], &info["email"]), (&subject, &json!("alice@example.com")));
    demo.clock.advance(Duration::from_secs(300));
    let late = demo.post("/userinfo", String::new(), bearer).await;
    assert_eq!(late.status, StatusCode::UNAUTHORIZED);
    assert!(late.header(WWW_AUTHENTICATE).contains("invalid_token"));
}

/// Subjects are opaque, different from each other, and survive a restart.
#[tokio::test]
async fn people_have_stable_subjects() {
    let mut seen = Vec::new();
    for person in ["alice", "bob", "eve"] {
        let mut subjects = Vec::new();
        for demo in [Demo::new(), Demo::new()] {
            let code = demo.choose(person).await.returned().remove("code").unwrap();
            let tokens = demo.redeem(&code, &[]).await.json();
            let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
            let info = demo.post("/userinfo", String::new(), Some(bearer)).await.json();
            subjects.push(info["sub"].as_str().unwrap().to_owned());
        }
        assert_eq!(subjects[0], subjects[1]);
        assert!(!subjects[0].contains(person) && !seen.contains(&subjects[0]));
        seen.append(&mut subjects);
    }
}

/// The page: a title, three buttons, nothing that runs, nothing from elsewhere.
#[tokio::test]
async fn the_page_is_plain_html() {
    let demo = Demo::new();
    let page = demo.get(&format!("/authorize?{}", request(&[]))).await;
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert!(!page.header("content-security-policy").contains("form-action"));
    assert_eq!(page.header("x-frame-options"), "DENY");
    let html = Html::parse_document(&page.text);
    let all = |css: &str| html.select(&Selector::parse(css).unwrap()).count();
    assert_eq!(all("button[name=person]"), 3);
    assert_eq!(all("script, link, img, [onclick], [src]"), 0);
    assert_eq!((all("html[lang]"), all("h1"), all("meta[name=viewport]")), (1, 1, 1));
    assert!(page.text.contains("<title>Demo identity provider</title>"));
}

/// SEC-003's rule holds here too: without a known client and redirect URI nothing redirects.
#[tokio::test]
async fn unknown_clients_and_redirects_get_a_page() {
    let demo = Demo::new();
    let longer = format!("{RETURN}/");
    for changes in [("client_id", "other"), ("redirect_uri", &longer), ("redirect_uri", "")] {
        let page = demo.get(&format!("/authorize?{}", request(&[changes]))).await;
        assert_eq!((page.status, page.header(LOCATION)), (StatusCode::BAD_REQUEST, ""), "{changes:?}");
    }
    let twice = demo.get(&format!("/authorize?{}&%3Cb%3E=1&%3Cb%3E=2", request(&[]))).await;
    assert_eq!(twice.status, StatusCode::BAD_REQUEST);
    assert!(!twice.text.contains("<b>"), "{}", twice.text);
    // The form cannot smuggle in what the first page would have refused.
    let edited = form(&[("request", &request(&[("client_id", "other")])), ("person", "alice")]);
    assert_eq!(demo.post("/authorize", edited, None).await.status, StatusCode::BAD_REQUEST);
}

/// OpenID Connect Core section 3.1.2.6.
#[tokio::test]
async fn other_faults_return_to_the_client() {
    let demo = Demo::new();
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("response_type", "", "unsupported_response_type"),
        ("scope", "email", "invalid_scope"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "short", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("prompt", "none", "login_required"),
        ("request_uri", "http://169.254.169.254/", "request_uri_not_supported"),
    ] {
        let returned = demo.get(&format!("/authorize?{}", request(&[(name, value)]))).await.returned();
        assert_eq!(returned["error"], error, "{name}={value}");
        assert_eq!((returned["state"].as_str(), returned["iss"].as_str()), ("s\"<t>&", ISSUER));
    }
    let nobody = form(&[("request", &request(&[])), ("person", "mallory")]);
    assert_eq!(demo.post("/authorize", nobody, None).await.returned()["error"], "access_denied");
}

/// Codes: once, for 60 s, for the right client, redirect URI and verifier.
#[tokio::test]
async fn codes_are_bound_and_single_use() {
    let demo = Demo::new();
    let code = demo.code().await;
    assert_eq!(demo.redeem(&code, &[]).await.status, StatusCode::OK);
    assert_eq!(demo.redeem(&code, &[]).await.json()["error"], "invalid_grant");

    let code = demo.code().await;
    demo.clock.advance(Duration::from_secs(60));
    assert_eq!(demo.redeem(&code, &[]).await.json()["error"], "invalid_grant");

    let wrong = "another-verifier-of-forty-three-characters-or-so";
    for change in [("code_verifier", wrong), ("code_verifier", ""), ("redirect_uri", "http://x.example/")] {
        let code = demo.code().await;
        let answer = demo.redeem(&code, &[change]).await;
        assert_eq!(
            (answer.status, answer.json()["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_grant"))
        );
        // It was used up all the same.
        assert_eq!(demo.redeem(&code, &[]).await.json()["error"], "invalid_grant");
    }
    let code = demo.code().await;
    let other = demo.redeem(&code, &[("grant_type", "password")]).await;
    assert_eq!(other.json()["error"], "unsupported_grant_type");
    let none = demo.redeem(&code, &[("grant_type", "refresh_token")]).await;
    assert_eq!(none.json()["error"], "invalid_request");
    assert_eq!(demo.redeem(&code, &[("grant_type", "")]).await.json()["error"], "invalid_request");
}

/// Basic is form-encoded (SEC-067); two methods are one too many (SEC-065).
#[tokio::test]
async fn the_client_authenticates() {
    let demo = Demo::new();
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic =
        |secret: &str| Some(format!("Basic {}", STANDARD.encode(format!("gatelodge:{}", encoded(secret)))));
    let body = |code: &str, secret: &str| {
        form(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", RETURN),
            ("code_verifier", VERIFIER),
            ("client_secret", secret),
        ])
    };
    let code = demo.code().await;
    for (authorization, secret, status) in [
        (basic("wrong"), "", 401),
        (Some("Basic ???".into()), "", 401),
        (Some("Bearer x".into()), "", 401),
        (None, "", 401),
        (basic(SECRET), SECRET, 400),
        (basic(SECRET), "", 200),
    ] {
        let answer = demo.post("/token", body(&code, secret), authorization).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert_eq!(answer.status == 401, answer.json()["error"] == "invalid_client");
        assert_eq!(answer.status == 401, answer.header(WWW_AUTHENTICATE).starts_with("Basic"));
    }
    let posted = demo.redeem(&demo.code().await, &[("client_secret", "wrong")]).await;
    assert_eq!(posted.json()["error"], "invalid_client");
    assert_eq!(demo.get("/token").await.status, StatusCode::METHOD_NOT_ALLOWED);
}

/// Refresh tokens: for those who ask, each for once, and the ID token has no nonce (Core section 12).
#[tokio::test]
async fn refresh_tokens_serve_once() {
    let demo = Demo::new();
    let first = demo.redeem(&demo.code().await, &[]).await.json();
    assert!(first.get("refresh_token").is_none());
    let asked = request(&[("scope", "openid offline_access")]);
    let chosen = demo.post("/authorize", form(&[("request", &asked), ("person", "bob")]), None).await;
    let code = chosen.returned().remove("code").unwrap();
    let tokens = demo.redeem(&code, &[]).await.json();
    let refresh = async |token: &Value| {
        let changes = [("grant_type", "refresh_token"), ("refresh_token", token.as_str().unwrap())];
        demo.redeem("", &changes).await.json()
    };
    let next = refresh(&tokens["refresh_token"]).await;
    let payload = next["id_token"].as_str().unwrap().split('.').nth(1).unwrap().to_owned();
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    assert_eq!((&claims["email"], &claims["nonce"]), (&json!("bob@example.com"), &Value::Null));
    assert_eq!(refresh(&tokens["refresh_token"]).await["error"], "invalid_grant");
    assert!(refresh(&next["refresh_token"]).await["access_token"].is_string());
}
