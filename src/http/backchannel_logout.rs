//! `POST /oauth/backchannel-logout/{upstream}`: for identity providers.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;

use crate::broker::Broker;
use crate::protocol::{ErrorCode, OAuthError};

use super::answer::Failure;
use super::params::FormParams;
use super::token::no_store;

/// 200 and nothing, once what the token is about has ended.
pub(super) async fn backchannel_logout(
    State(broker): State<Arc<Broker>>,
    Path(upstream): Path<String>,
    FormParams(form): FormParams,
) -> Response {
    let missing = || OAuthError::new(ErrorCode::InvalidRequest, "logout_token is missing");
    let token =
        form.one("logout_token").map_err(OAuthError::from).and_then(|token| token.ok_or_else(missing));
    let ended = match token {
        Ok(token) => broker.login.upstream_logout(&upstream, token).await,
        Err(error) => Err(error),
    };
    match ended {
        Ok(()) => no_store(StatusCode::OK.into_response()),
        Err(error) => Failure::from(error).into_response(),
    }
}
