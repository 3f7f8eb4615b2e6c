//! `POST /oauth/register` (RFC 7591), and what a client does there later (RFC 7592).

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse as _, Response};
use http::header::AUTHORIZATION;
use http::request::Parts;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use crate::access::bearer;
use crate::broker::Broker;
use crate::clients::Caller;
use crate::domain::ClientId;
use crate::protocol::{ErrorCode, OAuthError};
use crate::secret::Secret;

use super::address;
use super::answer::Failure;
use super::params::{check_type, read};
use super::token::no_store;

/// Registers a client.
pub(super) async fn register(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let registered = async {
        let body = object(&parts.headers, body).await?;
        Ok(broker.registration.register(&caller(&broker, &parts), metadata(&body)?).await?)
    };
    answer(&parts, StatusCode::CREATED, registered.await.map(Json))
}

/// Tells a client what is registered of it.
pub(super) async fn look(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let told = broker.registration.read(&ClientId::new(id), &caller(&broker, &parts)).await;
    answer(&parts, StatusCode::OK, told.map(Json).map_err(Failure::from))
}

/// Replaces what is registered of a client.
pub(super) async fn update(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let updated = async {
        let body = object(&parts.headers, body).await?;
        let (named, metadata) = (metadata(&body)?, metadata(&body)?);
        let caller = caller(&broker, &parts);
        Ok(broker.registration.update(&ClientId::new(id), &caller, (&named, &metadata)).await?)
    };
    answer(&parts, StatusCode::OK, updated.await.map(Json))
}

/// Forgets a client.
pub(super) async fn delete(
    State(broker): State<Arc<Broker>>,
    Path(id): Path<String>,
    request: Request,
) -> Response {
    let (parts, _) = request.into_parts();
    let deleted = broker.registration.delete(&ClientId::new(id), &caller(&broker, &parts)).await;
    answer(&parts, StatusCode::NO_CONTENT, deleted.map_err(Failure::from))
}

/// Nobody keeps the answer; whoever brings no token that holds is told so (RFC 6750 section 3).
fn answer(
    parts: &Parts,
    status: StatusCode,
    result: Result<impl axum::response::IntoResponse, Failure>,
) -> Response {
    match result {
        Ok(told) => no_store((status, told).into_response()),
        Err(failure) => failure.challenge_bearer(parts.headers.contains_key(AUTHORIZATION)).into_response(),
    }
}

fn caller(broker: &Broker, parts: &Parts) -> Caller {
    let credential = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    Caller {
        address: address::of(parts, &broker.trusted_proxies),
        token: credential.and_then(bearer).map(|token| Secret::new(token.to_owned())),
    }
}

/// The body, if it can be an object: a JSON array would be read member by member, too.
async fn object(headers: &HeaderMap, body: Body) -> Result<axum::body::Bytes, Failure> {
    check_type(headers, "application/json")?;
    let body = read(body).await?;
    if !body.trim_ascii_start().starts_with(b"{") {
        let text = "the client metadata must be a JSON object";
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text).into());
    }
    Ok(body)
}

fn metadata<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|fault| {
        let place = format!("line {} column {}", fault.line(), fault.column());
        let text = format!("the client metadata cannot be read at {place}: a member has the wrong type, or the JSON is damaged");
        OAuthError::new(ErrorCode::InvalidClientMetadata, text).into()
    })
}
