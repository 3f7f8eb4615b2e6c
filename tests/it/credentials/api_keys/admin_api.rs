//! API keys over HTTP, at a protected server of the broker's own.

use std::path::Path;
use std::process::Stdio;

use gatelodge::store::Store as _;
use gatelodge::store::faulty::Operation;
use http::Method;
use serde_json::{Value, json};

use super::{assert_passes, assert_refused, bob, setup, signed_in, with_key};
use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens, authorize_url};
use crate::harness::provider::Person;
use crate::harness::temp_dir::TempDir;

const KEYS: &str = "/admin/api/api-keys";

/// An access token of this person for the API, through a client of its own.
async fn token(broker: &TestBroker, person: Person, scope: &str) -> (TestClient, Tokens) {
    broker.provider.sign_in_as(person);
    let client = TestClient::register(broker).await;
    let api = broker.url("/admin/api");
    let request = client.request_with(&[("resource", &api), ("scope", scope)]);
    let browser = Browser::new();
    let back = client.sign_in_at(broker, &browser, &authorize_url(broker, &request)).await;
    let tokens = Tokens::of(&client.redeem(broker, &back["code"]).await);
    assert_eq!(tokens.answer["scope"], scope);
    (client, tokens)
}

async fn call(broker: &TestBroker, token: &str, method: Method, path: &str, body: Option<Value>) -> Page {
    let url = broker.url(path);
    let browser = Browser::new();
    let mut request = browser.http().request(method, &url).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    Page::of(&url, request.send().await.expect("an answer")).await
}

fn new() -> Value {
    json!({ "name": "ci", "resources": [RESOURCE], "scopes": ["read"], "expires": "30d" })
}

fn with(changes: Value) -> Value {
    let mut new = new();
    for (name, value) in crate::harness::keys::object(changes) {
        new[name] = value;
    }
    new
}

/// SEC-148, SEC-150: a key is made, shown once, used, listed and revoked; each change is an event that says
/// who did it.
#[tokio::test]
async fn sec_148_a_person_manages_their_own_keys() {
    let broker = TestBroker::with(setup()).await;
    let (client, tokens) = token(&broker, bob(&[]), "gatelodge:keys").await;
    let (token, sub) = (&tokens.access, tokens.claims()["sub"].clone());
    let page = call(&broker, token, Method::POST, KEYS, Some(new())).await;
    assert_eq!((page.status, page.header("cache-control")), (201, "no-store"), "{}", page.body);
    let made = page.json();
    assert_eq!(
        (&made["owner"], &made["scopes"], &made["state"]),
        (&sub, &json!(["mcp:read"]), &json!("active"))
    );
    let (text, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
    assert!(text.ends_with(made["secret"].as_str().unwrap()) && text.starts_with(&format!("glk_{id}_")));
    assert_passes(&with_key(&broker, text).await, "mcp:read");

    let one = format!("{KEYS}/{id}");
    let listed = call(&broker, token, Method::GET, KEYS, None).await;
    assert_eq!(listed.json()["api_keys"].as_array().unwrap().len(), 1);
    let looked = call(&broker, token, Method::GET, &one, None).await;
    assert!(!listed.body.contains(text) && !looked.body.contains("secret"), "{}", looked.body);
    let revoked = call(&broker, token, Method::DELETE, &one, None).await;
    assert_eq!((revoked.status, &revoked.json()["state"]), (200, &json!("revoked")));
    broker.clock.advance(std::time::Duration::from_secs(1));
    assert_refused(&with_key(&broker, text).await);
    assert_eq!(call(&broker, token, Method::DELETE, &one, None).await.json(), revoked.json());

    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(2).await.unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
    assert_eq!(kinds, ["api_key_revoked", "api_key_created"]);
    for event in events {
        assert_eq!(event.by.unwrap().as_str(), sub.as_str().unwrap());
        assert_eq!(event.client.unwrap().as_str(), client.id);
    }
}

/// SEC-149: one's own keys are one's own; an admin reaches everybody's, and the key stays its owner's.
#[tokio::test]
async fn sec_149_only_an_admin_reaches_other_people_s_keys() {
    let broker = TestBroker::with(setup()).await;
    let (owner, _) = signed_in(&broker, bob(&[])).await;
    let alice = Person::new("alice", "alice@example.com");
    let (_, admin) = token(&broker, alice, "gatelodge:admin").await;
    let (_, carol) = token(&broker, Person::new("carol", "carol@example.com"), "gatelodge:keys").await;
    let of_bob = format!("{KEYS}?owner={owner}");
    let wanted = with(json!({ "owner": owner.as_str() }));

    let made = call(&broker, &admin.access, Method::POST, KEYS, Some(wanted.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let made = made.json();
    let page = with_key(&broker, made["key"].as_str().unwrap()).await;
    assert_eq!(page.header("x-auth-user"), owner.as_str());
    let beyond = with(json!({ "owner": owner.as_str(), "scopes": ["mcp:admin"] }));
    let refused = call(&broker, &admin.access, Method::POST, KEYS, Some(beyond)).await;
    assert_eq!((refused.status, refused.error().as_str()), (403, "access_denied"), "not more than bob has");

    let one = format!("{KEYS}/{}", made["id"].as_str().unwrap());
    for (method, path, body, status) in [
        (Method::POST, KEYS, Some(wanted), 403),
        (Method::GET, of_bob.as_str(), None, 403),
        (Method::GET, one.as_str(), None, 404),
        (Method::DELETE, one.as_str(), None, 404),
    ] {
        let page = call(&broker, &carol.access, method.clone(), path, body).await;
        assert_eq!(page.status, status, "{method} {path}: {}", page.body);
    }
    let listed = call(&broker, &admin.access, Method::GET, &of_bob, None).await.json();
    assert_eq!(listed["api_keys"][0]["state"], "active");
    assert_eq!(call(&broker, &admin.access, Method::DELETE, &one, None).await.status, 200);
}

/// SEC-145: the API is a protected server like any other: its own metadata, challenges and scopes; and a
/// token for another server is none.
#[tokio::test]
async fn sec_145_the_api_is_a_protected_server() {
    let broker = TestBroker::with(setup()).await;
    let api = broker.url("/admin/api");
    let metadata = broker.browser().get(&broker.url("/.well-known/oauth-protected-resource/admin/api")).await;
    assert_eq!(metadata.json()["resource"], api.as_str());
    assert_eq!(metadata.json()["scopes_supported"], json!(["gatelodge:admin", "gatelodge:keys"]));
    let nothing = broker.browser().get(&broker.url(KEYS)).await;
    assert_eq!(nothing.status, 401);
    let challenge = nothing.header("www-authenticate");
    assert!(
        challenge.contains("oauth-protected-resource/admin/api") && !challenge.contains("error="),
        "{challenge}"
    );
    let (_, other) = signed_in(&broker, Person::new("alice", "alice@example.com")).await;
    let page = call(&broker, &other.access, Method::GET, KEYS, None).await;
    assert_eq!((page.status, page.error().as_str()), (401, "invalid_token"));
    // Still the one server that is meant where none is named.
    let front = broker.browser().get(&broker.url("/")).await;
    assert!(!front.body.contains("admin/api"), "no server for people");

    let off = TestBroker::start().await;
    assert_eq!(off.browser().get(&off.url(KEYS)).await.status, 404);
    assert_eq!(off.browser().get(&off.url("/admin/api/openapi.json")).await.status, 404);
}

/// With one server and the API, that server is still the one that is meant where none is named.
#[tokio::test]
async fn the_api_takes_no_server_s_place() {
    let usual = Setup::default();
    let access = "  default_scopes: [mcp:read, \"gatelodge:keys\"]\n".to_owned();
    let broker = TestBroker::with(Setup { extra: "admin_api: true\n".into(), access, ..usual }).await;
    let client = TestClient::register(&broker).await;
    let request = client.request_with(&[("resource", ""), ("scope", "")]);
    let browser = broker.browser();
    let back = client.sign_in_at(&broker, &browser, &authorize_url(&broker, &request)).await;
    let tokens = Tokens::of(&client.redeem(&broker, &back["code"]).await);
    assert_eq!((&tokens.claims()["aud"], &tokens.answer["scope"]), (&json!(RESOURCE), &json!("mcp:read")));
}

/// What cannot be is refused with the reason; a fault of the store is never the caller's.
#[tokio::test]
async fn sec_148_bodies_that_do_not_fit_are_refused() {
    let broker = TestBroker::with(setup()).await;
    let (_, tokens) = token(&broker, bob(&[]), "gatelodge:keys").await;
    for (body, status) in [
        (with(json!({ "name": "" })), 400),
        (with(json!({ "name": "a\nb" })), 400),
        (with(json!({ "expires": "2d" })), 400),
        (with(json!({ "scopes": [] })), 400),
        (with(json!({ "scopes": ["mcp:other"] })), 400),
        (with(json!({ "scopes": ["mcp:admin"] })), 403),
        (with(json!({ "resources": ["https://files.example.com/mcp"] })), 400),
        (with(json!({ "resources": [RESOURCE, RESOURCE] })), 400),
        (with(json!({ "resources": "x" })), 400),
        (with(json!({ "owner": "bob" })), 400),
        (with(json!({ "owner": null })), 400),
        (with(json!({ "admin": true })), 400),
        (json!([new()]), 400),
        (json!("x"), 400),
    ] {
        let page = call(&broker, &tokens.access, Method::POST, KEYS, Some(body.clone())).await;
        assert_eq!(page.status, status, "{body}: {}", page.body);
        assert!(page.json()["error_description"].is_string(), "{}", page.body);
    }
    for query in ["owner=", "owner=bob", "owner=&owner="] {
        let page = call(&broker, &tokens.access, Method::GET, &format!("{KEYS}?{query}"), None).await;
        assert_eq!(page.status, 400, "{query}");
    }
    let form = broker.browser();
    let form = form.http().post(broker.url(KEYS)).bearer_auth(&tokens.access).form(&[("name", "x")]);
    assert_eq!(form.send().await.unwrap().status(), 415);
    for (operation, method, body) in
        [(Operation::ApiKeysOf, Method::GET, None), (Operation::AddApiKey, Method::POST, Some(new()))]
    {
        broker.store.fail(operation);
        let page = call(&broker, &tokens.access, method, KEYS, body).await;
        assert_eq!((page.status, page.error().as_str()), (503, "temporarily_unavailable"), "{}", page.body);
        broker.store.heal();
    }
}

/// The fuzzer, as its lock file pins it: `./dev test` installs it.
const SCHEMATHESIS: &str = "target/tools/schemathesis/bin/st";

/// Every operation that the published description names does what it says, whatever is sent to it.
#[tokio::test]
#[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was skipped")]
async fn sec_150_the_api_is_what_its_description_says() {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMATHESIS);
    if !program.exists() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "{SCHEMATHESIS} is not installed");
        println!("SKIPPED: {SCHEMATHESIS} is not installed");
        return;
    }
    // One server takes keys, so that every scope that is offered is one of it.
    let usual = setup();
    let resources = usual.resources.replace("    accepts: [api_key]\n", "");
    let broker = TestBroker::with(Setup { resources, ..usual }).await;
    signed_in(&broker, Person::new("alice", "alice@example.com")).await;
    let alice = Person::new("alice", "alice@example.com");
    let (_, tokens) = token(&broker, alice, "gatelodge:admin gatelodge:keys").await;
    let folder = TempDir::new();
    let ran = tokio::process::Command::new(program)
        .current_dir(folder.path())
        .args(["run", &broker.url("/admin/api/openapi.json"), "--header"])
        .arg(format!("Authorization: Bearer {}", tokens.access))
        // A key that was revoked stays in the history, on purpose.
        .args(["--exclude-checks", "use_after_free", "--max-examples", "25", "--seed", "150"])
        .args(["--no-color", "--request-timeout", "10", "--suppress-health-check", "all"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let ran = tokio::time::timeout(std::time::Duration::from_secs(240), ran).await;
    let ran = ran.expect("it ends in time").expect("it runs");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    let created = broker.exchanges.all().iter().filter(|exchange| exchange.status == 201).count();
    assert!(created > 10, "it made keys: {created}");
}
