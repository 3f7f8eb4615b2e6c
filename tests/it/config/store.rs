//! A Redis in its three shapes, as a mapping.

use gatelodge::config::{RedisConfig, RedisServers, StoreConfig};

use super::{bad, good, only_fault, with};
use crate::harness::temp_dir::TempDir;

/// The configuration with this mapping as its store, in lines 2 and following; the secret is there.
fn store(lines: &str) -> String {
    let indented = lines.replace('\n', "\n  ");
    with("store: memory\n", &format!("store:\n  {indented}\nsecret: ${{SECRET}}\n"))
}

fn redis(lines: &str) -> RedisConfig {
    let StoreConfig::Redis(redis) = good(&store(lines)).store else { panic!("not a Redis: {lines}") };
    *redis
}

fn exposed(urls: &[gatelodge::secret::Secret]) -> Vec<&str> {
    urls.iter().map(gatelodge::secret::Secret::expose).collect()
}

#[test]
fn one_server_with_its_account() {
    let folder = TempDir::new();
    let file = folder.path().join("password");
    std::fs::write(&file, "c4n4ry of the file\n").unwrap();
    let redis = redis(&format!("url: redis://h:6379/2\nusername: app\npassword_file: {}", file.display()));
    let RedisServers::Single(url) = &redis.servers else { panic!("{redis:?}") };
    assert_eq!(url.expose(), "redis://h:6379/2");
    assert_eq!(redis.account.username.as_deref(), Some("app"));
    assert_eq!(redis.account.password.as_ref().unwrap().expose(), "c4n4ry of the file");
    assert_eq!(redis.prefix, "gl:");
    assert!(!format!("{redis:?}").contains("c4n4ry"), "{redis:?}");
}

#[test]
fn sentinels_and_clusters() {
    let sentinels = redis(
        "sentinel: [redis://s1:26379, 'redis://s2:26379']\nmaster: main\npassword: ${SHORT}\n\
         sentinel_username: watcher\nsentinel_password: other",
    );
    let RedisServers::Sentinel { sentinels: urls, master, account } = &sentinels.servers else {
        panic!("{sentinels:?}")
    };
    assert_eq!(exposed(urls), ["redis://s1:26379", "redis://s2:26379"]);
    assert_eq!((master.as_str(), account.username.as_deref()), ("main", Some("watcher")));
    assert_eq!(account.password.as_ref().unwrap().expose(), "other");
    assert_eq!(sentinels.account.password.as_ref().unwrap().expose(), "c4n4ry");
    let RedisServers::Cluster(nodes) = redis("cluster: rediss://n1").servers else { panic!("no cluster") };
    assert_eq!(exposed(&nodes), ["rediss://n1"]);
}

/// SEC-168: what is wrong is told at its line, with what to write instead.
#[test]
fn sec_168_faults_in_a_redis_mapping() {
    let one_of_three = "names no Redis, or more than one";
    only_fault(&store("username: a\npassword: b"), 3, "store", one_of_three);
    only_fault(&store("url: redis://a\ncluster: redis://b"), 3, "store", one_of_three);
    for (lines, line, key, problem) in [
        ("sentinel: redis://s", 3, "master", "is missing"),
        ("cluster: redis://n\nmaster: main", 4, "master", "has no effect without `sentinel`"),
        ("url: redis://h\nsentinel_password: x", 4, "sentinel_password", "has no effect"),
        ("url: redis://h/name", 3, "url", "is not a Redis URL"),
        ("url: redis://u:${SHORT}@h", 3, "url", "holds a user or a password"),
        ("cluster:\n- redis://a\n- redis://:${SHORT}@b", 5, "cluster[1]", "holds a user or a password"),
        ("cluster: redis://n/2", 3, "cluster", "names a database"),
        ("cluster: [redis://a, rediss://b]", 3, "cluster", "mixes redis:// and rediss://"),
        ("cluster: []", 3, "cluster", "is an empty list"),
        ("url: redis://h\nusername: app", 4, "username", "has no effect without `password`"),
        ("url: redis://h\nca_file: docs/operations.md", 4, "ca_file", "holds no such thing"),
        ("url: redis://h\npassword: a\npassword_file: b", 5, "password_file", "are both given"),
        ("url: redis://h\nuser_name: a", 4, "user_name", "there is no such key"),
        ("url: [redis://h]", 3, "url", "is a list"),
    ] {
        only_fault(&store(lines), line, &format!("store.{key}"), problem);
    }
    let told = bad(&store("url: redis://h\nuser_name: a")).to_string();
    assert!(told.contains("did you mean `username`?"), "{told}");
    only_fault(&with("store: memory", "store: [redis://h]"), 2, "store", "is a list");
    // What other programs take.
    for other in ["redis+sentinel://s:26379/main", "redis+cluster://n:6379"] {
        let told = bad(&with("store: memory", &format!("store: {other}"))).to_string();
        assert!(told.contains("{ sentinel: [redis://host:26379], master: main }"), "{told}");
    }
}

/// Certificates are read, belong to `rediss://`, and come with their key.
#[test]
fn certificates() {
    let folder = TempDir::new();
    let file = |name: &str, kind: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("-----BEGIN {kind}-----\nc4n4ry\n-----END {kind}-----\n")).unwrap();
        path.display().to_string()
    };
    let (ca, cert) = (file("ca", "CERTIFICATE"), file("cert", "CERTIFICATE"));
    let key = file("key", "PRIVATE KEY");
    let all = redis(&format!("url: rediss://h\nca_file: {ca}\ncert_file: {cert}\nkey_file: {key}"));
    assert!(all.tls.authorities.as_ref().unwrap().contains("BEGIN CERTIFICATE"));
    let (_, private) = all.tls.identity.as_ref().unwrap();
    assert!(private.expose().contains("PRIVATE KEY"));
    assert!(!format!("{:?}", all.tls.identity).contains("PRIVATE KEY"));
    let problem = "the URLs say redis://";
    only_fault(&store(&format!("cluster: redis://h\nca_file: {ca}")), 4, "store.ca_file", problem);
    only_fault(&store(&format!("url: rediss://h\ncert_file: {cert}")), 4, "store.cert_file", "stands alone");
    only_fault(&store(&format!("url: rediss://h\nkey_file: {key}")), 4, "store.key_file", "stands alone");
    only_fault(&store(&format!("url: rediss://h\nca_file: {key}")), 4, "store.ca_file", "no such thing");
}
