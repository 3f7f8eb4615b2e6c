//! What only Redis has: fields that somebody with access could move, lifetimes, a connection.

use std::time::Duration;

use futures::future::join_all;
use gatelodge::domain::{
    BrowserSessionId, Client, ClientId, ConsentKey, Grant, Identity, RememberedConsent, UpstreamGrant,
    UpstreamId,
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

    let place = store.next_place(10).await.unwrap();
    let newcomer = Client { id: ClientId::at(place), ..client("newcomer") };
    store.register_client(&newcomer).await.unwrap();
    let at_its_place = format!("new:{{{place}}}");
    assert!(near(lifetime(at_its_place.clone()), 3600));
    store.update_client(&Client { name: None, ..newcomer.clone() }).await.unwrap();
    assert!(near(lifetime(at_its_place.clone()), 3600));
    let key = format!("client:{{{}}}", Digest::of(newcomer.id.as_str()).as_str());
    store.keep_client(&newcomer.id, later(60)).await.unwrap();
    assert!(lifetime(key.clone()) >= lifetime(at_its_place), "what may be older ends first");
    store.keep_client(&newcomer.id, later(7200)).await.unwrap();
    assert!(near(lifetime(key), 7200));
    let for_ever = Client { id: ClientId::at(place), expires_at: None, ..newcomer };
    store.register_client(&for_ever).await.unwrap();
    assert!(store.keep_client(&for_ever.id, later(60)).await.unwrap());
    assert_eq!(lifetime(format!("client:{{{}}}", Digest::of(for_ever.id.as_str()).as_str())), -1);

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

/// A client that has just registered itself, the keys of its place and of its own record.
async fn newcomer(store: &RedisStore, prefix: &str) -> (Client, [Vec<u8>; 2]) {
    let place = store.next_place(10).await.unwrap();
    let newcomer = Client { id: ClientId::at(place), ..client("newcomer") };
    store.register_client(&newcomer).await.unwrap();
    let own = Digest::of(newcomer.id.as_str());
    let keys = [format!("{prefix}1:new:{{{place}}}"), format!("{prefix}1:client:{{{}}}", own.as_str())];
    (newcomer, keys.map(String::into_bytes))
}

/// INT-36: a client that is used has a record of its own, which goes before what stands at its place.
#[tokio::test]
async fn int_36_what_is_left_at_its_place_does_not_count() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let (known, [place, own]) = newcomer(&store, &prefix).await;
    let before: Vec<u8> = ask(&mut raw, &[b"GET", &place]);
    assert!(!ask::<bool>(&mut raw, &[b"EXISTS", &own]), "a registration writes one record");
    assert!(store.keep_client(&known.id, later(7200)).await.unwrap());
    let changed = Client { name: Some("other".into()), expires_at: Some(later(7200)), ..known.clone() };
    assert!(store.update_client(&changed).await.unwrap());
    assert_eq!(ask::<Vec<u8>>(&mut raw, &[b"GET", &place]), before);
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(changed));
    assert!(store.forget_client(&known.id).await.unwrap());
    assert!(!ask::<bool>(&mut raw, &[b"EXISTS", &place]), "nor does it come back");
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), None);
}

/// INT-36, SEC-115: a first use that broke off half way costs nobody anything, and one that read the client
/// before it was changed or forgotten does not go on with what it has read.
#[tokio::test]
async fn sec_115_a_first_use_that_has_begun_ends_with_what_it_has_read() {
    let Some(server) = redis_server::shared() else { return };
    let (store, prefix, mut raw) = beside(server).await;
    let (known, [_, own]) = newcomer(&store, &prefix).await;
    let _: i64 = ask(&mut raw, &[b"HSET", &own, b"begun", b"by somebody"]);
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(known.clone()), "nobody has used it yet");
    let other = Client { name: Some("other".into()), ..known.clone() };
    assert!(store.update_client(&other).await.unwrap());
    assert!(!ask::<bool>(&mut raw, &[b"EXISTS", &own]), "whoever has begun looks again");
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(other.clone()));
    let _: i64 = ask(&mut raw, &[b"HSET", &own, b"begun", b"by somebody"]);
    assert!(store.keep_client(&known.id, later(60)).await.unwrap(), "whoever comes next goes on");
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(other));
    let fields: Vec<String> = ask(&mut raw, &[b"HKEYS", &own]);
    assert_eq!(fields.len(), 2, "{fields:?}");

    for only_unused in [true, false] {
        let (known, [_, own]) = newcomer(&store, &prefix).await;
        let forget = async || {
            let forgotten = if only_unused {
                store.forget_unused_client(&known.id).await
            } else {
                store.forget_client(&known.id).await
            };
            forgotten.unwrap()
        };
        let _: i64 = ask(&mut raw, &[b"HSET", &own, b"begun", b"by somebody"]);
        assert!(forget().await);
        assert!(!ask::<bool>(&mut raw, &[b"EXISTS", &own]));
        let _: i64 = ask(&mut raw, &[b"HSET", &own, b"begun", b"by somebody"]);
        assert!(!forget().await, "one that has begun is no client");
        assert!(!store.keep_client(&known.id, later(60)).await.unwrap());
        assert!(ask::<i64>(&mut raw, &[b"TTL", &own]) > 0, "what broke off goes by itself");
    }
}

/// SEC-113: replicas give out places from one number.
#[tokio::test]
async fn sec_113_replicas_take_turns() {
    let Some(server) = redis_server::shared() else { return };
    let (one, prefix, mut raw) = beside(server).await;
    let sealer = MasterSecret::generate().sealer();
    let two = RedisStore::connect(&server.servers(), &prefix, sealer).await.unwrap();
    let mut given = Vec::new();
    for store in [&one, &two, &one] {
        given.extend(join_all((0..4).map(|_| store.next_place(100))).await);
    }
    let given: Vec<u32> = given.into_iter().map(|place| place.unwrap().number()).collect();
    assert_eq!(given, (0..12).collect::<Vec<_>>());
    assert_eq!(ask::<u64>(&mut raw, &[b"GET", format!("{prefix}1:places").as_bytes()]), 12);
    assert_eq!(two.next_place(5).await.unwrap().number(), 2);
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
