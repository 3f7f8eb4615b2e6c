//! The network between the broker and its Redis is gone.

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::join_all;

use super::wire::{Wired, assert_shed, assert_unavailable, timed};
use crate::harness::browser::Page;
use crate::harness::client::{REDIRECT, Tokens, register};
use crate::harness::eventually::eventually_async;
use crate::harness::extent::{extent, figure};
use crate::harness::fault_proxy::Link;
use crate::harness::redis_server::installed;

/// Service is back so soon after the network is.
const BACK: Duration = Duration::from_secs(5);

/// REL-04: every packet is swallowed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_a_black_hole_fails_closed_and_heals() {
    fails_closed_and_heals(Link::BlackHole, "the way to Redis is a black hole").await;
}

/// REL-04: Redis hears everything, and its answers are lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_a_half_open_way_fails_closed_and_heals() {
    fails_closed_and_heals(Link::HalfOpen, "nothing comes back from Redis").await;
}

/// REL-04: every connection is reset, and each new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_04_a_cut_way_fails_closed_and_heals() {
    fails_closed_and_heals(Link::Cut, "connections to Redis are reset").await;
}

/// What needs no store is answered all the time; what does is 503, in time; and it costs nobody
/// anything.
async fn fails_closed_and_heals(link: Link, fault: &str) {
    if !installed() {
        return;
    }
    let wired = Wired::start().await;
    let (mut shed, mut served, mut slowest, mut back) = (0, 0, Duration::ZERO, Duration::ZERO);
    for _ in 0..extent(1, 10) {
        let people = wired.people(2).await;
        let code = wired.client.code(&wired.broker).await;
        wired.wire.set(link);
        // The first wave finds connections, the second has to make them.
        for _ in 0..2 {
            served += without_a_store(&wired, &people[0]).await;
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            let mut all = pin!(wave(&wired, &people, &code));
            let answers = loop {
                tokio::select! {
                    answers = &mut all => break answers,
                    good = async {
                        tick.tick().await;
                        without_a_store(&wired, &people[0]).await
                    } => served += good,
                }
            };
            for answer in &answers {
                assert_shed(answer);
                slowest = slowest.max(answer.1);
                shed += 1;
            }
        }
        wired.wire.set(Link::Whole);
        let healed = eventually_async("everything is served again", BACK, async || {
            let page = wired.refresh(&people[0]).await;
            if page.status != 200 {
                assert_unavailable(&page);
            }
            page.status == 200
        });
        back = back.max(healed.await);
        assert_eq!(wired.redeem(&code).await.status, 200, "the code was not spent");
        assert!(wired.is_active(&people[1]).await, "nobody was told that it is revoked");
        assert_eq!(wired.revoke(&people[1]).await.status, 200);
        assert!(!wired.is_active(&people[1]).await);
        assert_eq!(wired.refresh(&people[1]).await.error(), "invalid_grant");
    }
    let seen = format!(
        "{shed} answers, all 503, the slowest after {slowest:.1?}; metadata, keys and JWT checks {served}/{served} \
         meanwhile; service {back:.1?} after healing"
    );
    figure("REL-04", fault, &seen);
}

/// Everything that needs the store, at once and by several.
async fn wave(wired: &Wired, people: &[Tokens], code: &str) -> Vec<(Page, Duration)> {
    let (broker, browser) = (&wired.broker, wired.broker.browser());
    let authorize = wired.client.authorize_url(broker);
    let metadata = serde_json::json!({ "redirect_uris": [REDIRECT] });
    let calls = (0..3).flat_map(|_| {
        [
            timed(wired.refresh(&people[0])).boxed_local(),
            timed(wired.redeem(code)).boxed_local(),
            timed(wired.introspect(&people[1])).boxed_local(),
            timed(wired.revoke(&people[1])).boxed_local(),
            timed(register(broker, &metadata)).boxed_local(),
            timed(browser.get(&authorize)).boxed_local(),
        ]
    });
    join_all(calls).await
}

/// Metadata, keys, and a server that checks a token by them. How many answers that were.
async fn without_a_store(wired: &Wired, tokens: &Tokens) -> usize {
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json"] {
        let (page, took) = timed(wired.get(path)).await;
        assert_eq!(page.status, 200, "{path}");
        assert!(took <= Duration::from_secs(1), "{path}: {took:?}");
    }
    assert!(wired.server_accepts(tokens).await, "a token is judged by the keys alone");
    3
}
