//! Which answers are believed. One that is not says nothing of the person: the last facts hold, as
//! while the provider does not answer at all, and what it claims changes none of them.

use std::sync::Arc;
use std::time::Duration;

use gatelodge::clock::Clock;
use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::keys::object;
use crate::harness::provider::{Misbehaviour, Person, Signing, TestProvider, TokenAnswer};
use crate::harness::temp_dir::TempDir;

use super::{MINUTE, assert_dead, assert_unavailable, bob, refreshed, signed_in};

/// SEC-043, SEC-048 to SEC-051 at refresh: an ID token of another account, issuer or application, with a
/// bad signature, a foreign nonce or old is not believed. The refresh token beside it is kept: the next
/// honest answer is believed again.
#[tokio::test]
async fn sec_050_an_answer_that_does_not_hold_changes_no_facts() {
    let claims = |value: serde_json::Value| move |m: &mut Misbehaviour| m.claims = object(value);
    let lies: Vec<(&str, Box<dyn FnOnce(&mut Misbehaviour)>)> = vec![
        ("another account", Box::new(claims(json!({"sub": "alice"})))),
        ("another issuer", Box::new(claims(json!({"iss": "https://idp.example"})))),
        ("another application", Box::new(claims(json!({"aud": "another"})))),
        ("another party", Box::new(claims(json!({"azp": "another"})))),
        ("another sign-in's nonce", Box::new(claims(json!({"nonce": "another"})))),
        ("no text as nonce", Box::new(claims(json!({"nonce": 1})))),
        ("another access token", Box::new(claims(json!({"at_hash": "another"})))),
        ("expired", Box::new(claims(json!({"exp": 1_700_000_000_u64, "iat": 1_700_000_000_u64})))),
        ("no account", Box::new(claims(json!({"sub": null})))),
        ("unsigned", Box::new(|m| m.signing = Signing::Unsigned)),
        ("signed with the client's secret", Box::new(|m| m.signing = Signing::HmacWithClientSecret)),
        ("signed by somebody else", Box::new(|m| m.signing = Signing::AnotherKeySameKid)),
        ("signed with a key of its own", Box::new(|m| m.signing = Signing::EmbeddedJwk)),
    ];
    for (lie, tell) in lies {
        let (broker, client, tokens) = signed_in().await;
        broker.provider.misbehave(tell);
        broker.provider.change(bob(&["platform"]).with("name", json!("somebody else")));
        let last = refreshed(&broker, &client, &tokens).await;
        assert_eq!(last.answer["scope"], "mcp:read mcp:write", "{lie}");
        assert_eq!(last.claims()["name"], "bob", "{lie}");
        assert_eq!(last.claims()["sub"], tokens.claims()["sub"], "{lie}");
        broker.clock.advance(Duration::from_secs(24 * 3600));
        assert_unavailable(&client.refresh(&broker, &last.refresh).await);
        broker.provider.behave();
        let honest = refreshed(&broker, &client, &last).await;
        assert_eq!(honest.claims()["name"], "somebody else", "{lie}");
        assert_eq!(broker.provider.thefts(), 0, "{lie}");
    }
}

/// OpenID Connect Core section 12.2: the nonce need not be there; if it is, it is the sign-in's.
#[tokio::test]
async fn the_nonce_of_the_sign_in_may_come_again() {
    let (broker, client, tokens) = signed_in().await;
    let nonce = broker.provider.authorize_requests()[0]["nonce"].clone();
    broker.provider.misbehave(|m| m.claims = object(json!({"nonce": nonce})));
    broker.provider.change(bob(&[]));
    assert_eq!(refreshed(&broker, &client, &tokens).await.answer["scope"], "mcp:read");
}

/// Core section 12.2: no ID token is owed. Userinfo says the same, if it is about the same person; a
/// disabled account gets neither.
#[tokio::test]
async fn userinfo_speaks_where_there_is_no_id_token() {
    let (broker, client, tokens) = signed_in().await;
    broker.provider.misbehave(|m| m.token = TokenAnswer::NoIdToken);
    broker.provider.change(bob(&[]));
    let tokens = refreshed(&broker, &client, &tokens).await;
    assert_eq!(tokens.answer["scope"], "mcp:read");
    assert_eq!(broker.provider.fetches().userinfo, 1);
    broker.provider.change(bob(&["platform"]));
    broker.provider.misbehave(|m| m.userinfo = object(json!({"sub": "alice"})));
    let tokens = refreshed(&broker, &client, &tokens).await;
    assert_eq!(tokens.answer["scope"], "mcp:read", "the last facts");
    broker.provider.misbehave(|m| m.userinfo.clear());
    let tokens = refreshed(&broker, &client, &tokens).await;
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    broker.provider.disable("bob", true);
    broker.clock.advance(MINUTE);
    assert_dead(&client.refresh(&broker, &tokens.refresh).await);
}

/// SEC-055, SEC-058: the operator points the upstream's name at another provider. The old one's token
/// is not shown to it, and the old one's people get nothing there.
#[tokio::test]
async fn sec_055_a_repointed_upstream_gets_no_token_of_the_old_one() {
    let folder = TempDir::new();
    let store = format!("store: {}\n", folder.path().join("store.db").display());
    let setup = Setup { store, ..Setup::default() };
    let (broker, client, tokens) = super::signed_in_with(setup.clone()).await;
    let (clock, provider) = (Arc::clone(&broker.clock), Arc::clone(&broker.provider));
    broker.stop().await;
    let stranger = Arc::new(TestProvider::start(Arc::clone(&clock) as Arc<dyn Clock>));
    stranger.offer_refresh(true);
    stranger.sign_in_as(Person::new("bob", "bob@example.com"));
    let repointed = TestBroker::replica(setup.clone(), Arc::clone(&clock), Arc::clone(&stranger)).await;
    clock.advance(MINUTE);
    assert_dead(&client.refresh(&repointed, &tokens.refresh).await);
    let own = TestClient::register(&repointed).await.tokens(&repointed).await;
    assert_ne!(own.claims()["sub"], tokens.claims()["sub"]);
    assert_eq!(stranger.refreshed().len(), 0);
    repointed.stop().await;
    let back = TestBroker::replica(setup, clock, Arc::clone(&provider)).await;
    assert_eq!(
        Tokens::of(&client.refresh(&back, &tokens.refresh).await).answer["scope"],
        "mcp:read mcp:write"
    );
    assert_eq!((provider.refreshed().len(), provider.thefts()), (1, 0));
}
