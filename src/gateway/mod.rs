//! The gateway: requests that may pass are passed on to the protected server, and its answers come back.
//!
//! A request arrives here with its caller, already decided about. It passes, in this order:
//!
//! - `places`: how much its caller may have under way; what is too much ends here.
//! - `message`, `json`: where tools have rules, its body is read, strictly; what the caller may not call ends here.
//! - `route`: where it goes: what stands below the resource's path is appended to the server's.
//! - `headers`: which headers go on, and which of the answer's come back.
//! - `identity`: how the server is told who asks.
//! - `streams`: bodies, both ways, as fast as the slower side takes them.
//! - `events`, `listing`: the answers that change: lists of tools lose those that the caller may not call,
//!   and the older transport's address for messages becomes one of ours.
//!
//! Everything else passes byte for byte.

mod events;
mod headers;
mod identity;
mod json;
mod listing;
mod message;
mod places;
mod refused;
mod route;
mod streams;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use crate::access::{Addressed, Caller, Challenge, Passage, require};
use crate::clock::Clock;
use crate::domain::{Forwarding, Resource, Tenant, TenantName};
use crate::outbound::{NoAnswer, Relay};
use crate::protocol::ResourceUri;
use crate::tokens::IdentityMinter;

use events::{Changes, Events};
use identity::Identities;
pub use places::{Place, names_listening};
pub use refused::Refused;
use route::Route;

/// The longest answer that is read whole, and the longest event: where tools have rules.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// Passes requests on.
pub struct Gateway {
    routes: HashMap<String, HashMap<Option<TenantName>, Arc<Route>>>,
    relay: Relay,
    identities: Identities,
    clock: Arc<dyn Clock>,
}

/// Whose request it is.
#[derive(Debug)]
pub struct Asker {
    /// Who may pass.
    pub caller: Arc<Caller>,
    /// For which tenant.
    pub tenant: Option<Arc<Tenant>>,
    /// Where the request comes from.
    pub address: IpAddr,
    /// Where its answer waits.
    pub place: Place,
}

impl Gateway {
    /// Passes on what is for these servers, and tells them who asks in tokens of `minter`.
    #[must_use]
    pub fn new(
        servers: impl IntoIterator<Item = (ResourceUri, Forwarding)>,
        same_origin: &str,
        relay: Relay,
        minter: IdentityMinter,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let of_one = |(resource, forwarding): (ResourceUri, Forwarding)| {
            let all = Route::all(&resource, forwarding, resource.origin() == same_origin);
            let by_tenant = all.into_iter().map(|route| (route.tenant().cloned(), Arc::new(route)));
            (resource.canonical().to_owned(), by_tenant.collect())
        };
        let routes = servers.into_iter().map(of_one).collect();
        Self { routes, relay, identities: Identities::new(minter), clock }
    }

    /// Do requests to this server come to us?
    #[must_use]
    pub fn serves(&self, resource: &Resource) -> bool {
        self.routes.contains_key(resource.url.canonical())
    }

    /// The server of a tenant, or the one for requests of none.
    fn route(&self, resource: &Resource, tenant: Option<&Tenant>) -> Result<&Arc<Route>, Refused> {
        let routes = self.routes.get(resource.url.canonical());
        let of_one = |tenant: &Tenant| tenant.name.clone();
        routes.and_then(|routes| routes.get(&tenant.map(of_one))).ok_or(Refused::NotFound)
    }

    /// A place for a request whose caller may pass. Whoever shows nothing is one caller.
    pub fn place(
        &self,
        parts: &Parts,
        addressed: &Addressed<'_>,
        passage: &Passage,
    ) -> Result<Place, Refused> {
        let (route, caller) = (self.route(addressed.resource, passage.tenant.as_deref())?, &passage.caller);
        route.places.take(caller.subject(), parts).ok_or_else(|| {
            tracing::debug!(server = %route.name(), credential = caller.credential(), "too much at once of one caller");
            Refused::Busy
        })
    }

    /// Passes a request on whose caller may pass, and brings the answer back.
    pub async fn pass(
        &self,
        request: Request<Body>,
        addressed: &Addressed<'_>,
        asker: Asker,
    ) -> Result<Response<Body>, Refused> {
        let resource = addressed.resource;
        let route = self.route(resource, asker.tenant.as_deref())?;
        let (parts, body) = request.into_parts();
        // One opens a tunnel, the other says everything again that the server was told.
        if matches!(parts.method, Method::CONNECT | Method::TRACE) {
            return Err(Refused::Method);
        }
        let url = route.url(&parts.uri).ok_or(Refused::NotFound)?;
        let reads = !route.forwarding.tools.is_empty();
        let limit = route.forwarding.body_limit;
        if declared_length(&parts.headers).is_some_and(|length| length > limit) {
            return Err(Refused::TooLarge(limit));
        }
        let mut changes = Changes::new(Arc::clone(route), Arc::clone(&asker.caller), url.clone());
        let (body, upload) = if reads {
            let read = message::read(&parts, body, route).await?;
            let mut needed = read.needed(&route.forwarding.tools).union(&resource.required);
            if let Some(tenant) = &asker.tenant {
                needed = needed.union(&tenant.needed);
            }
            require(&asker.caller, &addressed.guarded(), &needed)?;
            changes.hides_tools = parts.method == Method::GET || read.lists_tools;
            (read.bytes.map(reqwest::Body::from), None)
        } else {
            let (upload, fate) = streams::upload(body, limit);
            (upload.map(reqwest::Body::wrap_stream), Some(fate))
        };
        let mut onward = reqwest::Request::new(parts.method.clone(), url);
        *onward.headers_mut() = self.onward_headers(&parts, route, &asker, body.is_some() && !reads)?;
        if changes.hides_tools {
            onward.headers_mut().remove(http::header::ACCEPT_ENCODING);
        }
        *onward.body_mut() = body;
        let answer = self.relay.send(onward, route.forwarding.timeout).await;
        let answer = answer.map_err(|fault| {
            let refused = upload.as_ref().and_then(|fate| fate.refused(limit));
            refused.unwrap_or_else(|| unreachable(route, &fault))
        })?;
        Self::brought_back((answer, asker.place), &parts, addressed, route, changes).await
    }

    fn onward_headers(
        &self,
        parts: &Parts,
        route: &Route,
        asker: &Asker,
        streams: bool,
    ) -> Result<HeaderMap, Refused> {
        let mut onward = headers::onward(&parts.headers, route);
        // Beside another framing it is the client's word against its own.
        if !streams || parts.headers.contains_key(TRANSFER_ENCODING) {
            onward.remove(CONTENT_LENGTH);
        }
        headers::say_where_from(&mut onward, route, asker.address);
        headers::say_whose(&mut onward, route);
        self.identities.tell(route, &asker.caller, self.clock.now(), &mut onward)?;
        Ok(onward)
    }

    async fn brought_back(
        (answer, place): (Response<reqwest::Body>, Place),
        asked: &Parts,
        addressed: &Addressed<'_>,
        route: &Arc<Route>,
        changes: Changes,
    ) -> Result<Response<Body>, Refused> {
        let (parts, body) = answer.into_parts();
        let mut challenge = None;
        match parts.status {
            StatusCode::UNAUTHORIZED if route.forwarding.forward_credential => {
                challenge = Some(Challenge::invalid_token(&addressed.guarded()));
            }
            // It is we who are not believed: the client's credential is good (PRIN-5).
            StatusCode::UNAUTHORIZED
            | StatusCode::PROXY_AUTHENTICATION_REQUIRED
            | StatusCode::SWITCHING_PROTOCOLS => {
                tracing::warn!(server = %route.name(), status = parts.status.as_u16(), "the server refuses us");
                return Err(Refused::BadGateway("the server refuses requests of the gateway"));
            }
            _ => {}
        }
        let mut returned = headers::returned(&parts.headers, route, &asked.uri);
        if let Some(value) = challenge.and_then(|c| HeaderValue::from_str(c.www_authenticate()).ok()) {
            returned.insert(http::header::WWW_AUTHENTICATE, value);
        }
        let stream = streams::answer(body, route.forwarding.stream_idle, route.name().to_owned(), place);
        let kind = media_type(&parts.headers);
        let body = if kind == "text/event-stream" && changes.are_due(&asked.method) {
            returned.remove(CONTENT_LENGTH);
            Body::from_stream(Events::new(changes).over(stream))
        } else if kind == "application/json" && changes.hides_tools && parts.status.is_success() {
            returned.remove(CONTENT_LENGTH);
            let whole = axum::body::to_bytes(Body::from_stream(stream), LONGEST_ANSWER).await;
            let whole =
                whole.map_err(|_| Refused::BadGateway("the server's answer broke off, or is too long"))?;
            Body::from(changes.of_message(&whole).map_or(whole, Into::into))
        } else {
            Body::from_stream(stream)
        };
        let mut response = Response::new(body);
        *response.status_mut() = parts.status;
        *response.headers_mut() = returned;
        Ok(response)
    }
}

/// Never the client's fault (PRIN-5).
fn unreachable(route: &Route, fault: &NoAnswer) -> Refused {
    tracing::warn!(server = %route.name(), "the server {fault}");
    match fault {
        NoAnswer::TooLate(_) => Refused::GatewayTimeout,
        NoAnswer::Failed(_) => Refused::BadGateway("the server cannot be reached"),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<usize> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What a body is, without parameters.
fn media_type(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gateway").field("routes", &self.routes.len()).finish_non_exhaustive()
    }
}
