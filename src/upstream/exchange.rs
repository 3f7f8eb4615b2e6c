//! The two messages of the code flow towards an upstream: the authorization URL that a browser
//! is sent to, and a code for tokens.

use std::pin::Pin;

use oauth2::basic::{BasicErrorResponse, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse,
    TokenResponse as _, TokenUrl,
};
use openidconnect::core::CoreClientAuthMethod;
use serde::{Deserialize, Serialize};

use crate::outbound::{Outbound, OutboundError};
use crate::secret::Secret;

use super::discovery::Metadata;
use super::id_token::UnverifiedIdToken;
use super::provider::UpstreamSettings;

/// The guarded client as the OAuth libraries call it.
#[derive(Debug)]
pub(super) struct HttpClient(pub(super) Outbound);

impl<'c> AsyncHttpClient<'c> for HttpClient {
    type Error = OutboundError;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, OutboundError>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(self.0.send(request))
    }
}

/// What one sign-in sends along and expects back.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) state: &'a str,
    pub(super) nonce: &'a str,
    pub(super) verifier: &'a str,
    pub(super) login_hint: Option<&'a str>,
}

/// What a code was exchanged for. The access token serves `userinfo` and then is dropped:
/// upstream tokens never leave (SEC-058).
pub(super) struct Tokens {
    pub(super) id_token: UnverifiedIdToken,
    pub(super) access_token: Secret,
}

/// Why an exchange failed, by whose fault it is.
pub(super) enum ExchangeError {
    Unavailable(String),
    Refused(String),
}

/// The ID token stays text here: it is parsed by nobody but `id_token`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type Answer = StandardTokenResponse<IdTokenField, BasicTokenType>;
type OAuthClient = Client<
    BasicErrorResponse,
    Answer,
    oauth2::basic::BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    oauth2::basic::BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

fn client(settings: &UpstreamSettings, metadata: &Metadata) -> Result<OAuthClient, String> {
    let text = |error: oauth2::url::ParseError| error.to_string();
    let token_endpoint = metadata.token_endpoint().ok_or("its metadata names no token endpoint")?;
    let auth_url = AuthUrl::new(metadata.authorization_endpoint().to_string()).map_err(text)?;
    let token_url = TokenUrl::new(token_endpoint.to_string()).map_err(text)?;
    let redirect = RedirectUrl::new(settings.redirect_uri.clone()).map_err(text)?;
    let mut client = Client::new(ClientId::new(settings.client_id.clone()))
        .set_auth_uri(auth_url)
        .set_token_uri(token_url)
        .set_redirect_uri(redirect)
        .set_auth_type(auth_type(metadata));
    if let Some(secret) = &settings.client_secret {
        client = client.set_client_secret(ClientSecret::new(secret.expose().to_owned()));
    }
    Ok(client)
}

/// Basic is the default of OpenID Connect Discovery; post only where Basic is not offered.
fn auth_type(metadata: &Metadata) -> AuthType {
    match metadata.token_endpoint_auth_methods_supported() {
        Some(methods)
            if !methods.contains(&CoreClientAuthMethod::ClientSecretBasic)
                && methods.contains(&CoreClientAuthMethod::ClientSecretPost) =>
        {
            AuthType::RequestBody
        }
        _ => AuthType::BasicAuth,
    }
}

/// The upstream's authorization URL, with `state`, `nonce` and PKCE S256 (SEC-042 to SEC-044).
pub(super) fn authorization_url(
    settings: &UpstreamSettings,
    metadata: &Metadata,
    request: Request<'_>,
) -> Result<String, String> {
    let client = client(settings, metadata)?;
    let verifier = PkceCodeVerifier::new(request.verifier.to_owned());
    let state = request.state.to_owned();
    let mut builder = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(settings.scopes.iter().cloned().map(Scope::new))
        .add_extra_param("nonce", request.nonce)
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    for (name, value) in settings.preset.parameters {
        builder = builder.add_extra_param(*name, *value);
    }
    if let Some(hint) = request.login_hint {
        builder = builder.add_extra_param("login_hint", hint.to_owned());
    }
    Ok(builder.url().0.to_string())
}

/// Exchanges a code for an ID token.
pub(super) async fn exchange(
    settings: &UpstreamSettings,
    metadata: &Metadata,
    outbound: &Outbound,
    code: &str,
    verifier: &str,
) -> Result<Tokens, ExchangeError> {
    let client = client(settings, metadata).map_err(ExchangeError::Unavailable)?;
    let http = HttpClient(outbound.clone());
    let answer = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
        .request_async(&http)
        .await
        .map_err(classify)?;
    let id_token = answer.extra_fields().id_token.clone();
    let id_token = id_token.ok_or_else(|| {
        ExchangeError::Refused(
            "its answer has no id_token; is the scope `openid` granted to this client?".into(),
        )
    })?;
    Ok(Tokens {
        id_token: UnverifiedIdToken::new(id_token),
        access_token: Secret::new(answer.access_token().secret().clone()),
    })
}

fn classify(error: RequestTokenError<OutboundError, BasicErrorResponse>) -> ExchangeError {
    match error {
        // An OAuth error answer: the code, the client or its secret is not accepted.
        RequestTokenError::ServerResponse(answer) => ExchangeError::Refused(format!("it said {answer}")),
        RequestTokenError::Request(fault) => ExchangeError::Unavailable(fault.to_string()),
        // The body is not repeated: it can hold tokens.
        RequestTokenError::Parse(fault, _) => {
            ExchangeError::Unavailable(format!("its token answer cannot be read: {}", fault.inner()))
        }
        RequestTokenError::Other(fault) => ExchangeError::Unavailable(fault),
    }
}
