//! The layer, and the service that it makes of another.

use std::fmt;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{Method, Request, Response};
use http_body_util::Either;
use tower::{Layer, Service};

use crate::bearer::{Presented, require};
use crate::clock::Clock;
use crate::cors;
use crate::protocol::{ResourceUri, ScopeSet};

use super::answers::{AnswerBody, challenged, metadata, not_found, unavailable};
use super::keys::Keys;
use super::places::{Place, Places};
use super::{Caller, Challenge, Guarded};

/// Guards the services that it is put in front of. Cheap to clone; all of them share the issuer's keys.
#[derive(Clone)]
pub struct ResourceServerLayer(Arc<Guarding>);

/// A service behind the layer.
#[derive(Clone)]
pub struct ResourceServerService<S> {
    inner: S,
    guarding: Arc<Guarding>,
}

pub(super) struct Guarding {
    pub(super) places: Places,
    pub(super) keys: Keys,
    pub(super) required: ScopeSet,
    pub(super) any_origin: bool,
    pub(super) clock: Arc<dyn Clock>,
}

impl ResourceServerLayer {
    pub(super) fn new(guarding: Guarding) -> Self {
        Self(Arc::new(guarding))
    }

    /// The guarded server, without a trailing slash.
    #[must_use]
    pub fn resource(&self) -> &ResourceUri {
        self.0.places.resource()
    }

    /// Is this the resource's own path, with or without a trailing slash, or a place of its metadata? For
    /// servers that have nothing else and say so before anybody is asked for a token.
    #[must_use]
    pub fn serves(&self, path: &str) -> bool {
        self.0.places.includes(path)
    }
}

impl Guarding {
    /// The answer to a request that does not pass; one that does is left without its token, with its caller.
    async fn answer(&self, parts: &mut Parts) -> Option<Response<AnswerBody>> {
        if self.any_origin && parts.method == Method::OPTIONS {
            return Some(cors::preflight());
        }
        match self.places.find(parts.uri.path()) {
            Place::Resource(guarded) => self.refusal(guarded, parts).await,
            Place::Metadata(document) => Some(metadata(document, &parts.method)),
            Place::Nothing => Some(not_found()),
        }
    }

    /// Asked before anything else of the request is looked at (INT-17).
    async fn refusal(&self, guarded: &Guarded, parts: &mut Parts) -> Option<Response<AnswerBody>> {
        let token = match Presented::read(&parts.headers, parts.uri.query(), None) {
            Ok(Presented::Bearer(token)) => token,
            Ok(_) => return Some(challenged(&Challenge::missing(guarded))),
            Err(_) => return Some(challenged(&Challenge::two_methods(guarded))),
        };
        let Ok(verifier) = self.keys.verifier_for(token).await else { return Some(unavailable()) };
        let caller = match verifier.verify(token, &guarded.resource, self.clock.now()) {
            Ok(access) => Caller::from(access),
            Err(reason) => {
                tracing::debug!(%reason, resource = %guarded.resource, "an access token is refused");
                return Some(challenged(&Challenge::invalid_token(guarded)));
            }
        };
        if let Err(challenge) = require(&caller, guarded, &self.required) {
            return Some(challenged(&challenge));
        }
        parts.headers.remove(AUTHORIZATION);
        parts.extensions.insert(caller);
        parts.extensions.insert(guarded.clone());
        None
    }
}

impl<S> Layer<S> for ResourceServerLayer {
    type Service = ResourceServerService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ResourceServerService { inner, guarding: Arc::clone(&self.0) }
    }
}

impl<S, B, R> Service<Request<B>> for ResourceServerService<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response<Either<AnswerBody, R>>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone need not be ready; this one is.
        let clone = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, clone);
        let guarding = Arc::clone(&self.guarding);
        let (mut parts, body) = request.into_parts();
        Box::pin(async move {
            let response = match guarding.answer(&mut parts).await {
                Some(answer) => answer.map(Either::Left),
                None => inner.call(Request::from_parts(parts, body)).await?.map(Either::Right),
            };
            Ok(if guarding.any_origin { cors::open(response) } else { response })
        })
    }
}

impl fmt::Debug for ResourceServerLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerLayer").field("resource", self.resource()).finish_non_exhaustive()
    }
}

impl<S: fmt::Debug> fmt::Debug for ResourceServerService<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceServerService").field("inner", &self.inner).finish_non_exhaustive()
    }
}
