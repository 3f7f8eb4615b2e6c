//! `clients: { allow: […] }`.

use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, Tokens};
use crate::harness::document_host::{DocumentHost, HOST};

use super::{NOT_ADMITTED, Restarted, WAITS, assert_kept_out, broker_with, is_invalid_grant, shown};

/// INT-28: Cursor and Visual Studio Code are let in as they really register, and nobody else is,
/// whatever it calls itself.
#[tokio::test]
async fn int_28_only_clients_on_the_list_are_let_in() {
    let broker = broker_with("clients: { allow: [cursor, vscode] }\n").await;
    let cursor = TestClient::register_with(
        &broker,
        json!({"client_name": "Something else", "application_type": "web", "redirect_uris": [
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "https://www.cursor.com/agents/mcp/oauth/callback",
            "http://localhost:8787/callback",
        ]}),
    );
    let vscode = TestClient::register_with(
        &broker,
        json!({"redirect_uris": ["https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect",
            "http://127.0.0.1/", "http://127.0.0.1:33418/"]}),
    );
    for known in [cursor.await, vscode.await] {
        assert_eq!(shown(&broker, &known).await.status, 200, "{}", known.redirect);
    }
    for (name, redirects) in [
        ("Test client", json!([REDIRECT])),
        ("Cursor", json!(["https://evil.example/cb"])),
        ("Cursor", json!(["https://www.cursor.com/agents/mcp/oauth/callback", "https://evil.example/cb"])),
    ] {
        let other = json!({"client_name": name, "redirect_uris": redirects});
        let other = TestClient::register_with(&broker, other).await;
        assert_kept_out(&shown(&broker, &other).await, NOT_ADMITTED, &other);
    }
}

/// A document is known by its URL: the same redirects in a stranger's document make a stranger.
#[tokio::test]
async fn a_document_elsewhere_is_another_client() {
    let host = DocumentHost::start().await;
    let documents = Some(host.fetcher(&[HOST]));
    let extra = "clients: { allow: [codex] }\n".to_owned();
    let broker = TestBroker::with(Setup { extra, documents, ..Setup::default() });
    let broker = broker.await;
    let url = host.publishes("/client.json", &json!({"client_name": "Codex", "redirect_uris": [REDIRECT]}));
    let stranger = TestClient { id: url, secret: None, redirect: REDIRECT.into() };
    assert_kept_out(&shown(&broker, &stranger).await, NOT_ADMITTED, &stranger);
    let registered = TestClient::register(&broker).await;
    assert_eq!(shown(&broker, &registered).await.status, 200, "registered, these redirects are Codex's");
}

/// SEC-128: with a list, a document that can be on none of its entries is not fetched, whoever asks and
/// where: nobody makes us call a host of theirs. One that was used before the list was made is still known,
/// so that what it has can be ended.
#[tokio::test]
async fn sec_128_a_document_that_cannot_be_admitted_is_not_fetched() {
    let host = DocumentHost::start().await;
    let mut restarted = Restarted::new().await;
    let setup = |extra: &str| Setup {
        documents: Some(host.fetcher(&[HOST])),
        extra: extra.to_owned(),
        ..Setup::default()
    };
    let known = |url: String| TestClient { id: url, secret: None, redirect: REDIRECT.into() };
    let before = restarted.start(setup("")).await;
    let used = known(host.publishes("/used.json", &json!({})));
    let tokens = used.tokens(&before).await;
    before.stop().await;
    let asked = (host.requests().len(), host.lookup.asked().len());

    let broker = restarted.start(setup("clients: { allow: [codex] }\n")).await;
    let stranger = known(host.publishes("/client.json", &json!({"client_name": "Codex"})));
    assert_kept_out(&shown(&broker, &stranger).await, NOT_ADMITTED, &stranger);
    let page = stranger.refresh(&broker, "nothing").await;
    assert_eq!((page.status, page.error().as_str()), (401, "invalid_client"), "{}", page.body);
    assert_kept_out(&shown(&broker, &used).await, NOT_ADMITTED, &used);
    assert!(is_invalid_grant(&used.refresh(&broker, &tokens.refresh).await));
    assert_eq!(used.revoke(&broker, &tokens.refresh).await.status, 200);
    assert_eq!((host.requests().len(), host.lookup.asked().len()), asked);
    broker.stop().await;

    // Whoever waits for the operator's word has to be looked at.
    let approving = "clients: { allow: [codex], require_approval: true }\n";
    let broker = restarted.start(setup(approving)).await;
    assert_kept_out(&shown(&broker, &stranger).await, WAITS, &stranger);
    assert_eq!(host.requests().len(), asked.0 + 1);
}

/// The operator's own are always let in.
#[tokio::test]
async fn the_operator_s_own_clients_need_no_list() {
    let named = "clients:\n  allow: [claude]\n  named:\n    - { id: own, name: Own, redirect_uris: 'http://127.0.0.1:39999/callback' }\n\
                 client_documents:\n  pinned:\n    - client_id: https://intranet.example/client.json\n      \
                 document: '{\"client_id\": \"https://intranet.example/client.json\", \"client_name\": \"I\", \"redirect_uris\": [\"http://127.0.0.1:39999/callback\"]}'\n";
    let broker = broker_with(named).await;
    for id in ["own", "https://intranet.example/client.json"] {
        let own = TestClient { id: id.into(), secret: None, redirect: REDIRECT.into() };
        assert_eq!(own.tokens(&broker).await.answer["token_type"], "Bearer", "{id}");
    }
}

/// INT-63, INT-52: a client that is taken off the list gets no tokens any more. It is told that the grant
/// is over, keeps its registration, and finds our page; back on the list it goes on.
#[tokio::test]
async fn int_63_a_client_taken_off_the_list_is_sent_to_the_page() {
    let mut restarted = Restarted::new().await;
    let broker = restarted.with("clients: { allow: [codex, claude] }\n").await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    let unused = client.code(&broker).await;
    broker.stop().await;

    let broker = restarted.with("clients: { allow: [claude] }\n").await;
    assert!(is_invalid_grant(&client.refresh(&broker, &tokens.refresh).await));
    assert!(is_invalid_grant(&client.redeem(&broker, &unused).await));
    assert_kept_out(&shown(&broker, &client).await, NOT_ADMITTED, &client);
    assert_eq!(client.revoke(&broker, "nothing").await.status, 200, "it may still end what it has");
    broker.stop().await;

    let broker = restarted.with("clients: { allow: [codex, claude] }\n").await;
    let _ = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    let _ = Tokens::of(&client.redeem(&broker, &unused).await);
}
