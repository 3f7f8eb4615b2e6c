//! API keys (section M of the security requirements).
//!
//! - this file: the forms in which a key comes, and where it counts.
//! - `owners`: never more than the owner has now.
//! - `endings`: expired, revoked, faults, and what is left behind.
//! - `admin_api`: the same keys over HTTP, and a fuzzer in front of it.
//! - `command`: the same keys by command.

mod admin_api;
mod command;
mod endings;
mod owners;

use gatelodge::access::{ApiKeyError, ChangedBy, WantedApiKey};
use gatelodge::domain::{ApiKey, ApiKeyLifetime, PersonId};
use gatelodge::protocol::ResourceUri;
use gatelodge::store::faulty::Operation;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::provider::Person;
use crate::harness::question::{NOTES, WIKI, ask, ask_with};

const FILES: [(&str, &str); 3] =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "files.example.com"), ("x-forwarded-uri", "/mcp")];

/// Notes and wiki take API keys, the files do not.
fn setup() -> Setup {
    let usual = Setup::default();
    let resources = format!(
        "{}    required_scopes: [mcp:read]\n    accepts: [access_token, api_key]\n  \
         - url: https://wiki.example.com/mcp\n    name: Wiki\n    scopes: {{ mcp:read: Read }}\n    \
         accepts: [api_key]\n  \
         - url: https://files.example.com/mcp\n    name: Files\n    scopes: {{ mcp:read: Read }}\n",
        usual.resources
    );
    let extra = "trusted_proxies: [127.0.0.1]\nforward_auth: true\nadmin_api: true\n\
                 api_keys: { scheme: trustgrid-token }\n";
    let access = format!(
        "{}    - {{ groups: [banned], deny: true }}\n    - {{ groups: [guests], scopes: [mcp:admin], session: 8h }}\n    \
         - {{ domains: [example.com], scopes: [\"gatelodge:keys\"] }}\n    \
         - {{ emails: [alice@example.com], scopes: [\"gatelodge:admin\"] }}\n",
        "  default_scopes: [mcp:read]\n  admin_users: [alice@example.com]\n  \
         admin_scopes: [mcp:read, mcp:write, mcp:admin]\n  rules:\n    \
         - { groups: [platform], scopes: [mcp:write] }\n"
    );
    Setup { extra: extra.into(), resources, access, ..usual }
}

fn bob(groups: &[&str]) -> Person {
    Person::new("bob", "bob@example.com").in_groups(groups)
}

/// Signs this person in; who that is.
async fn signed_in(broker: &TestBroker, person: Person) -> (PersonId, Tokens) {
    broker.provider.sign_in_as(person);
    let tokens = TestClient::register(broker).await.tokens(broker).await;
    let id = PersonId::parse(tokens.claims()["sub"].as_str().expect("a subject")).expect("a person");
    (id, tokens)
}

/// A broker whose provider gives refresh tokens, and bob of the group `platform`.
async fn broker() -> (TestBroker, PersonId) {
    let broker = TestBroker::with(setup()).await;
    broker.provider.offer_refresh(true);
    let (bob, _) = signed_in(&broker, bob(&["platform"])).await;
    (broker, bob)
}

fn wanted(scopes: &[&str], lifetime: ApiKeyLifetime) -> WantedApiKey {
    WantedApiKey {
        name: "nightly".into(),
        resources: vec![ResourceUri::parse(RESOURCE).unwrap()],
        scopes: scopes.iter().map(ToString::to_string).collect(),
        lifetime,
    }
}

async fn create(
    broker: &TestBroker,
    owner: &PersonId,
    scopes: &[&str],
) -> Result<(ApiKey, String), ApiKeyError> {
    let wanted = wanted(scopes, ApiKeyLifetime::Never);
    let (key, text) = broker.parts.api_keys.create(owner, &wanted, &ChangedBy::Command).await?;
    Ok((key, text.expose().to_owned()))
}

/// A key of this person's for the notes.
async fn key(broker: &TestBroker, owner: &PersonId, scopes: &[&str]) -> (ApiKey, String) {
    create(broker, owner, scopes).await.expect("a key")
}

/// Asks about a request to the notes with this key.
async fn with_key(broker: &TestBroker, text: &str) -> Page {
    ask(broker, &NOTES, &format!("Bearer {text}")).await
}

#[track_caller]
fn assert_passes(page: &Page, scopes: &str) {
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, scopes), "{}", page.body);
}

#[track_caller]
fn assert_refused(page: &Page) {
    assert_eq!(page.status, 401, "{}", page.body);
    assert!(page.header("www-authenticate").contains("error=\"invalid_token\""));
}

#[track_caller]
fn assert_unavailable(page: &Page) {
    assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
    assert!(page.headers.get("www-authenticate").is_none());
}

/// SEC-148, SEC-150: a key comes in one of four forms, and names its owner to the server behind; of a
/// client there is nothing to say.
#[tokio::test]
async fn sec_150_a_key_counts_in_each_of_its_forms() {
    let (broker, bob) = broker().await;
    let (key, text) = key(&broker, &bob, &["write"]).await;
    let id = key.id.to_string();
    let secret = text.rsplit_once('_').unwrap().1;
    let (bearer, pair) = (format!("Bearer {text}"), format!("Trustgrid-Token {id}:{secret}"));
    for headers in [
        vec![("authorization", bearer.as_str())],
        vec![("authorization", pair.as_str())],
        vec![("x-api-key", text.as_str())],
        vec![("x-api-key", id.as_str()), ("x-api-secret", secret)],
    ] {
        let page = ask_with(&broker, &[&NOTES[..], &headers].concat()).await;
        assert_passes(&page, "mcp:read mcp:write");
        assert_eq!(
            (page.header("x-auth-user"), page.header("x-auth-email")),
            (bob.as_str(), "bob@example.com")
        );
        assert_eq!(page.header("x-auth-client"), "");
    }
    let both = [("authorization", bearer.as_str()), ("x-api-key", text.as_str())];
    assert_eq!(ask_with(&broker, &[&NOTES[..], &both].concat()).await.status, 400, "SEC-146");
    let in_query =
        [NOTES[0], NOTES[1], ("x-forwarded-uri", &format!("/mcp?api_key={text}&x-api-key={text}"))];
    let page = ask_with(&broker, &in_query).await;
    assert_eq!(page.status, 401);
    assert!(!page.header("www-authenticate").contains("error="), "nothing was presented");
}

/// SEC-149, SEC-157: a key is for the servers that it names, and for servers that accept keys at all; at
/// any other server `X-API-Key` is that server's own matter.
#[tokio::test]
async fn sec_149_a_key_counts_at_its_servers_only() {
    let (broker, bob) = broker().await;
    let (_, text) = key(&broker, &bob, &["mcp:read"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:read");
    assert_refused(&ask(&broker, &WIKI, &format!("Bearer {text}")).await);
    assert_refused(&ask(&broker, &FILES, &format!("Bearer {text}")).await);
    let ignored = ask_with(&broker, &[&FILES[..], &[("x-api-key", &text)]].concat()).await;
    assert_eq!(ignored.status, 401);
    assert!(!ignored.header("www-authenticate").contains("error="), "nothing was presented");
    let (_, token) = signed_in(&broker, self::bob(&[])).await;
    let beside = [("authorization", &*format!("Bearer {}", token.access)), ("x-api-key", "its-own")];
    let page = ask_with(&broker, &[&FILES[..], &beside].concat()).await;
    assert!(
        page.header("www-authenticate").contains("invalid_token"),
        "a token for another server: {page:?}"
    );
}

/// SEC-148: what only resembles a key is refused; a typing error does not reach the store.
#[tokio::test]
async fn sec_148_what_resembles_a_key_is_refused() {
    let (broker, bob) = broker().await;
    let (first, text) = key(&broker, &bob, &["mcp:read"]).await;
    let (_, other) = key(&broker, &bob, &["mcp:read"]).await;
    // Right in form, and made by nobody.
    let secrets = gatelodge::tokens::ApiKeySecrets::new(&gatelodge::secret::MasterSecret::generate());
    assert_refused(&with_key(&broker, secrets.make(&first.id).0.expose()).await);
    let unknown = gatelodge::domain::ApiKeyId::generate(&bob);
    assert_refused(&with_key(&broker, secrets.make(&unknown).0.expose()).await);
    let pair = format!("trustgrid-token {}:{}", first.id, other.rsplit_once('_').unwrap().1);
    assert_refused(&ask(&broker, &NOTES, &pair).await);

    broker.store.fail(Operation::ApiKey);
    let changed = if text.ends_with('0') { "1" } else { "0" };
    for bad in ["glk_", "glk_x_y", &text[..59], &format!("{text}0"), &format!("{}{changed}", &text[..59])] {
        assert_refused(&with_key(&broker, bad).await);
    }
    for bad in ["trustgrid-token", "trustgrid-token x", "trustgrid-token x:y:z", &format!("{pair}x")] {
        assert_refused(&ask(&broker, &NOTES, bad).await);
    }
    assert_unavailable(&with_key(&broker, &text).await);
}

/// SEC-150: the endpoints of the broker itself take no key.
#[tokio::test]
async fn sec_150_no_endpoint_of_the_broker_takes_a_key() {
    let (broker, _) = broker().await;
    let alice = Person::new("alice", "alice@example.com");
    let (alice, _) = signed_in(&broker, alice).await;
    let (_, text) = key(&broker, &alice, &["read", "write", "mcp:admin"]).await;
    assert_passes(&with_key(&broker, &text).await, "mcp:admin mcp:read mcp:write");
    let browser = broker.browser();
    let ask = async |method: http::Method, path: &str| {
        let forms = [("authorization", format!("Bearer {text}")), ("x-api-key", text.clone())];
        let mut statuses = Vec::new();
        for (name, value) in forms {
            let request = browser.http().request(method.clone(), broker.url(path)).header(name, value);
            let form = [("grant_type", "client_credentials"), ("token", text.as_str()), ("client_id", "c")];
            statuses.push(request.form(&form).send().await.unwrap().status().as_u16());
        }
        statuses
    };
    for (path, expected) in [("/oauth/token", [401, 401]), ("/oauth/revoke", [401, 401])] {
        assert_eq!(ask(http::Method::POST, path).await, expected, "{path}");
    }
    let url = format!("/oauth/authorize?client_id=c&api_key={text}");
    assert_eq!(ask(http::Method::GET, &url).await, [400, 400]);
    for path in ["/admin/api/api-keys", "/admin/api/api-keys/0000000000000000000"] {
        assert_eq!(ask(http::Method::GET, path).await, [401, 401], "{path}");
    }
    let refreshed = TestClient::register(&broker).await.refresh(&broker, &text).await;
    assert_eq!((refreshed.status, refreshed.error().as_str()), (400, "invalid_grant"));
}

/// SEC-150, SEC-162: a key stands in no line of the log, at its most talkative, nor in any answer.
#[tokio::test]
async fn sec_150_a_key_is_never_logged() {
    let log = crate::logs::Capture::begin(gatelodge::telemetry::LogStyle::Json);
    let (broker, bob) = broker().await;
    let (made, text) = key(&broker, &bob, &["mcp:read"]).await;
    let secret = text.rsplit_once('_').unwrap().1.to_owned();
    with_key(&broker, &text).await;
    ask(&broker, &WIKI, &format!("Bearer {text}")).await;
    ask(&broker, &NOTES, &format!("trustgrid-token {}:{secret}", made.id)).await;
    broker.store.fail_everything();
    broker.clock.advance(std::time::Duration::from_secs(2));
    assert_unavailable(&with_key(&broker, &text).await);
    let log = log.text();
    assert!(
        log.contains("api_key_created") && log.contains(&made.id.to_string()),
        "it tells which key it is"
    );
    assert!(!log.contains(&secret) && !log.contains(&secret[..30]));
    for exchange in broker.exchanges.all() {
        assert!(!exchange.answer().contains(&secret), "{}", exchange.path);
    }
}
