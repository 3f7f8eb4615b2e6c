//! Browser sessions and remembered consents.

use std::sync::Arc;

use gatelodge::domain::{
    BrowserSession, BrowserSessionId, ConsentKey, MOST_BROWSER_SESSIONS, RememberedConsent,
};
use gatelodge::protocol::ScopeSet;
use gatelodge::secret::Digest;
use gatelodge::store::Store;

use super::backend::race;
use crate::harness::sample::{NOW, browser_session, client, grant, later, login};

/// A new session of this person.
fn named(session: &BrowserSession) -> BrowserSessionId {
    BrowserSessionId::generate(&session.identity.person()).0
}

/// It comes back as it was, to whoever has its name, until one of its ends.
pub(super) async fn a_browser_session_comes_back_until_it_is_over(store: Arc<dyn Store>) {
    let session = browser_session(grant().identity);
    let id = named(&session);
    assert_eq!(store.browser_session(&id, NOW).await.unwrap(), None);
    store.begin_browser_session(&id, &session, NOW).await.unwrap();
    assert_eq!(store.browser_session(&id, NOW).await.unwrap(), Some(session.clone()));
    assert_eq!(store.browser_session(&named(&session), NOW).await.unwrap(), None, "another name");
    assert!(store.browser_session(&id, later(3599)).await.unwrap().is_some());
    assert_eq!(store.browser_session(&id, later(3600)).await.unwrap(), None, "idle");
}

/// Use moves the idle end: never back, never beyond the end, never of what is over.
pub(super) async fn use_keeps_a_browser_session_up_to_its_end(store: Arc<dyn Store>) {
    let session = browser_session(grant().identity);
    let id = named(&session);
    store.begin_browser_session(&id, &session, NOW).await.unwrap();
    let idle_end = async |now| store.browser_session(&id, later(now)).await.unwrap().map(|s| s.idle_ends_at);
    store.keep_browser_session(&id, later(7000), later(3599)).await.unwrap();
    assert_eq!(idle_end(6999).await, Some(later(7000)));
    store.keep_browser_session(&id, later(5000), later(3600)).await.unwrap();
    assert_eq!(idle_end(6999).await, Some(later(7000)), "never back");
    store.keep_browser_session(&id, later(90_000), later(7000)).await.unwrap();
    assert_eq!(idle_end(7000).await, None, "over is over");
    store.keep_browser_session(&id, later(90_000), later(6999)).await.unwrap();
    assert_eq!(idle_end(43_199).await, Some(later(43_200)), "up to its end");
    assert_eq!(idle_end(43_200).await, None);
    store.keep_browser_session(&named(&session), later(90_000), NOW).await.unwrap();
}

/// SEC-169: an end is seen by whoever asks next, and using it does not bring it back. Several end at
/// once; of another person nothing does.
pub(super) async fn ended_browser_sessions_are_gone(store: Arc<dyn Store>) {
    let session = browser_session(grant().identity);
    let stranger = browser_session(grant().identity);
    let ids: Vec<_> = (0..3).map(|_| named(&session)).collect();
    let other = named(&stranger);
    for id in &ids {
        store.begin_browser_session(id, &session, NOW).await.unwrap();
    }
    store.begin_browser_session(&other, &stranger, NOW).await.unwrap();
    assert_eq!(store.end_browser_sessions(&ids[..2]).await.unwrap(), 2);
    assert_eq!(store.end_browser_sessions(&ids[..2]).await.unwrap(), 0);
    assert_eq!(store.end_browser_sessions(&[]).await.unwrap(), 0);
    store.keep_browser_session(&ids[0], later(7000), NOW).await.unwrap();
    assert_eq!(store.browser_session(&ids[0], NOW).await.unwrap(), None);
    let left = store.browser_sessions_of(&session.identity.person(), NOW).await.unwrap();
    assert_eq!(left, [(ids[2].clone(), session)]);
    assert!(store.browser_session(&other, NOW).await.unwrap().is_some());
}

/// All of a person's are listed, the oldest first, and nobody else's, also of somebody whose tag is
/// the same.
pub(super) async fn a_persons_browser_sessions_are_listed(store: Arc<dyn Store>) {
    let first = browser_session(grant().identity);
    let person = first.identity.person();
    let second = BrowserSession { signed_in_at: later(1), idle_ends_at: later(9000), ..first.clone() };
    let twin = browser_session(grant().identity);
    let (one, two, third) = (named(&first), named(&second), named(&first));
    assert_eq!(store.browser_sessions_of(&person, NOW).await.unwrap(), []);
    for (id, session) in [(&two, &second), (&one, &first), (&third, &twin)] {
        store.begin_browser_session(id, session, NOW).await.unwrap();
    }
    let all = [(one, first), (two.clone(), second.clone())];
    assert_eq!(store.browser_sessions_of(&person, NOW).await.unwrap(), all);
    assert_eq!(store.browser_sessions_of(&person, later(3600)).await.unwrap(), [(two, second)]);
}

/// The one that would end first makes room.
pub(super) async fn one_browser_session_too_many_ends_the_first_to_end(store: Arc<dyn Store>) {
    let usual = browser_session(grant().identity);
    let mut ids = Vec::new();
    for number in 0..=MOST_BROWSER_SESSIONS as u64 {
        let session = BrowserSession { idle_ends_at: later(5000 - number), ..usual.clone() };
        let id = named(&session);
        store.begin_browser_session(&id, &session, NOW).await.unwrap();
        ids.push(id);
    }
    let left = store.browser_sessions_of(&usual.identity.person(), NOW).await.unwrap();
    assert_eq!(left.len(), MOST_BROWSER_SESSIONS);
    // The last of those before the newest would have ended first.
    let gone = &ids[ids.len() - 2];
    assert!(ids.iter().all(|id| left.iter().any(|(kept, _)| kept == id) != (id == gone)));
}

/// Sign-ins and uses at once: none is lost, none comes back.
pub(super) async fn parallel_browser_sessions_all_stay(store: Arc<dyn Store>) {
    let session = browser_session(grant().identity);
    let ended = named(&session);
    store.begin_browser_session(&ended, &session, NOW).await.unwrap();
    let done = race(16, |number| {
        let (store, session, ended) = (Arc::clone(&store), session.clone(), ended.clone());
        async move {
            if number == 0 {
                store.end_browser_sessions(&[ended]).await.unwrap();
                return None;
            }
            if number % 2 == 0 {
                store.keep_browser_session(&ended, later(7000 + number as u64), NOW).await.unwrap();
                return None;
            }
            let id = named(&session);
            store.begin_browser_session(&id, &session, NOW).await.unwrap();
            Some(id)
        }
    })
    .await;
    assert_eq!(store.browser_session(&ended, NOW).await.unwrap(), None);
    for id in done.into_iter().flatten() {
        assert!(store.browser_session(&id, NOW).await.unwrap().is_some());
    }
}

/// A consent comes back to the same question, until its end; a newer one takes its place.
pub(super) async fn a_consent_comes_back_until_its_end(store: Arc<dyn Store>) {
    let (person, request) = (grant().identity.person(), login().request);
    let key = ConsentKey::of(&person, &request);
    let scopes = |list| ScopeSet::parse_lenient(list);
    let consent = RememberedConsent {
        scopes: scopes("mcp:read"),
        shown: client("a").as_shown(),
        given_at: NOW,
        ends_at: later(60),
    };
    assert_eq!(store.consent(&key, NOW).await.unwrap(), None);
    store.remember_consent(&key, &consent, NOW).await.unwrap();
    assert_eq!(store.consent(&key, later(59)).await.unwrap(), Some(consent.clone()));
    assert_eq!(store.consent(&key, later(60)).await.unwrap(), None);
    let newer = RememberedConsent {
        scopes: scopes("mcp:read mcp:write"),
        shown: Digest::of("another"),
        given_at: later(30),
        ends_at: later(90),
    };
    store.remember_consent(&key, &newer, later(30)).await.unwrap();
    assert_eq!(store.consent(&key, later(89)).await.unwrap(), Some(newer));
    let other = ConsentKey::of(&grant().identity.person(), &request);
    assert_eq!(store.consent(&other, NOW).await.unwrap(), None, "another person");
}

/// A grant that is there stays as it is: the second half of a double click opens nothing anew.
pub(super) async fn opening_a_grant_twice_opens_it_once(store: Arc<dyn Store>) {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    store.redeem_code(&opened.id, NOW, std::time::Duration::from_secs(3600)).await.unwrap();
    let redeemed = store.grant(&opened.id, NOW).await.unwrap();
    store.open_grant(&opened, later(1)).await.unwrap();
    assert_eq!(store.grant(&opened.id, later(1)).await.unwrap(), redeemed, "not before its code again");
    let late = later(3600);
    let again = gatelodge::domain::Grant { created_at: late, expires_at: later(3660), ..opened.clone() };
    store.open_grant(&again, late).await.unwrap();
    assert_eq!(store.grant(&opened.id, late).await.unwrap(), Some(again), "what is over makes room");
}
