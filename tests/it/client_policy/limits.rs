//! Scopes, servers and grants of one client.

use std::collections::BTreeMap;

use serde_json::json;

use crate::harness::broker::Setup;
use crate::harness::browser::query;
use crate::harness::client::{REDIRECT, TestClient, Tokens, authorize_url};

use super::{Restarted, is_invalid_grant};

const WIKI: &str = "https://wiki.example.com/mcp";

fn setup(client: &str) -> Setup {
    let usual = Setup::default();
    let wiki = format!("  - {{ url: '{WIKI}', name: Wiki, scopes: {{ wiki:read: Read }} }}\n");
    let extra = format!("clients:\n  - {{ id: own, name: Own, redirect_uris: '{REDIRECT}'{client} }}\n");
    Setup { resources: format!("{}{wiki}", usual.resources), extra, ..usual }
}

fn own() -> TestClient {
    TestClient { id: "own".into(), secret: None, redirect: REDIRECT.into() }
}

/// SEC-018: what the client may not have is cut out, refused where nothing is left, and gone at the next
/// refresh once it is taken away.
#[tokio::test]
async fn sec_018_a_client_asks_within_its_limits() {
    let mut restarted = Restarted::new().await;
    let client = own();
    let broker = restarted.start(setup("")).await;
    let tokens = client.tokens(&broker).await;
    assert_eq!(tokens.answer["scope"], "mcp:admin mcp:read mcp:write");
    broker.stop().await;

    let limited = setup(", scopes: [mcp:read], resources: ['https://mcp.example.com/mcp']");
    let broker = restarted.start(limited).await;
    let narrowed = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(narrowed.answer["scope"], "mcp:read");
    assert_eq!(client.tokens(&broker).await.answer["scope"], "mcp:read");
    let asked = async |changes: &[(&str, &str)]| -> BTreeMap<String, String> {
        let url = authorize_url(&broker, &client.request_with(changes));
        query(&broker.browser().get(&url).await.location().expect("an answer to the client"))
    };
    assert_eq!(asked(&[("scope", "mcp:write")]).await["error"], "invalid_scope");
    assert_eq!(asked(&[("scope", "wiki:read"), ("resource", WIKI)]).await["error"], "invalid_target");
    broker.stop().await;

    let broker = restarted.start(setup(", resources: ['https://wiki.example.com/mcp']")).await;
    assert!(is_invalid_grant(&client.refresh(&broker, &narrowed.refresh).await));
}

/// A client without `refresh_token` among its grants gets none, and what it had stops.
#[tokio::test]
async fn a_client_may_do_without_refresh_tokens() {
    let mut restarted = Restarted::new().await;
    let broker = restarted.start(setup("")).await;
    let client = own();
    let tokens = client.tokens(&broker).await;
    broker.stop().await;
    let broker = restarted.start(setup(", grant_types: [authorization_code]")).await;
    assert!(is_invalid_grant(&client.refresh(&broker, &tokens.refresh).await));
    assert_eq!(client.tokens(&broker).await.answer["refresh_token"], json!(null));
}
