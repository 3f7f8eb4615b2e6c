//! The two messages of the code flow towards an upstream: the authorization URL that a browser
//! is sent to, and a code for tokens.

use std::pin::Pin;

use oauth2::basic::{BasicErrorResponse, BasicErrorResponseType, BasicTokenType};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, Client, ClientId, ClientSecret, CsrfToken,
    EndpointNotSet, EndpointSet, ExtraTokenFields, HttpRequest, HttpResponse, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use openidconnect::core::CoreClientAuthMethod;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::domain::{DomainName, EmailAddress};
use crate::outbound::{Outbound, OutboundError};
use crate::secret::Secret;

use super::discovery::Metadata;
use super::id_token::UnverifiedIdToken;
use super::presets::Protocol;
use super::settings::UpstreamSettings;

/// The scope that a provider names in its metadata if it gives refresh tokens for it.
const OFFLINE_ACCESS: &str = "offline_access";

/// Error codes by which a provider wants to see the person again, beside `invalid_grant`: GitHub's, and
/// those of OpenID Connect Core section 3.1.2.6, which Entra uses here, too.
const NOT_WITHOUT_THE_PERSON: [&str; 4] =
    ["bad_refresh_token", "interaction_required", "login_required", "consent_required"];

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
    pub(super) hints: Hints<'a>,
}

/// Whom the provider should expect. Proves nothing: whoever signs in is looked at afterwards.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// Whatever the client said, or the address that the person typed.
    pub login: Option<&'a str>,
    /// Must it ask who signs in, also where somebody is signed in there?
    pub another_account: bool,
}

/// Where the messages go.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    authorization: AuthUrl,
    token: TokenUrl,
    auth: AuthType,
    /// Does the provider say that it knows none of the scopes that a refresh token takes?
    is_online_only: bool,
}

impl Endpoints {
    /// Those that the metadata names.
    pub(super) fn of(metadata: &Metadata) -> Result<Self, String> {
        let token = metadata.token_endpoint().ok_or("its metadata names no token endpoint")?;
        let endpoints =
            Self::at(metadata.authorization_endpoint().as_str(), token.as_str(), auth_type(metadata))?;
        let has_offline = |scopes: &Vec<Scope>| scopes.iter().any(|scope| scope.as_str() == OFFLINE_ACCESS);
        let is_online_only = metadata.scopes_supported().is_some_and(|scopes| !has_offline(scopes));
        Ok(Self { is_online_only, ..endpoints })
    }

    /// GitHub's, which has no metadata.
    pub(super) fn github(issuer: &str) -> Result<Self, String> {
        let at = |path: &str| format!("{issuer}/login/oauth/{path}");
        Self::at(&at("authorize"), &at("access_token"), AuthType::RequestBody)
    }

    fn at(authorization: &str, token: &str, auth: AuthType) -> Result<Self, String> {
        let text = |error: oauth2::url::ParseError| error.to_string();
        let authorization = AuthUrl::new(authorization.to_owned()).map_err(text)?;
        let token = TokenUrl::new(token.to_owned()).map_err(text)?;
        Ok(Self { authorization, token, auth, is_online_only: false })
    }
}

/// What a code or a refresh token was exchanged for: upstream tokens never leave (SEC-058).
#[expect(clippy::struct_field_names, reason = "the names of RFC 6749")]
pub(super) struct Tokens {
    /// Not from a provider of plain OAuth 2.
    pub(super) id_token: Option<UnverifiedIdToken>,
    pub(super) access_token: Secret,
    pub(super) refresh_token: Option<Secret>,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        let refresh_token = answer.refresh_token().map(|token| Secret::new(token.secret().clone()));
        Self {
            id_token: answer.extra_fields().id_token.clone().map(UnverifiedIdToken::new),
            access_token: Secret::new(answer.access_token().secret().clone()),
            refresh_token,
        }
    }
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

fn client(settings: &UpstreamSettings, endpoints: &Endpoints) -> Result<OAuthClient, String> {
    let redirect = RedirectUrl::new(settings.redirect_uri.clone());
    let redirect = redirect.map_err(|error| error.to_string())?;
    let mut client = Client::new(ClientId::new(settings.client_id.clone()))
        .set_auth_uri(endpoints.authorization.clone())
        .set_token_uri(endpoints.token.clone())
        .set_redirect_uri(redirect)
        .set_auth_type(endpoints.auth.clone());
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
    endpoints: &Endpoints,
    request: Request<'_>,
) -> Result<String, String> {
    let client = client(settings, endpoints)?;
    let verifier = PkceCodeVerifier::new(request.verifier.to_owned());
    let state = request.state.to_owned();
    let mut builder = client
        .authorize_url(|| CsrfToken::new(state))
        .add_scopes(scopes(settings, endpoints))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier));
    if settings.preset.protocol == Protocol::OpenIdConnect {
        builder = builder.add_extra_param("nonce", request.nonce);
    }
    for (name, value) in parameters(settings, request.hints) {
        builder = builder.add_extra_param(name, value);
    }
    Ok(builder.url().0.to_string())
}

fn scopes(settings: &UpstreamSettings, endpoints: &Endpoints) -> impl Iterator<Item = Scope> {
    let is_wanted = settings.recheck.is_some() && !endpoints.is_online_only;
    let offline = if is_wanted { settings.preset.offline.scopes } else { &[] };
    let more = offline.iter().filter(|scope| !settings.scopes.iter().any(|own| own == *scope));
    settings.scopes.iter().cloned().chain(more.map(ToString::to_string)).map(Scope::new)
}

/// What the request carries beside the standard parameters.
pub(super) fn parameters(settings: &UpstreamSettings, hints: Hints<'_>) -> Vec<(&'static str, String)> {
    let preset = &settings.preset;
    let offline = if settings.recheck.is_some() { preset.offline.parameters } else { &[] };
    let usual = preset.parameters.iter().filter(|(name, _)| offline.iter().all(|(other, _)| other != name));
    let fixed = usual.chain(offline).map(|(name, value)| (*name, (*value).to_owned()));
    let mut parameters: Vec<_> = fixed.collect();
    if hints.another_account {
        ask_who(&mut parameters, preset.another_account);
    }
    let mut add = |name: Option<&'static str>, value: Option<&str>| {
        parameters.extend(name.zip(value).map(|(name, value)| (name, value.to_owned())));
    };
    add(preset.login_hint, hints.login);
    // Only a domain that may sign in there: another one would send people away from their own.
    let email = hints.login.and_then(|hint| hint.parse::<EmailAddress>().ok());
    let allowed = &settings.allowed_domains;
    let domain = email.as_ref().map(EmailAddress::domain);
    let domain = domain.filter(|domain| allowed.is_empty() || allowed.contains(domain));
    add(preset.domain_hint, domain.map(DomainName::as_str));
    add(preset.idp_hint, settings.idp_hint.as_deref());
    if let [only] = settings.organizations.as_slice() {
        add(preset.organization_parameter, Some(only));
    }
    parameters
}

/// Adds a word to `prompt`, which holds several (OpenID Connect Core section 3.1.2.1).
fn ask_who(parameters: &mut Vec<(&'static str, String)>, word: &str) {
    match parameters.iter_mut().find(|(name, _)| *name == "prompt") {
        Some((_, prompt)) if prompt.split(' ').any(|own| own == word) => {}
        Some((_, prompt)) => *prompt = format!("{word} {prompt}"),
        None => parameters.push(("prompt", word.to_owned())),
    }
}

/// The upstream's sign-out URL. The ID token says who signs out, and goes where it came from.
pub(super) fn sign_out_url(
    settings: &UpstreamSettings,
    endpoint: &str,
    id_token: Option<&Secret>,
    (back, state): (&str, &str),
) -> Result<String, String> {
    let mut url = Url::parse(endpoint).map_err(|_| "its end_session_endpoint is not a URL".to_owned())?;
    // As with every other endpoint: plain http only where the provider itself is on plain http.
    if url.scheme() != "https" && !(url.scheme() == "http" && settings.issuer.starts_with("http://")) {
        return Err("its end_session_endpoint is not an https URL".to_owned());
    }
    {
        let mut query = url.query_pairs_mut();
        if let Some(id_token) = id_token {
            query.append_pair("id_token_hint", id_token.expose());
        }
        query.append_pair("client_id", &settings.client_id);
        query.append_pair("post_logout_redirect_uri", back).append_pair("state", state);
    }
    Ok(url.into())
}

/// Exchanges a code for tokens.
pub(super) async fn exchange(
    settings: &UpstreamSettings,
    endpoints: &Endpoints,
    outbound: &Outbound,
    code: &str,
    verifier: &str,
) -> Result<Tokens, ExchangeError> {
    let client = client(settings, endpoints).map_err(ExchangeError::Unavailable)?;
    let http = HttpClient(outbound.clone());
    let answer = client
        .exchange_code(AuthorizationCode::new(code.to_owned()))
        .set_pkce_verifier(PkceCodeVerifier::new(verifier.to_owned()))
        .request_async(&http)
        .await
        .map_err(classify)?;
    Ok(Tokens::of(&answer))
}

/// Exchanges a refresh token for new tokens (RFC 6749 section 6). [`ExchangeError::Refused`] is about
/// the person alone; that our client is not accepted is for the operator to mend.
pub(super) async fn refresh(
    settings: &UpstreamSettings,
    endpoints: &Endpoints,
    outbound: &Outbound,
    token: &Secret,
) -> Result<Tokens, ExchangeError> {
    let client = client(settings, endpoints).map_err(ExchangeError::Unavailable)?;
    let http = HttpClient(outbound.clone());
    let token = RefreshToken::new(token.expose().to_owned());
    let answer = client.exchange_refresh_token(&token).request_async(&http).await;
    let refused = |answer: &BasicErrorResponse| {
        let said = format!("it said {answer}").replace(token.secret(), "[secret]");
        let is_about_the_person = match answer.error() {
            BasicErrorResponseType::InvalidGrant => true,
            BasicErrorResponseType::Extension(code) => NOT_WITHOUT_THE_PERSON.contains(&code.as_str()),
            BasicErrorResponseType::InvalidClient
            | BasicErrorResponseType::InvalidRequest
            | BasicErrorResponseType::InvalidScope
            | BasicErrorResponseType::UnauthorizedClient
            | BasicErrorResponseType::UnsupportedGrantType => false,
        };
        if is_about_the_person { ExchangeError::Refused(said) } else { ExchangeError::Unavailable(said) }
    };
    answer.map(|answer| Tokens::of(&answer)).map_err(|error| match said(&error) {
        Some(answer) => refused(&answer),
        None => classify(error),
    })
}

type Failed = RequestTokenError<OutboundError, BasicErrorResponse>;

/// The OAuth error that it answered with, if it did. GitHub says with 200 that it refuses.
fn said(error: &Failed) -> Option<BasicErrorResponse> {
    match error {
        RequestTokenError::ServerResponse(answer) => Some(answer.clone()),
        RequestTokenError::Parse(_, body) => serde_json::from_slice(body).ok(),
        RequestTokenError::Request(_) | RequestTokenError::Other(_) => None,
    }
}

fn classify(error: Failed) -> ExchangeError {
    // An OAuth error answer: the code, the client or its secret is not accepted.
    if let Some(answer) = said(&error) {
        return ExchangeError::Refused(format!("it said {answer}"));
    }
    match error {
        RequestTokenError::ServerResponse(answer) => ExchangeError::Refused(format!("it said {answer}")),
        RequestTokenError::Request(fault) => ExchangeError::Unavailable(fault.to_string()),
        // The body is not repeated: it can hold tokens.
        RequestTokenError::Parse(fault, _) => {
            ExchangeError::Unavailable(format!("its token answer cannot be read: {}", fault.inner()))
        }
        RequestTokenError::Other(fault) => ExchangeError::Unavailable(fault),
    }
}
