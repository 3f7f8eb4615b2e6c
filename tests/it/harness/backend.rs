//! A server behind the gateway that remembers what reached it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderMap, Method};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

/// What reached it.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Arrived {
    /// A header's values.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.headers.get_all(name).iter().map(|value| value.to_str().expect("text")).collect()
    }
}

/// The server; it ends with the test.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    server: AbortHandle,
}

impl Backend {
    /// A server that reads requests whole and answers them like this.
    pub(crate) async fn answering(
        answer: impl Fn(&Arrived) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let log = Arc::clone(&arrived);
        let router = Router::new().fallback(move |request: Request| async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body");
            let one = Arrived {
                method: parts.method,
                uri: parts.uri.to_string(),
                headers: parts.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
            };
            let response = answer(&one);
            log.lock().expect("no panic").push(one);
            response
        });
        let mut server = Self::serving(router).await;
        server.arrived = arrived;
        server
    }

    /// A server that says `served` to everything.
    pub(crate) async fn plain() -> Self {
        Self::answering(|_| Response::new(Body::from("served"))).await
    }

    /// A server of these routes; it remembers nothing.
    pub(crate) async fn serving(router: Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { address, arrived: Arc::default(), server }
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What reached it since this was last asked.
    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        std::mem::take(&mut *self.arrived.lock().expect("no panic"))
    }

    /// The one request that reached it.
    pub(crate) fn only(&self) -> Arrived {
        let arrived = self.arrived();
        let [one] = arrived.as_slice() else { panic!("{arrived:?}") };
        one.clone()
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.server.abort();
    }
}
