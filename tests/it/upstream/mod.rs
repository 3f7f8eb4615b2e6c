//! The broker towards its identity providers: section C of the security requirements.
//!
//! - `auth0`, `clerk`, `entra`, `github`, `keycloak`, `okta`: what each product's claims decide.
//! - `callback`: state, browser, mix-up, errors, and what never leaves.
//! - `evil`: documents that are too large, too slow, from elsewhere, or no documents.
//! - `id_token`: which ID tokens are believed.
//! - `keys`: the provider's keys: refetched, rotated.
//! - `logout`: whoever signs out there is signed out here.
//! - `outbound`: what calls to a provider may cost.
//! - `people`: which account, and what of it may decide.
//! - `providers`: several of them; one that is down, one that was re-pointed.

mod auth0;
mod callback;
mod clerk;
mod entra;
mod evil;
mod github;
mod id_token;
mod keycloak;
mod keys;
mod logout;
mod okta;
mod outbound;
mod people;
mod providers;

use std::sync::Arc;

use gatelodge::clock::Clock;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::provider::{Person, TestProvider};

/// A sign-in for which the provider has answered: the browser holds the callback's URL.
struct Answered {
    client: TestClient,
    browser: Browser,
    url: String,
}

impl Answered {
    /// Registration, consent and the provider's page; the broker has not seen the answer yet.
    async fn by(broker: &TestBroker, upstream: &str) -> Self {
        let client = TestClient::register(broker).await;
        Self::of(broker, client, upstream).await
    }

    /// The same for a client that is there.
    async fn of(broker: &TestBroker, client: TestClient, upstream: &str) -> Self {
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(broker)).await;
        let away = browser.press(&consent, "upstream", upstream).await;
        assert_eq!(away.status, 303, "{}", away.body);
        let answer = browser.get(&away.location().expect("the provider")).await;
        let url = answer.location().unwrap_or_else(|| panic!("the provider refused: {}", answer.body));
        Self { client, browser, url }
    }

    /// The callback with parameters replaced; an empty value leaves one out.
    fn url_with(&self, changes: &[(&str, &str)]) -> String {
        let mut url = url::Url::parse(&self.url).expect("a URL");
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        pairs.retain(|(own, _)| changes.iter().all(|(name, _)| own != name));
        pairs.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        pairs.retain(|(_, value)| !value.is_empty());
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url.into()
    }

    /// A parameter of the provider's answer.
    fn parameter(&self, name: &str) -> String {
        crate::harness::browser::query(&self.url).get(name).cloned().unwrap_or_default()
    }

    async fn arrive(&self) -> Page {
        self.browser.get(&self.url).await
    }
}

/// A sign-in through the first provider, up to the broker's answer to the callback.
async fn arrival(broker: &TestBroker) -> Page {
    Answered::by(broker, "idp").await.arrive().await
}

/// Did the client get a code?
fn has_code(page: &Page) -> bool {
    page.location().is_some_and(|location| location.contains("code=")) || page.body.contains("code=")
}

/// A page with this status that leads nowhere by itself.
fn assert_page(page: &Page, status: u16, case: &str) {
    assert_eq!(page.status, status, "{case}: {}", page.body);
    assert!(page.header("content-type").starts_with("text/html"), "{case}");
    assert_eq!(page.location(), None, "{case}");
    assert!(!has_code(page), "{case}: {}", page.body);
}

/// A broker before one product: the provider's issuer ends with `path`, `lines` are the rest of the
/// upstream, and `access` what it decides; `{issuer}` in the lines is the provider's.
async fn product(path: &str, preset: &str, lines: &str, access: &str) -> TestBroker {
    let clock = TestClock::new();
    let provider = TestProvider::start_below(Arc::clone(&clock) as Arc<dyn Clock>, path);
    let issuer = provider.issuer();
    let upstreams = format!(
        "  - id: idp\n    preset: {preset}\n    issuer: {issuer}\n    client_id: {}\n    client_secret: {}\n{}",
        provider.client_id(),
        provider.client_secret(),
        lines.replace("{issuer}", issuer),
    );
    let setup = Setup { upstreams, access: access.into(), ..Setup::default() };
    TestBroker::replica(setup, clock, Arc::new(provider)).await
}

/// What a person gets: tokens, or the words of the page that says why not.
async fn outcome(broker: &TestBroker, person: Person) -> Result<Tokens, String> {
    broker.provider.sign_in_as(person);
    arrived(broker, "idp").await
}

/// The same for whoever signs in now.
async fn arrived(broker: &TestBroker, upstream: &str) -> Result<Tokens, String> {
    let answered = Answered::by(broker, upstream).await;
    let page = answered.arrive().await;
    match page.location() {
        Some(location) => {
            let code = query(&location).get("code").expect("a code").clone();
            Ok(Tokens::of(&answered.client.redeem(broker, &code).await))
        }
        None => Err(format!("{} {}", page.status, page.text("main"))),
    }
}

/// The scopes that a person gets.
async fn scopes(broker: &TestBroker, person: Person) -> Result<String, String> {
    let tokens = outcome(broker, person).await?;
    Ok(tokens.answer["scope"].as_str().expect("a scope").to_owned())
}

/// Refused, with a page that says this.
#[track_caller]
fn assert_refused<T: std::fmt::Debug>(outcome: Result<T, String>, says: &str) {
    let said = outcome.expect_err("nothing may be granted");
    assert!(said.contains(says), "{said}");
}
