//! The one question that we ask: may this client have access (SEC-027)?

use askama::Template;
use url::Url;

use super::{ServerView, assets, clean, print};
use crate::domain::EmailAddress;
use crate::protocol::RedirectUri;

/// The consent page. Its form posts to `/oauth/consent` with `login`, `form_token` and the button:
/// `upstream=<id>` to continue, `action=find` to continue with the provider of the `email` that was
/// typed, `action=allow` to go on as whoever is signed in, `action=deny` to refuse (SEC-033, SEC-034).
///
/// Beside Allow, the other ways in are a form of their own: Enter in its field must not press Allow.
///
/// It shows what SEC-030 and SEC-031 ask for: client name and id, where the answer goes, the
/// server, the scopes, the mark of a self-registered client, and the warnings for destinations
/// that any local program can claim. Send it with [`csp::FORM`](super::csp::FORM).
#[derive(Debug, Template)]
#[template(path = "consent.html")]
pub struct ConsentPage<'a> {
    /// The issuer's path: empty for a bare origin.
    pub base: &'a str,
    /// Which pending login the answer is for.
    pub login: &'a str,
    /// The one-time token of this form.
    pub form_token: &'a str,
    /// Who asks.
    pub client: ClientView<'a>,
    /// Where the answer goes; must be the client's own, checked.
    pub redirect: &'a RedirectUri,
    /// Access to what.
    pub server: ServerView<'a>,
    /// Which scopes.
    pub scopes: Vec<ScopeView<'a>>,
    /// Where the person can sign in: one button each.
    pub upstreams: Vec<UpstreamView<'a>>,
    /// The field that finds the right one of several.
    pub find: Option<FindView<'a>>,
    /// Who may go on without signing in.
    pub signed_in: Option<SignedInView<'a>>,
    /// Why the page is shown once more.
    pub news: Option<SessionNews>,
}

/// Who is signed in in this browser.
#[derive(Debug, Clone, Copy)]
pub struct SignedInView<'a> {
    /// An email address or a name.
    pub person: &'a str,
    /// At which provider: its name on our buttons.
    pub provider: &'a str,
}

/// What became of the session that the page was shown for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionNews {
    /// It is over.
    Over,
    /// Somebody else is signed in now.
    AnotherPerson,
    /// It is too old for this.
    SignInAgain,
}

impl SessionNews {
    const fn words(self) -> &'static str {
        match self {
            Self::Over => {
                "You are no longer signed in here. Nothing has been approved yet: choose where to sign in."
            }
            Self::AnotherPerson => {
                "Another account is signed in in this browser now. Nothing has been approved yet: look whether it is the right one."
            }
            Self::SignInAgain => {
                "Your organisation asks for a more recent sign-in for this. Nothing has been approved yet: sign in once more."
            }
        }
    }
}

/// A client as it describes itself.
#[derive(Debug, Clone, Copy)]
pub struct ClientView<'a> {
    /// Its identifier.
    pub id: &'a str,
    /// What it calls itself: hostile.
    pub name: Option<&'a str>,
    /// Has nobody checked that name?
    pub self_registered: bool,
}

impl ClientView<'_> {
    /// The name, made harmless; never empty.
    fn shown_name(&self) -> String {
        clean::client_name(self.name.unwrap_or_default())
    }

    /// The host of a client whose id is a URL (a metadata document): that much is proven.
    fn host(&self) -> Option<String> {
        let url = Url::parse(self.id).ok().filter(|url| url.scheme() == "https")?;
        url.host_str().map(str::to_owned)
    }
}

/// A scope as people read it.
#[derive(Debug, Clone, Copy)]
pub struct ScopeView<'a> {
    /// Its name in the protocol.
    pub name: &'a str,
    /// What it allows; the name again if there is no description.
    pub description: &'a str,
    /// Is it known that policy does not give it to whoever is signed in?
    pub is_withheld: bool,
}

/// A place to sign in.
#[derive(Debug, Clone, Copy)]
pub struct UpstreamView<'a> {
    /// Its id in the configuration: the button's value.
    pub id: &'a str,
    /// Its name on the button.
    pub name: &'a str,
}

impl UpstreamView<'_> {
    /// A letter in place of a picture: nobody's trademark.
    fn letter(&self) -> String {
        let first = clean::label(self.name).chars().find(|c| c.is_alphanumeric());
        first.map(|letter| letter.to_uppercase().to_string()).unwrap_or_default()
    }
}

/// The field for an address.
#[derive(Debug, Clone, Copy, Default)]
pub struct FindView<'a> {
    /// Whom the client expects: stands in the field if it is an address.
    pub email: Option<&'a str>,
    /// Why the page is shown once more.
    pub problem: Option<FindProblem>,
}

/// Why an address led nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FindProblem {
    /// It is none.
    NoAddress,
    /// It tells no provider.
    UnknownDomain,
}

impl FindView<'_> {
    fn address(&self) -> String {
        let address = self.email.and_then(|text| text.parse::<EmailAddress>().ok());
        address.map(|address| address.to_string()).unwrap_or_default()
    }

    fn words(&self) -> &'static str {
        match self.problem {
            Some(FindProblem::NoAddress) => "Write your whole work address, such as alice@example.com.",
            Some(FindProblem::UnknownDomain) => {
                "This address does not tell where you sign in. Check it, choose one of the buttons below, or ask your administrator."
            }
            None => "",
        }
    }
}

impl ConsentPage<'_> {
    /// Was an address typed that led nowhere?
    fn is_searching(&self) -> bool {
        self.find.is_some_and(|find| find.problem.is_some())
    }

    /// The page as HTML.
    #[must_use]
    pub fn render(&self) -> String {
        print(self)
    }
}
