//! What pages load, all of it from here: one stylesheet and the mark.
//!
//! The name carries a hash of the content, so a browser may keep a file for ever.

use std::sync::LazyLock;

use crate::secret::Digest;

/// A static file.
#[derive(Debug)]
pub struct Asset {
    /// Its path below the issuer's, with a leading slash.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: &'static [u8],
}

impl Asset {
    fn new(text: &'static str, extension: &str, content_type: &'static str) -> Self {
        let digest: String =
            Digest::of(text).as_str().chars().filter(char::is_ascii_alphanumeric).take(12).collect();
        Self { path: format!("/assets/gatelodge-{digest}.{extension}"), content_type, bytes: text.as_bytes() }
    }
}

static STYLESHEET: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("assets/gatelodge.css"), "css", "text/css; charset=utf-8"));

static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new(include_str!("assets/mark.svg"), "svg", "image/svg+xml"));

/// The one stylesheet.
#[must_use]
pub fn stylesheet() -> &'static Asset {
    &STYLESHEET
}

/// The mark: the logo, and the icon in the browser's tab.
#[must_use]
pub fn mark() -> &'static Asset {
    &MARK
}

/// The file at a path (below the issuer's), if there is one.
#[must_use]
pub fn find(path: &str) -> Option<&'static Asset> {
    [stylesheet(), mark()].into_iter().find(|asset| asset.path == path)
}
