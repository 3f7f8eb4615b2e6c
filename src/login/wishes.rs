//! How a client wants the person to be met (OpenID Connect Core section 3.1.2.1).

use std::time::Duration;

use crate::clock::Timestamp;
use crate::domain::BrowserSession;
use crate::protocol::{ErrorCode, OAuthError, Params};

/// `prompt` and `max_age`. Words that are not known are ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    /// Show no page at all.
    pub(super) no_page: bool,
    /// Ask for consent, also where it is remembered (INT-50).
    pub(super) consent: bool,
    /// Let somebody sign in, also where somebody is signed in.
    sign_in: bool,
    /// How old the sign-in may be.
    max_age: Option<Duration>,
}

impl Wishes {
    /// Reads them.
    pub(super) fn read(params: &Params) -> Result<Self, OAuthError> {
        let invalid = |text| OAuthError::new(ErrorCode::InvalidRequest, text);
        let mut wishes = Self::default();
        let words: Vec<&str> = params.one("prompt")?.unwrap_or_default().split_ascii_whitespace().collect();
        for word in &words {
            match *word {
                "none" => wishes.no_page = true,
                "consent" => wishes.consent = true,
                "login" | "select_account" => wishes.sign_in = true,
                _ => {}
            }
        }
        if wishes.no_page && words.len() > 1 {
            return Err(invalid("prompt=none stands alone"));
        }
        let seconds = params.one("max_age")?.map(str::parse::<u64>).transpose();
        let seconds = seconds.map_err(|_| invalid("max_age is not a number of seconds"))?;
        wishes.max_age = seconds.map(Duration::from_secs);
        Ok(wishes)
    }

    /// Will this session do?
    pub(super) fn accept(&self, session: &BrowserSession, now: Timestamp) -> bool {
        let age = now.since(session.identity.authenticated_at);
        // `max_age=0` is the same as `prompt=login`.
        !self.sign_in && self.max_age.is_none_or(|most| age <= most && !most.is_zero())
    }

    /// Without a session that will do: must the upstream ask, whoever is signed in there?
    pub(super) fn want_sign_in(&self) -> bool {
        self.sign_in || self.max_age.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<Wishes, OAuthError> {
        Wishes::read(&Params::parse(query.as_bytes()))
    }

    #[test]
    fn prompt_is_a_list_and_none_stands_alone() {
        assert_eq!(read("").unwrap(), Wishes::default());
        assert_eq!(read("prompt=create").unwrap(), Wishes::default());
        let both = read("prompt=login%20consent").unwrap();
        assert!(both.consent && both.want_sign_in() && !both.no_page);
        assert!(read("prompt=none").unwrap().no_page);
        for bad in ["prompt=none%20login", "prompt=consent%20none", "max_age=-1", "max_age=x", "max_age=1.5"]
        {
            assert_eq!(read(bad).unwrap_err().code(), ErrorCode::InvalidRequest, "{bad}");
        }
    }
}
