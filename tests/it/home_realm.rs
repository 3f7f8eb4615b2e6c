//! Several identity providers on one page, and an address that finds the right one.

use std::fmt::Write as _;
use std::sync::Arc;

use gatelodge::clock::Clock;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Browser, Page, query};
use crate::harness::client::{TestClient, authorize_url};
use crate::harness::clock::TestClock;
use crate::harness::provider::{Person, TestProvider};

const PARTNER_TENANT: &str = "8f14e45f-ceea-467f-9575-0a1b2c3d4e5f";

/// Google for example.com, Keycloak for partner.example, Entra for a listed tenant, and a provider
/// of all and sundry.
struct Four {
    broker: TestBroker,
    client: TestClient,
    providers: Vec<TestProvider>,
}

impl Four {
    async fn start() -> Self {
        let clock = TestClock::new();
        let provider = |path: &str| TestProvider::start_below(Arc::clone(&clock) as Arc<dyn Clock>, path);
        let entra_path = format!("/{PARTNER_TENANT}/v2.0");
        let providers = vec![provider(""), provider("/realms/partner"), provider(&entra_path), provider("")];
        let named = [
            ("google", "google", "Google", "    allowed_domains: [example.com]\n"),
            (
                "partner",
                "keycloak",
                "Partner sign-in",
                "    allowed_domains: [partner.example, müller.example]\n",
            ),
            ("entra", "entra", "Microsoft Entra", ""),
            ("open", "oidc", "Everybody else", ""),
        ];
        let mut upstreams = String::new();
        for ((id, preset, name, lines), provider) in named.into_iter().zip(&providers) {
            write!(
                upstreams,
                "  - id: {id}\n    preset: {preset}\n    name: {name}\n    issuer: {}\n    client_id: {}\n    \
                 client_secret: {}\n{lines}",
                provider.issuer(),
                provider.client_id(),
                provider.client_secret()
            )
            .expect("writing to text");
        }
        let access = "  default_scopes: [mcp:read]\n".into();
        let setup = Setup { access, upstreams, ..Setup::default() };
        let unused = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
        let broker = TestBroker::replica(setup, clock, unused).await;
        let client = TestClient::register(&broker).await;
        Self { broker, client, providers }
    }

    async fn page(&self) -> (Browser, Page) {
        let browser = self.broker.browser();
        let page = browser.get(&self.client.authorize_url(&self.broker)).await;
        (browser, page)
    }

    /// Types an address and presses the button beside it.
    async fn find(&self, browser: &Browser, page: &Page, email: &str) -> Page {
        let (action, mut fields) = page.form();
        fields.insert("email".into(), email.into());
        fields.insert("action".into(), "find".into());
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post(&action, &fields).await
    }
}

/// Each provider has a button with its name; the field and its button come first, so that Enter
/// in the field means it.
#[tokio::test]
async fn the_page_offers_each_provider_and_a_field() {
    let four = Four::start().await;
    let (_, page) = four.page().await;
    let buttons = page.text("button");
    for name in ["Google", "Partner sign-in", "Microsoft Entra", "Everybody else"] {
        assert!(buttons.contains(&format!("Continue with {name}")), "{buttons}");
    }
    assert!(buttons.starts_with("Continue G Continue with Google"), "{buttons}");
    assert_eq!(page.text("label[for=email]"), "Your work email address");
    for domain in ["example.com", "partner.example", "xn--mller-kva.example"] {
        assert!(!page.body.contains(&format!("@{domain}")), "{domain}");
    }
}

/// An address finds its provider, whatever the case of its domain; the provider is told whom to
/// expect, each in its own words.
#[tokio::test]
async fn an_address_finds_its_provider() {
    let four = Four::start().await;
    for (email, at, domain) in [
        ("alice@example.com", 0, Some("example.com")),
        (" Alice+x@EXAMPLE.com ", 0, Some("example.com")),
        ("bob@partner.example", 1, None),
        ("bob@müller.example", 1, None),
        ("bob@xn--mller-kva.example", 1, None),
    ] {
        let (browser, page) = four.page().await;
        let away = four.find(&browser, &page, email).await;
        assert_eq!(away.status, 303, "{email}: {}", away.body);
        let location = away.location().unwrap();
        assert!(location.starts_with(four.providers[at].issuer()), "{email}: {location}");
        let asked = query(&location);
        assert_eq!(asked.get("hd").map(String::as_str), domain, "{email}");
        let local = email.trim().split('@').next().unwrap();
        assert!(asked["login_hint"].starts_with(&format!("{local}@")), "{asked:?}");
    }
}

/// An address that finds nothing gets the page again with a sentence; it tells no domain, nothing
/// has happened, and the same page still works.
#[tokio::test]
async fn an_unknown_address_gets_the_page_again() {
    let four = Four::start().await;
    let (browser, page) = four.page().await;
    for (email, says) in [
        ("eve@other.example", "does not tell where you sign in"),
        ("alice@sub.example.com", "does not tell where you sign in"),
        ("alice@example.com.evil.example", "does not tell where you sign in"),
        ("", "Write your whole work address"),
        ("alice", "Write your whole work address"),
        ("alice@", "Write your whole work address"),
        ("a@b@example.com", "Write your whole work address"),
        ("<script>alert(1)</script>@example.com", "Write your whole work address"),
    ] {
        let again = four.find(&browser, &page, email).await;
        assert_eq!(again.status, 200, "{email}");
        assert!(again.text("[role=alert]").contains(says), "{email}: {}", again.text("main"));
        assert!(!again.body.contains("@partner.example") && !again.body.contains("<script>"), "{email}");
        assert_eq!(again.form().1, page.form().1, "{email}: the same form");
    }
    assert!(four.providers.iter().all(|provider| provider.fetches().discovery == 0));
    let away = four.find(&browser, &page, "alice@example.com").await;
    assert_eq!(away.status, 303, "{}", away.body);
}

/// SEC-033, SEC-161: the address is part of the consent form: without its token, from another
/// browser or from another site it finds nothing.
#[tokio::test]
async fn sec_033_the_field_needs_the_forms_proof() {
    let four = Four::start().await;
    let (browser, page) = four.page().await;
    let stranger = four.find(&four.broker.browser(), &page, "alice@example.com").await;
    assert_eq!(stranger.status, 403);
    let unknown = four.find(&four.broker.browser(), &page, "eve@other.example").await;
    assert_eq!(unknown.status, 403, "nor the page again");
    let (action, mut fields) = page.form();
    fields.insert("email".into(), "eve@other.example".into());
    fields.insert("action".into(), "find".into());
    let foreign = browser.http().post(&action).header("origin", "https://evil.example").form(&fields);
    assert_eq!(foreign.send().await.unwrap().status(), 403);
    fields.insert("form_token".into(), "A".repeat(43));
    let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(browser.post(&action, &fields).await.status, 403);
}

/// SEC-039: a double click beside the field is one answer; after it the form is used.
#[tokio::test]
async fn sec_039_a_double_click_beside_the_field() {
    let four = Four::start().await;
    let (browser, page) = four.page().await;
    let first = four.find(&browser, &page, "alice@example.com").await;
    let second = four.find(&browser, &page, "alice@example.com").await;
    assert_eq!((first.status, first.location()), (second.status, second.location()));
    assert_eq!(four.find(&browser, &page, "bob@partner.example").await.status, 403);
    assert_eq!(four.find(&browser, &page, "eve@other.example").await.status, 403);
}

/// What the client expects stands in the field, if it is an address.
#[tokio::test]
async fn the_clients_hint_stands_in_the_field() {
    let four = Four::start().await;
    for (hint, shown) in [("alice@example.com", "value=\"alice@example.com\""), ("\"><script>", "value=\"\"")]
    {
        let request = four.client.request_with(&[("login_hint", hint)]);
        let page = four.broker.browser().get(&authorize_url(&four.broker, &request)).await;
        assert!(page.body.contains(&format!("name=\"email\" {shown}")), "{hint}");
    }
}

/// "Domain X only through upstream Y": a domain that one provider lists is refused through every
/// other one, the one that admits everybody included; and the hint proves nothing.
#[tokio::test]
async fn a_listed_domain_comes_only_through_its_provider() {
    let four = Four::start().await;
    let outcome = async |at: usize, id: &str, person: Person| {
        four.providers[at].sign_in_as(person);
        let (browser, page) = four.page().await;
        let away = browser.press(&page, "upstream", id).await;
        let end = browser.follow(away, &four.client.redirect).await;
        end.location().map_or_else(|| end.text("main"), |_| "admitted".to_owned())
    };
    let alice = || Person::new("1", "alice@example.com");
    let hosted = || alice().with("hd", json!("example.com"));
    assert_eq!(outcome(0, "google", hosted()).await, "admitted");
    assert!(outcome(1, "partner", alice()).await.contains("not an allowed domain"));
    assert!(outcome(3, "open", alice()).await.contains("sign in with another identity provider"));
    assert_eq!(outcome(3, "open", Person::new("2", "eve@other.example")).await, "admitted");
    // Google for another organisation.
    let partner = Person::new("3", "bob@partner.example").with("hd", json!("partner.example"));
    assert!(outcome(0, "google", partner).await.contains("not an allowed domain"));
    // Whose tenant owns the domain is not asked where another provider has it.
    let entra = |email: &str| {
        let oid = json!("c20ad4d7-6fe9-7759-aa27-a0c99bff6710");
        Person::new("p", email)
            .with("tid", json!(PARTNER_TENANT))
            .with("oid", oid)
            .with("xms_edov", json!(true))
    };
    assert!(outcome(2, "entra", entra("alice@example.com")).await.contains("another identity provider"));
    assert_eq!(outcome(2, "entra", entra("eve@other.example")).await, "admitted");
}

/// With one provider there is one button and no field; an address finds nothing there.
#[tokio::test]
async fn one_provider_is_one_button() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let page = broker.browser().get(&client.authorize_url(&broker)).await;
    assert_eq!(page.text("button"), "Continue with Example SSO Deny");
    assert!(!page.body.contains("type=\"email\""));
}
