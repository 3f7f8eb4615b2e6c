//! All the grants of one person.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{Grant, GrantId, MOST_GRANTS, Redemption, UpstreamId, UpstreamSession};
use gatelodge::store::Store;

use crate::harness::sample::{NOW, grant, later};

const IDLE: Duration = Duration::from_secs(3600);

/// Another grant of the same person, opened some seconds later.
fn another(of: &Grant, seconds: u64) -> Grant {
    Grant {
        id: GrantId::generate(&of.identity.person()),
        created_at: later(seconds),
        expires_at: later(seconds + 60),
        ..of.clone()
    }
}

async fn open(store: &dyn Store, grant: &Grant) {
    store.open_grant(grant, NOW).await.unwrap();
}

/// SEC-041 in part: what a person has granted can be listed. Nobody else's stands among it, also of
/// somebody whose tag is the same; what is over or ended does not, either.
pub(super) async fn a_persons_grants_are_listed(store: Arc<dyn Store>) {
    let first = grant();
    let person = first.identity.person();
    let (second, third) = (another(&first, 1), another(&first, 2));
    let stranger = grant();
    let mut twin = Grant { id: GrantId::generate(&person), ..grant() };
    twin.created_at = later(3);
    assert_eq!(store.grants_of(&person, NOW).await.unwrap(), []);
    for opened in [&third, &first, &stranger, &second, &twin] {
        open(&*store, opened).await;
    }
    let all = [first.clone(), second.clone(), third.clone()];
    assert_eq!(store.grants_of(&person, NOW).await.unwrap(), all);
    assert_eq!(store.grants_of(&stranger.identity.person(), NOW).await.unwrap(), [stranger]);
    assert_eq!(store.grants_of(&person, later(60)).await.unwrap(), [second.clone(), third.clone()]);

    assert_eq!(store.redeem_code(&second.id, later(1), IDLE).await.unwrap(), Redemption::Redeemed);
    assert!(store.end_grant(&third.id).await.unwrap());
    assert!(!store.end_grant(&third.id).await.unwrap());
    let left = store.grants_of(&person, later(3600)).await.unwrap();
    assert_eq!(left.iter().map(|grant| grant.id).collect::<Vec<_>>(), [second.id]);
    assert!(store.grant(&twin.id, NOW).await.unwrap().is_some(), "only who asks for it by its name");
}

/// A session at an upstream leads to its person until it is over.
pub(super) async fn an_upstreams_session_leads_to_its_person(store: Arc<dyn Store>) {
    let person = grant().identity.person();
    let of = |upstream: &str, sid| UpstreamSession::of(&UpstreamId::parse(upstream).unwrap(), sid);
    let session = of("okta", "a sid");
    store.remember_upstream_session(session, &person, later(60), NOW).await.unwrap();
    assert_eq!(store.person_of(session, later(59)).await.unwrap(), Some(person.clone()));
    assert_eq!(store.person_of(session, later(60)).await.unwrap(), None);
    for other in [of("okta", "another"), of("google", "a sid")] {
        assert_eq!(store.person_of(other, NOW).await.unwrap(), None);
    }
    store.remember_upstream_session(session, &person, later(120), NOW).await.unwrap();
    assert_eq!(store.person_of(session, later(119)).await.unwrap(), Some(person), "signed in again");
}

/// A person's grants are bounded: the one that would end first makes room, and nobody else's.
pub(super) async fn one_grant_too_many_ends_the_first_to_end(store: Arc<dyn Store>) {
    let first = grant();
    let stranger = grant();
    open(&*store, &stranger).await;
    let mut opened = vec![first.clone()];
    open(&*store, &first).await;
    // The oldest is used, and so it is not the first to end.
    store.redeem_code(&first.id, NOW, IDLE).await.unwrap();
    for number in 1..=MOST_GRANTS as u64 {
        let next = another(&first, number);
        open(&*store, &next).await;
        opened.push(next);
    }
    let left = store.grants_of(&first.identity.person(), NOW).await.unwrap();
    opened.remove(1);
    let ids = |grants: &[Grant]| grants.iter().map(|grant| grant.id).collect::<Vec<_>>();
    assert_eq!(ids(&left), ids(&opened));
    assert!(store.grant(&stranger.id, NOW).await.unwrap().is_some());
}
