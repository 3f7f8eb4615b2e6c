//! An upstream that is down, slow, or does not know us logs nobody out.

use std::time::Duration;

use gatelodge::store::faulty::Operation;

use crate::harness::broker::Setup;
use crate::harness::client::Tokens;
use crate::harness::eventually::{Stopwatch, eventually_async};
use crate::harness::extent::figure;
use crate::harness::provider::{Misbehaviour, TokenAnswer};

use super::{MINUTE, assert_dead, assert_unavailable, bob, refreshed, signed_in, signed_in_with};

const HOUR: Duration = Duration::from_secs(3600);

/// REL-12: while the upstream fails, refreshes go on by its last facts, for a day by default; then 503,
/// which ends nothing: once it answers, the same refresh token goes on.
#[tokio::test]
async fn rel_12_an_upstream_that_is_down_logs_nobody_out() {
    let ways: [fn(&mut Misbehaviour); 4] = [
        |m| m.token = TokenAnswer::ServerError,
        |m| m.token = TokenAnswer::Redirect("http://127.0.0.1:1/".into()),
        |m| m.token = TokenAnswer::Code("invalid_client"),
        |m| m.token = TokenAnswer::Code("temporarily_unavailable"),
    ];
    for fail in ways {
        let (broker, client, mut tokens) = signed_in().await;
        broker.provider.misbehave(fail);
        for _ in 0..23 {
            broker.clock.advance(HOUR);
            tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
            assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
        }
        broker.clock.advance(HOUR);
        assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
        broker.provider.behave();
        broker.provider.change(bob(&[]));
        assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
        broker.clock.advance(Duration::from_secs(30));
        let page = client.refresh(&broker, &tokens.refresh).await;
        assert_eq!(Tokens::of(&page).answer["scope"], "mcp:read");
    }
    figure(
        "REL-12",
        "an identity provider refuses us, or fails, for a day",
        "23 of 23 hourly refreshes served each time; then 503, and the same token goes on once it answers",
    );
}

/// REL-12: no metadata, no keys, no documents: the provider's last good ones serve, and then its last
/// facts.
#[tokio::test]
async fn rel_12_an_upstream_without_metadata_logs_nobody_out() {
    let (broker, client, mut tokens) = signed_in().await;
    broker.provider.misbehave(|m| {
        (m.discovery_fails, m.jwks_fails) = (true, true);
        m.token = TokenAnswer::ServerError;
    });
    for _ in 0..23 {
        broker.clock.advance(HOUR);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    broker.clock.advance(HOUR);
    assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
    broker.provider.behave();
    refreshed(&broker, &client, &tokens).await;
}

/// REL-12: the bound is the operator's. None at all: no answer, no refresh.
#[tokio::test]
async fn rel_12_the_operator_may_tolerate_no_outage() {
    let setup = Setup { recheck: "    outage_tolerance: 0s\n", ..Setup::default() };
    let (broker, client, tokens) = signed_in_with(setup).await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::ServerError);
    broker.clock.advance(MINUTE);
    assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
    broker.provider.behave();
    refreshed(&broker, &client, &tokens).await;
}

/// REL-12: a provider that takes the call and does not answer holds up the first caller for four
/// seconds and nobody after; and its answer, when it comes after all, is not lost: the token in it is
/// the only one that is good.
#[tokio::test]
async fn rel_12_a_slow_upstream_holds_up_one_caller_and_loses_nothing() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.change(bob(&[]));
    broker.provider.misbehave(|m| m.token = TokenAnswer::Held);
    let begin = Stopwatch::start();
    let held = refreshed(&broker, &client, &tokens).await;
    let first = begin.elapsed();
    assert_eq!(held.answer["scope"], "mcp:read mcp:write", "the last facts");
    assert!(first >= Duration::from_secs(3) && first < Duration::from_secs(8), "{first:?}");
    // The same person waits for the answer under way; others are not sent to queue behind it.
    broker.provider.sign_in_as(bob(&["platform"]));
    assert_eq!(broker.provider.refreshed().len(), 1);
    broker.provider.behave();
    let mut tokens = held;
    eventually_async("the late answer is kept", Duration::from_secs(10), async || {
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        tokens.answer["scope"] == "mcp:read"
    })
    .await;
    assert_eq!(broker.provider.refreshed().len(), 1);
    refreshed(&broker, &client, &tokens).await;
    assert_eq!((broker.provider.refreshed().len(), broker.provider.thefts()), (2, 0));
    let seen = format!("the first caller served by the last facts after {first:.1?}; the late answer kept");
    figure("REL-12", "an identity provider does not answer a refresh", &seen);
}

/// While a provider rests after a failure, others of its people are served at once and unasked.
#[tokio::test]
async fn rel_12_nobody_queues_behind_a_provider_that_failed() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.sign_in_as(crate::harness::provider::Person::new("alice", "alice@example.com"));
    let alice = client.tokens(&broker).await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::ServerError);
    refreshed(&broker, &client, &tokens).await;
    let calls = broker.provider.token_requests().len();
    Tokens::of(&client.refresh(&broker, &alice.refresh).await);
    assert_eq!(broker.provider.token_requests().len(), calls);
}

/// A provider that wants to see the person again ends the family as one that knows them no more.
#[tokio::test]
async fn a_provider_that_wants_to_see_the_person_ends_the_family() {
    for code in ["invalid_grant", "interaction_required", "login_required", "consent_required"] {
        let (broker, client, tokens) = signed_in().await;
        broker.provider.misbehave(|m| m.token = TokenAnswer::Code(code));
        broker.clock.advance(MINUTE);
        assert_dead(&client.refresh(&broker, &tokens.refresh).await);
        broker.provider.behave();
        assert_dead(&client.refresh(&broker, &tokens.refresh).await);
    }
}

/// PRIN-5: a store that fails is 503, and costs the person nothing: neither our token nor the
/// upstream's, which is not used before the claim is kept.
#[tokio::test]
async fn prin_5_a_store_fault_costs_no_token() {
    let (broker, client, mut tokens) = signed_in().await;
    for operation in [Operation::UpstreamGrants, Operation::KeepUpstreamGrant] {
        broker.store.fail(operation);
        broker.clock.advance(MINUTE);
        let asked = broker.provider.refreshed().len();
        assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
        assert_eq!(broker.provider.refreshed().len(), asked, "{operation:?}");
        broker.store.heal();
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
        assert_eq!(broker.provider.refreshed().len(), asked + 1);
    }
    // The family of somebody who is refused has to end; until it has, they are told to come again.
    broker.provider.disable("bob", true);
    broker.store.fail(Operation::EndGrant);
    broker.clock.advance(MINUTE);
    assert_unavailable(&client.refresh(&broker, &tokens.refresh).await);
    broker.store.heal();
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(broker.provider.thefts(), 0);
}
