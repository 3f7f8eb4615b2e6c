//! The browser half: from a client's authorization request to a code. Knows no HTTP.
//!
//! ```text
//! begin ──▶ our page ──▶ consent ──▶ the upstream ──▶ upstream_return ──▶ finish ──▶ the client
//!   │          └──▶ allow: somebody is signed in here already ──────────────▲
//!   └──▶ and has approved this before ──────────────────────────────────────┘
//! ```
//!
//! - `begin`: checks the request, stores a pending login, shows the consent page.
//! - `limits`: how many may be begun.
//! - `consent`: the answer to that page; only now does an upstream learn of the login.
//! - `allow`: the same from somebody who is signed in in this browser.
//! - `upstream_return`: the upstream's answer, believed after every check.
//! - `upstream_logout`: an upstream says that somebody has signed out there.
//! - `session`: the browser's session; `remembered`: what was approved before; `wishes`: `prompt`.
//! - `sign_out`: the end of a session, here and at its upstream; `ending`: of all that a person has.
//! - `verdict`: policy, and whose an admin's address is.
//! - `finish`: the verdict, then a grant and its code.
//! - `answer`: the ways back: [`Step`], [`PageError`], and the client's redirect with `iss`.
//!
//! Every step is read back from the store; what the browser brings is compared with digests.

mod allow;
mod answer;
mod begin;
mod consent;
mod ending;
mod finish;
mod limits;
mod remembered;
mod session;
mod sign_out;
mod upstream_logout;
mod upstream_return;
mod verdict;
mod wishes;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clients::{Admission, Clients};
use crate::clock::{Clock, Timestamp};
use crate::domain::{AuditEvent, AuditKind, Client, PendingLogin, Resources, TrustedReturn};
use crate::people::People;
use crate::policy::Policy;
use crate::protocol::Issuer;
use crate::secret::MacKey;
use crate::store::Store;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;
use crate::tokens::AuthorizationCodes;
use crate::upstream::Upstreams;

pub use answer::{
    AuthorizeError, ClientReturn, ConsentAsked, NoAccess, NoAccessReason, Notice, PageError, SignedInAs, Step,
};
pub use consent::{Choice, ConsentForm};
use limits::TooMany;
pub use limits::{SignInCounter, SignInLimits};
pub use session::{SessionRules, Visitor};
pub use sign_out::{SignOut, SignOutForm};
pub use upstream_return::{Returned, UpstreamAnswer};

/// The durations that a sign-in obeys.
#[derive(Debug, Clone, Copy)]
pub struct LoginRules {
    /// From our page to the upstream's answer (SEC-042).
    pub login: Duration,
    /// How long a code lives (SEC-022).
    pub code: Duration,
    /// When a grant ends whatever happens (SEC-089).
    pub grant: Duration,
    /// How long browsers stay signed in; none: not at all.
    pub session: Option<SessionRules>,
    /// How long a consent is remembered; zero: not at all.
    pub remember_consent: Duration,
}

/// Everything that a sign-in asks.
#[derive(Debug)]
pub struct Login {
    /// Who we are.
    pub issuer: Issuer,
    /// Who is asking.
    pub clients: Clients,
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// What happened.
    pub journal: Journal,
    /// What the operator has ended.
    pub revocations: Arc<Revocations>,
    /// Where people sign in.
    pub upstreams: Upstreams,
    /// What they say of people.
    pub people: People,
    /// Who may do what.
    pub policy: Arc<Policy>,
    /// For which servers.
    pub resources: Arc<Resources>,
    /// Makes codes.
    pub codes: AuthorizationCodes,
    /// Derives the secrets of a login.
    pub key: MacKey,
    /// For how long.
    pub rules: LoginRules,
    /// How many.
    pub begun: SignInCounter,
    /// The present.
    pub clock: Arc<dyn Clock>,
}

impl Login {
    /// The client of a login and its redirect, checked again: it may have changed since.
    async fn way_back(
        &self,
        login: &PendingLogin,
        now: Timestamp,
    ) -> Result<(Client, TrustedReturn), PageError> {
        let request = &login.request;
        let client = self.clients.find(&request.client_id, None, now).await?;
        let client = client.ok_or(PageError::UnknownClient)?;
        let trusted = client.trusted_return(Some(request.redirect_uri.as_str()));
        let trusted = trusted.map_err(PageError::BadRedirect)?;
        self.admitted(&client, None, now).await?;
        Ok((client, trusted))
    }

    /// Does the operator let the client in? One that nobody has said anything about waits from now on.
    /// Each is remembered, so whoever comes with many from one `address` is slowed down.
    async fn admitted(
        &self,
        client: &Client,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Result<(), PageError> {
        match self.clients.admission(client, now).await? {
            Admission::Admitted => Ok(()),
            Admission::Refused => Err(PageError::NotAdmitted),
            Admission::Waits(application) => {
                if let Some(address) = address {
                    self.begun.count_waiting(address).map_err(|of| self.too_many(of, address, now))?;
                }
                let code = application.code();
                if self.store.await_approval(&application, now).await? {
                    let event = AuditEvent::new(AuditKind::ClientWaits, now).client(&client.id);
                    self.journal.record(event.because(format!("as {code}")));
                }
                Err(PageError::AwaitsApproval(code))
            }
        }
    }

    /// What the visitor is told, and now and then the operator.
    fn too_many(&self, of: TooMany, address: IpAddr, now: Timestamp) -> PageError {
        if self.begun.is_news() {
            let why = match of {
                TooMany::FromOneAddress => format!("from {address}; others may be, too"),
                TooMany::OfOnePerson => "by one person who is signed in; others may be, too".to_owned(),
                TooMany::InAll => "in all".to_owned(),
            };
            let event = AuditEvent::new(AuditKind::SignInsLimited, now);
            self.journal.record(event.because(format!("more than may begin {why}")));
        }
        PageError::TooManySignIns
    }

    fn record(&self, kind: AuditKind, login: &PendingLogin, reason: Option<&str>, now: Timestamp) {
        let mut event = AuditEvent::new(kind, now).client(&login.request.client_id);
        event.resource = Some(login.request.resource.to_string());
        event.reason = reason.map(str::to_owned);
        if let crate::domain::LoginStep::AwaitingUpstream { upstream, .. } = &login.step {
            event = event.upstream(upstream);
        }
        self.journal.record(event);
    }
}
