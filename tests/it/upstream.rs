//! The way back from an identity provider: what is believed, and what is not (section C).

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::TestClient;
use crate::harness::provider::{Misbehaviour, Person, ResponseIss, Signing, TokenAnswer};

/// Approves and stops at the provider's answer: the callback URL, not yet opened.
async fn until_callback(broker: &TestBroker, client: &TestClient, browser: &Browser) -> String {
    let page = browser.get(&client.authorize_url(broker)).await;
    let away = browser.press(&page, "upstream", "idp").await;
    let at_provider = browser.get(&away.location().expect("to the provider")).await;
    at_provider.location().expect("to the callback")
}

/// Signs in at a provider that misbehaves; gives back what the person ends at.
async fn end_with(broker: &TestBroker, client: &TestClient, turn: impl FnOnce(&mut Misbehaviour)) -> Page {
    broker.provider.behave();
    broker.provider.misbehave(turn);
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(broker)).await;
    let away = browser.press(&page, "upstream", "idp").await;
    let end = browser.follow(away, &client.redirect).await;
    broker.provider.behave();
    end
}

fn assert_refused(page: &Page, what: &str) {
    assert!(matches!(page.status, 400 | 502 | 503), "{what}: {} {}", page.status, page.text("main"));
    assert!(page.location().is_none(), "{what}: {:?}", page.location());
    assert!(!page.body.contains("code="), "{what}");
}

fn claims(patch: Value) -> Map<String, Value> {
    patch.as_object().expect("an object").clone()
}

/// SEC-042 (CVE-2025-46815): state that is absent, wrong, expired or replayed is a page, and the
/// upstream's token endpoint is not asked.
#[tokio::test]
async fn sec_042_state() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let callback = until_callback(&broker, &client, &browser).await;
    let state = query(&callback)["state"].clone();
    let flipped = format!("{}x", &state[..state.len() - 1]);
    let path = callback.split('?').next().expect("a path");
    for bad in ["", "x", ".", "a.b", flipped.as_str(), state.split('.').next().expect("an id")] {
        let page = browser.get(&format!("{path}?code=c&state={bad}&iss={}", broker.provider.issuer())).await;
        assert_refused(&page, bad);
    }
    assert!(broker.provider.token_requests().is_empty(), "no upstream token call");
    assert!(query(&browser.get(&callback).await.location().expect("a redirect")).contains_key("code"));
    assert_refused(&browser.get(&callback).await, "replayed");
    assert_eq!(broker.provider.token_requests().len(), 1, "SEC-057: redeemed once; the first stands");

    let late = until_callback(&broker, &client, &browser).await;
    broker.clock.advance(Duration::from_secs(600));
    assert_refused(&browser.get(&late).await, "expired");
    assert_eq!(broker.provider.token_requests().len(), 1);
}

/// SEC-044, SEC-042, SEC-043: what the upstream is asked with is random and PKCE-protected.
#[tokio::test]
async fn sec_044_state_nonce_and_pkce_go_to_the_upstream() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    client.code(&broker).await;
    client.code(&broker).await;
    let asked = broker.provider.authorize_requests();
    for request in &asked {
        assert_eq!(request["code_challenge_method"], "S256");
        assert_eq!(request["redirect_uri"], broker.url("/oauth/callback/idp"));
        assert!(request["scope"].contains("openid"));
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(asked[0][name], asked[1][name], "{name}");
        assert!(asked[0][name].len() >= 43, "{name}");
    }
}

/// SEC-045: one callback path per provider, and its `iss`.
#[tokio::test]
async fn sec_045_mix_up() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let callback = until_callback(&broker, &client, &browser).await;
    let other_path = callback.replace("/callback/idp?", "/callback/other?");
    assert_refused(&browser.get(&other_path).await, "the other provider's path");
    assert!(broker.provider.token_requests().is_empty());
    let other = broker.other.as_ref().expect("a second provider").issuer().to_owned();
    for (iss, what) in [(ResponseIss::Wrong(other), "another issuer"), (ResponseIss::Missing, "missing")] {
        assert_refused(&end_with(&broker, &client, |m| m.response_iss = iss).await, what);
    }
    assert!(broker.provider.token_requests().is_empty(), "no upstream token call");
}

/// SEC-046: an upstream's error text is shown inert; declining there goes back to the client.
#[tokio::test]
async fn sec_046_upstream_errors() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let text = "<script>alert(1)</script>\u{202e}";
    let odd =
        end_with(&broker, &client, |m| m.authorize_error = Some(("server_error".into(), text.into()))).await;
    assert_eq!(odd.status, 502);
    assert!(!odd.body.contains("<script") && !odd.body.contains('\u{202e}'), "{}", odd.body);
    let denied =
        end_with(&broker, &client, |m| m.authorize_error = Some(("access_denied".into(), "no".into()))).await;
    let answer = query(&denied.location().expect("a redirect"));
    assert_eq!((answer["error"].as_str(), answer["state"].as_str()), ("access_denied", "st/ate=="));
}

/// SEC-047: a provider that calls itself something else is unhealthy; the other one serves.
#[tokio::test]
async fn sec_047_one_sick_provider_does_not_hurt_another() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    broker.provider.misbehave(|m| m.discovery = claims(json!({ "issuer": "https://evil.example" })));
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let page = browser.get(&client.authorize_url(&broker)).await;
    let sick = browser.press(&page, "upstream", "idp").await;
    assert_eq!(sick.status, 503);
    assert!(!sick.header("retry-after").is_empty());
    let away = browser.press(&page, "upstream", "other").await;
    let end = browser.follow(away, &client.redirect).await;
    assert!(query(&end.location().expect("a redirect")).contains_key("code"));
}

/// SEC-048 (CVE-2026-11800): only a published key, and only with its own algorithm.
#[tokio::test]
async fn sec_048_signatures() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for signing in [
        Signing::Unsigned,
        Signing::HmacWithPublicKey,
        Signing::HmacWithClientSecret,
        Signing::AnotherKeySameKid,
        Signing::EmbeddedJwk,
        Signing::UnknownKid,
    ] {
        assert_refused(&end_with(&broker, &client, |m| m.signing = signing).await, &format!("{signing:?}"));
    }
    for header in [
        json!({ "alg": "RS256" }),
        json!({ "alg": "none" }),
        json!({ "jku": "https://evil.example" }),
        json!({ "crit": ["x"] }),
    ] {
        assert_refused(
            &end_with(&broker, &client, |m| m.header = claims(header.clone())).await,
            &header.to_string(),
        );
    }
    for signing in [Signing::Es256, Signing::Rs256] {
        let end = end_with(&broker, &client, |m| m.signing = signing).await;
        assert!(query(&end.location().expect("a redirect")).contains_key("code"), "{signing:?}");
    }
}

/// SEC-043, SEC-049, SEC-050, SEC-051 (CVE-2026-55669): every claim that must agree.
#[tokio::test]
async fn sec_043_sec_049_to_051_claims() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    use gatelodge::clock::Clock as _;
    let now = broker.clock.now().as_unix();
    for patch in [
        json!({ "nonce": "wrong" }),
        json!({ "nonce": null }),
        json!({ "iss": "https://evil.example" }),
        json!({ "iss": format!("{}/", broker.provider.issuer()) }),
        json!({ "iss": null }),
        json!({ "aud": "another" }),
        json!({ "aud": null }),
        json!({ "aud": [] }),
        json!({ "aud": [broker.provider.client_id(), "another"] }),
        json!({ "aud": [broker.provider.client_id(), "another"], "azp": "another" }),
        json!({ "azp": "another" }),
        json!({ "exp": null }),
        json!({ "exp": now - 60 }),
        json!({ "exp": (now + 300).to_string() }),
        json!({ "exp": 1e300 }),
        json!({ "iat": null }),
        json!({ "iat": now + 61 }),
        json!({ "nbf": now + 61 }),
        json!({ "sub": "" }),
        json!({ "sub": null }),
        json!({ "sub": 7 }),
        json!({ "at_hash": "wrong" }),
    ] {
        assert_refused(
            &end_with(&broker, &client, |m| m.claims = claims(patch.clone())).await,
            &patch.to_string(),
        );
    }
    for patch in [
        json!({ "exp": now - 59 }),
        json!({ "iat": now + 60 }),
        json!({ "at_hash": null }),
        json!({ "aud": [broker.provider.client_id()] }),
        json!({ "aud": [broker.provider.client_id(), "another"], "azp": broker.provider.client_id() }),
    ] {
        let end = end_with(&broker, &client, |m| m.claims = claims(patch.clone())).await;
        assert!(
            query(&end.location().unwrap_or_else(|| panic!("{patch}: {}", end.body))).contains_key("code")
        );
    }
}

/// SEC-051, SEC-053: userinfo serves where the ID token has no email, and only about the same
/// subject; email and its verification come from one document.
#[tokio::test]
async fn sec_051_sec_053_userinfo() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let without = json!({ "email": null, "email_verified": null });
    let end = end_with(&broker, &client, |m| m.claims = claims(without.clone())).await;
    assert!(query(&end.location().expect("a redirect")).contains_key("code"));
    let other = end_with(&broker, &client, |m| {
        m.claims = claims(without.clone());
        m.userinfo = claims(json!({ "sub": "somebody-else" }));
    });
    assert_refused(&other.await, "another subject");
    let mixed = end_with(&broker, &client, |m| {
        m.claims = claims(json!({ "email": null, "email_verified": true }));
        m.userinfo = claims(json!({ "email_verified": null }));
    });
    assert_eq!(mixed.await.status, 403, "verified in one document, the address in the other");
}

/// SEC-053 (CVE-2026-55076): only the boolean true verifies.
#[tokio::test]
async fn sec_053_email_verified() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for verified in [json!("true"), json!("false"), json!(1), json!(null), json!(false)] {
        let person = Person { email_verified: verified.clone(), ..Person::new("x", "x@example.com") };
        broker.provider.sign_in_as(person);
        assert_eq!(end_with(&broker, &client, |_| ()).await.status, 403, "{verified}");
    }
}

/// SEC-054 (CVE-2026-49757): the same address under another subject is another person.
#[tokio::test]
async fn sec_054_the_account_is_issuer_and_subject() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let mut subjects = Vec::new();
    for (sub, email) in [("1", "a@example.com"), ("2", "a@example.com"), ("1", "renamed@example.com")] {
        broker.provider.sign_in_as(Person::new(sub, email));
        subjects.push(client.tokens(&broker).await.claims()["sub"].clone());
    }
    assert_ne!(subjects[0], subjects[1]);
    assert_eq!(subjects[0], subjects[2]);
}

/// SEC-052, REL-13 in short: a rotated key is fetched once; invented key names fetch at most
/// once in 30 s.
#[tokio::test]
async fn sec_052_unknown_keys_refetch_at_most_every_thirty_seconds() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    client.code(&broker).await;
    let before = broker.provider.fetches().jwks;
    broker.clock.advance(Duration::from_secs(30));
    broker.provider.rotate_keys();
    client.code(&broker).await;
    assert_eq!(broker.provider.fetches().jwks, before + 1);
    for _ in 0..20 {
        end_with(&broker, &client, |m| m.signing = Signing::UnknownKid).await;
    }
    assert_eq!(broker.provider.fetches().jwks, before + 1, "not within 30 s");
    broker.clock.advance(Duration::from_secs(30));
    end_with(&broker, &client, |m| m.signing = Signing::UnknownKid).await;
    assert_eq!(broker.provider.fetches().jwks, before + 2);
}

/// SEC-058: nothing that the upstream gave us leaves.
#[tokio::test]
async fn sec_058_upstream_tokens_never_leave() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let callback = until_callback(&broker, &client, &browser).await;
    let back = browser.get(&callback).await;
    let code = query(&back.location().expect("a redirect"))["code"].clone();
    let tokens = client.redeem(&broker, &code).await;
    let refreshed = client.refresh(&broker, tokens.json()["refresh_token"].as_str().expect("a token")).await;
    let given = broker.provider.given_out();
    assert!(given.len() >= 2, "{given:?}");
    for page in [&back, &tokens, &refreshed] {
        let all = format!("{:?} {}", page.headers, page.body);
        assert!(
            !given.iter().any(|secret| all.contains(secret.as_str())),
            "an upstream secret in {}",
            page.url
        );
    }
}

/// SEC-059: the callback leaves at once, without a referrer, and takes its cookie along.
#[tokio::test]
async fn sec_059_the_callback_leads_away() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let back = browser.get(&until_callback(&broker, &client, &browser).await).await;
    assert_eq!(back.status, 303);
    assert_eq!(back.header("referrer-policy"), "no-referrer");
    assert_eq!(back.header("cache-control"), "no-store");
    assert!(back.header("set-cookie").contains("Max-Age=0"), "{}", back.header("set-cookie"));
}

/// SEC-061, SEC-057: a token endpoint that errs, floods, redirects or forgets the ID token.
#[tokio::test]
async fn sec_061_token_endpoint_faults() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let elsewhere = format!("{}/token", broker.issuer);
    for (token, status) in [
        (TokenAnswer::ServerError, 503),
        (TokenAnswer::InvalidGrant, 502),
        (TokenAnswer::Huge, 503),
        (TokenAnswer::Redirect(elsewhere), 503),
        (TokenAnswer::NoIdToken, 502),
    ] {
        let what = format!("{token:?}");
        let page = end_with(&broker, &client, |m| m.token = token).await;
        assert_refused(&page, &what);
        assert_eq!(page.status, status, "{what}");
        assert!(page.body.contains("error="), "a link leads back to the client: {what}");
    }
}

/// IDP-google in the whole flow: a consumer account on a company address is nobody; `hd` decides.
#[tokio::test]
async fn idp_google_needs_hd() {
    let access = "  default_scopes: [mcp:read]\n".to_owned();
    let broker = TestBroker::with(Setup { preset: "google".into(), access, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    broker.provider.sign_in_as(Person::new("1", "alice@example.com"));
    assert_eq!(end_with(&broker, &client, |_| ()).await.status, 403);
    broker.provider.sign_in_as(Person::new("1", "alice@example.com").with("hd", json!("example.com")));
    let end = end_with(&broker, &client, |_| ()).await;
    assert!(query(&end.location().unwrap_or_else(|| panic!("{}", end.body))).contains_key("code"));
    broker.provider.sign_in_as(Person::new("1", "alice@example.com").with("hd", json!("evil.example")));
    assert_eq!(end_with(&broker, &client, |_| ()).await.status, 403);
}
