//! Where state is kept.

use std::path::{Path, PathBuf};

use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::{RawConfig, RawRedis};
use super::super::settings::{RedisAccount, RedisConfig, RedisServers, RedisTls, StoreConfig};
use super::super::text::{Text, TextOr, Texts};
use super::values::{Checker, Value};
use super::{Checked, Reported};
use crate::secret::Secret;

const SCHEMES: [&str; 2] = ["redis://", "rediss://"];

/// What stands for a cluster or sentinels in the URLs of other programs.
const OTHER_SCHEMES: [&str; 6] = [
    "redis+sentinel://",
    "rediss+sentinel://",
    "redis-sentinel://",
    "rediss-sentinel://",
    "redis+cluster://",
    "rediss+cluster://",
];

impl Checker<'_> {
    pub(super) fn store(&mut self, raw: &RawConfig) -> Checked<StoreConfig> {
        let root = Place::root();
        let prefix = self.optional(&root, "store_prefix", raw.store_prefix.as_ref());
        let text = match &raw.store {
            Some(TextOr::Mapping(redis, spot)) => {
                let place = root.key("store", *spot);
                let parts = self.redis_parts(&place, redis);
                let prefix = self.key_prefix(prefix?);
                let (servers, account, tls) = parts?;
                return Ok(redis_store(servers, account, tls, prefix?));
            }
            Some(TextOr::Text(text)) => Some(text),
            None => None,
        };
        let store = self.or_default(&root, "store", text, defaults::STORE);
        let (store, prefix) = (store?, prefix?);
        if SCHEMES.iter().any(|scheme| store.text.starts_with(scheme)) {
            self.redis_url(&store)?;
            let servers = RedisServers::Single(Secret::new(store.text));
            return Ok(redis_store(
                servers,
                RedisAccount::default(),
                RedisTls::default(),
                self.key_prefix(prefix)?,
            ));
        }
        if let Some(prefix) = prefix {
            let problem = "has no effect: only Redis keys have a prefix";
            return Err(self.report(&prefix.place, problem, "remove it, or write a `redis://` store"));
        }
        if store.text == "memory" {
            return Ok(StoreConfig::Memory);
        }
        self.embedded(&store)
    }

    /// The URL may hold a password: it is never quoted.
    fn redis_url(&mut self, url: &Value) -> Checked<()> {
        let is_database = |path: &str| path.trim_start_matches('/').bytes().all(|b| b.is_ascii_digit());
        let good = |parsed: Url| {
            SCHEMES.iter().any(|scheme| url.text.starts_with(scheme))
                && parsed.has_host()
                && parsed.query().is_none()
                && parsed.fragment().is_none()
                && is_database(parsed.path())
        };
        if Url::parse(&url.text).is_ok_and(good) {
            return Ok(());
        }
        let instead = "write redis://user:password@host:6379/0, or rediss:// for TLS; percent-encode \
                       special characters of the password";
        Err(self.report(&url.place, "is not a Redis URL", instead))
    }

    fn key_prefix(&mut self, prefix: Option<Value>) -> Checked<String> {
        let Some(prefix) = prefix else { return Ok(defaults::STORE_PREFIX.to_owned()) };
        // Braces would move the Cluster hash tag (store/redis keys).
        let good =
            |b: u8| b.is_ascii_graphic() && !matches!(b, b'{' | b'}' | b'*' | b'?' | b'[' | b']' | b'\\');
        if prefix.text.len() <= 40 && prefix.text.bytes().all(good) {
            return Ok(prefix.text);
        }
        let instead = "write at most 40 printable ASCII characters without spaces and { } [ ] * ? \\";
        Err(self.report(&prefix.place, "is not a key prefix", instead))
    }

    /// The mapping: where, who, and with which certificates.
    fn redis_parts(
        &mut self,
        place: &Place,
        raw: &RawRedis,
    ) -> Checked<(RedisServers, RedisAccount, RedisTls)> {
        let account = self.redis_account(place, "", (&raw.username, &raw.password, &raw.password_file));
        let tls = self.redis_tls(place, raw);
        let servers = self.redis_servers(place, raw)?;
        let tls = tls?;
        let first = match &servers {
            RedisServers::Single(url) => Some(url),
            RedisServers::Sentinel { sentinels: urls, .. } | RedisServers::Cluster(urls) => urls.first(),
        };
        let is_secure = first.is_some_and(|url| url.expose().starts_with("rediss://"));
        if let (false, Some(file)) = (is_secure, raw.ca_file.as_ref().or(raw.cert_file.as_ref())) {
            let key = if raw.ca_file.is_some() { "ca_file" } else { "cert_file" };
            let problem = "has no effect: the URLs say redis://, which is not encrypted";
            return Err(self.report(&place.key(key, file.spot), problem, "write rediss://, or remove it"));
        }
        Ok((servers, account?, tls))
    }

    fn redis_servers(&mut self, place: &Place, raw: &RawRedis) -> Checked<RedisServers> {
        let shapes = [raw.url.is_some(), raw.sentinel.is_some(), raw.cluster.is_some()];
        if shapes.iter().filter(|given| **given).count() != 1 {
            let instead = "write one of `url: redis://host:6379`, `sentinel: [redis://host:26379]` with \
                           `master`, and `cluster: [redis://host:6379]`";
            return Err(self.report(place, "names no Redis, or more than one", instead));
        }
        if raw.sentinel.is_none() {
            let only_there = [
                ("master", &raw.master),
                ("sentinel_username", &raw.sentinel_username),
                ("sentinel_password", &raw.sentinel_password),
                ("sentinel_password_file", &raw.sentinel_password_file),
            ];
            for (key, text) in only_there {
                if let Some(text) = text {
                    let problem = "has no effect without `sentinel`";
                    return Err(self.report(&place.key(key, text.spot), problem, "remove it"));
                }
            }
        }
        if let Some(url) = &raw.url {
            let url = self.value(place.key("url", url.spot), url)?;
            self.redis_url(&url)?;
            return self.without_account(&url).map(RedisServers::Single);
        }
        if let Some(nodes) = &raw.cluster {
            return self.redis_urls(place, "cluster", nodes).map(RedisServers::Cluster);
        }
        let sentinels = raw.sentinel.as_ref().map(|urls| self.redis_urls(place, "sentinel", urls));
        let instead = "write the name that stands after `sentinel monitor`, such as `master: main`";
        let master = self.required(place, "master", raw.master.as_ref(), instead);
        let account = self.redis_account(
            place,
            "sentinel_",
            (&raw.sentinel_username, &raw.sentinel_password, &raw.sentinel_password_file),
        );
        let sentinels = sentinels.unwrap_or(Err(Reported));
        Ok(RedisServers::Sentinel { sentinels: sentinels?, master: master?.text, account: account? })
    }

    /// Several URLs, all encrypted or none.
    fn redis_urls(&mut self, place: &Place, key: &str, raw: &Texts) -> Checked<Vec<Secret>> {
        let urls = self.list(place, key, Some(raw), |checker, value| {
            checker.redis_url(value)?;
            let database = Url::parse(&value.text).is_ok_and(|url| !matches!(url.path(), "" | "/" | "/0"));
            if database {
                let problem = "names a database, which only `url` can have";
                let instead = "remove what follows the port; `store_prefix` keeps brokers apart";
                return Err(checker.report(&value.place, problem, instead));
            }
            checker.without_account(value)
        })?;
        let secure = urls.iter().filter(|url| url.expose().starts_with("rediss://")).count();
        if secure != 0 && secure != urls.len() {
            let problem = "mixes redis:// and rediss://";
            return Err(self.report(
                &place.key(key, raw.spot),
                problem,
                "write rediss:// everywhere for TLS",
            ));
        }
        Ok(urls)
    }

    /// Beside `username` and `password` nothing in a URL may say who we are.
    fn without_account(&mut self, url: &Value) -> Checked<Secret> {
        let plain = |parsed: Url| parsed.username().is_empty() && parsed.password().is_none();
        if Url::parse(&url.text).is_ok_and(plain) {
            return Ok(Secret::new(url.text.clone()));
        }
        let instead = "write `username` and `password` or `password_file` beside it";
        Err(self.report(&url.place, "holds a user or a password", instead))
    }

    fn redis_account(
        &mut self,
        place: &Place,
        before: &str,
        (username, password, file): (&Option<Text>, &Option<Text>, &Option<Text>),
    ) -> Checked<RedisAccount> {
        let name = format!("{before}username");
        let username = self.optional(place, &name, username.as_ref());
        let password = self.secret(place, &format!("{before}password"), password.as_ref(), file.as_ref());
        let (username, password) = (username?, password?);
        if let (Some(username), None) = (&username, &password) {
            let problem = format!("has no effect without `{before}password`");
            let instead = format!("write `{before}password` or `{before}password_file`, too");
            return Err(self.report(&username.place, problem, instead));
        }
        let (username, password) = (username.map(|value| value.text), password.map(|(secret, _)| secret));
        Ok(RedisAccount { username, password })
    }

    fn redis_tls(&mut self, place: &Place, raw: &RawRedis) -> Checked<RedisTls> {
        let authorities = self.pem(place, "ca_file", raw.ca_file.as_ref(), "CERTIFICATE-----");
        let certificate = self.pem(place, "cert_file", raw.cert_file.as_ref(), "CERTIFICATE-----");
        let key = self.pem(place, "key_file", raw.key_file.as_ref(), "PRIVATE KEY-----");
        let (authorities, certificate, key) = (authorities?, certificate?, key?);
        let identity = match (certificate, key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((certificate, Secret::new(key))),
            (Some(_), None) | (None, Some(_)) => {
                let given = raw.cert_file.as_ref().or(raw.key_file.as_ref());
                let key = if raw.cert_file.is_some() { "cert_file" } else { "key_file" };
                let place = place.key(key, given.map_or(place.spot, |text| text.spot));
                let instead = "write `cert_file` and `key_file`, or none of them";
                return Err(self.report(&place, "stands alone: a certificate needs its key", instead));
            }
        };
        Ok(RedisTls { authorities, identity })
    }

    fn pem(&mut self, parent: &Place, key: &str, raw: Option<&Text>, holds: &str) -> Checked<Option<String>> {
        let Some(path) = self.optional(parent, key, raw)? else { return Ok(None) };
        let text = self.file(&path)?;
        if text.contains(holds) {
            return Ok(Some(text));
        }
        let problem = format!("the file {} holds no such thing", path.quoted());
        Err(self.report(&path.place, problem, format!("name a PEM file with a line -----BEGIN … {holds}")))
    }

    fn embedded(&mut self, store: &Value) -> Checked<StoreConfig> {
        let text = store.text.as_str();
        let file = text.strip_prefix("file://").or_else(|| text.strip_prefix("file:"));
        let path = file.unwrap_or(text);
        let begins_as_path = ["/", "./", "../"].iter().any(|start| path.starts_with(start));
        let has_db_ending = Path::new(path).extension().is_some_and(|ending| ending == "db");
        // `redis:6379` or `postgres://…` would otherwise become a file of that name.
        let is_path = file.is_some() || begins_as_path || (has_db_ending && !path.contains("://"));
        let names_a_file = !path.is_empty() && !path.ends_with('/') && !path.starts_with('~');
        if is_path && names_a_file {
            return Ok(StoreConfig::Embedded { path: PathBuf::from(path) });
        }
        let instead = if OTHER_SCHEMES.iter().any(|scheme| text.starts_with(scheme)) {
            "write a mapping: `store: { sentinel: [redis://host:26379], master: main }`, or \
             `store: { cluster: [redis://host:6379] }`"
        } else {
            "write `memory`, a file such as ./gatelodge.db, or a redis:// or rediss:// URL"
        };
        Err(self.report(&store.place, "is not a store", instead))
    }
}

fn redis_store(servers: RedisServers, account: RedisAccount, tls: RedisTls, prefix: String) -> StoreConfig {
    StoreConfig::Redis(Box::new(RedisConfig { servers, account, tls, prefix }))
}
