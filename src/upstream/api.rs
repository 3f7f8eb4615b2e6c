//! Documents that an access token opens.

use http::StatusCode;
use serde_json::Value;

use crate::outbound::Outbound;
use crate::secret::Secret;

/// Pages of one list that are read; a longer list is known to be cut.
const MOST_PAGES: usize = 10;

/// An API at a provider, opened by one person's token.
#[derive(Debug, Clone, Copy)]
pub(super) struct Api<'a> {
    pub(super) outbound: &'a Outbound,
    pub(super) token: &'a Secret,
}

/// Why there is no document.
#[derive(Debug)]
pub(super) enum ApiFault {
    /// The API does not know this token, or no longer.
    Unknown(String),
    /// The API says that this token may not read it.
    Forbidden(String),
    /// It did not answer, or not with such a document.
    Unavailable(String),
}

impl ApiFault {
    pub(super) fn text(self) -> String {
        match self {
            Self::Unknown(text) | Self::Forbidden(text) | Self::Unavailable(text) => text,
        }
    }
}

/// A list of several pages.
pub(super) struct Listed {
    pub(super) items: Vec<Value>,
    pub(super) is_whole: bool,
}

impl Api<'_> {
    /// One JSON document; `what` names it in the log.
    pub(super) async fn get(&self, url: &str, what: &str) -> Result<Value, ApiFault> {
        let unavailable = |error: &dyn std::fmt::Display| ApiFault::Unavailable(format!("{what}: {error}"));
        let request = http::Request::get(url)
            .header("accept", "application/json")
            .header("authorization", format!("Bearer {}", self.token.expose()))
            .body(Vec::new())
            .map_err(|error| unavailable(&error))?;
        let answer = self.outbound.send(request).await.map_err(|error| unavailable(&error))?;
        match answer.status() {
            StatusCode::OK => {}
            status @ StatusCode::UNAUTHORIZED => {
                return Err(ApiFault::Unknown(format!("{what} answered {status}")));
            }
            status @ StatusCode::FORBIDDEN => {
                return Err(ApiFault::Forbidden(format!("{what} answered {status}")));
            }
            status => return Err(ApiFault::Unavailable(format!("{what} answered {status}"))),
        }
        serde_json::from_slice(answer.body()).map_err(|_| unavailable(&"the answer is not JSON"))
    }

    /// A list, page by page: `next` says from a page's number and content where the next one is.
    pub(super) async fn list(
        &self,
        first: String,
        what: &str,
        read: impl Fn(usize, &Value) -> Option<(Vec<Value>, Option<String>)>,
    ) -> Result<Listed, ApiFault> {
        let mut items = Vec::new();
        let mut url = first;
        for page in 1..=MOST_PAGES {
            let answer = self.get(&url, what).await?;
            let unread = || ApiFault::Unavailable(format!("{what}: the answer is not a list"));
            let (more, next) = read(page, &answer).ok_or_else(unread)?;
            items.extend(more);
            match next {
                Some(next) => url = next,
                None => return Ok(Listed { items, is_whole: true }),
            }
        }
        Ok(Listed { items, is_whole: false })
    }
}
