//! SEC-149: never more than the owner has now, and gone when the owner is.

use std::time::Duration;

use gatelodge::access::ApiKeyError;
use gatelodge::clock::Clock as _;
use gatelodge::domain::{PersonId, Revoked};
use gatelodge::store::Store as _;
use gatelodge::store::revocations::Revocations;

use super::{
    assert_passes, assert_refused, assert_unavailable, bob, broker, create, key, setup, signed_in, with_key,
};
use crate::harness::broker::TestBroker;
use crate::harness::provider::{Person, TokenAnswer};

/// Longer than facts are young.
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

fn alice() -> Person {
    Person::new("alice", "alice@example.com")
}

/// Whoever asks for more than the owner may do gets nothing, and is told what there is; nobody who is not
/// known has a key.
#[tokio::test]
async fn sec_149_nobody_makes_a_key_beyond_the_owner() {
    let (broker, bob) = broker().await;
    let Err(ApiKeyError::Beyond { allowed, beyond, .. }) =
        create(&broker, &bob, &["read", "mcp:admin"]).await
    else {
        panic!("it must not be made")
    };
    assert_eq!((allowed.to_string(), beyond.to_string()), ("mcp:read mcp:write".into(), "mcp:admin".into()));
    for (scopes, problem) in [
        (&["mcp:other"][..], "none of these scopes"),
        (&[], "at least one"),
        (&["read", "x y"], "the scope ?"),
    ] {
        let refused = create(&broker, &bob, scopes).await.unwrap_err();
        assert!(refused.to_string().contains(problem), "{refused}");
    }
    let stranger = PersonId::of(&broker.provider.issuer(), "carol");
    assert!(matches!(create(&broker, &stranger, &["read"]).await, Err(ApiKeyError::UnknownOwner)));
    assert_eq!(broker.parts.api_keys.list(&bob).await.unwrap(), []);
}

/// A group that is lost takes its scopes out of the key within a minute, and brings them back.
#[tokio::test]
async fn sec_149_a_key_has_what_its_owner_has_now() {
    let (broker, owner) = broker().await;
    let (_, text) = key(&broker, &owner, &["write"]).await;
    let (_, writes) = key(&broker, &owner, &["mcp:write"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:read mcp:write");
    broker.provider.change(bob(&[]));
    broker.clock.advance(MINUTE);
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    assert_refused(&with_key(&broker, &writes).await);
    broker.provider.change(bob(&["platform"]));
    broker.clock.advance(MINUTE);
    assert_passes(&with_key(&broker, &text).await, "mcp:read mcp:write");
    assert_eq!(with_key(&broker, &writes).await.status, 403, "good, and not enough for this server");
    broker.provider.change(bob(&["platform", "banned"]));
    broker.clock.advance(MINUTE);
    assert_refused(&with_key(&broker, &text).await);
    broker.provider.change(Person::new("bob", "bob@other.example").in_groups(&["platform"]));
    broker.clock.advance(MINUTE);
    assert_refused(&with_key(&broker, &text).await);
}

/// Whom the identity provider refuses has no key any more, also long after the last grant.
#[tokio::test]
async fn sec_149_an_owner_who_is_disabled_has_no_keys() {
    let (broker, owner) = broker().await;
    let (_, text) = key(&broker, &owner, &["mcp:read"]).await;
    broker.clock.advance(DAY * 400);
    assert!(broker.store.grants_of(&owner, broker.clock.now()).await.unwrap().is_empty());
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    assert_refused(&with_key(&broker, &text).await);
    let refused = create(&broker, &owner, &["mcp:read"]).await;
    assert!(matches!(refused, Err(ApiKeyError::OwnerGone)), "{refused:?}");
}

/// REL-12: a provider that does not answer is tolerated for a day; then it is our fault, and not the key's.
#[tokio::test]
async fn sec_149_a_provider_that_is_down_ends_no_key() {
    let (broker, owner) = broker().await;
    let (_, text) = key(&broker, &owner, &["mcp:read"]).await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::ServerError);
    broker.clock.advance(DAY - MINUTE);
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    broker.clock.advance(MINUTE);
    assert_unavailable(&with_key(&broker, &text).await);
    broker.provider.behave();
    broker.clock.advance(MINUTE);
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
}

/// SEC-132: revoking a person ends the keys that they have; one that is made after a new sign-in counts.
#[tokio::test]
async fn sec_149_revoking_a_person_ends_their_keys() {
    let (broker, owner) = broker().await;
    let (_, text) = key(&broker, &owner, &["mcp:read"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    let revocations = Revocations::new(broker.store.clone());
    let now = broker.clock.now();
    revocations.revoke(&Revoked::Person(owner.clone()), now, DAY).await.unwrap();
    broker.clock.advance(Duration::from_secs(1));
    assert_refused(&with_key(&broker, &text).await);
    assert!(matches!(create(&broker, &owner, &["mcp:read"]).await, Err(ApiKeyError::UnknownOwner)));
    broker.clock.advance(Duration::from_secs(10));
    signed_in(&broker, bob(&[])).await;
    let (_, later) = key(&broker, &owner, &["mcp:read"]).await;
    assert_passes(&with_key(&broker, &later).await, "mcp:read");
    assert_refused(&with_key(&broker, &text).await);
}

/// An admin's address counts for the account that it is pinned to: with the pin the key's scopes go.
#[tokio::test]
async fn sec_149_an_admin_s_key_hangs_on_the_pin() {
    let broker = TestBroker::with(setup()).await;
    let (owner, _) = signed_in(&broker, alice()).await;
    let (_, text) = key(&broker, &owner, &["read", "mcp:admin"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:admin mcp:read");
    assert!(broker.store.unpin_admin(&"alice@example.com".parse().unwrap()).await.unwrap());
    broker.clock.advance(Duration::from_secs(1));
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    signed_in(&broker, alice()).await;
    broker.clock.advance(Duration::from_secs(1));
    assert_passes(&with_key(&broker, &text).await, "mcp:admin mcp:read");
}

/// A rule's `session` bounds keys, too, from when they were made.
#[tokio::test]
async fn sec_149_a_rule_s_session_bounds_keys() {
    let (broker, _) = broker().await;
    let (owner, _) = signed_in(&broker, bob(&["guests"])).await;
    let (made, text) = key(&broker, &owner, &["mcp:admin"]).await;
    assert_eq!(made.expires_at, Some(made.created_at.plus(Duration::from_secs(8 * 3600))));
    signed_in(&broker, bob(&[])).await;
    let (endless, other) = key(&broker, &owner, &["mcp:read"]).await;
    assert_eq!(endless.expires_at, None);
    signed_in(&broker, bob(&["guests"])).await;
    broker.clock.advance(Duration::from_secs(8 * 3600 - 60));
    assert_passes(&with_key(&broker, &other).await, "mcp:read");
    broker.clock.advance(Duration::from_secs(120));
    assert_refused(&with_key(&broker, &text).await);
    assert_refused(&with_key(&broker, &other).await);
}
