//! What brings the people that rules are about: upstreams, and credentials that somebody else vouches for.

use super::super::settings::{Preset, UpstreamConfig};
use super::super::settings_credentials::{CredentialConfig, CredentialKind};
use super::access::Known;
use crate::domain::{DomainName, UpstreamId};

/// One of them.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub(super) id: &'a UpstreamId,
    pub(super) issuer: &'a str,
    /// The domains that it vouches for.
    pub(super) domains: &'a [DomainName],
    /// Does it vouch for any?
    pub(super) any_domain: bool,
    /// Does it tell groups or roles?
    pub(super) tells_names: bool,
}

impl<'a> Source<'a> {
    fn of_upstream(upstream: &'a UpstreamConfig) -> Self {
        let UpstreamConfig { id, issuer, allowed_domains, preset, .. } = upstream;
        // GitHub vouches for nobody's domain.
        let any_domain = allowed_domains.is_empty() && *preset != Preset::GitHub;
        Self { id, issuer, domains: allowed_domains, any_domain, tells_names: *preset != Preset::Google }
    }

    fn of_credential(credential: &'a CredentialConfig) -> Option<Self> {
        let CredentialKind::Foreign(foreign) = &credential.kind else { return None };
        let (issuer, domains) = (&foreign.issuer, &foreign.allowed_domains);
        Some(Self { id: &credential.id, issuer, domains, any_domain: false, tells_names: true })
    }
}

impl<'a> Known<'a> {
    /// All of them.
    pub(super) fn sources(self) -> impl Iterator<Item = Source<'a>> {
        let credentials = self.credentials.good.iter().filter_map(Source::of_credential);
        self.upstream_sources().chain(credentials)
    }

    /// Those that people sign in with.
    pub(super) fn upstream_sources(self) -> impl Iterator<Item = Source<'a>> {
        self.upstreams.good.iter().map(Source::of_upstream)
    }

    /// Are these all that there are?
    pub(super) fn sources_are_complete(self) -> bool {
        self.upstreams.complete && self.credentials.complete
    }
}
