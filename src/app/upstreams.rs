//! A configured identity provider becomes settings and an admission.

use crate::config::{Preset as Named, RecheckConfig, UpstreamConfig};
use crate::policy::{Admission, Membership, Policy};
use crate::protocol::Issuer;
use crate::upstream::{Preset, Recheck, UpstreamSettings, issuers_of};

const fn preset(named: Named) -> &'static Preset {
    match named {
        Named::Google => &Preset::GOOGLE,
        Named::Okta => &Preset::OKTA,
        Named::Keycloak => &Preset::KEYCLOAK,
        Named::Clerk => &Preset::CLERK,
        Named::Entra => &Preset::ENTRA,
        Named::Auth0 => &Preset::AUTH0,
        Named::GitHub => &Preset::GITHUB,
        Named::Oidc => &Preset::OIDC,
    }
}

/// Whom the provider may bring.
pub(super) fn admission(upstream: &UpstreamConfig) -> Admission {
    let preset = preset(upstream.preset);
    let of = upstream.organizations.clone();
    let membership = preset.organization.filter(|_| !of.is_empty());
    Admission {
        name: format!("allowed_domains of {}", upstream.id),
        upstream: upstream.id.clone(),
        issuers: issuers_of(preset, &upstream.issuer, &upstream.tenants),
        domains: upstream.allowed_domains.clone(),
        membership: membership.map(|claim| Membership { claim: claim.to_owned(), of }),
    }
}

/// What the provider is talked to with.
pub(super) fn settings(upstream: &UpstreamConfig, issuer: &Issuer, policy: &Policy) -> UpstreamSettings {
    UpstreamSettings {
        id: upstream.id.clone(),
        label: upstream.name.clone(),
        preset: preset(upstream.preset),
        issuer: upstream.issuer.clone(),
        client_id: upstream.client_id.clone(),
        client_secret: upstream.client_secret.clone(),
        redirect_uri: issuer.url(&format!("/oauth/callback/{}", upstream.id)),
        scopes: upstream.scopes.clone(),
        allowed_domains: upstream.allowed_domains.clone(),
        organizations: upstream.organizations.clone(),
        tenants: upstream.tenants.clone(),
        groups_claim: upstream.groups_claim.clone(),
        roles_claim: upstream.roles_claim.clone(),
        groups_matter: policy.asks_for_groups(&upstream.id),
        claim_paths: policy.claim_paths(&upstream.id).into_iter().map(str::to_owned).collect(),
        api_url: upstream.api_url.clone(),
        idp_hint: upstream.idp_hint.clone(),
        email_verified_as_text: upstream.email_verified_as_text,
        recheck: upstream
            .recheck
            .map(|RecheckConfig { after, outage_tolerance }| Recheck { after, outage_tolerance }),
    }
}
