//! What only the store in a file has: a mode, a lock, a life after the process, bytes on a disk.

use std::path::Path;
use std::time::Duration;

use gatelodge::domain::{
    BrowserSessionId, Client, ClientId, GrantId, Redemption, Rotation, RotationRules, UpstreamGrant,
};
use gatelodge::secret::{MasterSecret, Sealer};
use gatelodge::store::{ApiKeyStore as _, EmbeddedStore, Store, StoreError};

use crate::harness::sample::{
    NOW, api_key, at_upstream, browser_session, client, grant, key_ring, later, login, upstream_grant,
};
use crate::harness::temp_dir::TempDir;

const RULES: RotationRules =
    RotationRules { grace: Duration::from_secs(120), idle: Duration::from_secs(3600) };

fn open(path: &Path, sealer: &Sealer) -> EmbeddedStore {
    EmbeddedStore::open(path, sealer.clone()).unwrap()
}

/// A family whose generation 2 is current.
async fn family(store: &dyn Store) -> GrantId {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    let redeemed = store.redeem_code(&opened.id, NOW, RULES.idle).await.unwrap();
    assert_eq!(redeemed, Redemption::Redeemed);
    store.rotate_refresh(&opened.id, 1, NOW, RULES).await.unwrap();
    opened.id
}

/// SEC-091: after a restart the family goes on, and reuse is still detected.
#[tokio::test]
async fn sec_091_a_family_survives_a_restart_with_reuse_detection() {
    let folder = TempDir::new();
    let (path, sealer) = (folder.path().join("state.db"), MasterSecret::generate().sealer());
    let store = open(&path, &sealer);
    let (one, two) = (family(&store).await, family(&store).await);
    let ended = family(&store).await;
    store.end_grant(&ended).await.unwrap();
    drop(store);

    let store = open(&path, &sealer);
    let fresh = Rotation::Successor { generation: 3, fresh: true };
    assert_eq!(store.rotate_refresh(&one, 2, later(200), RULES).await.unwrap(), fresh);
    assert_eq!(store.rotate_refresh(&two, 1, later(200), RULES).await.unwrap(), Rotation::Reused);
    assert_eq!(store.rotate_refresh(&ended, 2, later(200), RULES).await.unwrap(), Rotation::Gone);
}

/// The file is for its owner only, also when it was there with another mode.
#[cfg(unix)]
#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    use std::fs::{Permissions, metadata, set_permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let folder = TempDir::new();
    let (path, sealer) = (folder.path().join("state.db"), MasterSecret::generate().sealer());
    drop(open(&path, &sealer));
    assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    drop(open(&path, &sealer));
    assert_eq!(metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
}

/// One process at a time, and the second is told what to do.
#[tokio::test]
async fn a_second_open_is_refused_with_advice() {
    let folder = TempDir::new();
    let (path, sealer) = (folder.path().join("state.db"), MasterSecret::generate().sealer());
    let first = open(&path, &sealer);
    let error = EmbeddedStore::open(&path, sealer.clone()).unwrap_err().to_string();
    assert!(error.contains("state.db is in use by another gatelodge process"), "{error}");
    assert!(error.contains("Redis"), "{error}");
    drop(first);
    open(&path, &sealer).ping().await.unwrap();
}

/// A path that cannot be, and a file that is something else, are told by name.
#[tokio::test]
async fn a_file_that_cannot_be_used_is_named() {
    let folder = TempDir::new();
    let sealer = MasterSecret::generate().sealer();
    let error = EmbeddedStore::open(&folder.path().join("no/such/state.db"), sealer.clone()).unwrap_err();
    assert!(error.to_string().contains("no/such/state.db"), "{error}");
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "this is not a database, it is a text of some length".repeat(100)).unwrap();
    let error = EmbeddedStore::open(&path, sealer).unwrap_err();
    assert!(error.to_string().contains("notes.txt"), "{error}");
}

/// SEC-166: with another secret the records are unreadable, which is not the same as absent.
#[tokio::test]
async fn sec_166_another_secret_opens_nothing() {
    let folder = TempDir::new();
    let path = folder.path().join("state.db");
    let store = open(&path, &MasterSecret::generate().sealer());
    let id = family(&store).await;
    drop(store);
    let store = open(&path, &MasterSecret::generate().sealer());
    assert!(matches!(store.grant(&id, NOW).await, Err(StoreError::Unreadable(_))));
    let rotated = store.rotate_refresh(&id, 2, NOW, RULES).await;
    assert!(matches!(rotated, Err(StoreError::Unreadable(_))), "{rotated:?}");
    store.ping().await.unwrap();
}

/// SEC-166: nothing personal and no secret stands in the file's bytes.
#[tokio::test]
async fn sec_166_the_file_holds_no_canary() {
    let folder = TempDir::new();
    let (path, sealer) = (folder.path().join("state.db"), MasterSecret::generate().sealer());
    let store = open(&path, &sealer);
    store.remember_client(&client("a")).await.unwrap();
    store.begin_login(&at_upstream(&login(), "okta"), NOW).await.unwrap();
    store.replace_key_ring(&key_ring("canary"), 0).await.unwrap();
    family(&store).await;
    let session = browser_session(grant().identity);
    let (id, cookie) = BrowserSessionId::generate(&session.identity.person());
    store.begin_browser_session(&id, &session, NOW).await.unwrap();
    store.keep_upstream_grant(&upstream_grant(&grant()), Some(0), NOW).await.unwrap();
    store.add_api_key(&api_key(grant().identity), NOW).await.unwrap();
    drop(store);
    let bytes = std::fs::read(&path).unwrap();
    let contains = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(contains("the client a"), "a client's name is in the clear: the search can find");
    assert!(!contains("canary") && !contains("Canary"));
    assert!(!contains(cookie.expose()), "a cookie is kept as a digest");
}

/// Garbage collection takes what is over, leaves the rest, and changes no answer.
#[tokio::test]
async fn purging_removes_what_is_over_and_nothing_else() {
    let store = EmbeddedStore::in_memory(MasterSecret::generate().sealer()).unwrap();
    assert_eq!(store.purge_expired(NOW).await.unwrap(), 0);
    for number in 0..300 {
        store.remember_client(&client(&number.to_string())).await.unwrap();
    }
    let begun = login();
    store.begin_login(&begun, NOW).await.unwrap();
    let code = grant();
    store.open_grant(&code, NOW).await.unwrap();
    let active = family(&store).await;
    let upstream = UpstreamGrant { ends_at: later(3600), ..upstream_grant(&grant()) };
    store.keep_upstream_grant(&upstream, Some(0), NOW).await.unwrap();

    assert_eq!(store.purge_expired(later(59)).await.unwrap(), 0);
    assert_eq!(store.purge_expired(later(60)).await.unwrap(), 1, "the code");
    assert!(!store.end_grant(&code.id).await.unwrap());
    assert_eq!(store.purge_expired(later(600)).await.unwrap(), 1, "the sign-in");
    assert!(store.grant(&active, later(3599)).await.unwrap().is_some());
    assert_eq!(store.purge_expired(later(3600)).await.unwrap(), 302, "clients, facts and the idle family");
    assert!(!store.end_grant(&active).await.unwrap());
}

/// SEC-113: after a restart the places go on where they were, and who has expired has left its place.
#[tokio::test]
async fn sec_113_places_go_on_after_a_restart() {
    let folder = TempDir::new();
    let (path, sealer) = (folder.path().join("state.db"), MasterSecret::generate().sealer());
    let newcomer = async |store: &EmbeddedStore| {
        let newcomer = Client { id: ClientId::at(store.next_place(3).await.unwrap()), ..client("newcomer") };
        store.register_client(&newcomer).await.unwrap();
        newcomer.id
    };
    let store = open(&path, &sealer);
    let [a, b] = [newcomer(&store).await, newcomer(&store).await];
    // A place that nobody came to is given out once more.
    store.next_place(3).await.unwrap();
    drop(store);
    let store = open(&path, &sealer);
    let [c, d] = [newcomer(&store).await, newcomer(&store).await];
    let places = [&a, &b, &c, &d].map(|id| id.place().unwrap().number());
    assert_eq!(places, [0, 1, 2, 0]);
    assert!(store.keep_client(&b, later(7200)).await.unwrap());
    assert_eq!(store.purge_expired(later(3600)).await.unwrap(), 2, "c and d");
    assert!(store.client(&b, later(3600)).await.unwrap().is_some());
    assert!(!store.keep_client(&d, later(7200)).await.unwrap());
}

/// What a previous secret sealed comes out of its use when it is read, and what cannot be opened any
/// more does not keep a person from signing in again.
#[tokio::test]
async fn facts_are_sealed_anew_when_they_are_read() {
    let folder = TempDir::new();
    let path = folder.path().join("state.db");
    let (old, new) = (MasterSecret::generate(), MasterSecret::generate());
    let both = new.clone().with_previous([old.clone()]).sealer();
    let [read, unread] = [grant(), grant()];
    let store = open(&path, &old.sealer());
    for person in [&read, &unread] {
        store.keep_upstream_grant(&upstream_grant(person), Some(0), NOW).await.unwrap();
    }
    drop(store);
    let store = open(&path, &both);
    assert_eq!(store.upstream_grants(read.id.person(), NOW).await.unwrap().len(), 1);
    drop(store);
    let store = open(&path, &new.sealer());
    assert_eq!(store.upstream_grants(read.id.person(), NOW).await.unwrap().len(), 1);
    assert!(matches!(store.upstream_grants(unread.id.person(), NOW).await, Err(StoreError::Unreadable(_))));
    assert!(store.keep_upstream_grant(&upstream_grant(&unread), None, NOW).await.unwrap());
    assert_eq!(store.upstream_grants(unread.id.person(), NOW).await.unwrap().len(), 1);
}
