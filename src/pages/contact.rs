//! Whom to ask, as a page links to it.

use crate::domain::EmailAddress;

/// An address that can be linked to, or words.
pub(super) enum Contact<'a> {
    /// An email address.
    Email(&'a str),
    /// A web address.
    Web(&'a str),
    /// Anything else.
    Words(&'a str),
}

impl<'a> Contact<'a> {
    /// Only plain addresses become links: nothing else can carry another scheme or extra
    /// mail headers into an `href`.
    pub(super) fn of(text: Option<&'a str>) -> Option<Self> {
        let text = text.map(str::trim).filter(|text| !text.is_empty())?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '+' | '@');
        let contact = if text.parse::<EmailAddress>().is_ok() && text.chars().all(plain) {
            Self::Email(text)
        } else if url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            Self::Web(text)
        } else {
            Self::Words(text)
        };
        Some(contact)
    }
}
