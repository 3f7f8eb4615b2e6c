//! The identity provider that people sign in with: the demo's, in this process.

use std::sync::Arc;

use gatelodge::clock::SystemClock;
use gatelodge::demo::provider::DemoProvider;
use gatelodge::secret::{Secret, random};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::Fault;

/// A provider with one client; it stops when it is dropped.
#[derive(Debug)]
pub(crate) struct Provider {
    pub(crate) issuer: String,
    pub(crate) client_id: &'static str,
    pub(crate) client_secret: String,
    server: AbortHandle,
}

impl Provider {
    /// Serves people who come from `callback`.
    pub(crate) async fn start(callback: String) -> Result<Self, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let (client_id, client_secret) = ("gatelodge", random::token());
        let secret = Secret::new(client_secret.clone());
        let clock = Arc::new(SystemClock);
        let provider = DemoProvider::new(issuer.clone(), client_id.into(), secret, vec![callback], clock);
        let server = tokio::spawn(async move { axum::serve(listener, provider.router()).await });
        Ok(Self { issuer, client_id, client_secret, server: server.abort_handle() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}
