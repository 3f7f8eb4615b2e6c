//! The Rust SDK through the whole flow: discovery, registration, browser, tools, refresh, step-up.
#![expect(clippy::print_stdout, reason = "the runner reads what this program prints")]

mod person;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use oauth2::{AccessToken, TokenResponse as _};
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationCallback, AuthorizationManager, AuthorizationRequest, CredentialStore as _,
    InMemoryCredentialStore, OAuthState, StoredCredentials,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;
use tokio::sync::Mutex;

use person::Person;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, clap::Parser)]
struct Options {
    #[arg(long)]
    mcp_url: String,
    #[arg(long)]
    screenshots: Option<String>,
    #[arg(long, default_value_t = 150)]
    timeout: u64,
}

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let limit = Duration::from_secs(options.timeout);
    let walked = tokio::time::timeout(limit, walk(&options)).await;
    match walked.unwrap_or_else(|_| Err(format!("nothing finished within {limit:?}").into())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("not ok: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says what held, and what the table of docs/clients.md may say of it.
fn ok(step: &str, detail: &str, did: &[&str]) {
    println!("ok: {step} ({detail})");
    for what in did {
        println!("did: {what}");
    }
}

fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome<()> {
    if holds { Ok(()) } else { Err(otherwise().into()) }
}

async fn walk(options: &Options) -> Outcome<()> {
    let mut alice = Person::open("alice", options.screenshots.clone()).await?;
    let store = InMemoryCredentialStore::new();
    let manager = sign_in(&options.mcp_url, &mut alice, store.clone()).await?;
    let http = AuthClient::new(http_client(), manager);
    let manager = Arc::clone(&http.auth_manager);
    let config = StreamableHttpClientTransportConfig::with_uri(options.mcp_url.as_str());
    let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await?;
    call_tools(&client).await?;
    refresh(&client, &store).await?;
    step_up(&client, &manager, &mut alice).await?;
    client.cancel().await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is a client of the broker, not the broker")]
fn http_client() -> reqwest::Client {
    reqwest::Client::new()
}

async fn sign_in(
    url: &str,
    alice: &mut Person,
    store: InMemoryCredentialStore,
) -> Outcome<AuthorizationManager> {
    let mut manager = AuthorizationManager::new(url).await?;
    manager.set_credential_store(store.clone());
    let mut state = OAuthState::Unauthorized(manager);
    // Without it the SDK asks for every scope that the metadata lists.
    let request = AuthorizationRequest::new(alice.redirect_uri())
        .with_client_name("Rust SDK (alice)")
        .with_initial_scope_selection();
    state.start_authorization(request).await?;
    let asked = state.get_authorization_url().await?;
    let query = person::query(&asked)?;
    require(query.get("resource").map(String::as_str) == Some(url), || format!("resource in {asked}"))?;
    let scopes = query.get("scope").cloned().unwrap_or_default();
    ok("alice: discovery, registration", &format!("asked for {scopes}"), &["dynamic registration"]);

    let returned = alice.approve(&asked).await?;
    state.handle_callback_url(&returned).await?;
    let stored = credentials(&store).await?;
    let tokens = stored.token_response.ok_or("no tokens")?;
    require(tokens.refresh_token().is_some(), || "no refresh token".into())?;
    let granted = stored.granted_scopes.join(" ");
    ok("alice: browser, code, iss, tokens", &format!("granted {granted}"), &["sign-in"]);
    state.into_authorization_manager().ok_or_else(|| "not authorized".into())
}

type Client = RunningService<RoleClient, ()>;

async fn call(client: &Client, tool: &'static str, arguments: serde_json::Value) -> Outcome<String> {
    let mut params = CallToolRequestParams::new(tool);
    params.arguments = arguments.as_object().cloned();
    let result = client.call_tool(params).await?;
    let text = serde_json::to_string(&result.content)?;
    require(result.is_error != Some(true), || format!("{tool} answered with an error: {text}"))?;
    Ok(text)
}

async fn whoami(client: &Client) -> Outcome<()> {
    let text = call(client, "whoami", json!({})).await?;
    require(text.contains("alice@example.com"), || format!("whoami says {text}"))
}

async fn call_tools(client: &Client) -> Outcome<()> {
    let tools = client.list_all_tools().await?;
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    whoami(client).await?;
    let text = "written by the Rust SDK";
    call(client, "write_note", json!({ "title": "rust", "text": text })).await?;
    let read = call(client, "read_note", json!({ "title": "rust" })).await?;
    require(read.contains(text), || format!("the note reads {read}"))?;
    ok("alice: list tools, call whoami, write_note, read_note", &names.join(" "), &["tool call"]);
    Ok(())
}

async fn credentials(store: &InMemoryCredentialStore) -> Outcome<StoredCredentials> {
    store.load().await?.ok_or_else(|| "nothing is stored".into())
}

/// The access and the refresh token.
fn secrets(stored: &StoredCredentials) -> Outcome<(String, String)> {
    let tokens = stored.token_response.as_ref().ok_or("no tokens")?;
    let refresh = tokens.refresh_token().ok_or("no refresh token")?;
    Ok((tokens.access_token().secret().clone(), refresh.secret().clone()))
}

/// An access token that the SDK knows to be expired, then one that only the server refuses.
async fn refresh(client: &Client, store: &InMemoryCredentialStore) -> Outcome<()> {
    let mut expired = credentials(store).await?;
    expired.token_received_at = Some(1);
    refreshed(client, store, expired).await?;
    ok("alice: an expired access token is refreshed", "rotated", &["refresh"]);

    let mut refused = credentials(store).await?;
    let tokens = refused.token_response.as_mut().ok_or("no tokens")?;
    let spoilt = tokens.access_token().secret().chars().rev().collect();
    tokens.set_access_token(AccessToken::new(spoilt));
    refreshed(client, store, refused).await?;
    ok("alice: a refused access token is refreshed", "rotated", &[]);
    Ok(())
}

async fn refreshed(
    client: &Client,
    store: &InMemoryCredentialStore,
    changed: StoredCredentials,
) -> Outcome<()> {
    let before = secrets(&changed)?;
    store.save(changed).await?;
    whoami(client).await?;
    let after = secrets(&credentials(store).await?)?;
    require(after.0 != before.0 && after.1 != before.1, || "the tokens were not rotated".into())
}

/// The SDK names the missing scope; the next consent asks for it beside what was granted.
async fn step_up(client: &Client, manager: &Mutex<AuthorizationManager>, alice: &mut Person) -> Outcome<()> {
    let Err(refusal) = call(client, "reset_notes", json!({})).await else {
        return Err("reset_notes needed no step-up".into());
    };
    let refusal = refusal.to_string();
    require(refusal.to_lowercase().contains("scope"), || format!("the refusal is {refusal}"))?;
    let asked = manager.lock().await.request_scope_upgrade("mcp:admin").await?;
    let returned = AuthorizationCallback::from_redirect_url(&alice.approve(&asked).await?)?;
    let AuthorizationCallback { code, csrf_token, issuer, .. } = returned;
    manager.lock().await.exchange_code_for_token_with_issuer(&code, &csrf_token, issuer.as_deref()).await?;
    call(client, "reset_notes", json!({})).await?;
    let granted = manager.lock().await.get_current_scopes().await.join(" ");
    ok("alice: step-up in the browser, then reset_notes", &format!("granted {granted}"), &["step-up"]);
    Ok(())
}
