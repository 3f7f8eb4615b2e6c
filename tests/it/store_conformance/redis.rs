//! What only Redis has: fields that somebody with access could move, lifetimes, a connection.

use std::time::Duration;

use gatelodge::domain::{
    BrowserSessionId, ConsentKey, Grant, Identity, RememberedConsent, UpstreamGrant, UpstreamId,
};
use gatelodge::secret::{Digest, MasterSecret, Secret};
use gatelodge::store::redis::Servers;
use gatelodge::store::{ApiKeyStore as _, RedisStore, Store, StoreError};
use redis::{Cmd, Connection, FromRedisValue};

use crate::harness::redis_server::{self, RedisServer};
use crate::harness::sample::{
    NOW, api_key, at_upstream, browser_session, client, grant, key_ring, later, login, upstream_grant,
};

const IDLE: Duration = Duration::from_secs(3600);

/// A store under its own prefix, and a plain connection beside it.
async fn beside(server: &RedisServer) -> (RedisStore, String, Connection) {
    let prefix = redis_server::fresh_prefix();
    let sealer = MasterSecret::generate().sealer();
    let store = RedisStore::connect(&server.servers(), &prefix, sealer).await.unwrap();
    let raw = redis::Client::open(server.url().expose()).unwrap().get_connection().unwrap();
    (store, prefix, raw)
}

fn ask<T: FromRedisValue>(raw: &mut Connection, words: &[&[u8]]) -> T {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query(raw).unwrap()
}

async fn redeemed(store: &RedisStore) -> Grant {
    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    store.redeem_code(&opened.id, NOW, IDLE).await.unwrap();
    opened
}

/// SEC-166: one person's sealed part over another's does not open.
#[tokio::test]
async fn sec_166_swapped_bodies_do_not_open() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let (one, two) = (redeemed(&store).await, redeemed(&store).await);
    let key = |grant: &Grant| format!("{prefix}1:person:{{{}}}", grant.id.person()).into_bytes();
    // Each has one grant: its body, behind four numbers, goes over the other's.
    let swap = b"local one, two = cmsgpack.unpack(redis.call('GET', KEYS[1])), \
        cmsgpack.unpack(redis.call('GET', KEYS[2])) \
        local _, from = next(one) local _, to = next(two) to[5] = from[5] \
        redis.call('SET', KEYS[2], cmsgpack.pack(two)) return #from[5]";
    let length: u64 = ask(&mut raw, &[b"EVAL", swap, b"2", &key(&one), &key(&two)]);
    assert!(length > 100);
    assert!(store.grant(&one.id, NOW).await.unwrap().is_some());
    assert!(matches!(store.grant(&two.id, NOW).await, Err(StoreError::Unreadable(_))));
}

/// SEC-166: nothing personal and no secret stands in anything that Redis has of ours.
#[tokio::test]
async fn sec_166_redis_holds_no_canary() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    store.remember_client(&client("a")).await.unwrap();
    store.begin_login(&at_upstream(&login(), "okta"), NOW).await.unwrap();
    store.replace_key_ring(&key_ring("canary"), 0).await.unwrap();
    let person = redeemed(&store).await;
    store.keep_upstream_grant(&upstream_grant(&person), Some(0), NOW).await.unwrap();
    let session = browser_session(grant().identity);
    let (id, cookie) = BrowserSessionId::generate(&session.identity.person());
    store.begin_browser_session(&id, &session, NOW).await.unwrap();

    store.add_api_key(&api_key(grant().identity), NOW).await.unwrap();

    let keys: Vec<Vec<u8>> = ask(&mut raw, &[b"KEYS", format!("{prefix}*").as_bytes()]);
    assert_eq!(keys.len(), 7);
    let mut bytes = Vec::new();
    for key in keys {
        bytes.extend(ask::<Vec<u8>>(&mut raw, &[b"DUMP", &key]));
        bytes.extend(key);
    }
    let contains = |word: &str| bytes.windows(word.len()).any(|window| window == word.as_bytes());
    assert!(contains("the client a"), "a client's name is in the clear: the search can find");
    assert!(!contains("canary") && !contains("Canary"));
    assert!(!contains(cookie.expose()), "a cookie is kept as a digest");
}

/// SEC-165: the lifetime is set in the same step as the state, a little behind the record's end.
#[tokio::test]
async fn sec_165_every_record_has_a_lifetime() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let mut lifetime = |key: String| ask::<i64>(&mut raw, &[b"TTL", format!("{prefix}1:{key}").as_bytes()]);
    let near = |seconds: i64, end: i64| (end..=end + 60).contains(&seconds);

    let known = client("a");
    store.remember_client(&known).await.unwrap();
    let key = format!("client:{{{}}}", Digest::of("a").as_str());
    assert!(near(lifetime(key.clone()), 3600));
    store.keep_client(&known.id, later(7200)).await.unwrap();
    assert!(near(lifetime(key.clone()), 7200));
    store.keep_client(&known.id, later(60)).await.unwrap();
    assert!(near(lifetime(key), 7200));

    store.register_client(&client("unused"), 1).await.unwrap();
    assert!(near(lifetime("unused".into()), 3600), "the index ends with the newest of its clients");

    let begun = login();
    store.begin_login(&begun, NOW).await.unwrap();
    assert!(near(lifetime(format!("login:{{{}}}", begun.id)), 600));

    let opened = grant();
    store.open_grant(&opened, NOW).await.unwrap();
    let key = format!("person:{{{}}}", opened.id.person());
    assert!(near(lifetime(key.clone()), 60));
    store.redeem_code(&opened.id, NOW, IDLE).await.unwrap();
    assert!(near(lifetime(key), 3600));

    let key = format!("upstream:{{{}}}", opened.id.person());
    let long = upstream_grant(&opened);
    let short = UpstreamGrant { ends_at: later(100), ..long.clone() };
    store.keep_upstream_grant(&short, Some(0), NOW).await.unwrap();
    assert!(near(lifetime(key.clone()), 100));
    let elsewhere = Identity { upstream: UpstreamId::parse("google").unwrap(), ..opened.identity.clone() };
    store.keep_upstream_grant(&UpstreamGrant { identity: elsewhere, ..long }, Some(0), NOW).await.unwrap();
    store.keep_upstream_grant(&short, Some(1), NOW).await.unwrap();
    assert!(near(lifetime(key), 30 * 86_400), "the longest of them");
    let session = browser_session(opened.identity);
    let (id, _) = BrowserSessionId::generate(&session.identity.person());
    store.begin_browser_session(&id, &session, NOW).await.unwrap();
    let key = format!("browser:{{{}}}", id.person());
    assert!(near(lifetime(key.clone()), 3600));
    store.keep_browser_session(&id, later(5000), NOW).await.unwrap();
    assert!(near(lifetime(key), 5000));
    let consent_key = ConsentKey::of(&session.identity.person(), &begun.request);
    let (scopes, shown) = (begun.request.scopes, known.as_shown());
    let consent = RememberedConsent { scopes, shown, given_at: NOW, ends_at: later(900) };
    store.remember_consent(&consent_key, &consent, NOW).await.unwrap();
    assert!(near(lifetime(format!("consent:{{{}}}", consent_key.as_str())), 900));
}

/// SEC-166: what an upstream has said of one person does not open as another's.
#[tokio::test]
async fn sec_166_swapped_upstream_grants_do_not_open() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let (one, two) = (grant(), grant());
    let [from, to] = [&one, &two].map(|grant| {
        let key = format!("{prefix}1:upstream:{{{}}}", grant.id.person()).into_bytes();
        (key, format!("okta:{}", grant.identity.person()).into_bytes())
    });
    for person in [&one, &two] {
        store.keep_upstream_grant(&upstream_grant(person), Some(0), NOW).await.unwrap();
    }
    let body: Vec<u8> = ask(&mut raw, &[b"HGET", &from.0, &from.1]);
    let _: u64 = ask(&mut raw, &[b"HSET", &to.0, &to.1, &body]);
    assert_eq!(store.upstream_grants(one.id.person(), NOW).await.unwrap().len(), 1);
    let swapped = store.upstream_grants(two.id.person(), NOW).await;
    assert!(matches!(swapped, Err(StoreError::Unreadable(_))), "{swapped:?}");
    // A new sign-in is not refused for it.
    assert!(store.keep_upstream_grant(&upstream_grant(&two), None, NOW).await.unwrap());
    assert_eq!(store.upstream_grants(two.id.person(), NOW).await.unwrap().len(), 1);
}

/// INT-36: the index of unused clients only proposes. A client that an older release has seen used, which
/// knows of no index and no mark, stays; so does one whose place was not given up.
#[tokio::test]
async fn int_36_a_client_that_is_used_stays_whatever_the_index_holds() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let index = format!("{prefix}1:unused").into_bytes();
    let name = |id: &str| Digest::of(id).as_str().to_owned();
    for id in ["elsewhere", "kept"] {
        store.register_client(&client(id), 2).await.unwrap();
    }
    let key = format!("{prefix}1:client:{{{}}}", name("elsewhere")).into_bytes();
    let _: i64 = ask(&mut raw, &[b"HSET", &key, b"exp", later(7200).as_unix().to_string().as_bytes()]);
    store.keep_client(&client("kept").id, later(60)).await.unwrap();
    let _: i64 = ask(&mut raw, &[b"ZADD", &index, b"0", name("kept").as_bytes()]);
    for id in ["one", "two", "three"] {
        store.register_client(&client(id), 2).await.unwrap();
    }
    for (id, there) in [("elsewhere", true), ("kept", true), ("one", false), ("two", true), ("three", true)] {
        assert_eq!(store.client(&client(id).id, NOW).await.unwrap().is_some(), there, "{id}");
    }
    let left: Vec<String> = ask(&mut raw, &[b"ZRANGE", &index, b"0", b"-1"]);
    assert_eq!(left, ["two", "three"].map(name));
}

/// A broken connection costs the calls that were on it, and no later ones: the next call makes a
/// new one. Redis itself cuts the connections here.
#[tokio::test]
async fn a_broken_connection_is_replaced() {
    if !redis_server::installed() {
        return;
    }
    let server = RedisServer::start();
    let (store, _, mut raw) = beside(&server).await;
    store.ping().await.unwrap();
    let cut: i64 = ask(&mut raw, &[b"CLIENT", b"KILL", b"TYPE", b"normal", b"SKIPME", b"yes"]);
    assert!(cut >= 1);
    let mut failed = 0;
    for _ in 0..10 {
        failed += i32::from(store.ping().await.is_err());
    }
    assert!(failed <= 2, "at most one failure for each shared connection: {failed}");
    store.ping().await.unwrap();
}

/// PRIN-5: without Redis every call is told so, soon, and without the password.
#[tokio::test]
async fn without_redis_the_store_is_unavailable_and_the_password_is_not_shown() {
    if !redis_server::installed() {
        return;
    }
    let server = RedisServer::start();
    let (store, _, _) = beside(&server).await;
    let address = server.url().expose().trim_start_matches("redis://").to_owned();
    drop(server);
    for _ in 0..4 {
        assert!(matches!(store.ping().await, Err(StoreError::Unavailable(_))));
    }
    let sealer = || MasterSecret::generate().sealer();
    let url = Secret::new(format!("redis://user:canary-password@{address}"));
    let error = RedisStore::connect(&Servers::single(url), "gl:", sealer()).await.unwrap_err().to_string();
    assert!(error.contains(address.trim_end_matches('/')), "{error}");
    assert!(!error.contains("canary"), "{error}");
    let url = Secret::new("http://user:canary-password@127.0.0.1/".into());
    let error = RedisStore::connect(&Servers::single(url), "gl:", sealer()).await.unwrap_err().to_string();
    assert!(error.contains("the Redis URL cannot be used"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

/// A wrong password is told at start, by name and without the password.
#[tokio::test]
async fn a_wrong_password_is_told_at_start() {
    let Some(server) = redis_server::shared() else { return };
    let url = server.url().expose().replace("redis://", "redis://nobody:canary-password@");
    let sealer = MasterSecret::generate().sealer();
    let error =
        RedisStore::connect(&Servers::single(Secret::new(url)), "gl:", sealer).await.unwrap_err().to_string();
    assert!(error.contains("WRONGPASS") || error.contains("authentication"), "{error}");
    assert!(!error.contains("canary"), "{error}");
}

/// REL-19, SEC-148: what a later release has put beside a key stays there; and what a previous secret sealed
/// is sealed anew when the key is used.
#[tokio::test]
async fn rel_19_a_used_key_keeps_what_is_beside_it_and_is_sealed_anew() {
    let Some(server) = redis_server::shared() else { return };
    let prefix = redis_server::fresh_prefix();
    let (old, new) = (MasterSecret::generate(), MasterSecret::generate());
    let both = new.clone().with_previous([old.clone()]);
    let connect = async |secret: &MasterSecret| {
        RedisStore::connect(&server.servers(), &prefix, secret.sealer()).await.unwrap()
    };
    let key = api_key(grant().identity);
    assert!(connect(&old).await.add_api_key(&key, NOW).await.unwrap());
    let mut raw = redis::Client::open(server.url().expose()).unwrap().get_connection().unwrap();
    let (record, name) = (format!("{prefix}1:apikeys:{{{}}}", key.id.owner()), key.id.to_string());
    let edit = b"local key = cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1])) key.later = 'stays' \
        return redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack(key))";
    let words: [&[u8]; 5] = [b"EVAL", edit, b"1", record.as_bytes(), name.as_bytes()];
    let _: u64 = ask(&mut raw, &words);

    let store = connect(&both).await;
    store.note_api_key_use(&key.id, &key.hash, later(5)).await.unwrap();
    store.revoke_api_key(&key.id, later(6)).await.unwrap();
    let look = b"return cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1])).later";
    let words: [&[u8]; 5] = [b"EVAL", look, b"1", record.as_bytes(), name.as_bytes()];
    assert_eq!(ask::<String>(&mut raw, &words), "stays");
    let kept = connect(&new).await.api_key(&key.id).await.unwrap();
    let (last_used_at, revoked_at) = (Some(later(5)), Some(later(6)));
    assert_eq!(kept, Some(gatelodge::domain::ApiKey { last_used_at, revoked_at, ..key }));
}
