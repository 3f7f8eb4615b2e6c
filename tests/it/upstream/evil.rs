//! A provider whose documents are too large, too slow, from elsewhere, or no documents.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock;
use gatelodge::outbound::{Limits, Outbound};
use gatelodge::upstream::{Hints, Preset, Upstream, UpstreamSettings};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, VERIFIER};
use crate::harness::clock::TestClock;
use crate::harness::eventually::eventually_async;
use crate::harness::provider::{Documents, Signing, TestProvider};

use super::{Answered, assert_page, has_code};

/// SEC-061, REL-12: metadata of two MiB, metadata from elsewhere, and no metadata at all: this
/// provider is away, nobody is sent anywhere, and the other one serves.
#[tokio::test]
async fn sec_061_documents_that_are_no_documents() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let other = broker.other.as_ref().unwrap();
    let client = TestClient::register(&broker).await;
    assert!(has_code(&Answered::of(&broker, client.clone(), "other").await.arrive().await));
    let before = other.fetches();
    let elsewhere = Documents::Redirect(other.issuer().to_owned());
    for how in [Documents::Huge, elsewhere, Documents::Nonsense] {
        broker.provider.misbehave(|m| m.documents = how.clone());
        let browser = broker.browser();
        let consent = browser.get(&client.authorize_url(&broker)).await;
        assert_page(&browser.press(&consent, "upstream", "idp").await, 503, &format!("{how:?}"));
        let away = browser.press(&consent, "upstream", "other").await;
        assert!(has_code(&browser.follow(away, &client.redirect).await), "{how:?}");
    }
    assert_eq!(broker.provider.authorize_requests(), []);
    assert_eq!(other.fetches(), before, "a redirect was followed");
}

/// REL-12: a provider that takes a call and then drips holds up those who chose it, and nobody
/// else: the other provider signs people in meanwhile.
#[tokio::test]
async fn rel_12_a_provider_that_drips_holds_up_nobody_else() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    broker.provider.misbehave(|m| m.documents = Documents::Drip);
    let client = TestClient::register(&broker).await;
    let browser = broker.browser();
    let consent = browser.get(&client.authorize_url(&broker)).await;
    let stuck = browser.press(&consent, "upstream", "idp");
    let meanwhile = async {
        let asked = async || broker.provider.fetches().discovery == 1;
        eventually_async("the slow provider is asked", Duration::from_secs(10), asked).await;
        Answered::of(&broker, client.clone(), "other").await.arrive().await
    };
    tokio::select! {
        biased;
        page = meanwhile => assert!(has_code(&page), "{}", page.body),
        page = stuck => panic!("the slow provider answered first: {}", page.body),
    }
}

fn upstream(provider: &TestProvider, limits: Limits) -> Upstream {
    let settings = UpstreamSettings {
        id: gatelodge::domain::UpstreamId::parse("idp").unwrap(),
        label: "IDP".into(),
        preset: &Preset::OIDC,
        issuer: provider.issuer().into(),
        client_id: provider.client_id().into(),
        client_secret: None,
        redirect_uri: "https://auth.example/oauth/callback/idp".into(),
        scopes: vec!["openid".into()],
        allowed_domains: vec![],
        organizations: vec![],
        tenants: vec![],
        groups_claim: "groups".into(),
        roles_claim: None,
        groups_matter: false,
        claim_paths: vec![],
        api_url: None,
        idp_hint: None,
        email_verified_as_text: false,
        recheck: None,
    };
    Upstream::new(settings, Outbound::within(limits).unwrap())
}

/// SEC-061, REL-12: a drip ends at the limit (short here), and whoever came while it lasted shares
/// its end: ten people wait for one attempt, not one after the other for ten.
#[tokio::test]
async fn rel_12_a_drip_ends_and_is_shared() {
    gatelodge::app::install_crypto();
    let clock = TestClock::new();
    let provider = TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>);
    provider.misbehave(|m| m.documents = Documents::Drip);
    let upstream = upstream(&provider, Limits { total: Duration::from_millis(200), ..Limits::default() });
    let now = clock.now();
    let ask = || upstream.authorization_url("state", ("nonce", VERIFIER), Hints::default(), now);
    let all = futures::future::join_all((0..10).map(|_| ask())).await;
    assert!(all.iter().all(Result::is_err));
    assert_eq!(provider.fetches().discovery, 1);
    // The next one to come tries again, and finds a provider that has recovered.
    provider.behave();
    assert!(ask().await.is_ok());
    assert_eq!(provider.fetches().discovery, 2);
}

/// REL-13: key sets that fail, or hold nothing of use, do not take the place of the last good one.
#[tokio::test]
async fn rel_13_an_empty_key_set_does_not_replace_a_good_one() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let sign_in = async || Answered::of(&broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&sign_in().await));
    for documents in [Documents::Nonsense, Documents::Huge] {
        broker.clock.advance(Duration::from_secs(3600));
        broker.provider.misbehave(|m| m.documents = documents);
        assert!(has_code(&sign_in().await));
    }
    broker.provider.behave();
    broker.provider.misbehave(|m| m.no_keys = true);
    broker.clock.advance(Duration::from_secs(3600));
    assert!(has_code(&sign_in().await));
}

/// SEC-048, SEC-052: a key that is published no longer signs nothing any more, once an unknown one
/// has been looked for.
#[tokio::test]
async fn sec_048_a_stale_key_is_not_believed() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let sign_in = async || Answered::of(&broker, client.clone(), "idp").await.arrive().await;
    assert!(has_code(&sign_in().await));
    broker.provider.rotate_keys();
    assert!(has_code(&sign_in().await));
    broker.provider.misbehave(|m| m.signing = Signing::StaleKey);
    assert_page(&sign_in().await, 502, "the key from before");
}
