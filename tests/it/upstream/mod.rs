//! The broker towards its identity providers: section C of the security requirements.
//!
//! - `callback`: state, browser, mix-up, errors, and what never leaves.
//! - `id_token`: which ID tokens are believed.
//! - `keys`: the provider's keys: refetched, rotated.
//! - `logout`: whoever signs out there is signed out here.
//! - `outbound`: what calls to a provider may cost.
//! - `people`: which account, and what of it may decide.
//! - `providers`: several of them; one that is down, one that was re-pointed.

mod callback;
mod id_token;
mod keys;
mod logout;
mod outbound;
mod people;
mod providers;

use crate::harness::broker::TestBroker;
use crate::harness::browser::{Browser, Page};
use crate::harness::client::TestClient;

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
