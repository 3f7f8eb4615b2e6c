//! A client that proves itself with JWTs that it signs (RFC 7523), whatever made it known.

use serde_json::{Map, Value, json};

use super::broker::TestBroker;
use super::browser::Page;
use super::client::{TestClient, Tokens};
use super::keys::{TestKey, object, patched};

/// The only type of assertion.
pub(crate) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client with a key.
pub(crate) struct Signer {
    /// The client.
    pub(crate) app: TestClient,
    /// What it signs with.
    pub(crate) key: TestKey,
    number: std::cell::Cell<u32>,
}

impl Signer {
    pub(crate) fn new(app: TestClient, key: &TestKey) -> Self {
        Self { app, key: key.clone(), number: std::cell::Cell::new(0) }
    }

    /// The claims of an honest assertion, changed; each has a `jti` of its own.
    pub(crate) fn claims(&self, broker: &TestBroker, change: Value) -> Map<String, Value> {
        self.number.set(self.number.get() + 1);
        let now = gatelodge::clock::Clock::now(broker.clock.as_ref()).as_unix();
        let honest = json!({
            "iss": self.app.id, "sub": self.app.id, "aud": broker.issuer, "iat": now, "exp": now + 60,
            "jti": format!("jti-{}", self.number.get()),
        });
        patched(object(honest), &object(change))
    }

    /// An honest assertion, its claims changed.
    pub(crate) fn assertion(&self, broker: &TestBroker, change: Value) -> String {
        self.key.sign(&self.key.header("JWT"), &self.claims(broker, change))
    }

    /// Refreshes with this assertion.
    pub(crate) async fn refresh(&self, broker: &TestBroker, token: &str, assertion: &str) -> Page {
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
        self.app.refresh_with(broker, token, &proof).await
    }

    /// The first tokens.
    pub(crate) async fn tokens(&self, broker: &TestBroker) -> Tokens {
        let code = self.app.code(broker).await;
        let assertion = self.assertion(broker, json!({}));
        let proof = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
        Tokens::of(&self.app.redeem_with(broker, &code, &proof).await)
    }
}
