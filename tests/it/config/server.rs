//! The broker itself: issuer, addresses, store, lifetimes, signing, clients, logs.

use gatelodge::config::{ClientAuth, RedisServers, SecretSource, StoreConfig};

use super::{GOOD, good, only_fault, plus, with};

const ISSUER: &str = "issuer: https://auth.example.com";

/// SEC-168: plain http is for loopback; one spelling only.
#[test]
fn sec_168_the_issuer_is_https_and_normal() {
    for (issuer, problem) in [
        ("http://auth.example.com", "must be https"),
        ("https://auth.example.com/", "not in its normal form"),
        ("https://AUTH.example.com:443", "not in its normal form"),
        ("https://auth.example.com?x", "must have no query"),
        ("auth.example.com", "not an absolute URL"),
        ("''", "is empty"),
    ] {
        only_fault(&with(ISSUER, &format!("issuer: {issuer}")), 1, "issuer", problem);
    }
    only_fault(&with(ISSUER, "allowed_hosts: [a]"), 1, "issuer", "is missing");
    assert!(good(&with(ISSUER, "issuer: http://127.0.0.1:9400")).issuer.is_loopback_http());
}

/// Addresses and host names.
#[test]
fn addresses() {
    for listen in ["localhost:9400", "'9400'", "0.0.0.0"] {
        only_fault(&plus(&format!("listen: {listen}\n")), 18, "listen", "not an address with a port");
    }
    for host in ["'*.example.com'", "https://a.example", "a.example/x", "a b", "a:99999"] {
        only_fault(&plus(&format!("allowed_hosts: [{host}]\n")), 18, "allowed_hosts[0]", "not a host name");
    }
    let config = good(&plus("allowed_hosts: [Gate.internal:9400, '[::1]:9400', health]\n"));
    assert_eq!(config.allowed_hosts, ["gate.internal:9400", "[::1]:9400", "health"]);
}

/// How many connections may be open at once.
#[test]
fn connections() {
    assert_eq!(good(GOOD).max_connections.get(), 10_000);
    assert_eq!(good(&plus("max_connections: 50\n")).max_connections.get(), 50);
    for many in ["0", "-1", "1000001", "many"] {
        only_fault(&plus(&format!("max_connections: {many}\n")), 18, "max_connections", "is not a number");
    }
}

/// Each way to write a store, and the secret that follows from it.
#[test]
fn stores() {
    let store = |text: &str| good(&with("store: memory", text));
    assert!(matches!(store("store: memory").secret, SecretSource::Ephemeral));
    for (text, file) in [
        ("listen: 127.0.0.1:1", "./gatelodge.db"),
        ("store: /var/lib/gatelodge/state", "/var/lib/gatelodge/state"),
        ("store: file:data.redb", "data.redb"),
        ("store: file:///var/x", "/var/x"),
    ] {
        let config = store(text);
        assert_eq!(config.store, StoreConfig::Embedded { path: file.into() });
        let SecretSource::KeptBeside(path) = config.secret else { panic!("{text}") };
        assert_eq!(path.to_str(), Some(format!("{file}.secret").as_str()));
    }
    let redis = store("secret: ${SECRET}\nstore: rediss://u:${SHORT}@r:6380/1\nstore_prefix: 'x:'");
    let StoreConfig::Redis(redis) = redis.store else { panic!("{:?}", redis.store) };
    let RedisServers::Single(url) = &redis.servers else { panic!("{redis:?}") };
    assert_eq!((url.expose(), redis.prefix.as_str()), ("rediss://u:c4n4ry@r:6380/1", "x:"));
}

/// Stores that are none, and a Redis store without a secret.
#[test]
fn store_faults() {
    for store in ["redis", "redis:6379", "postgres://a/b.db", "~/x.db", "./data/", "'file:'"] {
        only_fault(&with("store: memory", &format!("store: {store}")), 2, "store", "is not a store");
    }
    let redis = |rest: &str| with("store: memory", &format!("store: redis://{rest}"));
    only_fault(&format!("{}secret: ${{SECRET}}\n", redis("h/name")), 2, "store", "is not a Redis URL");
    only_fault(&redis("h:6379"), 1, "secret", "every replica needs the same secret");
    only_fault(&plus("store_prefix: 'gl:'\n"), 18, "store_prefix", "has no effect");
    let braces = format!("{}secret: ${{SECRET}}\nstore_prefix: '{{gl}}:'\n", redis("h"));
    only_fault(&braces, 19, "store_prefix", "is not a key prefix");
}

/// Lifetimes: spelling, bounds, and each against the others.
#[test]
fn lifetimes_keep_their_bounds() {
    for (key, value, problem) in [
        ("access_lifetime", "30s", "is out of range"),
        ("access_lifetime", "25h", "is out of range"),
        ("refresh_grace", "2h", "is out of range"),
        ("code_lifetime", "61s", "is out of range"),
        ("code_lifetime", "0s", "is out of range"),
        ("login_lifetime", "11m", "is out of range"),
        ("code_lifetime", "60", "is not a duration"),
        ("code_lifetime", "1.5m", "is not a duration"),
        ("refresh_idle", "91d", "refresh_idle is longer than refresh_absolute"),
        ("refresh_absolute", "29d", "refresh_idle is longer than refresh_absolute"),
        ("refresh_idle", "20m", "access_lifetime is longer than refresh_idle"),
    ] {
        let text = plus(&format!("tokens:\n  {key}: {value}\n"));
        only_fault(&text, 19, &format!("tokens.{key}"), problem);
    }
    only_fault(
        &plus("registration: { unused_lifetime: 5m }\n"),
        18,
        "registration.unused_lifetime",
        "out of range",
    );
    assert_eq!(good(&plus("tokens: { refresh_grace: 0s }\n")).tokens.refresh_grace.as_secs(), 0);
}

/// Browser sessions: bounds, one against the other, and how to have none.
#[test]
fn browser_sessions_keep_their_bounds() {
    let config = good(&plus("browser_sessions: { idle: 2h, absolute: 8h, remember_consent: 0s }\n"));
    let ends = config.browser_sessions.ends.unwrap();
    assert_eq!((ends.0.as_secs(), ends.1.as_secs()), (2 * 3600, 8 * 3600));
    assert!(config.browser_sessions.remember_consent.is_zero());
    assert_eq!(good(&plus("browser_sessions: { absolute: 0s }\n")).browser_sessions.ends, None);
    for (keys, key, problem) in [
        ("idle: 59s", "idle", "is out of range"),
        ("absolute: 31d", "absolute", "is out of range"),
        ("remember_consent: 366d", "remember_consent", "is out of range"),
        ("idle: 13h", "idle", "idle is longer than absolute"),
        ("absolute: 30m", "absolute", "idle is longer than absolute"),
        ("idle: 1h, absolute: 0s", "idle", "has no effect"),
        ("absolute: 0s, remember_consent: 1d", "remember_consent", "has no effect"),
    ] {
        let text = plus(&format!("browser_sessions: {{ {keys} }}\n"));
        only_fault(&text, 18, &format!("browser_sessions.{key}"), problem);
    }
}

/// Words from a short list, log filters, and settings that would be ignored.
#[test]
fn words() {
    only_fault(&plus("signing: { algorithm: HS256 }\n"), 18, "signing.algorithm", "`HS256` is not known");
    only_fault(&plus("logs: { format: xml }\n"), 18, "logs.format", "`xml` is not known");
    only_fault(&plus("registration: { open: 'yes' }\n"), 18, "registration.open", "`yes` is not known");
    for level in ["inof", "'info,gatelodge=loud'", "loud"] {
        only_fault(&plus(&format!("logs: {{ level: {level} }}\n")), 18, "logs.level", "is not a log filter");
    }
    assert_eq!(good(&plus("logs: { level: 'info,gatelodge=debug' }\n")).logs.level, "info,gatelodge=debug");
}

/// What registration takes, and what it does not.
#[test]
fn registration() {
    let read = |keys: &str| good(&plus(&format!("registration: {{ {keys} }}\n"))).registration;
    let usual = good(GOOD).registration;
    assert_eq!((usual.per_address.get(), usual.most_unused.get()), (60, 10_000));
    assert!(usual.open && usual.initial_access_token.is_none() && usual.allowed_redirect_uris.is_empty());
    let told = read(
        "initial_access_token: '${SECRET}', per_address: 7, most_unused: '8', \
         allowed_redirect_uris: [claude.ai, '*.example.com', 'cursor:', 'http://localhost']",
    );
    assert_eq!((told.per_address.get(), told.most_unused.get()), (7, 8));
    assert_eq!(told.allowed_redirect_uris.len(), 4);
    assert!(told.initial_access_token.is_some());
    for (keys, key, problem) in [
        ("per_address: 0", "per_address", "`0` is not a number from 1"),
        ("per_address: many", "per_address", "`many` is not a number"),
        ("per_address: 1.5", "per_address", "`1.5` is not a number"),
        ("most_unused: -1", "most_unused", "`-1` is not a number"),
        ("most_unused: 1000001", "most_unused", "from 1 to 1000000"),
        ("initial_access_token: '${SHORT}'", "initial_access_token", "is shorter than 32"),
        ("initial_access_token: '${SECRET} x'", "initial_access_token", "a bearer token cannot"),
        ("allowed_redirect_uris: []", "allowed_redirect_uris", "is an empty list"),
        ("allowed_redirect_uris: 'javascript:'", "allowed_redirect_uris", "is not the scheme"),
        ("allowed_redirect_uris: 'http://a.example'", "allowed_redirect_uris", "must use https"),
        ("allowed_redirect_uris: 'https://a.example'", "allowed_redirect_uris", "a.example admits that host"),
        ("allowed_redirect_uris: [a.example, a.example]", "allowed_redirect_uris[1]", "is given twice"),
        ("open: false, secret_hosts: [a.example]", "secret_hosts", "has no effect"),
        ("open: false, per_address: 7", "per_address", "has no effect"),
        ("open: false, most_unused: 7", "most_unused", "has no effect"),
        ("open: false, allowed_redirect_uris: [a.example]", "allowed_redirect_uris", "has no effect"),
        ("open: false, initial_access_token: '${SECRET}'", "initial_access_token", "has no effect"),
    ] {
        let text = plus(&format!("registration: {{ {keys} }}\n"));
        only_fault(&text, 18, &format!("registration.{key}"), problem);
    }
}

/// SEC-151: proxies are named one by one, and never everybody.
#[test]
fn sec_151_trusted_proxies() {
    let proxies =
        good(&plus("trusted_proxies: [127.0.0.1, 10.0.0.0/8, '2001:db8::/32', '::ffff:192.0.2.1']\n"));
    let proxies: Vec<String> = proxies.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"]);
    for (proxy, problem) in [
        ("proxy.internal", "is neither an address nor a network"),
        ("10.0.0.1/8", "is an address in a network"),
        ("0.0.0.0/0", "is everybody"),
        ("'::/0'", "is everybody"),
        ("10.0.0.0/33", "is neither"),
    ] {
        only_fault(&plus(&format!("trusted_proxies: {proxy}\n")), 18, "trusted_proxies", problem);
    }
}

/// A signing key must be there and be a private key.
#[test]
fn a_signing_key_must_be_readable() {
    only_fault(&plus("signing: { key_file: /nonexistent }\n"), 18, "signing.key_file", "cannot be read");
    only_fault(&plus("signing: { key_file: Cargo.toml }\n"), 18, "signing.key_file", "holds no private key");
}

const CLIENT: &str = "\
clients:
  - id: report
    name: Report
    redirect_uris: https://app.example/cb
";

/// Clients that are known beforehand, public and confidential.
#[test]
fn clients() {
    let public = good(&plus(CLIENT));
    assert_eq!(public.clients[0].auth, ClientAuth::None);
    assert_eq!(public.clients[0].redirect_uris[0].as_str(), "https://app.example/cb");
    let basic = good(&plus(&format!("{CLIENT}    secret: ${{SECRET}}\n")));
    assert!(matches!(basic.clients[0].auth, ClientAuth::ClientSecretBasic(_)));
    let post = good(&plus(&format!("{CLIENT}    secret: ${{SECRET}}\n    auth: client_secret_post\n")));
    assert!(matches!(post.clients[0].auth, ClientAuth::ClientSecretPost(_)));
}

/// SEC-130: a server that introspects proves itself, and asks about a server that is protected.
#[test]
fn sec_130_clients_that_introspect() {
    let client = |rest: &str| plus(&format!("clients:\n  - id: notes\n    name: Notes\n{rest}"));
    let own = "    introspects: https://mcp.example.com/mcp\n";
    let good = good(&client(&format!("{own}    secret: ${{SECRET}}\n")));
    assert_eq!(good.clients[0].introspects[0].as_str(), "https://mcp.example.com/mcp");
    assert!(good.clients[0].redirect_uris.is_empty());
    only_fault(&client(own), 21, "clients[0].introspects", "needs a secret or keys");
    let other = "    introspects: https://other.example/mcp\n    secret: ${SECRET}\n";
    only_fault(&client(other), 21, "clients[0].introspects", "there is no resource");
}

/// SEC-168: wildcard and dangerous redirects; twins; identifiers of persons (SEC-114).
#[test]
fn sec_168_client_faults() {
    let redirect = |uri: &str| plus(&CLIENT.replace("https://app.example/cb", uri));
    for uri in [
        "https://*.example/cb",
        "javascript:alert(1)",
        "http://app.example/cb",
        "/cb",
        "https://a.example/#f",
    ] {
        only_fault(&redirect(&format!("'{uri}'")), 21, "clients[0].redirect_uris", uri);
    }
    only_fault(&plus("clients: [{ id: a, name: A }]\n"), 18, "clients[0].redirect_uris", "is missing");
    only_fault(&plus(&CLIENT.replace("report", "p_1")), 19, "clients[0].id", "like a person's identifier");
    let twin = format!("{CLIENT}  - id: report\n    name: B\n    redirect_uris: https://b.example/cb\n");
    only_fault(&plus(&twin), 22, "clients[1].id", "another client has this id");
    let auth = format!("{CLIENT}    auth: client_secret_post\n");
    only_fault(&plus(&auth), 22, "clients[0].auth", "has no effect without a secret");
    let auth = format!("{CLIENT}    secret: ${{SECRET}}\n    auth: none\n");
    only_fault(&plus(&auth), 23, "clients[0].auth", "leaves the secret without effect");
}
