//! Why a client's document, or its keys, cannot be had, and what that says of the client.

use std::sync::Arc;

use crate::outbound::documents::DocumentError;
use crate::protocol::InvalidClientIdUrl;
use crate::protocol::client_document::InvalidClientDocument;
use crate::store::StoreError;

use super::fetch_budget::Limit;

/// Why a client's document does not make a client.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DocumentFault {
    /// The operator wants none, or none of this host.
    #[error("clients of this host are not admitted here")]
    NotAdmitted,
    /// The URL is none that may be a client identifier.
    #[error(transparent)]
    Url(#[from] InvalidClientIdUrl),
    /// Its host answers, and not with a document.
    #[error("the host {what}")]
    NoDocument {
        /// What it did instead.
        what: &'static str,
        /// May that be of the moment?
        may_pass: bool,
    },
    /// The store does not say what it knows, or cannot forget what its host has taken back.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// There are no keys where the document says so.
    #[error("its jwks_uri leads to no key that can be used")]
    NoKeys,
    /// The document is not as it must be.
    #[error(transparent)]
    Document(#[from] InvalidClientDocument),
    /// It cannot be had now.
    #[error(transparent)]
    Unreachable(DocumentError),
    /// Too much is being fetched; try again. Which limit that was is for the log.
    #[error("too many documents are being fetched; try again in a minute")]
    Busy(Limit),
}

impl DocumentFault {
    /// Is it ours, or of the moment, and so says nothing about the client (PRIN-5)?
    pub(super) fn is_no_verdict(&self) -> bool {
        self.may_pass() || matches!(self, Self::Store(_))
    }

    /// May it be of the moment, so that what was good last goes on (INT-43)?
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Busy(_) => true,
            Self::NoDocument { may_pass, .. } => *may_pass,
            Self::NotAdmitted | Self::Url(_) | Self::NoKeys | Self::Document(_) | Self::Store(_) => false,
        }
    }

    /// The host answers with something that cannot be read: half of a document, or none at all.
    pub(super) fn broken() -> Self {
        Self::NoDocument { what: "answers with what is not JSON", may_pass: true }
    }

    /// The fetch ended without an outcome.
    pub(super) fn broke_off(host: &str) -> Self {
        let cause = "the fetch broke off".to_owned();
        Self::Unreachable(DocumentError::Unreachable { host: host.to_owned(), cause })
    }
}

impl From<DocumentError> for DocumentFault {
    fn from(error: DocumentError) -> Self {
        match error {
            DocumentError::Unreachable { .. } => Self::Unreachable(error),
            DocumentError::Refused { what, may_pass, .. } => Self::NoDocument { what, may_pass },
        }
    }
}

impl From<StoreError> for DocumentFault {
    fn from(fault: StoreError) -> Self {
        Self::Store(Arc::new(fault))
    }
}
