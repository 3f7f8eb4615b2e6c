//! Which clients there may be, and what each may ask for.
//!
//! - `by_name`: `clients: { allow: […] }`.
//! - `approval`: `require_approval`, and what the operator's word does.
//! - `operator_clients`: clients that were added by command, and their secrets.
//! - `introspected`: what servers are told of the tokens of a client that is let in no longer.
//! - `limits`: scopes, servers and grants of one client.

mod approval;
mod by_name;
mod introspected;
mod limits;
mod operator_clients;

use std::sync::Arc;

use gatelodge::clock::Clock;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::TestClient;
use crate::harness::clock::TestClock;
use crate::harness::front::Front;
use crate::harness::provider::{Person, TestProvider};
use crate::harness::temp_dir::TempDir;

/// A broker with these lines in its configuration.
async fn broker_with(extra: &str) -> TestBroker {
    TestBroker::with(Setup { extra: extra.into(), ..Setup::default() }).await
}

/// What the authorization endpoint shows to a client.
async fn shown(broker: &TestBroker, client: &TestClient) -> Page {
    broker.browser().get(&client.authorize_url(broker)).await
}

/// A page for the person, and nothing for the client.
fn assert_kept_out(page: &Page, title: &str, client: &TestClient) {
    assert_eq!(page.status, 403, "{}", page.body);
    assert!(page.body.contains(title), "{title}: {}", page.body);
    assert!(page.location().is_none() && !page.body.contains(&client.redirect), "{}", page.body);
    assert!(page.body.contains("mailto:it@example.com"), "{}", page.body);
}

const NOT_ADMITTED: &str = "This application is not admitted here";
const WAITS: &str = "This application waits for approval";

fn is_invalid_grant(page: &Page) -> bool {
    (page.status, page.error().as_str()) == (400, "invalid_grant")
}

/// One public origin and one store, and brokers of other configurations one after the other.
struct Restarted {
    front: Front,
    clock: Arc<TestClock>,
    provider: Arc<TestProvider>,
    folder: TempDir,
    count: usize,
}

impl Restarted {
    async fn new() -> Self {
        let clock = TestClock::new();
        let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        provider.sign_in_as(Person::new("alice", "alice@example.com"));
        Self { front: Front::start().await, clock, provider, folder: TempDir::new(), count: 0 }
    }

    /// The next broker, once the one before it has been stopped.
    async fn with(&mut self, extra: &str) -> TestBroker {
        self.start(Setup { extra: extra.into(), ..Setup::default() }).await
    }

    async fn start(&mut self, setup: Setup) -> TestBroker {
        let store = format!("store: {}\n", self.folder.path().join("state.db").display());
        let listener = self.front.add().await;
        let (clock, provider) = (Arc::clone(&self.clock), Arc::clone(&self.provider));
        let setup = Setup { store, ..setup };
        let broker = TestBroker::behind(setup, clock, provider, listener, &self.front.origin).await;
        self.front.to(self.count);
        self.count += 1;
        broker
    }
}
