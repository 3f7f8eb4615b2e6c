//! The question that every request to a protected server is: may it pass? And what of it stands in the log.

use std::net::IpAddr;
use std::sync::Arc;

use axum::response::Response;
use http::request::Parts;

use crate::access::{Addressed, CannotDecide, Carried, Decision};
use crate::broker::Broker;
use crate::domain::Tenant;

use super::address;

/// What a request was about; it travels in the answer, to the line that is written about it.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// The server.
    pub(super) resource: String,
    /// What was shown, by its public name, if it counts.
    pub(super) credential: Option<Arc<str>>,
    /// Which tenant it was for, if it might pass.
    pub(super) tenant: Option<Arc<Tenant>>,
    /// Where the request came from.
    pub(super) from: IpAddr,
}

/// Asks the guard about a request to a server. `query` is that of the address which the client asked for.
pub(super) async fn ask(
    broker: &Broker,
    parts: &Parts,
    query: Option<&str>,
    addressed: &Addressed<'_>,
) -> (About, Result<Decision, CannotDecide>) {
    let from = address::of(parts, &broker.trusted_proxies);
    let is_local = address::is_local(parts, &broker.trusted_proxies);
    let carried = Carried { headers: &parts.headers, query, is_local };
    let decided = broker.guard.decide(from, &carried, addressed).await;
    let (credential, tenant) = match &decided {
        Ok(Decision::Allow(passage)) => (Some(passage.caller.shared_credential()), passage.tenant.clone()),
        Ok(Decision::TooMany(_) | Decision::Challenge(_) | Decision::NoTenant(_)) | Err(_) => (None, None),
    };
    (About { resource: addressed.resource.url.as_str().to_owned(), credential, tenant, from }, decided)
}

/// An answer whose line says what it was about.
pub(super) fn tell(about: About, mut response: Response) -> Response {
    response.extensions_mut().insert(about);
    response
}
