//! `POST /oauth/register` (RFC 7591).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use crate::broker::Broker;
use crate::protocol::registration::{RegistrationRequest, RegistrationResponse};
use crate::protocol::{ErrorCode, OAuthError};

use super::answer::Failure;
use super::params::{check_type, read};
use super::token::no_store;

/// Registers a client.
pub(super) async fn register(State(broker): State<Arc<Broker>>, request: Request) -> Response {
    match answer(&broker, request).await {
        Ok(registered) => no_store((StatusCode::CREATED, Json(registered)).into_response()),
        Err(failure) => failure.into_response(),
    }
}

async fn answer(broker: &Broker, request: Request) -> Result<RegistrationResponse, Failure> {
    check_type(request.headers(), "application/json")?;
    let body = read(request.into_body()).await?;
    // A JSON array would be read member by member, too.
    if !body.trim_ascii_start().starts_with(b"{") {
        let text = "the client metadata must be a JSON object";
        return Err(OAuthError::new(ErrorCode::InvalidClientMetadata, text).into());
    }
    let parsed: RegistrationRequest = serde_json::from_slice(&body).map_err(|fault| {
        let place = format!("line {} column {}", fault.line(), fault.column());
        let text = format!("the client metadata cannot be read at {place}: a member has the wrong type, or the JSON is damaged");
        OAuthError::new(ErrorCode::InvalidClientMetadata, text)
    })?;
    Ok(broker.registration.register(parsed).await?)
}
