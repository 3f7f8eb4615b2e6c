//! What a step of the sign-in leads to.

use std::fmt;

use crate::clients::{DocumentFault, FindClientError};
use crate::domain::{AuthorizationRequest, LoginId, RedirectMismatch, TrustedReturn};
use crate::protocol::{Issuer, OAuthError, ResourceUri, ScopeSet};
use crate::secret::Secret;
use crate::store::StoreError;
use crate::upstream::UpstreamError;

/// Where the browser goes next.
#[derive(Debug)]
pub enum Step {
    /// Show our page.
    ShowConsent(Box<ConsentAsked>),
    /// Go to the identity provider, with a new cookie for this login.
    GoUpstream {
        /// Its authorization URL.
        url: String,
        /// Which login.
        login: LoginId,
        /// The approving browser's secret (SEC-029).
        cookie: Secret,
    },
    /// Go back to the client.
    ReturnToClient {
        /// With this answer.
        back: ClientReturn,
        /// With a new session's cookie.
        session: Option<Secret>,
    },
    /// Policy grants nothing: say why, and whom to ask.
    ShowNoAccess(Box<NoAccess>),
}

/// What the consent page shows and sends back.
#[derive(Debug)]
pub struct ConsentAsked {
    /// Which login.
    pub login: LoginId,
    /// The one-time token of the form (SEC-033).
    pub form_token: Secret,
    /// The browser's cookie, new or as it came.
    pub browser: Secret,
    /// What is asked, and for whom.
    pub request: AuthorizationRequest,
    /// What the client calls itself.
    pub client_name: Option<String>,
    /// May anyone claim to be this client?
    pub self_registered: bool,
    /// Who may go on without signing in.
    pub signed_in: Option<SignedInAs>,
    /// What of the request policy would give them.
    pub foreseen: Option<ScopeSet>,
    /// Why the page is shown once more.
    pub notice: Option<Notice>,
}

/// Who is signed in in this browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInAs {
    /// The person.
    pub person: String,
    /// Where: the name on the button.
    pub upstream: String,
}

/// Why the page is shown once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// Whoever was signed in is so no longer.
    SessionOver,
    /// Somebody else is signed in now than when the page was shown.
    AnotherPerson,
    /// Policy wants a newer sign-in for this.
    SignInAgain,
    /// What was typed is no address.
    NoAddress,
    /// No upstream is found by that address.
    UnknownDomain,
}

/// Why a person has no access.
#[derive(Debug)]
pub struct NoAccess {
    /// Who signed in.
    pub person: String,
    /// Where.
    pub upstream: String,
    /// At which server, by name.
    pub resource: String,
    /// Its URL.
    pub resource_url: ResourceUri,
    /// What policy said.
    pub reason: NoAccessReason,
    /// The way back to the client, with `access_denied`.
    pub return_to: ClientReturn,
    /// The client.
    pub client_name: Option<String>,
    /// The same request once more, for another account.
    pub another_account: String,
}

/// What policy said.
#[derive(Debug, PartialEq, Eq)]
pub enum NoAccessReason {
    /// It grants this person nothing there; why, in words for the person.
    Nothing(String),
    /// It grants something, but none of what the client asked for.
    NotWhatWasAsked {
        /// What the client asked for.
        asked: ScopeSet,
        /// What the person may have.
        granted: ScopeSet,
    },
}

/// Why a sign-in cannot go on, for the person who is looking at it.
#[derive(Debug)]
pub enum PageError {
    /// No such client. The redirect that came along must not be followed (SEC-003).
    UnknownClient,
    /// The document that the client's identifier leads to makes no client. As with an unknown client,
    /// nothing may be followed.
    ClientDocument(DocumentFault),
    /// The operator does not let the client in. It is told nothing.
    NotAdmitted,
    /// The operator has not said whether the client is let in; this is what to tell them.
    AwaitsApproval(String),
    /// More sign-ins are begun than may be (REL-22).
    TooManySignIns,
    /// Not the client's redirect.
    BadRedirect(RedirectMismatch),
    /// The request itself is damaged.
    BadRequest(String),
    /// The form was answered before, came from another browser, or is too old (SEC-033).
    FormNotValid,
    /// The login is over, was used, or never was (SEC-042).
    LoginOver,
    /// The answer came in another browser than the one that approved (SEC-029).
    WrongBrowser,
    /// There is no such identity provider.
    UnknownUpstream,
    /// The identity provider could not be asked; the way back says `temporarily_unavailable`.
    UpstreamUnavailable(Option<Box<ClientReturn>>, UpstreamError),
    /// The answer does not say that it comes from the identity provider that was asked (SEC-045).
    ForeignAnswer(UpstreamError),
    /// The identity provider's answer does not hold; the way back says `access_denied`.
    UpstreamRefused(Box<ClientReturn>, UpstreamError),
    /// The identity provider itself reported an error (its code and text are hostile data).
    UpstreamReported {
        /// Its error code.
        code: String,
        /// Its text.
        text: Option<String>,
        /// The way back.
        return_to: Box<ClientReturn>,
    },
    /// A store fault: ours, not theirs (PRIN-5).
    Unavailable(StoreError),
}

/// A step that did not succeed: shown to the person, or (at the authorization endpoint)
/// returned to the client. Different types, so that one cannot be taken for the other.
#[derive(Debug)]
pub enum AuthorizeError {
    /// Show a page.
    Show(PageError),
    /// Tell the client.
    Return {
        /// By its own redirect, with error, state and iss.
        back: Box<ClientReturn>,
        /// What it calls itself.
        client_name: Option<String>,
        /// What is wrong.
        error: OAuthError,
    },
}

impl From<StoreError> for PageError {
    fn from(fault: StoreError) -> Self {
        Self::Unavailable(fault)
    }
}

impl From<FindClientError> for PageError {
    fn from(error: FindClientError) -> Self {
        match error {
            FindClientError::Store(fault) => Self::Unavailable(fault),
            FindClientError::Document(fault) => Self::ClientDocument(fault),
            FindClientError::NotAdmitted => Self::NotAdmitted,
        }
    }
}

impl From<FindClientError> for AuthorizeError {
    fn from(error: FindClientError) -> Self {
        Self::Show(error.into())
    }
}

impl From<StoreError> for AuthorizeError {
    fn from(fault: StoreError) -> Self {
        Self::Show(PageError::Unavailable(fault))
    }
}

/// The client's redirect with an answer in it: made from a [`TrustedReturn`] and nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientReturn {
    to: TrustedReturn,
    parameters: Vec<(&'static str, String)>,
}

/// The values stay out: codes and the client's `state` are among them (SEC-162).
impl fmt::Debug for ClientReturn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.parameters.iter().map(|(name, _)| *name).collect();
        f.debug_struct("ClientReturn").field("to", &self.to).field("parameters", &names).finish()
    }
}

impl ClientReturn {
    /// An answer with the client's own `state`, byte for byte (SEC-013), and our `iss`
    /// (RFC 9207, SEC-014).
    pub(super) fn new(
        to: TrustedReturn,
        issuer: &Issuer,
        state: Option<&str>,
        mut parameters: Vec<(&'static str, String)>,
    ) -> Self {
        parameters.extend(state.map(|state| ("state", state.to_owned())));
        parameters.push(("iss", issuer.as_str().to_owned()));
        Self { to, parameters }
    }

    /// An error (OAuth 2.1 section 4.1.2.1).
    pub(super) fn error(to: TrustedReturn, issuer: &Issuer, state: Option<&str>, error: &OAuthError) -> Self {
        let code = error.code().as_str().to_owned();
        let parameters = vec![("error", code), ("error_description", error.description().to_owned())];
        Self::new(to, issuer, state, parameters)
    }

    /// The client's redirect.
    #[must_use]
    pub fn to(&self) -> &TrustedReturn {
        &self.to
    }

    /// The answer's parameters.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// The whole URL.
    #[must_use]
    pub fn url(&self) -> String {
        self.to.uri().with_query(&self.parameters().collect::<Vec<_>>())
    }
}
