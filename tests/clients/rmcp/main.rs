//! The Rust SDK through the whole flow: discovery, registration, browser, tools, step-up, and how things end.
#![expect(clippy::print_stdout, reason = "the runner reads what this program prints")]

mod endings;
mod person;

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use oauth2::TokenResponse as _;
use rmcp::ServiceExt as _;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationManager, AuthorizationRequest, InMemoryCredentialStore, OAuthState,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;
use tokio::sync::Mutex;

use endings::{Broker, credentials};
use person::Person;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Debug, clap::Parser)]
struct Options {
    #[arg(long)]
    mcp_url: String,
    #[arg(long)]
    control: String,
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
    let broker = Broker::new(&options.control);
    let mut alice = Person::open("alice", options.screenshots.clone()).await?;
    let store = InMemoryCredentialStore::new();
    let (client, manager) = connect(&options.mcp_url, &mut alice, &store, None).await?;
    call_tools(&client).await?;
    step_up(&client, &manager, &mut alice).await?;
    endings::walk(&client, &store, &broker).await?;
    endings::revoked(&client, &manager, (&store, &broker), &mut alice).await?;
    client.cancel().await?;

    let mut bob = Person::open("bob", options.screenshots.clone()).await?;
    let (store, document) = (InMemoryCredentialStore::new(), broker.document().await?);
    let (client, _) = connect(&options.mcp_url, &mut bob, &store, Some(document)).await?;
    whoami(&client, "bob").await?;
    client.cancel().await?;
    Ok(())
}

type Connected = (Client, Arc<Mutex<AuthorizationManager>>);

/// Signs in and connects; `document` identifies a client that has one, any other registers.
async fn connect(
    url: &str,
    person: &mut Person,
    store: &InMemoryCredentialStore,
    document: Option<String>,
) -> Outcome<Connected> {
    let manager = sign_in(url, person, store.clone(), document).await?;
    let http = AuthClient::new(http_client(), manager);
    let manager = Arc::clone(&http.auth_manager);
    let config = StreamableHttpClientTransportConfig::with_uri(url);
    let client = ().serve(StreamableHttpClientTransport::with_client(http, config)).await?;
    Ok((client, manager))
}

#[expect(clippy::disallowed_methods, reason = "this is a client of the broker, not the broker")]
fn http_client() -> reqwest::Client {
    reqwest::Client::new()
}

async fn sign_in(
    url: &str,
    person: &mut Person,
    store: InMemoryCredentialStore,
    document: Option<String>,
) -> Outcome<AuthorizationManager> {
    let mut manager = AuthorizationManager::new(url).await?;
    manager.set_credential_store(store.clone());
    let mut state = OAuthState::Unauthorized(manager);
    // Without it the SDK asks for every scope that the metadata lists.
    let mut request = AuthorizationRequest::new(person.redirect_uri())
        .with_client_name("Rust SDK")
        .with_initial_scope_selection();
    if let Some(document) = &document {
        request = request.with_client_metadata_url(document);
    }
    state.start_authorization(request).await?;
    let asked = state.get_authorization_url().await?;
    let query = person::query(&asked)?;
    require(query.get("resource").map(String::as_str) == Some(url), || format!("resource in {asked}"))?;
    let client_id = query.get("client_id").cloned().unwrap_or_default();
    let (expected, registration) = match document {
        Some(document) => (client_id == document, "registration: document"),
        None => (client_id.starts_with("glc_"), "registration: dynamic"),
    };
    require(expected, || format!("{client_id} asks"))?;
    let scopes = query.get("scope").cloned().unwrap_or_default();
    let name = person.name();
    ok(&format!("{name}: discovery, {registration}"), &format!("asked for {scopes}"), &[registration]);

    let returned = person.approve(&asked).await?;
    state.handle_callback_url(&returned).await?;
    let stored = credentials(&store).await?;
    let tokens = stored.token_response.ok_or("no tokens")?;
    require(tokens.refresh_token().is_some(), || "no refresh token".into())?;
    let granted = stored.granted_scopes.join(" ");
    ok(&format!("{name}: browser, code, iss, tokens"), &format!("granted {granted}"), &["sign-in: yes"]);
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

async fn whoami(client: &Client, person: &str) -> Outcome<()> {
    let text = call(client, "whoami", json!({})).await?;
    require(text.contains(&format!("{person}@example.com")), || format!("whoami says {text}"))
}

async fn call_tools(client: &Client) -> Outcome<()> {
    let tools = client.list_all_tools().await?;
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_ref()).collect();
    whoami(client, "alice").await?;
    let text = "written by the Rust SDK";
    call(client, "write_note", json!({ "title": "rust", "text": text })).await?;
    let read = call(client, "read_note", json!({ "title": "rust" })).await?;
    require(read.contains(text), || format!("the note reads {read}"))?;
    ok("alice: list tools, call whoami, write_note, read_note", &names.join(" "), &[]);
    Ok(())
}

/// The SDK names the missing scope; the next consent asks for it beside what was granted.
async fn step_up(client: &Client, manager: &Mutex<AuthorizationManager>, alice: &mut Person) -> Outcome<()> {
    let Err(refusal) = call(client, "reset_notes", json!({})).await else {
        return Err("reset_notes needed no step-up".into());
    };
    let refusal = refusal.to_string();
    require(refusal.to_lowercase().contains("scope"), || format!("the refusal is {refusal}"))?;
    let asked = manager.lock().await.request_scope_upgrade("mcp:admin").await?;
    endings::finish(manager, &alice.approve(&asked).await?).await?;
    call(client, "reset_notes", json!({})).await?;
    let granted = manager.lock().await.get_current_scopes().await.join(" ");
    ok("alice: step-up in the browser, then reset_notes", &format!("granted {granted}"), &["step-up: yes"]);
    Ok(())
}
