//! No credential at all, in development.

use crate::harness::broker::TestBroker;
use crate::harness::browser::Page;
use crate::harness::question::{NOTES, WIKI, ask_with};

use super::{Scene, assert_invalid};

async fn scene() -> Scene {
    let none = "  - { id: dev, type: none, scopes: [mcp:read, mcp:write] }\n";
    Scene::with("access_token, dev", none, "  default_scopes: [mcp:read]\n").await
}

async fn ask(broker: &TestBroker, headers: &[(&str, &str)]) -> Page {
    ask_with(broker, &[&NOTES[..], headers].concat()).await
}

const HERE: (&str, &str) = ("x-forwarded-for", "127.0.0.1");

/// Whoever is on this machine needs none, where it is accepted.
#[tokio::test]
async fn on_this_machine_nothing_has_to_be_shown() {
    let scene = scene().await;
    let page = ask(&scene.broker, &[HERE]).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let told = ["x-auth-user", "x-auth-email", "x-auth-client", "x-auth-scopes"]
        .map(|name| page.header(name).to_owned());
    assert_eq!(told, ["anonymous", "", "", "mcp:read mcp:write"]);
    let wiki = ask_with(&scene.broker, &[&WIKI[..], &[HERE]].concat()).await;
    assert_eq!(wiki.status, 401, "not where it is not accepted");
}

/// SEC-161: what comes from elsewhere, may come from elsewhere, or from another site's page, gets the usual challenge;
/// and who shows something is judged by it.
#[tokio::test]
async fn sec_161_from_elsewhere_everything_is_as_usual() {
    let scene = scene().await;
    for headers in [
        &[][..],
        &[("x-forwarded-for", "192.0.2.7")],
        &[("x-forwarded-for", "127.0.0.1, 192.0.2.7")],
        &[("x-forwarded-for", "192.0.2.7, 127.0.0.1")],
        &[("x-forwarded-for", "unknown")],
        &[("x-forwarded-for", "")],
        &[HERE, ("x-forwarded-for", "192.0.2.7")],
        &[HERE, ("sec-fetch-site", "cross-site")],
        &[HERE, ("origin", "https://evil.example")],
        &[HERE, ("origin", "null")],
        &[HERE, ("authorization", "Basic eDp5")],
    ] {
        let page = ask(&scene.broker, headers).await;
        assert_eq!(page.status, 401, "{headers:?}");
        assert!(!page.header("www-authenticate").contains("error="), "{headers:?}");
    }
    assert_invalid(&ask(&scene.broker, &[HERE, ("authorization", "Bearer nonsense")]).await, "a bad token");
}
