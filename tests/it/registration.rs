//! Dynamic registration: what is answered, and what is refused. Real clients' requests are in `replay`.

use gatelodge::clock::Clock as _;
use gatelodge::domain::ClientId;
use gatelodge::store::Store as _;
use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, register};
use crate::harness::document_host::{DocumentHost, HOST};

/// SEC-108 (RFC 7591 section 3.2.1): 201, kept by nobody, and what holds rather than what was asked for.
#[tokio::test]
async fn sec_108_the_answer_says_what_holds() {
    let broker = TestBroker::start().await;
    let sent = json!({ "redirect_uris": ["https://a.example/cb"], "client_name": "x".repeat(300),
        "grant_types": ["authorization_code", "implicit"], "scope": "mcp:read openid" });
    let page = register(&broker, &sent).await;
    assert_eq!((page.status, page.header("cache-control")), (201, "no-store"));
    let answer = page.json();
    assert_eq!(answer["grant_types"], json!(["authorization_code"]), "SEC-111: what we have of it");
    assert_eq!(answer["scope"], "mcp:read");
    assert_eq!(answer["client_name"].as_str().unwrap().len(), 256);
    let id = answer["client_id"].as_str().unwrap();
    assert_eq!(answer["registration_client_uri"], broker.url(&format!("/oauth/register/{id}")));
    assert_eq!(answer["registration_access_token"].as_str().unwrap().len(), 43);
}

/// INT-34: what is left of the scopes is echoed.
#[tokio::test]
async fn int_34_unknown_scopes_are_dropped() {
    let broker = TestBroker::start().await;
    let ask = async |scope: &str| {
        let sent = json!({ "redirect_uris": ["https://a.example/"], "scope": scope });
        register(&broker, &sent).await.json().get("scope").cloned()
    };
    assert_eq!(ask("mcp:read openid other").await, Some(json!("mcp:read")));
    assert_eq!(ask("").await, None);
    assert_eq!(ask("other").await, None);
}

/// INT-31, SEC-067: confidential clients get a secret and can use it by their method.
#[tokio::test]
async fn int_31_confidential_clients_get_a_secret() {
    let broker = TestBroker::start().await;
    for method in ["client_secret_basic", "client_secret_post"] {
        let sent = json!({ "redirect_uris": [REDIRECT], "token_endpoint_auth_method": method });
        let answer = register(&broker, &sent).await.json();
        assert_eq!(answer["token_endpoint_auth_method"], method);
        assert_eq!(answer["client_secret_expires_at"], 0);
        let secret = answer["client_secret"].as_str().expect("a secret");
        assert!(
            secret.len() >= 43 && secret.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        );
        if method == "client_secret_basic" {
            let client = TestClient {
                id: answer["client_id"].as_str().expect("an id").to_owned(),
                secret: Some(secret.to_owned()),
                redirect: REDIRECT.to_owned(),
            };
            let tokens = client.tokens(&broker).await;
            assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
        }
    }
}

/// INT-30: hosts whose clients expect a secret without asking for one.
#[tokio::test]
async fn int_30_secret_hosts() {
    let extra = "registration: { secret_hosts: [consent.azure-apim.net] }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    for (host, method) in [
        ("consent.azure-apim.net", "client_secret_basic"),
        ("global.consent.azure-apim.net", "client_secret_basic"),
        ("evilconsent.azure-apim.net", "none"),
        ("claude.ai", "none"),
    ] {
        let sent = json!({ "redirect_uris": [format!("https://{host}/redirect")] });
        assert_eq!(register(&broker, &sent).await.json()["token_endpoint_auth_method"], method, "{host}");
    }
}

/// SEC-109, SEC-110, SEC-111, SEC-113, INT-65: what cannot be registered, said in JSON.
#[tokio::test]
async fn sec_109_to_113_what_cannot_be_registered() {
    let broker = TestBroker::start().await;
    let many: Vec<String> = (0..21).map(|n| format!("https://a.example/{n}")).collect();
    let long = format!("https://a.example/{}", "x".repeat(2048));
    let with = |uri: &str| json!({ "redirect_uris": [uri] });
    let private = json!({ "keys": [{ "kty": "EC", "d": "x" }] });
    let symmetric = json!({ "keys": [{ "kty": "oct", "k": "x" }] });
    let good = "https://a.example/";
    for (sent, error) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [] }), "invalid_redirect_uri"),
        (with("javascript:alert(1)"), "invalid_redirect_uri"),
        (with("data:text/html,x"), "invalid_redirect_uri"),
        (with("vbscript:x"), "invalid_redirect_uri"),
        (with("http://a.example/"), "invalid_redirect_uri"),
        (with("https://a.example/#x"), "invalid_redirect_uri"),
        (with("https://*.example/"), "invalid_redirect_uri"),
        (with("https://u@a.example/"), "invalid_redirect_uri"),
        (with(&long), "invalid_redirect_uri"),
        (json!({ "redirect_uris": many }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [good, "javascript:x"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [good], "grant_types": ["password"] }), "invalid_client_metadata"),
        (json!({ "redirect_uris": [good], "response_types": ["token"] }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": [good], "token_endpoint_auth_method": "tls_client_auth" }),
            "invalid_client_metadata",
        ),
        (json!({ "redirect_uris": [good], "jwks": private }), "invalid_client_metadata"),
        (json!({ "redirect_uris": [good], "jwks": symmetric }), "invalid_client_metadata"),
        (
            json!({ "redirect_uris": [good], "jwks": { "keys": [] }, "jwks_uri": good }),
            "invalid_client_metadata",
        ),
        (json!({ "redirect_uris": "https://a.example/" }), "invalid_client_metadata"),
        (json!([]), "invalid_client_metadata"),
        (json!("x"), "invalid_client_metadata"),
    ] {
        let page = register(&broker, &sent).await;
        assert_eq!((page.status, page.error().as_str()), (400, error), "{sent}");
        assert_eq!(page.header("content-type"), "application/json");
    }
    let browser = broker.browser();
    let url = broker.url("/oauth/register");
    assert_eq!(browser.post(&url, &[("redirect_uris", good)]).await.status, 415);
    assert_eq!(browser.get(&url).await.status, 405);
    let large = json!({ "redirect_uris": [good], "client_name": "x".repeat(70_000) });
    assert_eq!(register(&broker, &large).await.status, 413);
}

/// SEC-112: nothing that a client names is fetched, though it could be: the same host's documents are.
#[tokio::test]
async fn sec_112_nothing_is_fetched() {
    let host = DocumentHost::start().await;
    let documents = Some(host.fetcher(&[HOST]));
    let broker = TestBroker::with(Setup { documents, ..Setup::default() }).await;
    let named = [
        "logo_uri",
        "client_uri",
        "policy_uri",
        "tos_uri",
        "jwks_uri",
        "sector_identifier_uri",
        "initiate_login_uri",
    ];
    for method in ["none", "client_secret_basic", "private_key_jwt"] {
        let mut sent =
            json!({ "redirect_uris": [host.url("/callback")], "token_endpoint_auth_method": method });
        for name in named {
            sent[name] = json!(host.url(&format!("/{name}")));
        }
        let page = register(&broker, &sent).await;
        assert_eq!(page.status, 201, "{}", page.body);
    }
    assert!(host.lookup.asked().is_empty() && host.requests().is_empty());
    let url = host.publishes("/client.json", &json!({}));
    let client = TestClient { id: url, secret: None, redirect: REDIRECT.into() };
    assert_eq!(broker.browser().get(&client.authorize_url(&broker)).await.status, 200);
    assert_eq!((host.lookup.asked().len(), host.requests().len()), (1, 1), "the host can be asked");
}

/// SEC-111 and RFC 7591 section 3.1.1: a software statement is nobody's word here, whatever it says.
#[tokio::test]
async fn sec_111_a_software_statement_changes_nothing() {
    let broker = TestBroker::start().await;
    for statement in
        [json!("eyJhbGciOiJub25lIn0.eyJjbGllbnRfbmFtZSI6IkJhbmsifQ."), json!(""), Value::Null, json!(1)]
    {
        let sent =
            json!({ "client_name": "App", "redirect_uris": [REDIRECT], "software_statement": statement });
        let page = register(&broker, &sent).await;
        assert_eq!(page.status, 201, "{}", page.body);
        assert_eq!(page.json()["client_name"], "App");
        assert_eq!(page.json().get("software_statement"), None);
    }
}

/// SEC-113: a registration that is refused takes nobody's turn.
#[tokio::test]
async fn sec_113_who_is_refused_displaces_nobody() {
    let extra = "registration: { most_unused: 2 }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let first = TestClient::register(&broker).await;
    for _ in 0..3 {
        assert_eq!(register(&broker, &json!({ "redirect_uris": [] })).await.status, 400);
    }
    let second = TestClient::register(&broker).await;
    let known = async |client: &TestClient| {
        broker.store.client(&ClientId::new(&client.id), broker.clock.now()).await.unwrap().is_some()
    };
    assert!(known(&first).await && known(&second).await);
    let third = TestClient::register(&broker).await;
    assert!(!known(&first).await && known(&second).await && known(&third).await);
}

/// SEC-114: an identifier is neither a URL, so nobody registers over a document, nor a person's.
#[tokio::test]
async fn sec_114_identifiers_are_of_their_own_kind() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    assert!(client.id.starts_with("glc_") && !client.id.contains(':'));
    assert!(tokens.claims()["sub"].as_str().unwrap().starts_with("p_"));
}
