//! To whom the addresses of admins are pinned.

use std::sync::Arc;

use gatelodge::domain::{EmailAddress, PersonId};
use gatelodge::store::Store;

use super::backend::race;

fn person(number: usize) -> PersonId {
    PersonId::of("https://idp.example", &number.to_string())
}

/// IDP, "For all of them": of many at the same moment one gets the address, and all are told who.
pub(super) async fn one_of_many_gets_an_address(store: Arc<dyn Store>) {
    let email: EmailAddress = "alice@example.com".parse().unwrap();
    assert_eq!(store.admin_pin(&email).await.unwrap(), None);
    let told = race(20, |number| {
        let (store, email) = (Arc::clone(&store), email.clone());
        async move { store.pin_admin(&email, &person(number)).await.unwrap() }
    })
    .await;
    let owner = store.admin_pin(&email).await.unwrap().unwrap();
    assert!(told.iter().all(|one| *one == owner), "{told:?}");
    assert_eq!(store.pin_admin(&email, &person(99)).await.unwrap(), owner);
}

/// A pin holds for one address, letter for letter, until it is taken out.
pub(super) async fn a_pin_stays_until_it_is_taken_out(store: Arc<dyn Store>) {
    let email = |text: &str| -> EmailAddress { text.parse().unwrap() };
    let alice = email("alice@example.com");
    assert_eq!(store.pin_admin(&alice, &person(1)).await.unwrap(), person(1));
    for other in ["Alice@example.com", "alice@example.org", "{alice}@example.com"] {
        assert_eq!(store.pin_admin(&email(other), &person(2)).await.unwrap(), person(2));
    }
    assert!(store.unpin_admin(&alice).await.unwrap());
    assert!(!store.unpin_admin(&alice).await.unwrap());
    assert_eq!(store.admin_pin(&alice).await.unwrap(), None);
    assert_eq!(store.pin_admin(&alice, &person(3)).await.unwrap(), person(3));
    assert_eq!(store.admin_pin(&email("Alice@example.com")).await.unwrap(), Some(person(2)));
}
