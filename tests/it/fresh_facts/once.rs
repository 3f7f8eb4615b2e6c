//! An upstream's refresh token is used once. The provider of these tests takes a second use for a theft
//! and refuses everything that came from the same sign-in.

use std::collections::BTreeSet;
use std::sync::Arc;

use futures::future::join_all;
use gatelodge::clock::Clock;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::clock::TestClock;
use crate::harness::eventually::eventually_async;
use crate::harness::extent::{extent, figure};
use crate::harness::front::Front;
use crate::harness::provider::{Person, TestProvider, TokenAnswer};
use crate::harness::redis_server::{self, fresh_prefix};

use super::{MINUTE, assert_dead, bob, signed_in};

/// Many refreshes at once, of several families of one person: one asks, all hear the answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_callers_asks_and_all_hear_the_answer() {
    let (broker, client, first) = signed_in().await;
    let mut families = vec![first, client.tokens(&broker).await, client.tokens(&broker).await];
    for (round, groups) in [&["platform"][..], &[], &["platform"]].into_iter().enumerate() {
        broker.provider.change(bob(groups));
        broker.clock.advance(MINUTE);
        let calls =
            families.iter().flat_map(|tokens| (0..5).map(|_| client.refresh(&broker, &tokens.refresh)));
        let answers: Vec<_> = join_all(calls).await.iter().map(Tokens::of).collect();
        let scope = if groups.is_empty() { "mcp:read" } else { "mcp:read mcp:write" };
        assert!(answers.iter().all(|tokens| tokens.answer["scope"] == scope), "round {round}");
        assert_eq!(broker.provider.refreshed().len(), round + 1);
        families = answers.chunks(5).map(|of_one| of_one[0].clone()).collect();
    }
    assert_eq!(broker.provider.thefts(), 0);
}

/// Nobody who is disabled gets through because somebody else is asking at that moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_hears_of_the_refusal_too() {
    let (broker, client, first) = signed_in().await;
    let second = client.tokens(&broker).await;
    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    let calls =
        (0..10).map(|n| client.refresh(&broker, if n % 2 == 0 { &first.refresh } else { &second.refresh }));
    join_all(calls).await.iter().for_each(assert_dead);
    // Each sign-in's token was asked about once.
    assert_eq!((broker.provider.refreshed().len(), broker.provider.thefts()), (2, 0));
}

/// The same over replicas that share a Redis, for many people and rounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rel_12_replicas_use_each_token_once() {
    let Some(redis) = redis_server::shared() else { return };
    let (rounds, people) = (extent(4, 100), 3);
    let store = format!("store: {}\nstore_prefix: \"{}\"\n", redis.url().expose(), fresh_prefix());
    let setup = Setup { store, ..Setup::default() };
    let clock = TestClock::new();
    let provider = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    provider.offer_refresh(true);
    let front = Front::start().await;
    let mut replicas = Vec::new();
    for _ in 0..2 {
        let listener = front.add().await;
        let (setup, clock, provider) = (setup.clone(), Arc::clone(&clock), Arc::clone(&provider));
        replicas.push(TestBroker::behind(setup, clock, provider, listener, &front.origin).await);
    }
    let broker = &replicas[0];
    let client = TestClient::register(broker).await;
    let mut families = Vec::new();
    for number in 0..people {
        provider.sign_in_as(Person::new(&format!("p{number}"), &format!("p{number}@example.com")));
        families.push(client.tokens(broker).await);
    }
    front.in_turn();
    for _ in 0..rounds {
        clock.advance(MINUTE);
        let calls =
            families.iter().flat_map(|tokens| (0..8).map(|_| client.refresh(broker, &tokens.refresh)));
        let answers: Vec<_> = join_all(calls).await.iter().map(Tokens::of).collect();
        families = answers.chunks(8).map(|of_one| of_one[0].clone()).collect();
    }
    let sent = provider.refreshed();
    let distinct: BTreeSet<_> = sent.iter().collect();
    assert_eq!((sent.len(), provider.thefts()), (rounds * people, 0));
    assert_eq!(distinct.len(), sent.len());
    let seen = format!(
        "{} refreshes of {people} people at 2 replicas, 8 callers each: each of {} tokens used once",
        rounds * people * 8,
        sent.len()
    );
    figure("REL-12", "an identity provider whose refresh tokens serve once", &seen);
}

/// A client that hangs up while the upstream is asked does not cost the person the token that comes.
#[tokio::test]
async fn a_client_that_hangs_up_loses_no_token() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::Held);
    broker.clock.advance(MINUTE);
    let asked = eventually_async("the upstream is asked", std::time::Duration::from_secs(3), async || {
        broker.provider.refreshed().len() == 1
    });
    tokio::select! {
        biased;
        page = client.refresh(&broker, &tokens.refresh) => panic!("answered while the provider holds: {}", page.body),
        _ = asked => {}
    }
    broker.provider.change(bob(&[]));
    broker.provider.behave();
    let next = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(next.answer["scope"], "mcp:read", "the answer that was under way");
    assert_eq!(broker.provider.refreshed().len(), 1);
    broker.clock.advance(MINUTE);
    Tokens::of(&client.refresh(&broker, &next.refresh).await);
    assert_eq!((broker.provider.refreshed().len(), broker.provider.thefts()), (2, 0));
}

/// A sign-in while the upstream is asked brings a token of its own, and is what counts afterwards.
#[tokio::test]
async fn a_sign_in_meanwhile_is_what_counts() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::RefreshHeld);
    broker.clock.advance(MINUTE);
    let renewal = client.refresh(&broker, &tokens.refresh);
    let sign_in = async {
        eventually_async("the upstream is asked", std::time::Duration::from_secs(3), async || {
            broker.provider.refreshed().len() == 1
        })
        .await;
        broker.provider.sign_in_as(bob(&[]));
        let other = client.tokens(&broker).await;
        broker.provider.behave();
        other
    };
    let (page, other) = tokio::join!(renewal, sign_in);
    assert_eq!(Tokens::of(&page).answer["scope"], "mcp:read", "the sign-in's facts");
    broker.provider.change(bob(&["platform"]));
    broker.clock.advance(MINUTE);
    Tokens::of(&client.refresh(&broker, &other.refresh).await);
    assert_eq!((broker.provider.refreshed().len(), broker.provider.thefts()), (2, 0));
}
