//! Allow, by somebody who is signed in in this browser: no upstream is asked.

use crate::clock::Timestamp;
use crate::domain::{AuditEvent, AuditKind, LoginStep, PendingLogin};
use crate::secret::{Digest, Secret, random};

use super::consent::DOUBLE_CLICK;
use super::finish::{Asking, BySession};
use super::session::Live;
use super::{ConsentForm, Login, Notice, PageError, Step};

impl Login {
    /// Counts for the session that the page was shown for, and only while that is alive: whose page it
    /// was must be who allows. Nothing, if somebody else moved the login on in the meantime.
    pub(super) async fn allow(
        &self,
        mut login: PendingLogin,
        form: ConsentForm<'_>,
        now: Timestamp,
    ) -> Result<Option<Step>, PageError> {
        let from = login.step.ordinal();
        // Where the client, or policy, wants a new sign-in, no session will do.
        if login.request.sign_in_anew {
            return self.offer(login, form, (None, Notice::SignInAgain), now).await;
        }
        let live = self.live_session(form.visitor.session, now).await?;
        let Some(live) = live.as_ref().filter(|live| live.was_shown(&login.step)) else {
            let notice = if live.is_some() { Notice::AnotherPerson } else { Notice::SessionOver };
            return self.offer(login, form, (live.as_ref(), notice), now).await;
        };
        let LoginStep::AwaitingConsent { form: proof, shown_to: Some(shown_to) } = login.step.clone() else {
            return Err(PageError::FormNotValid);
        };
        let (client, to) = self.way_back(&login, now).await?;
        let asking = Asking { request: &login.request, client: &client, to: &to, now };
        // Both halves of a double click open the same grant; the store keeps the first.
        let opened = match self.finish_by_session(asking, live, shown_to.grant).await? {
            BySession::Opened(opened) => opened,
            BySession::Denied(no_access) => return Ok(Some(Step::ShowNoAccess(no_access))),
            BySession::SignInAgain => {
                login.request.sign_in_anew = true;
                return self.offer(login, form, (None, Notice::SignInAgain), now).await;
            }
        };
        let mut allowed = login.clone();
        allowed.step = LoginStep::Allowed { form: proof, approved_at: now, shown_to };
        if !self.store.advance_login(&allowed, from, now).await? {
            return Ok(None);
        }
        self.remember(asking, &live.session.identity.person()).await?;
        self.journal.record(AuditEvent { kind: AuditKind::ConsentGiven, ..opened.event.clone() });
        self.journal.record(opened.event);
        Ok(Some(Step::ReturnToClient { back: opened.back, session: None }))
    }

    /// The second half of a double click gets the answer of the first (SEC-039); anything else is a
    /// replay.
    pub(super) async fn allowed_again(
        &self,
        login: &PendingLogin,
        form: ConsentForm<'_>,
        now: Timestamp,
    ) -> Result<Step, PageError> {
        let LoginStep::Allowed { form: proof, approved_at, shown_to } = &login.step else {
            return Err(PageError::FormNotValid);
        };
        let again = form.choice == super::Choice::Allow && now.since(*approved_at) < DOUBLE_CLICK;
        let live = self.live_session(form.visitor.session, now).await?;
        let is_same = live.is_some_and(|live| live.was_shown(&login.step));
        if !again || !is_same || !form.fits(proof) || self.store.grant(&shown_to.grant, now).await?.is_none()
        {
            return Err(PageError::FormNotValid);
        }
        let (_, to) = self.way_back(login, now).await?;
        let back = self.code_of(&shown_to.grant, &login.request, &to);
        Ok(Step::ReturnToClient { back, session: None })
    }

    /// The page once more, for whoever is signed in now, if anybody is. Its form is a new one: who has not
    /// seen this page cannot answer it, not even by a second click on the old one.
    async fn offer(
        &self,
        mut login: PendingLogin,
        form: ConsentForm<'_>,
        (live, notice): (Option<&Live>, Notice),
        now: Timestamp,
    ) -> Result<Option<Step>, PageError> {
        let from = login.step.ordinal();
        let LoginStep::AwaitingConsent { form: proof, shown_to } = &mut login.step else {
            return Err(PageError::FormNotValid);
        };
        let token = Secret::new(random::token());
        proof.token = Digest::of(token.expose());
        *shown_to = live.map(Live::shown_to);
        if !self.store.advance_login(&login, from, now).await? {
            return Ok(None);
        }
        let form = ConsentForm { form_token: token.expose(), ..form };
        self.show_again(login, form, (live, notice), now).await.map(Some)
    }
}
