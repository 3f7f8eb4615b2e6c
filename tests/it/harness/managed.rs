//! A client that manages its registration (RFC 7592).

use serde_json::{Value, json};

use super::broker::TestBroker;
use super::browser::{Browser, Page};
use super::client::{TestClient, register};

/// A client, and what it manages itself with.
pub(crate) struct Managed {
    pub(crate) answer: Value,
    pub(crate) client: TestClient,
}

impl Managed {
    pub(crate) async fn register(broker: &TestBroker, metadata: Value) -> Self {
        let page = register(broker, &metadata).await;
        assert_eq!(page.status, 201, "{}", page.body);
        let answer = page.json();
        let client = TestClient {
            id: answer["client_id"].as_str().unwrap().to_owned(),
            secret: answer["client_secret"].as_str().map(str::to_owned),
            redirect: answer["redirect_uris"][0].as_str().unwrap().to_owned(),
        };
        Self { answer, client }
    }

    pub(crate) fn url(&self) -> &str {
        self.answer["registration_client_uri"].as_str().unwrap()
    }

    pub(crate) fn token(&self) -> &str {
        self.answer["registration_access_token"].as_str().unwrap()
    }

    pub(crate) async fn get(&self) -> Page {
        ask("GET", self.url(), Some(self.token()), None).await
    }

    pub(crate) async fn put(&self, changes: Value) -> Page {
        let mut body = json!({ "client_id": self.client.id });
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        ask("PUT", self.url(), Some(self.token()), Some(body)).await
    }

    pub(crate) async fn delete(&self) -> Page {
        ask("DELETE", self.url(), Some(self.token()), None).await
    }
}

pub(crate) async fn ask(method: &str, url: &str, token: Option<&str>, body: Option<Value>) -> Page {
    let browser = Browser::new();
    let mut request = browser.http().request(method.parse().unwrap(), url);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    if let Some(body) = body {
        request = request.json(&body);
    }
    Page::of(url, request.send().await.unwrap()).await
}
