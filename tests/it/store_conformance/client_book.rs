//! What the operator says about clients.

use std::sync::Arc;

use gatelodge::domain::{
    APPLICATION_LIFETIME, Application, Client, ClientId, ClientOrigin, Decision, MOST_APPLICATIONS,
    OperatorClient,
};
use gatelodge::store::Store;

use crate::harness::sample::{NOW, client, later};

use super::backend::race;

fn added(id: &str, version: u64) -> OperatorClient {
    let client = Client { origin: ClientOrigin::Operator, expires_at: None, ..client(id) };
    OperatorClient { client, version }
}

/// A client comes back as it was, in a list, too, until it is removed.
pub(super) async fn a_client_by_command_stays_until_it_is_removed(store: Arc<dyn Store>) {
    let ids = ["glo_a", "glo_b", "{glo}", "a b\r\n"];
    for id in ids {
        assert!(store.replace_operator_client(&added(id, 1), 0).await.unwrap());
    }
    for id in ids {
        assert_eq!(store.operator_client(&ClientId::new(id)).await.unwrap(), Some(added(id, 1)));
    }
    assert_eq!(store.operator_clients().await.unwrap().len(), ids.len());
    assert_eq!(store.client(&ClientId::new("glo_a"), NOW).await.unwrap(), None, "another room");
    assert!(store.remove_operator_client(&ClientId::new("glo_a")).await.unwrap());
    assert!(!store.remove_operator_client(&ClientId::new("glo_a")).await.unwrap());
    assert_eq!(store.operator_client(&ClientId::new("glo_a")).await.unwrap(), None);
    assert!(store.replace_operator_client(&added("glo_a", 1), 0).await.unwrap());
}

/// Of many who change a client at the same moment one does.
pub(super) async fn one_of_many_changes_a_client_by_command(store: Arc<dyn Store>) {
    assert!(store.replace_operator_client(&added("glo_a", 1), 0).await.unwrap());
    let changed = race(20, |_| {
        let store = Arc::clone(&store);
        async move { store.replace_operator_client(&added("glo_a", 2), 1).await.unwrap() }
    });
    assert_eq!(changed.await.into_iter().filter(|changed| *changed).count(), 1);
    assert!(!store.replace_operator_client(&added("glo_a", 1), 0).await.unwrap());
    assert!(!store.replace_operator_client(&added("glo_b", 3), 2).await.unwrap());
    assert!(store.replace_operator_client(&added("glo_a", 10), 2).await.unwrap());
    assert!(store.replace_operator_client(&added("glo_a", 11), 10).await.unwrap());
}

fn application(name: &str, at: u64) -> Application {
    let said = Client { name: Some(name.into()), ..client("c") };
    Application::of(&said, later(at))
}

/// An application waits once, for its time.
pub(super) async fn an_application_waits_for_its_time(store: Arc<dyn Store>) {
    let first = application("a", 0);
    let again = Application { client_id: ClientId::new("other"), ..application("a", 5) };
    let waits = race(20, |_| {
        let (store, first) = (Arc::clone(&store), first.clone());
        async move { store.await_approval(&first, NOW).await.unwrap() }
    });
    assert_eq!(waits.await.into_iter().filter(|new| *new).count(), 1);
    assert!(!store.await_approval(&again, later(5)).await.unwrap());
    let second = application("b", 10);
    assert!(store.await_approval(&second, later(10)).await.unwrap());
    assert_eq!(store.applications(later(10)).await.unwrap(), [first, second.clone()]);
    let end = APPLICATION_LIFETIME.as_secs();
    assert_eq!(store.applications(later(end)).await.unwrap(), [second]);
    let anew = application("a", end);
    assert!(store.await_approval(&anew, later(end)).await.unwrap());
    assert_eq!(store.applications(later(end + 20)).await.unwrap(), [anew]);
}

/// Strangers can fill the room, and never more than that: the oldest make room.
pub(super) async fn applications_are_bounded(store: Arc<dyn Store>) {
    for number in 0..=MOST_APPLICATIONS {
        let one = application(&number.to_string(), number as u64);
        assert!(store.await_approval(&one, one.asked_at).await.unwrap());
    }
    let waiting = store.applications(later(1000)).await.unwrap();
    assert_eq!(waiting.len(), MOST_APPLICATIONS);
    assert_eq!(waiting[0], application("1", 1));
}

/// A decision stays, takes the place of an earlier one, and ends the waiting.
pub(super) async fn a_decision_stays(store: Arc<dyn Store>) {
    let [one, two] = [application("a", 0), application("b", 1)];
    store.await_approval(&one, NOW).await.unwrap();
    store.await_approval(&two, NOW).await.unwrap();
    let said = |application: &Application, is_approved, at| Decision {
        application: application.clone(),
        is_approved,
        decided_at: later(at),
    };
    assert_eq!(store.decision(&one.key).await.unwrap(), None);
    store.decide(&said(&one, true, 10)).await.unwrap();
    assert_eq!(store.decision(&one.key).await.unwrap(), Some(said(&one, true, 10)));
    assert_eq!(store.decision(&two.key).await.unwrap(), None);
    assert_eq!(store.applications(later(20)).await.unwrap(), std::slice::from_ref(&two));
    store.decide(&said(&two, true, 20)).await.unwrap();
    store.decide(&said(&one, false, 30)).await.unwrap();
    assert_eq!(store.decisions().await.unwrap(), [said(&two, true, 20), said(&one, false, 30)]);
    assert!(store.applications(later(40)).await.unwrap().is_empty());
}
