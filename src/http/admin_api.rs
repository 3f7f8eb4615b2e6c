//! `{issuer}/admin/api`: API keys over HTTP, for whoever holds an access token for it.

use std::borrow::Cow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::request::Parts;
use serde::Serialize;
use url::form_urlencoded;

use crate::access::admin_api::{Administrator, Described, NewApiKey, openapi};
use crate::access::{Addressed, ApiKeyError, Challenge, Decision, Passage};
use crate::broker::Broker;
use crate::protocol::{ErrorCode, OAuthError};

use super::answer::{self, Failure};
use super::asking;
use super::params::{check_type, read};
use super::token::no_store;

/// What the API is: no secret, and the same for everybody.
pub(super) async fn description(State(broker): State<Arc<Broker>>) -> Response {
    let Some(url) = &broker.admin_api else { return answer::nothing_here() };
    let described = Described { issuer: &broker.issuer, url, resources: &broker.resources };
    Json(openapi(described)).into_response()
}

pub(super) async fn list(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    let (parts, _) = request.into_parts();
    let work = async |who: Administrator| {
        // An empty value names nobody, which is not the same as not naming anybody.
        let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let owners: Vec<_> = query.filter(|(name, _)| name == "owner").map(|(_, value)| value).collect();
        match owners.as_slice() {
            [] => who.list(&broker.api_keys, None).await,
            [owner] => who.list(&broker.api_keys, Some(owner)).await,
            _ => Err(ApiKeyError::Invalid("owner is there more than once".into())),
        }
    };
    answered(&broker, &parts, StatusCode::OK, work).await
}

pub(super) async fn create(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let who = match admitted(&broker, &parts).await {
        Ok(who) => who,
        Err(refusal) => return refusal,
    };
    let new = async {
        check_type(&parts.headers, "application/json")?;
        let body = read(body).await?;
        // A JSON array would be read member by member, too.
        let is_object = body.trim_ascii_start().starts_with(b"{");
        let new = serde_json::from_slice::<NewApiKey>(&body).ok().filter(|_| is_object);
        let text = "the body must be a JSON object with name, resources, scopes, and no other members than expires and owner";
        new.ok_or_else(|| Failure::from(OAuthError::new(ErrorCode::InvalidRequest, text)))
    };
    match new.await {
        Ok(new) => told(StatusCode::CREATED, who.create(&broker.api_keys, new).await),
        Err(failure) => failure.into_response(),
    }
}

pub(super) async fn look(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let work = async |who: Administrator| who.find(&broker.api_keys, &id).await;
    answered(&broker, &parts, StatusCode::OK, work).await
}

pub(super) async fn revoke(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let work = async |who: Administrator| who.revoke(&broker.api_keys, &id).await;
    answered(&broker, &parts, StatusCode::OK, work).await
}

async fn answered<T: Serialize, F: Future<Output = Result<T, ApiKeyError>>>(
    broker: &Broker,
    parts: &Parts,
    status: StatusCode,
    work: impl FnOnce(Administrator) -> F,
) -> Response {
    match admitted(broker, parts).await {
        Ok(who) => told(status, work(who).await),
        Err(refusal) => refusal,
    }
}

/// Who calls, as the guard of every protected server says.
async fn admitted(broker: &Broker, parts: &Parts) -> Result<Administrator, Response> {
    let resource = broker.admin_api.as_ref().and_then(|url| broker.resources.find(url));
    let Some(resource) = resource else { return Err(answer::nothing_here()) };
    let addressed = Addressed { resource, spelt: Cow::Borrowed(&resource.url) };
    let guarded = addressed.guarded();
    let (_, decided) = asking::ask(broker, parts, parts.uri.query(), &addressed).await;
    match decided.map_err(|fault| told::<()>(StatusCode::OK, Err(fault.into())))? {
        Decision::Allow(Passage { caller, .. }) => Administrator::of(&caller).ok_or_else(|| {
            let needed = Administrator::needed();
            answer::challenged(&Challenge::insufficient_scope(&guarded, &needed, caller.scopes()))
        }),
        Decision::TooMany(_) => {
            let error = OAuthError::new(ErrorCode::SlowDown, "too many requests: come again in a minute");
            Err(Failure::from(error).into_response())
        }
        Decision::Challenge(challenge) => Err(answer::challenged(&challenge)),
        Decision::NoTenant(refusal) => Err(answer::no_tenant(&refusal)),
    }
}

fn told<T: Serialize>(status: StatusCode, outcome: Result<T, ApiKeyError>) -> Response {
    match outcome {
        Ok(view) => no_store((status, Json(view)).into_response()),
        Err(error) => failure(error).into_response(),
    }
}

fn failure(error: ApiKeyError) -> Failure {
    let text = error.to_string();
    let (code, status) = match error {
        ApiKeyError::Unavailable(fault) => return OAuthError::unavailable(fault).into(),
        ApiKeyError::Invalid(_) => (ErrorCode::InvalidRequest, StatusCode::BAD_REQUEST),
        ApiKeyError::NoSuchKey | ApiKeyError::UnknownOwner => {
            (ErrorCode::InvalidRequest, StatusCode::NOT_FOUND)
        }
        ApiKeyError::TooMany => (ErrorCode::InvalidRequest, StatusCode::CONFLICT),
        ApiKeyError::Beyond { .. } | ApiKeyError::OwnerGone | ApiKeyError::NotYours => {
            (ErrorCode::AccessDenied, StatusCode::FORBIDDEN)
        }
    };
    Failure::from(OAuthError::new(code, text)).with_status(status)
}
