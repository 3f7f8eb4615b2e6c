//! A load balancer in front of replicas: one public origin, and the test says which replica
//! answers.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use tokio::net::TcpListener;

/// "Each request to the next one."
const IN_TURN: usize = usize::MAX;

/// The front; it stops when it is dropped.
pub(crate) struct Front {
    /// The public origin.
    pub(crate) origin: String,
    shared: Arc<Shared>,
    server: tokio::task::AbortHandle,
}

struct Shared {
    replicas: Mutex<Vec<SocketAddr>>,
    chosen: AtomicUsize,
    turn: AtomicUsize,
    http: reqwest::Client,
}

impl Front {
    /// A front without replicas, on a port that the kernel chooses.
    #[expect(clippy::disallowed_methods, reason = "a test's load balancer, not the broker's client")]
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let origin = format!("http://{}", listener.local_addr().expect("an address"));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .expect("a client");
        let shared = Arc::new(Shared {
            replicas: Mutex::default(),
            chosen: AtomicUsize::new(IN_TURN),
            turn: AtomicUsize::new(0),
            http,
        });
        let router = Router::new().fallback(forward).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { origin, shared, server }
    }

    /// A listener for one more replica.
    pub(crate) async fn add(&self) -> TcpListener {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        self.shared.replicas.lock().expect("no panic").push(address);
        listener
    }

    /// Every request from now on goes to this replica, by the order of [`Front::add`].
    pub(crate) fn to(&self, replica: usize) {
        self.shared.chosen.store(replica, Ordering::SeqCst);
    }

    /// From now on each request goes to the next replica.
    pub(crate) fn in_turn(&self) {
        self.to(IN_TURN);
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Passes everything on, `Host` included.
async fn forward(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let replica = {
        let replicas = shared.replicas.lock().expect("no panic");
        let turn = || shared.turn.fetch_add(1, Ordering::SeqCst) % replicas.len();
        let chosen = shared.chosen.load(Ordering::SeqCst);
        replicas[if chosen == IN_TURN { turn() } else { chosen }]
    };
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, 1024 * 1024).await.expect("a body");
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let request = shared
        .http
        .request(parts.method, format!("http://{replica}{path}"))
        .headers(parts.headers)
        .body(body);
    let answer = request.send().await.expect("the replica answers");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = answer.status();
    *response.headers_mut() = answer.headers().clone();
    // The body is sent on whole, with its length.
    response.headers_mut().remove("transfer-encoding");
    *response.body_mut() = Body::from(answer.bytes().await.expect("a body"));
    response
}
