//! What a path means: the protected server, or a place where clients look for its metadata.

use bytes::Bytes;
use serde_json::json;

use crate::bearer::Guarded;
use crate::protocol::metadata::ProtectedResourceMetadata;
use crate::protocol::{Issuer, ResourceUri, ScopeSet};

/// Where RFC 9728 puts a resource's metadata.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// The resource in both spellings, with and without a trailing slash: clients send both.
pub(super) struct Places {
    path: String,
    plain: Spelling,
    slashed: Spelling,
}

pub(super) struct Spelling {
    pub(super) guarded: Guarded,
    pub(super) metadata: Bytes,
}

/// What a path means.
pub(super) enum Place<'a> {
    /// What is guarded.
    Resource(&'a Guarded),
    /// Its metadata, as JSON.
    Metadata(&'a Bytes),
    /// A place of metadata, but of another resource.
    Nothing,
}

impl Places {
    pub(super) fn new(
        resource: &ResourceUri,
        issuer: &Issuer,
        everyday: &ScopeSet,
        supported: &ScopeSet,
        name: Option<&str>,
    ) -> Self {
        let (path, typed) = (resource.path().to_owned(), resource.as_str());
        let has_slash = !path.is_empty() && !path.contains('?');
        let respelt = |text: String| ResourceUri::parse(&text).ok().filter(|_| has_slash);
        let bare = typed.strip_suffix('/').unwrap_or(typed);
        let spelling = |respelt: Option<ResourceUri>| {
            let resource = respelt.unwrap_or_else(|| resource.clone());
            let document =
                ProtectedResourceMetadata::new(resource.as_str(), issuer.as_str(), supported, name);
            Spelling {
                guarded: Guarded { resource, everyday: everyday.clone() },
                metadata: json!(document).to_string().into(),
            }
        };
        let (plain, slashed) = (respelt(bare.to_owned()), respelt(format!("{bare}/")));
        Self { path, plain: spelling(plain), slashed: spelling(slashed) }
    }

    /// The resource, without a trailing slash.
    pub(super) fn resource(&self) -> &ResourceUri {
        &self.plain.guarded.resource
    }

    /// What a request's path means. What is neither the resource's own path nor one of metadata is guarded,
    /// too: the service behind may serve it.
    pub(super) fn find(&self, path: &str) -> Place<'_> {
        let own = self.path.as_str();
        if let Some(inserted) = path.strip_prefix(WELL_KNOWN) {
            // INT-22: inserted before the path, alone, and appended to the path.
            return match inserted.strip_suffix('/') {
                _ if inserted.is_empty() || inserted == "/" || inserted == own => {
                    Place::Metadata(&self.plain.metadata)
                }
                Some(rest) if rest == own => Place::Metadata(&self.slashed.metadata),
                _ => Place::Nothing,
            };
        }
        let appended = path.strip_suffix('/').unwrap_or(path).strip_suffix(WELL_KNOWN);
        if appended.is_some_and(|rest| rest == own) {
            return Place::Metadata(&self.plain.metadata);
        }
        let is_slashed = path.strip_suffix('/') == Some(own);
        Place::Resource(if is_slashed { &self.slashed.guarded } else { &self.plain.guarded })
    }

    /// Is this the resource's own path, or a place of its metadata?
    pub(super) fn includes(&self, path: &str) -> bool {
        match self.find(path) {
            Place::Resource(_) => path.strip_suffix('/').unwrap_or(path) == self.path || path == self.path,
            Place::Metadata(_) => true,
            Place::Nothing => false,
        }
    }
}
