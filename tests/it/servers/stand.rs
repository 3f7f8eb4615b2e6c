//! A broker beside servers that have the machine's clock, tokens good and bad for them, and what every
//! server has to do with each.

use std::sync::Arc;

use gatelodge::clock::Clock;
use gatelodge::protocol::install_crypto;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::keys::{TestKey, object, patched};
use crate::harness::provider::{Person, TestProvider};

/// Another server of the same broker.
const ELSEWHERE: &str = "https://other.example.com/mcp";

/// Where the metadata of [`RESOURCE`] is.
const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

/// A broker, and tokens of it.
pub(super) struct Stand {
    pub(super) broker: TestBroker,
    /// For [`RESOURCE`], with `mcp:read`.
    pub(super) good: Tokens,
    /// For [`RESOURCE`], with `mcp:write` alone.
    writer: Tokens,
    elsewhere: Tokens,
}

impl Stand {
    pub(super) async fn start() -> Self {
        let clock = TestClock::at_present();
        let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        provider.sign_in_as(Person::new("alice", "alice@example.com"));
        let usual = Setup::default();
        let scopes = "scopes: { mcp:read: Read, mcp:write: Write }";
        let resources = format!("{}  - url: {ELSEWHERE}\n    name: Others\n    {scopes}\n", usual.resources);
        let broker = TestBroker::replica(Setup { resources, ..usual }, clock, provider).await;
        let client = TestClient::register(&broker).await;
        let good = tokens(&broker, &client, &[("scope", "mcp:read")]).await;
        let writer = tokens(&broker, &client, &[("scope", "mcp:write")]).await;
        let elsewhere = tokens(&broker, &client, &[("scope", "mcp:read"), ("resource", ELSEWHERE)]).await;
        Self { broker, good, writer, elsewhere }
    }

    /// A token with the claims of the good one but for these, signed by the broker's own key.
    pub(super) fn signed(&self, typ: &str, patch: Value) -> String {
        install_crypto();
        let ring = self.broker.parts.keys.keys.ring();
        let key = ring.keys.first().expect("a key");
        let mut header = Header::new(Algorithm::ES256);
        (header.typ, header.kid) = (Some(typ.to_owned()), Some(key.kid.clone()));
        let key = EncodingKey::from_ec_pem(key.pem.expose().as_bytes()).expect("a key");
        let claims = patched(object(self.good.claims()), &object(patch));
        jsonwebtoken::encode(&header, &claims, &key).expect("a token")
    }

    /// A server at this origin does all that a protected server has to.
    pub(super) async fn holds_at(&self, origin: &str) {
        let mcp = format!("{origin}/mcp");
        let bare = whoami(&mcp, None).await;
        assert_eq!(bare.status, 401, "{}", bare.body);
        assert!(
            challenge(&bare).contains(&format!("resource_metadata=\"{METADATA}\"")),
            "{}",
            challenge(&bare)
        );
        self.tells_its_metadata(origin).await;

        let good = whoami(&mcp, Some(&self.good.access)).await;
        assert_eq!(good.status, 200, "{}", good.body);
        let subject = self.good.claims()["sub"].as_str().expect("a subject").to_owned();
        assert!(good.body.contains(&format!("{subject} (alice@example.com)")), "{}", good.body);
        // What the forgeries below differ from.
        let genuine = whoami(&mcp, Some(&self.signed("at+jwt", json!({})))).await;
        assert_eq!(genuine.status, 200, "{}", genuine.body);

        let past = self.broker.clock.now().as_unix() - 120;
        let strange = TestKey::es256("strange");
        let strange = strange.sign(&strange.header("at+jwt"), &object(self.good.claims()));
        for (what, token) in [
            ("expired", self.signed("at+jwt", json!({"exp": past}))),
            ("of another issuer", self.signed("at+jwt", json!({"iss": "https://evil.example"}))),
            ("for another server", self.elsewhere.access.clone()),
            ("an ID token", self.signed("JWT", json!({}))),
            ("signed by a stranger", strange),
            ("cut", self.good.access.trim_end_matches(|c| c != '.').to_owned()),
            ("no token", "x".to_owned()),
        ] {
            let refused = whoami(&mcp, Some(&token)).await;
            assert_eq!(refused.status, 401, "{what}: {}", refused.body);
            assert!(challenge(&refused).contains("resource_metadata="), "{what}: {}", challenge(&refused));
        }

        let writer = whoami(&mcp, Some(&self.writer.access)).await;
        assert_eq!(writer.status, 403, "{}", writer.body);
    }

    async fn tells_its_metadata(&self, origin: &str) {
        let url = METADATA.replacen("https://mcp.example.com", origin, 1);
        let told = Browser::new().get(&url).await;
        assert_eq!(told.status, 200, "{}", told.body);
        let told = told.json();
        assert_eq!(told["resource"], RESOURCE);
        let issuer = told["authorization_servers"][0].as_str().expect("an issuer");
        assert_eq!(issuer.trim_end_matches('/'), self.broker.issuer);
        let scopes = told["scopes_supported"].as_array().expect("scopes");
        assert!(scopes.contains(&json!("mcp:read")), "{scopes:?}");
    }
}

/// Calls the tool that every server of the pages has.
pub(super) async fn whoami(mcp: &str, token: Option<&str>) -> Page {
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "whoami", "arguments": {}}});
    let request = Browser::new().http().post(mcp).json(&call);
    let request = request
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-06-18");
    let request = token.into_iter().fold(request, RequestBuilder::bearer_auth);
    Page::of(mcp, request.send().await.expect("an answer")).await
}

/// The challenge of an answer.
pub(super) fn challenge(page: &Page) -> &str {
    page.headers.get("www-authenticate").and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn tokens(broker: &TestBroker, client: &TestClient, changes: &[(&str, &str)]) -> Tokens {
    let request = client.request_with(changes);
    let url = crate::harness::client::authorize_url(broker, &request);
    let answer = client.sign_in_at(broker, &Browser::new(), &url).await;
    let code = answer.get("code").unwrap_or_else(|| panic!("no code: {answer:?}"));
    Tokens::of(&client.redeem(broker, code).await)
}
