//! How things end: a restarted broker, tokens that are refused or expire, a revoked grant.

use std::time::Duration;

use oauth2::{AccessToken, TokenResponse as _};
use rmcp::transport::auth::{
    AuthorizationCallback, AuthorizationManager, CredentialStore as _, InMemoryCredentialStore,
    StoredCredentials,
};
use tokio::sync::Mutex;

use crate::person::Person;
use crate::{Client, Outcome, http_client, ok, require, whoami};

/// The broker as an operator has it in hand, through the run that started it.
pub(crate) struct Broker {
    control: String,
}

impl Broker {
    pub(crate) fn new(control: &str) -> Self {
        Self { control: control.to_owned() }
    }

    async fn ask(&self, path: &str, body: String) -> Outcome<()> {
        let answer = http_client().post(format!("{}{path}", self.control)).body(body).send().await?;
        require(answer.status().is_success(), || format!("{path}: {}", answer.status()))
    }

    /// The identifier of a client that has a document.
    pub(crate) async fn document(&self) -> Outcome<String> {
        let text = http_client().get(&self.control).send().await?.text().await?;
        let facts: serde_json::Value = serde_json::from_str(&text)?;
        let document = facts.get("document").and_then(serde_json::Value::as_str);
        Ok(document.ok_or("no document")?.to_owned())
    }
}

pub(crate) async fn credentials(store: &InMemoryCredentialStore) -> Outcome<StoredCredentials> {
    store.load().await?.ok_or_else(|| "nothing is stored".into())
}

/// The access and the refresh token.
async fn secrets(store: &InMemoryCredentialStore) -> Outcome<(String, String)> {
    let stored = credentials(store).await?;
    let tokens = stored.token_response.as_ref().ok_or("no tokens")?;
    let refresh = tokens.refresh_token().ok_or("no refresh token")?;
    Ok((tokens.access_token().secret().clone(), refresh.secret().clone()))
}

/// Waits until the token has expired that was received just now.
#[expect(clippy::disallowed_methods, reason = "the one event here is that time has passed")]
async fn expired(store: &InMemoryCredentialStore) -> Outcome<()> {
    let life = credentials(store).await?.token_response.and_then(|tokens| tokens.expires_in());
    let life = life.filter(|life| *life < Duration::from_secs(10)).ok_or("the token lives long")?;
    tokio::time::sleep(life + Duration::from_secs(1)).await;
    Ok(())
}

/// A call that changes both tokens.
async fn refreshed(client: &Client, store: &InMemoryCredentialStore) -> Outcome<()> {
    let before = secrets(store).await?;
    whoami(client, "alice").await?;
    let after = secrets(store).await?;
    require(after.0 != before.0 && after.1 != before.1, || "the tokens were not rotated".into())
}

pub(crate) async fn walk(client: &Client, store: &InMemoryCredentialStore, broker: &Broker) -> Outcome<()> {
    let before = secrets(store).await?;
    broker.ask("restart?life=short", String::new()).await?;
    whoami(client, "alice").await?;
    require(secrets(store).await? == before, || "the tokens changed".into())?;
    ok("alice: the broker restarts between two calls", "same token", &["broker restarted: next call"]);

    let mut refused = credentials(store).await?;
    let tokens = refused.token_response.as_mut().ok_or("no tokens")?;
    let spoilt = tokens.access_token().secret().chars().rev().collect();
    tokens.set_access_token(AccessToken::new(spoilt));
    store.save(refused).await?;
    refreshed(client, store).await?;
    let did = ["refresh: refused", "broker restarted: refresh"];
    ok("alice: a refused access token is refreshed at the restarted broker", "rotated", &did);

    expired(store).await?;
    refreshed(client, store).await?;
    ok("alice: an expired access token is refreshed", "rotated", &["refresh: expired"]);
    Ok(())
}

/// The SDK says that authorization is required; the program has it done as in the beginning.
pub(crate) async fn revoked(
    client: &Client,
    manager: &Mutex<AuthorizationManager>,
    (store, broker): (&InMemoryCredentialStore, &Broker),
    alice: &mut Person,
) -> Outcome<()> {
    broker.ask("revoke", secrets(store).await?.0).await?;
    expired(store).await?;
    let Err(refusal) = whoami(client, "alice").await else {
        return Err("the revoked grant went on".into());
    };
    let refusal = format!("{refusal:?}");
    require(refusal.contains("AuthRequired"), || format!("the refusal is {refusal}"))?;
    let asked = manager.lock().await.get_authorization_url(&["mcp:read", "mcp:write"]).await?;
    finish(manager, &alice.approve(&asked).await?).await?;
    whoami(client, "alice").await?;
    let did = ["grants revoked: signs in again"];
    ok("alice: the grant is revoked, the token ends, and authorization is required", "signed in again", &did);
    Ok(())
}

/// Redeems what the browser came back with.
pub(crate) async fn finish(manager: &Mutex<AuthorizationManager>, returned: &str) -> Outcome<()> {
    let AuthorizationCallback { code, csrf_token, issuer, .. } =
        AuthorizationCallback::from_redirect_url(returned)?;
    manager.lock().await.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer.as_deref()).await?;
    Ok(())
}
