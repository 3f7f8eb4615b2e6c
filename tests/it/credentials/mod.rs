//! What a request to a protected server may carry, one file per kind: good, expired, for another server,
//! revoked and malformed.

mod api_keys;
mod audience;
mod clerk;
mod introspection;
mod jwt;
mod nobody;
mod remote;
mod static_tokens;

use std::sync::Arc;

use gatelodge::clock::Clock;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::clock::TestClock;
use crate::harness::provider::TestProvider;

/// Whatever policy says of the people of the usual provider, says it of the tokens of another, too.
const ACCESS: &str = "  default_scopes: [mcp:read]\n  admin_users: [alice@example.com]\n  \
                      admin_scopes: [mcp:read, mcp:write, mcp:admin]\n  rules:\n    \
                      - { upstreams: [partner], groups: [platform], scopes: [mcp:write] }\n    \
                      - { upstreams: [partner], emails: [dave@partner.example], scopes: [mcp:write] }\n    \
                      - { upstreams: [partner], subjects: 'ISSUER|mallory', deny: true }\n";

/// A broker whose notes accept `accepts`, and a provider that is nobody's upstream; in `credentials`,
/// `ISSUER` stands for it.
struct Scene {
    broker: TestBroker,
    other: TestProvider,
}

impl Scene {
    async fn new(accepts: &str, credentials: &str) -> Self {
        Self::with(accepts, credentials, ACCESS).await
    }

    async fn with(accepts: &str, credentials: &str, access: &str) -> Self {
        let resources = format!(
            "  - url: {RESOURCE}\n    name: Notes\n    scopes: {{ mcp:read: R, mcp:write: W, mcp:admin: A }}\n    \
             accepts: [{accepts}]\n  - url: https://wiki.example.com/mcp\n    name: Wiki\n    \
             scopes: {{ mcp:read: Read }}\n"
        );
        Self::of(resources, credentials, access).await
    }

    async fn of(resources: String, credentials: &str, access: &str) -> Self {
        let clock = TestClock::new();
        let start = || TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>);
        let (other, own) = (start(), Arc::new(start()));
        let named = |text: &str| text.replace("ISSUER", other.issuer());
        let credentials = named(credentials);
        let extra = format!("trusted_proxies: [127.0.0.1]\nforward_auth: true\ncredentials:\n{credentials}");
        let setup = Setup { extra, resources, access: named(access), ..Setup::default() };
        Self { broker: TestBroker::replica(setup, clock, own).await, other }
    }
}

/// Refused: no valid token. Whoever is told so throws the token away.
#[track_caller]
fn assert_invalid(page: &Page, why: &str) {
    assert_eq!(page.status, 401, "{why}: {}", page.body);
    assert!(page.header("www-authenticate").contains("error=\"invalid_token\""), "{why}");
}

/// Nothing was decided, so nothing is said of the token.
#[track_caller]
fn assert_undecided(page: &Page, why: &str) {
    assert_eq!(page.status, 503, "{why}: {}", page.body);
    assert_eq!((page.header("www-authenticate"), page.header("retry-after")), ("", "5"), "{why}");
}
