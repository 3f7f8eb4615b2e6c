//! `GET /oauth/authorize`: is this a request that we can serve? No upstream learns of it yet. Nor does
//! the client: it is answered at once only by somebody who is signed in here and has approved the same
//! before.

use crate::domain::{
    AuditEvent, AuditKind, AuthorizationRequest, Client, ClientId, EmailAddress, FormProof, GrantId, LoginId,
    LoginStep, PendingLogin, Resource, TrustedReturn,
};
use crate::protocol::{ErrorCode, Issuer, OAuthError, Params, ResourceUri, S256Challenge, ScopeSet};
use crate::secret::{Digest, Secret, random};

use super::finish::{Asking, BySession};
use super::session::Live;
use super::wishes::Wishes;
use super::{AuthorizeError, ClientReturn, ConsentAsked, Login, Notice, PageError, Step, Visitor};

/// Longest `state` that is kept; beyond it a page, since a cut state is worse than none.
const LONGEST_STATE: usize = 4096;

impl Login {
    /// Checks an authorization request. First what decides whether the client may be answered at
    /// all (SEC-003), then everything that the client is told about.
    pub async fn begin(&self, params: &Params, visitor: Visitor<'_>) -> Result<Step, AuthorizeError> {
        let now = self.clock.now();
        let bad = |repeated: crate::protocol::Repeated| {
            AuthorizeError::Show(PageError::BadRequest(repeated.to_string()))
        };
        let unknown = || AuthorizeError::Show(PageError::UnknownClient);
        let id = params.one("client_id").map_err(bad)?.ok_or_else(unknown)?;
        let client =
            self.clients.find(&ClientId::new(id), Some(visitor.address), now).await?.ok_or_else(unknown)?;
        let redirect = params.one("redirect_uri").map_err(bad)?;
        let to = client
            .trusted_return(redirect)
            .map_err(|mismatch| AuthorizeError::Show(PageError::BadRedirect(mismatch)))?;
        self.admitted(&client, Some(visitor.address), now).await.map_err(AuthorizeError::Show)?;
        let state = params.one("state").map_err(bad)?;
        if state.is_some_and(|state| state.len() > LONGEST_STATE) {
            let text = format!("state is longer than {LONGEST_STATE} bytes");
            return Err(AuthorizeError::Show(PageError::BadRequest(text)));
        }
        match self.check(&client, &to, params) {
            Ok((request, wishes)) => {
                let asking = Asking { request: &request, client: &client, to: &to, now };
                self.meet(asking, wishes, visitor).await
            }
            Err(error) => {
                let back = Box::new(ClientReturn::error(to, &self.issuer, state, &error));
                Err(AuthorizeError::Return { back, client_name: client.name, error })
            }
        }
    }

    fn check(
        &self,
        client: &Client,
        to: &TrustedReturn,
        params: &Params,
    ) -> Result<(AuthorizationRequest, Wishes), OAuthError> {
        params.check_repeats()?;
        check_kind(params)?;
        let challenge = challenge(params)?;
        let resource = self.resource(params)?;
        let scopes = scopes(params, resource)?;
        let scopes = client.limits.narrow(&resource.url, &scopes)?;
        let wishes = Wishes::read(params)?;
        let request = AuthorizationRequest {
            client_id: client.id.clone(),
            redirect_uri: to.uri().clone(),
            state: params.one("state")?.map(str::to_owned),
            challenge,
            resource: resource.url.clone(),
            scopes,
            login_hint: params.one("login_hint")?.filter(|hint| hint.len() <= 320).map(str::to_owned),
            shown: Some(client.as_shown()),
            sign_in_anew: false,
        };
        Ok((request, wishes))
    }

    /// The one server that is asked for (RFC 8707, SEC-015 to SEC-017).
    fn resource(&self, params: &Params) -> Result<&Resource, OAuthError> {
        let refuse = |text| OAuthError::new(ErrorCode::InvalidTarget, text);
        let mut named = params.all("resource").map(ResourceUri::parse);
        let Some(first) = named.next() else {
            let text = "resource is missing, and several servers are protected here";
            return self.resources.default_resource().ok_or_else(|| refuse(text));
        };
        let unknown = || refuse("resource is not a server that is protected here");
        let first = first.map_err(|_| unknown())?;
        if named.any(|other| other.map_or(true, |other| other != first)) {
            return Err(refuse("a token is for one resource; ask for one at a time"));
        }
        self.resources.find(&first).ok_or_else(unknown)
    }

    /// Straight to the code where nothing has to be asked; else our page.
    async fn meet(
        &self,
        asking: Asking<'_>,
        wishes: Wishes,
        visitor: Visitor<'_>,
    ) -> Result<Step, AuthorizeError> {
        let live = self.live_session(visitor.session, asking.now).await?;
        let mut live = live.filter(|live| wishes.accept(&live.session, asking.now));
        let mut sign_in_anew = live.is_none() && wishes.want_sign_in();
        let mut notice = None;
        if wishes.no_page && live.is_none() {
            let text = "a person has to sign in, and prompt=none forbids asking";
            return Err(refused(asking, &self.issuer, ErrorCode::LoginRequired, text));
        }
        if let Some(known) = &live {
            let person = known.session.identity.person();
            if !wishes.consent && is_expected(asking, known) && self.is_remembered(asking, &person).await? {
                match self.go_straight(asking, known).await.map_err(AuthorizeError::Show)? {
                    BySession::Opened(opened) => {
                        return Ok(Step::ReturnToClient { back: opened.back, session: None });
                    }
                    BySession::Denied(no_access) if wishes.no_page => {
                        let text = "the organisation's policy grants this person nothing of what was asked";
                        drop(no_access);
                        return Err(refused(asking, &self.issuer, ErrorCode::AccessDenied, text));
                    }
                    BySession::Denied(no_access) => return Ok(Step::ShowNoAccess(no_access)),
                    BySession::SignInAgain if wishes.no_page => {
                        let text = "the person has to sign in again, and prompt=none forbids asking";
                        return Err(refused(asking, &self.issuer, ErrorCode::LoginRequired, text));
                    }
                    BySession::SignInAgain => {
                        (live, sign_in_anew, notice) = (None, true, Some(Notice::SignInAgain));
                    }
                }
            } else if wishes.no_page {
                let text = "a person has to approve this, and prompt=none forbids asking";
                return Err(refused(asking, &self.issuer, ErrorCode::ConsentRequired, text));
            }
        }
        let request = AuthorizationRequest { sign_in_anew, ..asking.request.clone() };
        let signed_in = live.as_ref().map(|live| live.session.identity.person());
        let counted = self.begun.count(visitor.address, signed_in.as_ref());
        let counted = counted.map_err(|of| self.too_many(of, visitor.address, asking.now));
        counted.map_err(AuthorizeError::Show)?;
        self.show_consent(asking, (request, notice), live, visitor.form).await
    }

    async fn go_straight(&self, asking: Asking<'_>, live: &Live) -> Result<BySession, PageError> {
        let grant = GrantId::generate(&live.session.identity.person());
        let outcome = self.finish_by_session(asking, live, grant).await?;
        if let BySession::Opened(opened) = &outcome {
            self.journal.record(AuditEvent { kind: AuditKind::ConsentUsed, ..opened.event.clone() });
            self.journal.record(opened.event.clone());
        }
        Ok(outcome)
    }

    async fn show_consent(
        &self,
        asking: Asking<'_>,
        (request, notice): (AuthorizationRequest, Option<Notice>),
        live: Option<Live>,
        browser: Option<&str>,
    ) -> Result<Step, AuthorizeError> {
        let Asking { client, now, .. } = asking;
        let browser = Secret::new(browser.map_or_else(random::token, str::to_owned));
        let form_token = Secret::new(random::token());
        let login = PendingLogin {
            id: LoginId::generate(),
            request: request.clone(),
            step: LoginStep::AwaitingConsent {
                form: FormProof {
                    token: Digest::of(form_token.expose()),
                    browser: Digest::of(browser.expose()),
                },
                shown_to: live.as_ref().map(Live::shown_to),
            },
            expires_at: now.plus(self.rules.login),
        };
        self.store.begin_login(&login, now).await?;
        if let Some(live) = &live {
            self.keep_session(live, now).await?;
        }
        let foreseen = self.foreseen(&request, live.as_ref(), now).await?;
        Ok(Step::ShowConsent(Box::new(ConsentAsked {
            foreseen,
            login: login.id,
            form_token,
            browser,
            request,
            self_registered: client.is_self_registered(),
            client_name: client.name.clone(),
            signed_in: live.as_ref().map(Live::shown),
            notice,
        })))
    }
}

/// Is it who the client expects? Another one is shown the page first.
fn is_expected(asking: Asking<'_>, live: &Live) -> bool {
    let expected = asking.request.login_hint.as_deref().and_then(|hint| hint.parse::<EmailAddress>().ok());
    expected.is_none_or(|expected| live.session.identity.email.as_ref() == Some(&expected))
}

fn refused(asking: Asking<'_>, issuer: &Issuer, code: ErrorCode, text: &str) -> AuthorizeError {
    let error = OAuthError::new(code, text);
    let back = ClientReturn::error(asking.to.clone(), issuer, asking.request.state.as_deref(), &error);
    AuthorizeError::Return { back: Box::new(back), client_name: asking.client.name.clone(), error }
}

/// The code flow, answered in the query, and no request objects (SEC-005, SEC-006, SEC-025).
fn check_kind(params: &Params) -> Result<(), OAuthError> {
    if params.one("request")?.is_some() {
        return Err(OAuthError::new(ErrorCode::RequestNotSupported, "request objects are not supported"));
    }
    if params.one("request_uri")?.is_some() {
        let text = "request_uri is not supported";
        return Err(OAuthError::new(ErrorCode::RequestUriNotSupported, text));
    }
    match params.one("response_type")? {
        Some("code") => {}
        Some(_) => {
            let text = "response_type must be code";
            return Err(OAuthError::new(ErrorCode::UnsupportedResponseType, text));
        }
        None => return Err(OAuthError::new(ErrorCode::InvalidRequest, "response_type is missing")),
    }
    match params.one("response_mode")? {
        None | Some("query") => Ok(()),
        Some(_) => Err(OAuthError::new(ErrorCode::InvalidRequest, "response_mode must be query")),
    }
}

/// PKCE for every client, S256 only; an absent method would mean plain (SEC-007 to SEC-009).
fn challenge(params: &Params) -> Result<S256Challenge, OAuthError> {
    let refuse = |text: String| OAuthError::new(ErrorCode::InvalidRequest, text);
    let challenge = params.one("code_challenge")?;
    let challenge = challenge.ok_or_else(|| refuse("code_challenge is missing: PKCE is required".into()))?;
    if params.one("code_challenge_method")? != Some("S256") {
        return Err(refuse("code_challenge_method must be S256".into()));
    }
    S256Challenge::parse(challenge).map_err(|fault| refuse(fault.to_string()))
}

/// What the server has of what is asked (SEC-018); nothing asked means everything that anybody may read of,
/// which policy then narrows (INT-47).
fn scopes(params: &Params, resource: &Resource) -> Result<ScopeSet, OAuthError> {
    let listed = resource.listed_scopes();
    let Some(asked) = params.one("scope")? else { return Ok(listed) };
    let known = ScopeSet::parse_lenient(asked).intersect(&resource.scope_set());
    if known.is_empty() {
        let text = format!("none of these scopes exists at this server; it has: {listed}");
        return Err(OAuthError::new(ErrorCode::InvalidScope, text));
    }
    Ok(known)
}
