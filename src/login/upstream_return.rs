//! `GET /oauth/callback/{upstream}`: the upstream's answer, believed after every check. Until
//! they are all passed, the upstream's token endpoint is not called (SEC-042).

use crate::clock::Timestamp;
use crate::domain::{AuditKind, Client, LoginId, LoginStep, PendingLogin, TrustedReturn};
use crate::protocol::{ErrorCode, OAuthError, Params, Repeated};
use crate::upstream::{Upstream, UpstreamError};

use super::finish::Asking;
use super::{ClientReturn, Login, PageError, Step};

/// What the upstream's redirect and the browser bring.
pub struct UpstreamAnswer<'a> {
    /// The path that it came to.
    pub upstream: &'a str,
    /// Its parameters.
    pub params: &'a Params,
    /// The browser's cookie for a login.
    pub cookie: &'a (dyn Fn(&LoginId) -> Option<String> + Sync),
    /// The browser's session so far.
    pub session: Option<&'a str>,
}

/// A login whose answer has come from its upstream, in its browser, for its client.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    pub(super) login: &'a PendingLogin,
    pub(super) asking: Asking<'a>,
    pub(super) upstream: &'a Upstream,
    /// The session that the browser had.
    pub(super) old_session: Option<&'a str>,
}

/// What becomes of it.
#[derive(Debug)]
pub struct Returned {
    /// The login, if this answer used it up: the browser's cookie for it is of no more use. An
    /// answer that got stuck before, or that is no answer at all, leaves both as they were.
    pub used_up: Option<LoginId>,
    /// Where the browser goes next.
    pub step: Result<Step, PageError>,
}

/// The secrets of one login towards its upstream.
struct Proofs {
    nonce: String,
    verifier: String,
}

/// An answer that passed every check; its login is out of the store.
struct Accepted<'a> {
    login: PendingLogin,
    proofs: Proofs,
    upstream: &'a Upstream,
    client: Client,
    to: TrustedReturn,
    result: AuthorizationResult<'a>,
}

/// What the upstream said.
enum AuthorizationResult<'a> {
    Code(&'a str),
    Error(&'a str, Option<&'a str>),
    Neither,
}

impl Login {
    /// Takes the upstream's answer.
    pub async fn upstream_return(&self, answer: UpstreamAnswer<'_>) -> Returned {
        let now = self.clock.now();
        let accepted = match self.accept(&answer, now).await {
            Ok(accepted) => accepted,
            Err(error) => return Returned { used_up: None, step: Err(error) },
        };
        let Accepted { login, proofs, upstream, client, to, result } = accepted;
        let used_up = Some(login.id.clone());
        let asking = Asking { request: &login.request, client: &client, to: &to, now };
        let arrival = Arrival { login: &login, asking, upstream, old_session: answer.session };
        let step = match result {
            AuthorizationResult::Error(error, text) => self.reported(&arrival, error, text),
            AuthorizationResult::Code(code) => self.exchange(&arrival, code, proofs).await,
            AuthorizationResult::Neither => {
                let text = "the identity provider's answer has neither code nor error";
                Err(PageError::BadRequest(text.into()))
            }
        };
        Returned { used_up, step }
    }

    /// Every check; last of all the login is taken, so that a fault before costs nothing.
    async fn accept<'a>(
        &'a self,
        answer: &UpstreamAnswer<'a>,
        now: Timestamp,
    ) -> Result<Accepted<'a>, PageError> {
        let known = self.upstreams.find(answer.upstream);
        let upstream = known.ok_or(PageError::UnknownUpstream)?;
        let (login, proofs) = self.recognise(answer, now).await?;
        let one = |name| {
            let bad = |repeated: Repeated| PageError::BadRequest(repeated.to_string());
            answer.params.one(name).map_err(bad)
        };
        let result = match (one("error")?, one("code")?) {
            (Some(error), _) => AuthorizationResult::Error(error, one("error_description")?),
            (None, Some(code)) => AuthorizationResult::Code(code),
            (None, None) => AuthorizationResult::Neither,
        };
        if let Err(fault) = upstream.check_response_issuer(one("iss")?, now).await {
            self.record(AuditKind::SignInDenied, &login, Some(&fault.to_string()), now);
            return Err(match fault {
                UpstreamError::Unavailable { .. } => PageError::UpstreamUnavailable(None, fault),
                UpstreamError::Refused { .. } => PageError::ForeignAnswer(fault),
            });
        }
        let (client, to) = self.way_back(&login, now).await?;
        // From here on the login is used up, whatever happens (SEC-057).
        if self.store.take_login(&login.id, now).await?.is_none() {
            return Err(PageError::LoginOver);
        }
        Ok(Accepted { login, proofs, upstream, client, to, result })
    }

    /// The login that this answer belongs to: its state, its upstream, its browser.
    async fn recognise(
        &self,
        answer: &UpstreamAnswer<'_>,
        now: Timestamp,
    ) -> Result<(PendingLogin, Proofs), PageError> {
        let over = || PageError::LoginOver;
        let sent = answer.params.one("state").ok().flatten().ok_or_else(over)?;
        let id = sent.split_once('.').and_then(|(id, _)| LoginId::parse(id)).ok_or_else(over)?;
        let login = self.store.login(&id, now).await?.ok_or_else(over)?;
        let LoginStep::AwaitingUpstream { upstream, state, browser, nonce, verifier, .. } = &login.step
        else {
            return Err(over());
        };
        if upstream.as_str() != answer.upstream || !state.is_of(sent) {
            return Err(over());
        }
        let cookie = (answer.cookie)(&id);
        if !cookie.is_some_and(|cookie| browser.is_of(&cookie)) {
            self.record(AuditKind::SignInDenied, &login, Some("another browser"), now);
            return Err(PageError::WrongBrowser);
        }
        let proofs = Proofs { nonce: nonce.clone(), verifier: verifier.clone() };
        Ok((login, proofs))
    }

    async fn exchange(&self, arrival: &Arrival<'_>, code: &str, proofs: Proofs) -> Result<Step, PageError> {
        let Arrival { upstream, asking, .. } = *arrival;
        match upstream.sign_in(code, (&proofs.nonce, &proofs.verifier), asking.now).await {
            Ok(signed_in) => self.finish(arrival, signed_in).await,
            Err(fault) => Err(self.failed(arrival, fault)),
        }
    }

    /// The upstream says no. A person who declined there goes back to the client; anything else
    /// is worth reading.
    fn reported(&self, arrival: &Arrival<'_>, error: &str, text: Option<&str>) -> Result<Step, PageError> {
        let Arrival { login, asking: Asking { to, now, .. }, .. } = *arrival;
        let reason = format!("the identity provider said {}", error.escape_debug());
        self.record(AuditKind::SignInDenied, login, Some(&reason), now);
        let state = login.request.state.as_deref();
        let said = "the sign-in at the identity provider did not succeed";
        let denied = OAuthError::new(ErrorCode::AccessDenied, said);
        let back = ClientReturn::error(to.clone(), &self.issuer, state, &denied);
        if error == "access_denied" {
            return Ok(Step::ReturnToClient { back, session: None });
        }
        Err(PageError::UpstreamReported {
            code: error.to_owned(),
            text: text.map(str::to_owned),
            return_to: Box::new(back),
        })
    }

    fn failed(&self, arrival: &Arrival<'_>, fault: UpstreamError) -> PageError {
        let Arrival { login, asking: Asking { to, now, .. }, .. } = *arrival;
        self.record(AuditKind::SignInDenied, login, Some(&fault.to_string()), now);
        let back = |code, text| {
            let state = login.request.state.as_deref();
            let error = OAuthError::new(code, text);
            Box::new(ClientReturn::error(to.clone(), &self.issuer, state, &error))
        };
        match fault {
            UpstreamError::Unavailable { .. } => PageError::UpstreamUnavailable(
                Some(back(ErrorCode::TemporarilyUnavailable, "the identity provider is unavailable")),
                fault,
            ),
            UpstreamError::Refused { .. } => PageError::UpstreamRefused(
                back(ErrorCode::AccessDenied, "the identity provider's answer was refused"),
                fault,
            ),
        }
    }
}
