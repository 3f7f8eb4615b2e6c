//! The gateway: requests to protected servers, passed on to them.

mod events;
mod headers;
mod identity;
mod passing;
mod places;
mod real_mcp;
mod streams;
mod tenants;
mod tools;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::harness::backend::Backend;
use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens, authorize_url};

/// The name of the server that tests protect.
const HOST: &str = "mcp.example.com";

/// A server behind a broker, and somebody who may use it.
struct Scene {
    broker: TestBroker,
    backend: Backend,
    client: TestClient,
    tokens: Tokens,
}

impl Scene {
    /// With these lines of the resource more, in front of the server's `/mcp`.
    async fn with(backend: Backend, lines: &[&str]) -> Self {
        Self::set_up(backend, lines, Setup::default()).await
    }

    async fn set_up(backend: Backend, lines: &[&str], setup: Setup) -> Self {
        let mut resources = format!("{}    upstream_url: {}\n", setup.resources, backend.url("/mcp"));
        for line in lines {
            resources = format!("{resources}    {line}\n");
        }
        let broker = TestBroker::with(Setup { resources, ..setup }).await;
        let client = TestClient::register(&broker).await;
        let tokens = client.tokens(&broker).await;
        Self { broker, backend, client, tokens }
    }

    async fn plain() -> Self {
        Self::with(Backend::plain().await, &[]).await
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.tokens.access)
    }

    /// A token with fewer scopes.
    async fn narrow(&self, scope: &str) -> String {
        let page = self.client.refresh_with(&self.broker, &self.tokens.refresh, &[("scope", scope)]).await;
        format!("Bearer {}", page.json()["access_token"].as_str().expect("a token"))
    }

    /// A request to the server's own name, without a token.
    fn anybody(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
        Browser::new().http().request(method, self.broker.url(path)).header("host", HOST)
    }

    /// The same with the token.
    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.anybody(method, path).header("authorization", self.bearer())
    }

    async fn ask(&self, method: &str, path: &str) -> Page {
        page(self.request(method, path)).await
    }

    /// The status for a path that no client sends as it stands.
    async fn exactly(&self, path: &str) -> u16 {
        let address = self.broker.issuer.strip_prefix("http://").expect("an address");
        let mut connection = TcpStream::connect(address).await.expect("a connection");
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {HOST}\r\nauthorization: {}\r\ncontent-length: 0\r\n\
             connection: close\r\n\r\n",
            self.bearer()
        );
        connection.write_all(head.as_bytes()).await.expect("written");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.expect("an answer");
        answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer}"))
    }

    /// Sends a message.
    async fn post(&self, bearer: &str, body: &str) -> Page {
        let request = self.anybody("POST", "/mcp").header("authorization", bearer);
        page(request.header("content-type", "application/json").body(body.to_owned())).await
    }
}

async fn page(request: reqwest::RequestBuilder) -> Page {
    let response = request.send().await.expect("an answer");
    let url = response.url().to_string();
    Page::of(&url, response).await
}

/// A token for another resource.
async fn token_for(broker: &TestBroker, client: &TestClient, resource: &str, scope: &str) -> String {
    let request = client.request_with(&[("resource", resource), ("scope", scope)]);
    let answer = client.sign_in_at(broker, &Browser::new(), &authorize_url(broker, &request)).await;
    let page = client.redeem_with(broker, &answer["code"], &[("resource", resource)]).await;
    format!("Bearer {}", Tokens::of(&page).access)
}
