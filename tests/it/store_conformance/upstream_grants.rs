//! What upstreams have said of people, and what they are asked again with.

use std::sync::Arc;

use gatelodge::domain::{Grant, Identity, UpstreamGrant, UpstreamId};
use gatelodge::store::Store;

use crate::harness::sample::{NOW, grant, later, upstream_grant};

use super::backend::race;

async fn all(store: &dyn Store, of: &Grant, seconds: u64) -> Vec<UpstreamGrant> {
    store.upstream_grants(of.identity.person().tag(), later(seconds)).await.unwrap()
}

/// Everything of it survives, its version is the store's, and it is over at its end.
pub(super) async fn one_comes_back_as_it_was_until_it_is_over(store: Arc<dyn Store>) {
    let person = grant();
    let kept = UpstreamGrant { ends_at: later(100), ..upstream_grant(&person) };
    assert_eq!(all(&*store, &person, 0).await, []);
    assert!(!store.keep_upstream_grant(&kept, Some(7), NOW).await.unwrap(), "nobody has seen version 7");
    assert!(store.keep_upstream_grant(&kept, Some(0), NOW).await.unwrap());
    assert_eq!(all(&*store, &person, 99).await, [UpstreamGrant { version: 1, ..kept.clone() }]);
    assert!(!store.keep_upstream_grant(&kept, Some(0), NOW).await.unwrap(), "there is one now");
    let refused =
        UpstreamGrant { ends_at: later(50), ..kept.clone() }.refused_because("invalid_grant".into());
    assert!(store.keep_upstream_grant(&refused, Some(1), NOW).await.unwrap());
    assert_eq!(all(&*store, &person, 49).await, [UpstreamGrant { version: 2, ..refused.clone() }]);
    assert_eq!(all(&*store, &person, 50).await, []);
    assert!(
        !store.keep_upstream_grant(&kept, Some(2), later(50)).await.unwrap(),
        "what is over has no version"
    );
    assert!(store.keep_upstream_grant(&kept, Some(0), later(50)).await.unwrap());
    assert_eq!(all(&*store, &person, 50).await, [UpstreamGrant { version: 1, ..kept }]);
}

/// A person has one at each upstream, and so has somebody else with the same tag.
pub(super) async fn each_person_and_upstream_has_one_of_their_own(store: Arc<dyn Store>) {
    let (alice, bob) = (grant(), grant());
    let elsewhere = Grant {
        identity: Identity { upstream: UpstreamId::parse("google").unwrap(), ..alice.identity.clone() },
        ..alice.clone()
    };
    for person in [&alice, &elsewhere, &bob] {
        assert!(store.keep_upstream_grant(&upstream_grant(person), Some(0), NOW).await.unwrap());
    }
    let mut found = all(&*store, &alice, 0).await;
    found.sort_by_key(|one| one.identity.upstream.clone());
    let identities: Vec<_> = found.into_iter().map(|one| one.identity).collect();
    assert_eq!(identities, [elsewhere.identity, alice.identity]);
    assert_eq!(all(&*store, &bob, 0).await.len(), 1);
}

/// SEC-165: of many who would use the one token, one may.
pub(super) async fn one_of_many_claims(store: Arc<dyn Store>) {
    let person = grant();
    let kept = upstream_grant(&person);
    assert!(store.keep_upstream_grant(&kept, Some(0), NOW).await.unwrap());
    for seen in 1..=3 {
        let claims = race(20, |number| {
            let (store, kept) = (Arc::clone(&store), kept.clone());
            async move {
                let claimed = kept.claimed(later(1000 * seen + number as u64));
                store.keep_upstream_grant(&claimed, Some(seen), NOW).await.unwrap()
            }
        });
        let claims = claims.await;
        assert_eq!(claims.iter().filter(|won| **won).count(), 1);
        let winner = claims.iter().position(|won| *won).unwrap();
        let [kept] = all(&*store, &person, 0).await.try_into().unwrap();
        assert_eq!((kept.version, kept.claimed_until), (seen + 1, later(1000 * seen + winner as u64)));
    }
}

/// A sign-in waits for nobody, and whoever had seen what was there before does not go over it.
pub(super) async fn a_sign_in_goes_over_whatever_is_there(store: Arc<dyn Store>) {
    let person = grant();
    let kept = upstream_grant(&person);
    for version in 1..=3 {
        assert!(store.keep_upstream_grant(&kept, None, NOW).await.unwrap());
        let [found] = all(&*store, &person, 0).await.try_into().unwrap();
        assert_eq!(found.version, version);
        assert!(!store.keep_upstream_grant(&kept, Some(version - 1), NOW).await.unwrap());
    }
}
