//! What calls to a provider may cost.

use std::time::Duration;

use gatelodge::outbound::{Limits, Outbound, OutboundError};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::TestClient;
use crate::harness::provider::TokenAnswer;

use super::assert_page;

/// SEC-061: a token endpoint that sends us elsewhere is not followed: not to another origin,
/// which would get the code, the verifier and our secret, and not on its own either.
#[tokio::test]
async fn sec_061_a_redirect_is_not_followed() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let other = broker.other.as_ref().unwrap();
    for target in [format!("{}/token", other.issuer()), format!("{}/elsewhere", broker.provider.issuer())] {
        let calls = broker.provider.token_requests().len();
        broker.provider.misbehave(|m| m.token = TokenAnswer::Redirect(target.clone()));
        assert_page(&super::arrival(&broker).await, 503, &target);
        assert_eq!(broker.provider.token_requests().len(), calls + 1, "{target}");
        assert_eq!(other.token_requests(), [], "{target}");
    }
}

/// SEC-061, INT-64: an answer of three MiB, one of 500, and one without an ID token lead to a
/// page and to no code; a fault of the provider's is 503.
#[tokio::test]
async fn sec_061_an_answer_over_one_mib_is_not_read() {
    let broker = TestBroker::start().await;
    for (answer, status) in [
        (TokenAnswer::Huge, 503),
        (TokenAnswer::ServerError, 503),
        (TokenAnswer::InvalidGrant, 502),
        (TokenAnswer::NoIdToken, 502),
    ] {
        broker.provider.misbehave(|m| m.token = answer.clone());
        assert_page(&super::arrival(&broker).await, status, &format!("{answer:?}"));
    }
}

/// SEC-061, INT-67: the limits as they are built in.
#[test]
fn sec_061_three_seconds_to_connect_ten_in_all_one_mib() {
    let limits = Limits::default();
    assert_eq!(limits.connect, Duration::from_secs(3));
    assert_eq!(limits.total, Duration::from_secs(10));
    assert_eq!(limits.largest_body, 1024 * 1024);
}

/// SEC-061: a server that takes the call and never answers is left at the limit. The limit is
/// short here; that the real one is ten seconds stands in the test before.
#[tokio::test]
async fn sec_061_a_server_that_never_answers_is_left() {
    let broker = TestBroker::start().await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::Hang);
    let limits = Limits { total: Duration::from_millis(50), ..Limits::default() };
    let outbound = Outbound::within(limits).unwrap();
    let call = http::Request::post(format!("{}/token", broker.provider.issuer())).body(Vec::new()).unwrap();
    match outbound.send(call).await {
        Err(OutboundError::Failed { source, .. }) => assert!(source.is_timeout(), "{source:?}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(broker.provider.token_requests().len(), 1);
}

/// SEC-061: the size that is allowed, to the byte.
#[tokio::test]
async fn sec_061_a_body_may_be_as_large_as_the_limit() {
    let broker = TestBroker::start().await;
    let url = broker.url("/.well-known/jwks.json");
    let size = Outbound::new().unwrap().get(&url).await.unwrap().len();
    let with = |largest_body| Outbound::within(Limits { largest_body, ..Limits::default() }).unwrap();
    assert!(with(size).get(&url).await.is_ok());
    assert!(matches!(with(size - 1).get(&url).await, Err(OutboundError::TooLarge(_))));
}

/// INT-64: tokens that were issued go on while the provider is away: refresh does not ask it.
#[tokio::test]
async fn int_64_refresh_goes_on_while_the_provider_is_away() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    broker.provider.misbehave(|m| {
        m.token = TokenAnswer::ServerError;
        (m.discovery_fails, m.jwks_fails) = (true, true);
    });
    broker.clock.advance(Duration::from_secs(1800));
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}
