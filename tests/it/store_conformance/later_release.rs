//! REL-19: two releases run side by side. What the later one has written into a record stays
//! there while this one changes the rest.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{
    BrowserSessionId, Client, ClientId, ConsentKey, Grant, GrantId, GrantState, Redemption,
    RememberedConsent, Rotation, RotationRules,
};
use gatelodge::secret::{Digest, MasterSecret, Sealer};
use gatelodge::store::{EmbeddedStore, RedisStore, Store};
use redb::{Database, ReadableDatabase as _, TableDefinition};
use redis::FromRedisValue;
use serde_bytes::{ByteBuf, Bytes};
use serde_json::{Value, json};

use crate::harness::extent::{extent, figure};
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::sample::{
    NOW, at_upstream, browser_session, client, grant, later, login, upstream_grant,
};
use crate::harness::temp_dir::TempDir;

/// A record by its kind, which is also its table, and its name in that kind.
struct Record {
    kind: &'static str,
    name: String,
    is_sealed: bool,
}

impl Record {
    fn grant(id: &GrantId) -> Self {
        Self { kind: "grant", name: id.to_string(), is_sealed: true }
    }

    /// What the upstream `okta` says of the person of a grant.
    fn upstream(grant: &Grant) -> Self {
        let name = format!("{}:okta:{}", grant.id.person(), grant.identity.person());
        Self { kind: "upstream", name, is_sealed: true }
    }
}

/// A store, and a way to its records behind its back.
trait Rig {
    /// What it is.
    fn what(&self) -> &'static str;
    /// The store as it is now.
    async fn store(&self) -> Arc<dyn Store>;
    /// The record's name under which it is sealed.
    fn name(&self, record: &Record) -> String;
    fn read(&self, record: &Record) -> Vec<u8>;
    fn write(&self, record: &Record, bytes: &[u8]);
    fn sealer(&self) -> &Sealer;
    /// A grant's sealed body, and what stands behind it in the record.
    fn body(&self, id: &GrantId) -> (Vec<u8>, Option<String>);
    /// The same, written.
    fn put_body(&self, id: &GrantId, body: &[u8], behind: &str);

    /// What a grant's body is sealed under.
    fn grant_name(&self, id: &GrantId) -> String;

    fn look(&self, record: &Record) -> Value {
        let bytes = self.read(record);
        let open = || self.sealer().open(&self.name(record), &bytes).unwrap().plain;
        let plain = if record.is_sealed { open() } else { bytes.clone() };
        serde_json::from_slice(&plain).unwrap()
    }

    fn edit(&self, record: &Record, change: impl FnOnce(&mut Value)) {
        let mut value = self.look(record);
        change(&mut value);
        let plain = value.to_string().into_bytes();
        let seal = || self.sealer().seal(&self.name(record), &plain);
        let bytes = if record.is_sealed { seal() } else { plain.clone() };
        self.write(record, &bytes);
    }
}

/// The file is edited while no store has it open.
struct InFile {
    folder: TempDir,
    sealer: Sealer,
}

type Table = TableDefinition<'static, &'static str, (u64, &'static [u8])>;

impl InFile {
    fn table(record: &Record) -> Table {
        match record.kind {
            "client" => TableDefinition::new("clients"),
            "new" => TableDefinition::new("new_clients"),
            "consent" => TableDefinition::new("consents"),
            "grant" => TableDefinition::new("grants"),
            "upstream" => TableDefinition::new("upstream_grants"),
            _ => TableDefinition::new("logins"),
        }
    }
}

impl Rig for InFile {
    fn what(&self) -> &'static str {
        "embedded"
    }

    async fn store(&self) -> Arc<dyn Store> {
        let path = self.folder.path().join("state.db");
        Arc::new(EmbeddedStore::open(&path, self.sealer.clone()).unwrap())
    }

    fn name(&self, record: &Record) -> String {
        format!("{}:{}", record.kind, record.name)
    }

    fn read(&self, record: &Record) -> Vec<u8> {
        let database = Database::open(self.folder.path().join("state.db")).unwrap();
        let table = database.begin_read().unwrap().open_table(Self::table(record)).unwrap();
        table.get(self.name(record).as_str()).unwrap().unwrap().value().1.to_vec()
    }

    fn write(&self, record: &Record, bytes: &[u8]) {
        let database = Database::open(self.folder.path().join("state.db")).unwrap();
        let transaction = database.begin_write().unwrap();
        let mut table = transaction.open_table(Self::table(record)).unwrap();
        table.insert(self.name(record).as_str(), (u64::MAX, bytes)).unwrap();
        drop(table);
        transaction.commit().unwrap();
    }

    fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    fn grant_name(&self, id: &GrantId) -> String {
        format!("grant:{id}")
    }

    fn body(&self, id: &GrantId) -> (Vec<u8>, Option<String>) {
        let bytes = self.read(&Record::grant(id));
        let mut rest = bytes.as_slice();
        let _: [u64; 4] = rmp_serde::from_read(&mut rest).unwrap();
        let body: ByteBuf = rmp_serde::from_read(&mut rest).unwrap();
        (body.into_vec(), rmp_serde::from_read(&mut rest).ok())
    }

    fn put_body(&self, id: &GrantId, body: &[u8], behind: &str) {
        let bytes = self.read(&Record::grant(id));
        let mut rest = bytes.as_slice();
        let numbers: [u64; 4] = rmp_serde::from_read(&mut rest).unwrap();
        let mut bytes = rmp_serde::to_vec(&numbers).unwrap();
        bytes.extend(rmp_serde::to_vec(Bytes::new(body)).unwrap());
        bytes.extend(rmp_serde::to_vec(behind).unwrap());
        self.write(&Record::grant(id), &bytes);
    }
}

struct InRedis {
    prefix: String,
    sealer: Sealer,
    raw: redis::Client,
}

impl Rig for InRedis {
    fn what(&self) -> &'static str {
        "Redis"
    }

    async fn store(&self) -> Arc<dyn Store> {
        let servers = redis_server::shared().unwrap().servers();
        Arc::new(RedisStore::connect(&servers, &self.prefix, self.sealer.clone()).await.unwrap())
    }

    fn name(&self, record: &Record) -> String {
        let (key, field) = self.place(record);
        if field == "body" { key } else { format!("{key}:{field}") }
    }

    fn read(&self, record: &Record) -> Vec<u8> {
        let mut raw = self.raw.get_connection().unwrap();
        let (key, field) = self.place(record);
        let mut command = redis::Cmd::new();
        match record.kind {
            "new" => command.arg("GET").arg(key),
            _ => command.arg("HGET").arg(key).arg(field),
        };
        command.query(&mut raw).unwrap()
    }

    fn write(&self, record: &Record, bytes: &[u8]) {
        let mut raw = self.raw.get_connection().unwrap();
        let mut command = redis::Cmd::new();
        let (key, field) = self.place(record);
        match record.kind {
            "new" => command.arg("SET").arg(key).arg(bytes),
            _ => command.arg("HSET").arg(key).arg(field).arg(bytes).arg("a later field").arg(1),
        };
        command.exec(&mut raw).unwrap();
    }

    fn sealer(&self) -> &Sealer {
        &self.sealer
    }

    fn grant_name(&self, id: &GrantId) -> String {
        format!("{}1:grant:{id}", self.prefix)
    }

    fn body(&self, id: &GrantId) -> (Vec<u8>, Option<String>) {
        self.script(id, "return { grants[ARGV[1]][5], grants[ARGV[1]][6] or false }", &[]).unwrap()
    }

    fn put_body(&self, id: &GrantId, body: &[u8], behind: &str) {
        let change = "grants[ARGV[1]][5], grants[ARGV[1]][6] = ARGV[2], ARGV[3] \
            redis.call('SET', KEYS[1], cmsgpack.pack(grants)) return 1";
        let _: u64 = self.script(id, change, &[body, behind.as_bytes()]).unwrap();
    }
}

impl InRedis {
    /// The key, and the field in it.
    fn place(&self, Record { kind, name, .. }: &Record) -> (String, String) {
        let (id, field) = name.split_once(':').unwrap_or((name, "body"));
        (format!("{}1:{kind}:{{{id}}}", self.prefix), field.to_owned())
    }

    fn script<T: FromRedisValue>(&self, id: &GrantId, what: &str, words: &[&[u8]]) -> redis::RedisResult<T> {
        let key = format!("{}1:person:{{{}}}", self.prefix, id.person());
        let whole = format!("local grants = cmsgpack.unpack(redis.call('GET', KEYS[1])) {what}");
        let mut command = redis::Cmd::new();
        command.arg("EVAL").arg(whole).arg(1).arg(key).arg(&id.within_person());
        for word in words {
            command.arg(*word);
        }
        command.query(&mut self.raw.get_connection()?)
    }
}

/// Members beside the record, in it, and inside its parts.
fn enrich(value: &mut Value, part: &str) {
    value["beside"] = json!("the envelope");
    value["record"]["later"] = json!({ "list": [1, null, { "deep": true }] });
    if !part.is_empty() {
        value["record"][part]["later"] = json!(u64::MAX);
    }
}

fn assert_rich(value: &Value, part: &str) {
    assert_eq!(value["beside"], "the envelope", "{value}");
    assert_eq!(value["record"]["later"], json!({ "list": [1, null, { "deep": true }] }), "{value}");
    if !part.is_empty() {
        assert_eq!(value["record"][part]["later"], u64::MAX, "{value}");
    }
}

async fn unknown_members_stay(rig: impl Rig) {
    let (known, begun, opened) = (client("a"), login(), grant());
    let client = Record { kind: "client", name: Digest::of("a").as_str().to_owned(), is_sealed: false };
    let login = Record { kind: "login", name: begun.id.to_string(), is_sealed: true };

    let key = ConsentKey::of(&opened.identity.person(), &begun.request);
    let consent = Record { kind: "consent", name: key.as_str().to_owned(), is_sealed: true };
    let scopes = begun.request.scopes.clone();
    let approved = RememberedConsent { scopes, shown: known.as_shown(), given_at: NOW, ends_at: later(600) };

    let store = rig.store().await;
    store.remember_client(&known).await.unwrap();
    store.begin_login(&begun, NOW).await.unwrap();
    store.open_grant(&opened, NOW).await.unwrap();
    store.remember_consent(&key, &approved, NOW).await.unwrap();
    let upstream = Record::upstream(&opened);
    store.keep_upstream_grant(&upstream_grant(&opened), Some(0), NOW).await.unwrap();
    drop(store);
    rig.edit(&upstream, |value| enrich(value, "identity"));
    rig.edit(&consent, |value| enrich(value, ""));
    rig.edit(&client, |value| enrich(value, ""));
    rig.edit(&login, |value| enrich(value, "request"));
    let (body, _) = rig.body(&opened.id);
    let mut longer = rig.sealer().open(&rig.grant_name(&opened.id), &body).unwrap().plain;
    longer.extend(rmp_serde::to_vec("behind the body").unwrap());
    let longer = rig.sealer().seal(&rig.grant_name(&opened.id), &longer);
    rig.put_body(&opened.id, &longer, "behind the record");

    let rules = RotationRules { grace: Duration::from_secs(120), idle: Duration::from_secs(3600) };
    let store = rig.store().await;
    assert_eq!(store.client(&known.id, NOW).await.unwrap(), Some(known.clone()));
    store.keep_client(&known.id, later(7200)).await.unwrap();
    let newer = RememberedConsent { ends_at: later(900), ..approved };
    store.remember_consent(&key, &newer, later(1)).await.unwrap();
    assert_eq!(store.consent(&key, later(899)).await.unwrap(), Some(newer));
    let next = at_upstream(&begun, "okta");
    assert!(store.advance_login(&next, 0, NOW).await.unwrap());
    let redeemed = store.redeem_code(&opened.id, NOW, rules.idle).await.unwrap();
    assert_eq!(redeemed, Redemption::Redeemed);
    let rotated = store.rotate_refresh(&opened.id, 1, later(1), rules).await.unwrap();
    assert_eq!(rotated, Rotation::Successor { generation: 2, fresh: true });
    let [facts] = store.upstream_grants(opened.id.person(), NOW).await.unwrap().try_into().unwrap();
    assert!(store.keep_upstream_grant(&facts.claimed(later(9)), Some(1), NOW).await.unwrap());
    // And what this release knows has changed.
    let [facts] = store.upstream_grants(opened.id.person(), NOW).await.unwrap().try_into().unwrap();
    assert_eq!((facts.claimed_until, facts.version), (later(9), 2));
    let kept = store.client(&known.id, later(7199)).await.unwrap().unwrap();
    assert_eq!(kept.expires_at, Some(later(7200)));
    assert_eq!(store.login(&begun.id, NOW).await.unwrap(), Some(next));
    assert_eq!(store.grant(&opened.id, later(1)).await.unwrap().unwrap().expires_at, later(3601));
    drop(store);
    assert_rich(&rig.look(&consent), "");
    assert_rich(&rig.look(&client), "");
    assert_rich(&rig.look(&login), "request");
    assert_rich(&rig.look(&upstream), "identity");
    assert_eq!(rig.body(&opened.id), (longer, Some("behind the record".to_owned())));
}

/// From its registration to its first use, and after.
async fn a_newcomer_s_unknown_members_stay(rig: impl Rig) {
    let store = rig.store().await;
    let place = store.next_place(5).await.unwrap();
    let known = Client { id: ClientId::at(place), ..client("newcomer") };
    store.register_client(&known).await.unwrap();
    drop(store);
    let newcomer = Record { kind: "new", name: place.to_string(), is_sealed: false };
    rig.edit(&newcomer, |value| enrich(value, ""));
    let store = rig.store().await;
    let changed = Client { name: Some("changed".into()), ..known.clone() };
    assert!(store.update_client(&changed).await.unwrap());
    drop(store);
    assert_rich(&rig.look(&newcomer), "");
    let store = rig.store().await;
    assert!(store.keep_client(&known.id, later(7200)).await.unwrap());
    let used = Client { expires_at: Some(later(7200)), ..changed };
    assert_eq!(store.client(&known.id, later(7199)).await.unwrap(), Some(used));
    drop(store);
    let name = Digest::of(known.id.as_str()).as_str().to_owned();
    assert_rich(&rig.look(&Record { kind: "client", name, is_sealed: false }), "");
}

/// The later release and this one change the same grants in turn, as in a fleet that is being replaced,
/// and rolled back: every family goes on, and what this release does not know stays.
async fn releases_take_turns(rig: impl Rig, turns: u64) {
    const PEOPLE: usize = 4;
    let rules = RotationRules { grace: Duration::from_secs(120), idle: Duration::from_secs(3600) };
    let active = || Grant {
        state: GrantState::Active { generation: 1, rotated_at: NOW },
        expires_at: later(3600),
        ..grant()
    };
    let people: Vec<Grant> = (0..PEOPLE).map(|_| active()).collect();
    let store = rig.store().await;
    for opened in &people {
        store.open_grant(opened, NOW).await.unwrap();
    }
    drop(store);
    let plain = |grant: &Grant| {
        let (body, _) = rig.body(&grant.id);
        rig.sealer().open(&rig.grant_name(&grant.id), &body).unwrap().plain
    };
    let plain: Vec<Vec<u8>> = people.iter().map(plain).collect();
    for turn in 0..turns {
        let at = usize::try_from(turn).unwrap() % PEOPLE;
        let (id, generation) = (people[at].id, turn / PEOPLE as u64 + 1);
        let behind = format!("of turn {turn}");
        let longer = [plain[at].clone(), rmp_serde::to_vec(&behind).unwrap()].concat();
        let longer = rig.sealer().seal(&rig.grant_name(&id), &longer);
        rig.put_body(&id, &longer, &behind);
        let store = rig.store().await;
        let rotated = store.rotate_refresh(&id, generation, later(turn), rules).await.unwrap();
        assert_eq!(rotated, Rotation::Successor { generation: generation + 1, fresh: true }, "turn {turn}");
        drop(store);
        assert_eq!(rig.body(&id), (longer, Some(behind)));
    }
    let fault = format!("a later release and this one in turn, {}", rig.what());
    let seen = format!("{turns} changes by each: none of {PEOPLE} families lost, what is unknown here kept");
    figure("REL-19", &fault, &seen);
}

fn turns() -> u64 {
    extent(20, 2000) as u64
}

#[tokio::test]
async fn rel_19_releases_take_turns_with_a_file() {
    let sealer = MasterSecret::generate().sealer();
    releases_take_turns(InFile { folder: TempDir::new(), sealer }, turns()).await;
}

#[tokio::test]
async fn rel_19_releases_take_turns_with_redis() {
    let Some(server) = redis_server::shared() else { return };
    let raw = redis::Client::open(server.url().expose()).unwrap();
    let sealer = MasterSecret::generate().sealer();
    releases_take_turns(InRedis { prefix: fresh_prefix(), sealer, raw }, turns()).await;
}

#[tokio::test]
async fn rel_19_unknown_members_stay_in_a_file() {
    let sealer = MasterSecret::generate().sealer();
    a_newcomer_s_unknown_members_stay(InFile { folder: TempDir::new(), sealer: sealer.clone() }).await;
    unknown_members_stay(InFile { folder: TempDir::new(), sealer }).await;
}

#[tokio::test]
async fn rel_19_unknown_members_stay_in_redis() {
    let Some(server) = redis_server::shared() else { return };
    let raw = redis::Client::open(server.url().expose()).unwrap();
    let sealer = MasterSecret::generate().sealer();
    let rig = || InRedis { prefix: fresh_prefix(), sealer: sealer.clone(), raw: raw.clone() };
    unknown_members_stay(rig()).await;
    a_newcomer_s_unknown_members_stay(rig()).await;
}

/// A later release's members of a browser session stay while this one keeps it alive.
#[tokio::test]
async fn rel_19_unknown_members_of_a_browser_session_stay() {
    let session = browser_session(grant().identity);
    let (id, _) = BrowserSessionId::generate(&session.identity.person());
    let name = format!("browser:{}:{}", id.person(), id.within_person().as_str());

    // In a file the record is sealed as a whole.
    let table: Table = TableDefinition::new("browser_sessions");
    let (folder, sealer) = (TempDir::new(), MasterSecret::generate().sealer());
    let path = folder.path().join("state.db");
    let store = || EmbeddedStore::open(&path, sealer.clone()).unwrap();
    store().begin_browser_session(&id, &session, NOW).await.unwrap();
    let look = || -> Value {
        let database = Database::open(&path).unwrap();
        let table = database.begin_read().unwrap().open_table(table).unwrap();
        let bytes = table.get(name.as_str()).unwrap().unwrap().value().1.to_vec();
        serde_json::from_slice(&sealer.open(&name, &bytes).unwrap().plain).unwrap()
    };
    let mut value = look();
    enrich(&mut value, "identity");
    {
        let database = Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        let sealed = sealer.seal(&name, value.to_string().as_bytes());
        let mut open = transaction.open_table(table).unwrap();
        open.insert(name.as_str(), (u64::MAX, sealed.as_slice())).unwrap();
        drop(open);
        transaction.commit().unwrap();
    }
    store().keep_browser_session(&id, later(7000), NOW).await.unwrap();
    assert_rich(&look(), "identity");
    assert!(store().browser_session(&id, later(6999)).await.unwrap().is_some());

    // In Redis what stands beside the sealed body.
    let Some(server) = redis_server::shared() else { return };
    let (prefix, mut raw) =
        (fresh_prefix(), redis::Client::open(server.url().expose()).unwrap().get_connection().unwrap());
    let store = RedisStore::connect(&server.servers(), &prefix, sealer.clone()).await.unwrap();
    store.begin_browser_session(&id, &session, NOW).await.unwrap();
    let key = format!("{prefix}1:browser:{{{}}}", id.person());
    let mut run = |script: &str| -> String {
        let whole = format!(
            "local s = cmsgpack.unpack(redis.call('HGET', KEYS[1], ARGV[1])) {script} \
             redis.call('HSET', KEYS[1], ARGV[1], cmsgpack.pack(s)) return s.later"
        );
        let mut command = redis::Cmd::new();
        command.arg("EVAL").arg(whole).arg(1).arg(&key).arg(id.within_person().as_str());
        command.query(&mut raw).unwrap()
    };
    run("s.later = 'kept'");
    store.keep_browser_session(&id, later(7000), NOW).await.unwrap();
    assert!(store.browser_session(&id, later(6999)).await.unwrap().is_some());
    assert_eq!(run(""), "kept");
}
