//! Errors that people see, and the words for each.

use askama::Template;

use super::contact::Contact;
use super::{ReturnLink, assets, clean, print};

/// An error page. [`ErrorPage::of`] fills in the words of a [`Problem`].
#[derive(Debug, Template)]
#[template(path = "error.html")]
pub struct ErrorPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// What happened, in a few words.
    pub title: &'a str,
    /// What happened, in a sentence or two.
    pub explanation: &'a str,
    /// What the person can do.
    pub advice: &'a str,
    /// What someone else said about it: hostile (SEC-046).
    pub detail: Option<&'a str>,
    /// What the administrator has to be told, to decide about it.
    pub approval: Option<&'a str>,
    /// Whom to ask: an email address, a web address, or words.
    pub contact: Option<&'a str>,
    /// Names this request in the operator's log.
    pub request_id: Option<&'a str>,
    /// The way back to the client, where there is one.
    pub return_to: Option<ReturnLink>,
}

impl<'a> ErrorPage<'a> {
    /// The page for a known problem, without detail, request id or way back.
    #[must_use]
    pub fn of(base: &'a str, problem: Problem) -> Self {
        let [title, explanation, advice] = problem.words();
        Self {
            base,
            title,
            explanation,
            advice,
            detail: None,
            approval: None,
            contact: None,
            request_id: None,
            return_to: None,
        }
    }

    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}

/// What can go wrong in front of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    /// 400: the client is not known (SEC-003).
    UnknownClient,
    /// 400: the client's metadata document makes no client (SEC-117 to SEC-125).
    ClientDocument,
    /// 503: the client's metadata document cannot be fetched now (INT-43).
    ClientDocumentUnavailable,
    /// 403: the operator does not let the client in.
    NotAdmitted,
    /// 403: the operator has not yet said whether the client is let in.
    AwaitsApproval,
    /// 429: too many sign-ins are begun (REL-22).
    TooManySignIns,
    /// 400: the answer would go where the client has not registered (SEC-001, SEC-004).
    BadRedirect,
    /// 400: anything else about the request that cannot be told to the client.
    BadRequest,
    /// 400: the sign-in was used already, took too long, or was never known here (SEC-042,
    /// SEC-057).
    SignInOver,
    /// 400: the sign-in was begun in another browser (SEC-029).
    WrongBrowser,
    /// 400: the answer does not say that it comes from the chosen identity provider (SEC-045).
    ForeignAnswer,
    /// 403: the form was sent before, or is not ours (SEC-033).
    FormReplayed,
    /// 404: there is no such page.
    NotFound,
    /// 421: the request names another host (SEC-161).
    WrongHost,
    /// 502: the identity provider gave an answer that cannot be trusted.
    UpstreamFailed,
    /// 503: the identity provider does not answer.
    UpstreamUnavailable,
    /// 503: a part of the broker does not answer (PRIN-5).
    Unavailable,
}

impl Problem {
    /// Every problem.
    pub const ALL: [Self; 17] = [
        Self::UnknownClient,
        Self::ClientDocument,
        Self::ClientDocumentUnavailable,
        Self::NotAdmitted,
        Self::AwaitsApproval,
        Self::TooManySignIns,
        Self::BadRedirect,
        Self::BadRequest,
        Self::SignInOver,
        Self::WrongBrowser,
        Self::ForeignAnswer,
        Self::FormReplayed,
        Self::NotFound,
        Self::WrongHost,
        Self::UpstreamFailed,
        Self::UpstreamUnavailable,
        Self::Unavailable,
    ];

    /// The HTTP status that the page is sent with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::UnknownClient
            | Self::ClientDocument
            | Self::BadRedirect
            | Self::BadRequest
            | Self::SignInOver
            | Self::WrongBrowser
            | Self::ForeignAnswer => 400,
            // Not 400: to some clients exactly that means an unknown client, and they register anew (INT-45).
            Self::NotAdmitted | Self::AwaitsApproval | Self::FormReplayed => 403,
            Self::NotFound => 404,
            Self::WrongHost => 421,
            Self::TooManySignIns => 429,
            Self::UpstreamFailed => 502,
            Self::ClientDocumentUnavailable | Self::UpstreamUnavailable | Self::Unavailable => 503,
        }
    }

    /// Title, explanation, advice.
    #[expect(clippy::too_many_lines, reason = "one entry for each problem, to be read as a list")]
    const fn words(self) -> [&'static str; 3] {
        match self {
            Self::UnknownClient => [
                "This application is not known here",
                "The application that sent you here is not registered, or its registration has been removed. Nothing was sent back to it.",
                "Remove the connection in the application and add it again. Most applications then register themselves anew.",
            ],
            Self::ClientDocument => [
                "This application cannot be let in",
                "The application that sent you here says what it is in a document on its own website, and this service cannot accept that document. Nothing was sent back to it.",
                "Show this page to whoever makes the application, or to your administrator.",
            ],
            Self::ClientDocumentUnavailable => [
                "The application's website does not answer",
                "The application that sent you here says what it is in a document on its own website, which cannot be read at the moment.",
                "Wait a minute, then go back to the application and connect again.",
            ],
            Self::NotAdmitted => [
                "This application is not admitted here",
                "Your organisation decides which applications may be connected, and the one that sent you here is not among them. Nothing was sent back to it.",
                "Use an application that your organisation admits, or ask your administrator about this one.",
            ],
            Self::AwaitsApproval => [
                "This application waits for approval",
                "Your organisation decides which applications may be connected, and nobody has decided about the one that sent you here. Nothing was sent back to it.",
                "Ask your administrator to approve the application, and tell them the code below. Then connect again from the application.",
            ],
            Self::TooManySignIns => [
                "Too many people are signing in right now",
                "More sign-ins have begun, from your network or altogether, than this service takes at once. Nothing is wrong with your account.",
                "Wait a minute, then reload this page. What you have already connected stays connected.",
            ],
            Self::BadRedirect => [
                "The answer would go to the wrong place",
                "The application asked for the answer at an address that it has not registered. To protect you, nothing was sent there.",
                "Remove the connection in the application and add it again. If a message or a website brought you here, close this page.",
            ],
            Self::BadRequest => [
                "This request cannot be understood",
                "The application that sent you here left something out, or sent something that does not fit.",
                "Go back to the application and connect again. If it keeps happening, show this page to your administrator.",
            ],
            Self::SignInOver => [
                "This sign-in is over",
                "Each sign-in works once, and only for a few minutes. This one is finished already, or was left for too long. That can happen after going back in the browser or reloading a page.",
                "Look at the application first: it may be connected already. If it is not, connect again.",
            ],
            Self::WrongBrowser => [
                "This sign-in was started in another browser",
                "A sign-in must end in the browser in which it began. This also happens when cookies are blocked or cleared.",
                "Go back to the application and connect again, and stay in one browser window. If someone sent you a link to this page, close it.",
            ],
            Self::ForeignAnswer => [
                "This answer is not from your identity provider",
                "The answer does not say that it comes from the identity provider that you chose. To protect you, it was not used.",
                "Go back to the application and connect again. If it keeps happening, show this page to your administrator.",
            ],
            Self::FormReplayed => [
                "This page was already answered",
                "Each approval page can be answered once, in the browser that it was shown in.",
                "Go back to the application and connect again.",
            ],
            Self::NotFound => [
                "There is no page here",
                "The address may be mistyped, or the page may have moved.",
                "Check the address, or go back to the application that you came from.",
            ],
            Self::WrongHost => [
                "This address does not belong here",
                "The request reached this server under a name that it does not answer to.",
                "Check the address. If it looks right, ask your administrator to compare it with the one that is configured.",
            ],
            Self::UpstreamFailed => [
                "Signing in did not work",
                "Your identity provider gave an answer that could not be accepted, so you have not been signed in.",
                "Go back to the application and connect again. If it keeps happening, show this page to your administrator.",
            ],
            Self::UpstreamUnavailable => [
                "Your identity provider cannot be reached",
                "The service that you sign in with does not answer at the moment. Nothing is wrong with your account.",
                "Wait a minute, then go back to the application and connect again.",
            ],
            Self::Unavailable => [
                "Signing in is not possible right now",
                "A part of this service does not answer at the moment. Nothing is wrong with your account.",
                "Wait a minute and try again. What you have already connected stays connected.",
            ],
        }
    }
}
