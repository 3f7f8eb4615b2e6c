//! A server that is asked about tokens, and says what a test tells it to.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

/// What it says.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// A status and this.
    Json(u16, Value),
    /// 200 and a text that is no such JSON.
    Text(String),
    /// Go elsewhere.
    Redirect(String),
    /// Nothing, until the caller hangs up.
    Silence,
}

/// What it was asked.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// With which headers.
    pub(crate) headers: HeaderMap,
    /// And which body.
    pub(crate) body: String,
}

impl Question {
    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }
}

type Shared = Arc<(Mutex<Said>, Mutex<Vec<Question>>)>;

/// The server; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Oracle {
    /// Where it is asked.
    pub(crate) url: String,
    shared: Shared,
    server: tokio::task::AbortHandle,
}

impl Oracle {
    /// Listens on a port that the kernel chooses, and says this.
    pub(crate) async fn start(said: Said) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/ask", listener.local_addr().expect("an address"));
        let shared: Shared = Arc::new((Mutex::new(said), Mutex::default()));
        let router = Router::new().route("/ask", post(answer)).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { url, shared, server }
    }

    /// From now on it says this.
    pub(crate) fn says(&self, said: Said) {
        *self.shared.0.lock().unwrap() = said;
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Question> {
        self.shared.1.lock().unwrap().clone()
    }
}

impl Drop for Oracle {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(shared): State<Shared>, headers: HeaderMap, body: String) -> Response {
    shared.1.lock().unwrap().push(Question { headers, body });
    let said = shared.0.lock().unwrap().clone();
    match said {
        Said::Json(status, value) => {
            let status = StatusCode::from_u16(status).expect("a status");
            (status, [(CONTENT_TYPE, "application/json")], value.to_string()).into_response()
        }
        Said::Text(text) => text.into_response(),
        Said::Redirect(to) => (StatusCode::TEMPORARY_REDIRECT, [(LOCATION, to)]).into_response(),
        Said::Silence => std::future::pending().await,
    }
}
