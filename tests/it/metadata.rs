//! Discovery: what is advertised, where, and that it is true (section K).

use gatelodge::protocol::KeySet;
use serde_json::{Value, json};

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::TestClient;

async fn document(broker: &TestBroker, url: &str) -> Value {
    let page = broker.browser().get(url).await;
    assert_eq!(page.status, 200, "{url}: {}", page.body);
    assert_eq!(page.header("content-type"), "application/json", "INT-09: {url}");
    page.json()
}

fn origin(broker: &TestBroker) -> &str {
    broker.issuer.strip_suffix("/tenant/one").unwrap_or(&broker.issuer)
}

/// SEC-135, INT-01, INT-02, INT-05: every place where clients look, for an issuer with and
/// without a path; and a whole sign-in below the path.
#[tokio::test]
async fn sec_135_metadata_is_at_every_well_known_place() {
    for path in ["", "/tenant/one"] {
        let broker = TestBroker::with(Setup { issuer_path: path.into(), ..Setup::default() }).await;
        let well_known = "/.well-known/oauth-authorization-server";
        for url in
            [format!("{}{well_known}{path}", origin(&broker)), format!("{}{well_known}", broker.issuer)]
        {
            let metadata = document(&broker, &url).await;
            assert_eq!(metadata["issuer"], broker.issuer, "{url}");
            assert_eq!(metadata["token_endpoint"], broker.url("/oauth/token"));
        }
        let elsewhere = format!("{}{well_known}/other", origin(&broker));
        assert_eq!(broker.browser().get(&elsewhere).await.status, 404);
        let client = TestClient::register(&broker).await;
        let tokens = client.tokens(&broker).await;
        assert_eq!(tokens.claims()["iss"], broker.issuer);
    }
}

/// INT-11, INT-12, INT-13, INT-14, INT-15, SEC-014: the members that clients rely on; nothing null, nothing empty.
#[tokio::test]
async fn int_12_the_members_that_clients_rely_on() {
    let broker = TestBroker::start().await;
    let metadata = document(&broker, &broker.url("/.well-known/oauth-authorization-server")).await;
    assert_eq!(metadata["response_types_supported"], json!(["code"]));
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(metadata["token_endpoint_auth_methods_supported"][0], "none", "INT-13");
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["scopes_supported"], json!(["mcp:admin", "mcp:read", "mcp:write"]));
    assert_eq!(metadata["client_id_metadata_document_supported"], true, "INT-14");
    let methods = json!(["none", "client_secret_basic", "client_secret_post", "private_key_jwt"]);
    assert_eq!(metadata["token_endpoint_auth_methods_supported"], methods);
    assert_eq!(metadata["token_endpoint_auth_signing_alg_values_supported"][0], "ES256");
    let whole = metadata.to_string();
    assert!(!whole.contains("null") && !whole.contains("[]") && !whole.contains("\"\""), "{whole}");
}

/// SEC-137, RFC 8414 section 2: wherever `private_key_jwt` is a method, its algorithms MUST be named,
/// too. Authlib refuses the metadata otherwise.
#[tokio::test]
async fn sec_137_the_algorithms_of_every_endpoint_that_takes_assertions() {
    let extra =
        "clients:\n  - { id: asks, name: Asks, secret: Jw7-q2Lx0RvT5nZc8Hd3Ks6Gb1Yf4Mp9, introspects: ["
            .to_owned();
    let extra = format!("{extra}'{RESOURCE}'] }}\n");
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let metadata = document(&broker, &broker.url("/.well-known/oauth-authorization-server")).await;
    for endpoint in ["token_endpoint", "revocation_endpoint", "introspection_endpoint"] {
        let methods = metadata[format!("{endpoint}_auth_methods_supported")].to_string();
        assert!(methods.contains("private_key_jwt"), "{endpoint}: {methods}");
        let algorithms = &metadata[format!("{endpoint}_auth_signing_alg_values_supported")];
        assert_eq!(algorithms, &json!(KeySet::ALGORITHMS), "{endpoint}");
    }
}

/// SEC-137: what is advertised works; the whole of it is walked here and by every other test.
/// What is not advertised is not there.
#[tokio::test]
async fn sec_137_advertised_is_what_works() {
    let broker = TestBroker::start().await;
    let metadata = document(&broker, &broker.url("/.well-known/oauth-authorization-server")).await;
    let browser = broker.browser();
    for (member, method, status) in [
        ("authorization_endpoint", "GET", 400),
        ("token_endpoint", "POST", 415),
        ("revocation_endpoint", "POST", 415),
        ("registration_endpoint", "POST", 415),
        ("jwks_uri", "GET", 200),
    ] {
        let url = metadata[member].as_str().unwrap_or_else(|| panic!("{member} is not advertised"));
        let method = method.parse().expect("a method");
        let answer = browser.http().request(method, url).send().await.expect("an answer");
        assert_eq!(answer.status(), status, "{member}");
    }
    for absent in ["/oauth/introspect", "/oauth/userinfo", "/oauth/par", "/oauth/device_authorization"] {
        assert_eq!(browser.post(&broker.url(absent), &[]).await.status, 404, "{absent}");
    }
    for absent in ["introspection_endpoint", "userinfo_endpoint", "pushed_authorization_request_endpoint"] {
        assert!(metadata.get(absent).is_none(), "{absent}");
    }
}

/// SEC-116, SEC-137: closed registration is not advertised and refuses.
#[tokio::test]
async fn sec_116_closed_registration() {
    let extra = "registration: { open: false }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
    let metadata = document(&broker, &broker.url("/.well-known/oauth-authorization-server")).await;
    assert!(metadata.get("registration_endpoint").is_none());
    let page =
        crate::harness::client::register(&broker, &json!({ "redirect_uris": ["https://a.example/"] })).await;
    assert_eq!(page.status, 403);
}

/// SEC-136, SEC-161 (GHSA-93m4-mfpg-c3xf): nothing that a request says changes a URL, and a
/// foreign `Host` is refused.
#[tokio::test]
async fn sec_136_headers_change_no_url() {
    let broker = TestBroker::start().await;
    let url = broker.url("/.well-known/oauth-authorization-server");
    let usual = document(&broker, &url).await;
    let browser = broker.browser();
    for (name, value) in [
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-prefix", "/evil"),
        ("forwarded", "host=evil.example;proto=https"),
        ("x-original-host", "evil.example"),
    ] {
        let answer = browser.http().get(&url).header(name, value).send().await.expect("an answer");
        assert_eq!(Page::of(&url, answer).await.json(), usual, "{name}");
    }
    for host in ["evil.example", "127.0.0.1", "localhost"] {
        let answer = browser.http().get(&url).header("host", host).send().await.expect("an answer");
        assert_eq!(answer.status(), 421, "{host}");
    }
    let health = browser.http().get(broker.url("/healthz")).header("host", "10.0.0.7").send().await;
    assert_eq!(health.expect("an answer").status(), 200, "probes ask by address");
}

/// SEC-138: public members only, named, cacheable, and the key that signs is among them.
#[tokio::test]
async fn sec_138_keys() {
    for algorithm in ["ES256", "RS256", "EdDSA"] {
        let extra = format!("signing: {{ algorithm: {algorithm} }}\n");
        let broker = TestBroker::with(Setup { extra, ..Setup::default() }).await;
        for path in ["/.well-known/jwks.json", "/oauth/jwks"] {
            let page = broker.browser().get(&broker.url(path)).await;
            assert!(page.header("cache-control").contains("max-age"), "{path}");
            let key = page.json()["keys"][0].clone();
            assert_eq!(key["alg"], algorithm);
            assert!(["d", "p", "q", "k"].iter().all(|private| key.get(private).is_none()));
        }
        let client = TestClient::register(&broker).await;
        let tokens = client.tokens(&broker).await;
        let keys = document(&broker, &broker.url("/oauth/jwks")).await;
        let keys = gatelodge::protocol::KeySet::from_jwks(&keys);
        let verifier = gatelodge::tokens::AccessTokenVerifier::new(&broker.issuer, keys);
        let resource = gatelodge::protocol::ResourceUri::parse(RESOURCE).expect("a resource");
        use gatelodge::clock::Clock as _;
        let verified = verifier.verify(&tokens.access, &resource, broker.clock.now());
        assert!(verified.is_ok(), "{algorithm}: {:?}", verified.err());
    }
}

/// SEC-139, INT-03, INT-22, INT-23: protected resource metadata in all its forms.
#[tokio::test]
async fn sec_139_protected_resource_metadata() {
    let broker = TestBroker::start().await;
    let well_known = "/.well-known/oauth-protected-resource";
    for (path, resource) in [
        (well_known.to_owned(), RESOURCE.to_owned()),
        (format!("{well_known}/mcp"), RESOURCE.to_owned()),
        (format!("{well_known}/mcp/"), format!("{RESOURCE}/")),
        (format!("/mcp{well_known}"), RESOURCE.to_owned()),
    ] {
        let metadata = document(&broker, &broker.url(&path)).await;
        assert_eq!(metadata["resource"], resource, "{path}");
        assert_eq!(metadata["authorization_servers"], json!([broker.issuer]));
        assert_eq!(metadata["scopes_supported"], json!(["mcp:admin", "mcp:read", "mcp:write"]));
        assert!(!metadata.to_string().contains("offline_access"));
    }
}

/// INT-05, INT-06, INT-07: what is not served under `/.well-known` is a JSON 404, whatever is accepted.
#[tokio::test]
async fn int_05_to_07_what_is_not_there_is_json_404() {
    let broker = TestBroker::start().await;
    for path in [
        "/.well-known/openid-configuration",
        "/.well-known/oauth-protected-resource/other",
        "/.well-known/oauth-authorization-server/other",
        "/.well-known/anything",
        "/mcp/.well-known/openid-configuration",
    ] {
        let page = broker.browser().get(&broker.url(path)).await;
        assert_eq!(page.status, 404, "{path}");
        assert_eq!(page.error(), "not_found", "{path}");
    }
}

/// INT-10: nothing that a program asks leads elsewhere, whatever the method and with or without a slash:
/// clients follow no redirect there, or lose their body and their header on the way.
#[tokio::test]
async fn int_10_nothing_that_a_program_asks_redirects() {
    for issuer_path in ["", "/tenant/one"] {
        let broker = TestBroker::with(Setup { issuer_path: issuer_path.into(), ..Setup::default() }).await;
        let browser = broker.browser();
        for base in [origin(&broker), &broker.issuer] {
            for path in [
                "/.well-known/oauth-authorization-server",
                "/.well-known/oauth-authorization-server/tenant/one",
                "/.well-known/openid-configuration",
                "/.well-known/oauth-protected-resource",
                "/.well-known/oauth-protected-resource/mcp",
                "/.well-known/jwks.json",
                "/oauth/jwks",
                "/oauth/register",
                "/oauth/clients/register",
                "/register",
                "/oauth/token",
                "/token",
                "/oauth/revoke",
                "/oauth/introspect",
            ] {
                for slash in ["", "/"] {
                    for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                        let url = format!("{base}{path}{slash}");
                        let request = browser.http().request(method.parse().expect("a method"), &url);
                        let answer = request.send().await.expect("an answer");
                        assert!(!answer.status().is_redirection(), "{method} {url}: {}", answer.status());
                        assert!(!answer.headers().contains_key("location"), "{method} {url}");
                    }
                }
            }
        }
    }
}

/// INT-04: the root aliases, for clients that look nowhere else.
#[tokio::test]
async fn int_04_root_aliases_work() {
    for issuer_path in ["", "/tenant/one"] {
        let broker = TestBroker::with(Setup { issuer_path: issuer_path.into(), ..Setup::default() }).await;
        let root = origin(&broker).to_owned();
        let browser = broker.browser();
        for path in ["/register", "/oauth/clients/register"] {
            let body = json!({ "redirect_uris": ["https://a.example/"] });
            let answer = browser.http().post(format!("{root}{path}")).json(&body).send().await;
            assert_eq!(answer.expect("an answer").status(), 201, "{path}");
        }
        let client = TestClient::register(&broker).await;
        let url = client
            .authorize_url(&broker)
            .replace(&broker.url("/oauth/authorize"), &format!("{root}/authorize"));
        let code = client.sign_in_at(&broker, &browser, &url).await["code"].clone();
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &client.id),
            ("code", &code),
            ("code_verifier", crate::harness::client::VERIFIER),
        ];
        assert_eq!(browser.post(&format!("{root}/token"), &form).await.status, 200);
    }
}
