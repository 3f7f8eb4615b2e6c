//! What the operator says of a provider.

use std::time::Duration;

use crate::domain::{DomainName, UpstreamId};
use crate::secret::Secret;

use super::presets::{Preset, Tenancy};

/// What the operator says of a provider.
#[derive(Debug, Clone)]
pub struct UpstreamSettings {
    /// Its name in URLs and rules.
    pub id: UpstreamId,
    /// Its name on the button.
    pub label: String,
    /// What it does differently.
    pub preset: &'static Preset,
    /// Its issuer identifier, byte for byte.
    pub issuer: String,
    /// Our client there.
    pub client_id: String,
    /// Our client's secret there.
    pub client_secret: Option<Secret>,
    /// Our callback for this provider, and for no other (SEC-045).
    pub redirect_uri: String,
    /// What we ask for.
    pub scopes: Vec<String>,
    /// Whose people sign in here; policy decides it, here it finds the provider for an address.
    pub allowed_domains: Vec<DomainName>,
    /// Which organisations' people sign in here; policy decides it.
    pub organizations: Vec<String>,
    /// Which tenants' people sign in here; policy decides it.
    pub tenants: Vec<String>,
    /// Where group names stand.
    pub groups_claim: String,
    /// Where roles stand, if not where the preset says.
    pub roles_claim: Option<String>,
    /// Does any rule ask for a group of this provider?
    pub groups_matter: bool,
    /// The claims that rules ask for, by dotted path.
    pub claim_paths: Vec<String>,
    /// The base of its API, if not where the preset says.
    pub api_url: Option<String>,
    /// Which of its own identity providers it should send people to.
    pub idp_hint: Option<String>,
    /// Does the text `"true"` verify an email, as the JSON `true` does?
    pub email_verified_as_text: bool,
    /// How it is asked again at refresh; none: never.
    pub recheck: Option<Recheck>,
}

/// How a provider is asked again for facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recheck {
    /// How old facts may be where newer ones can be had.
    pub after: Duration,
    /// How old they may be while the provider does not answer.
    pub outage_tolerance: Duration,
}

impl UpstreamSettings {
    /// The issuer with a tenant in it, where one endpoint serves many tenants.
    fn shared_issuer(&self, tenant: &str) -> Option<String> {
        issuer_of_tenant(self.preset.tenancy?, &self.issuer, tenant)
    }

    /// The issuer that its metadata names: the configured one, or with a placeholder for the
    /// tenant.
    pub(super) fn metadata_issuer(&self) -> String {
        let placeholder = self.preset.tenancy.map_or("", |tenancy| tenancy.placeholder);
        self.shared_issuer(placeholder).unwrap_or_else(|| self.issuer.clone())
    }

    /// The issuer that a token of this tenant must name: exact, and with the tenant that the token
    /// itself names.
    pub(super) fn token_issuer(&self, tenant: Option<&str>) -> Option<String> {
        if self.preset.tenancy.is_none() {
            return Some(self.issuer.clone());
        }
        let tenant = tenant.filter(|tenant| is_tenant(tenant))?;
        let issuer = self.shared_issuer(tenant).unwrap_or_else(|| self.issuer.clone());
        issuer.split('/').any(|segment| segment == tenant).then_some(issuer)
    }

    /// May this be the provider's name in an authorization response (RFC 9207)?
    pub(super) fn may_be_called(&self, iss: &str) -> bool {
        let shared = || self.tenants.iter().filter_map(|tenant| self.shared_issuer(tenant));
        // Google's short name is a spelling of its tokens alone.
        let aliases = self.preset.issuer_aliases.iter().filter(|alias| alias.contains("://"));
        iss == self.issuer || aliases.into_iter().any(|alias| *alias == iss) || shared().any(|own| own == iss)
    }

    /// The base of the provider's API.
    pub(super) fn api(&self) -> &str {
        self.api_url.as_deref().unwrap_or(self.preset.api)
    }
}

/// Every issuer that a provider's accounts can have: its own, or one for each listed tenant.
#[must_use]
pub fn issuers_of(preset: &Preset, issuer: &str, tenants: &[String]) -> Vec<String> {
    let of_tenant = |tenant: &String| issuer_of_tenant(preset.tenancy?, issuer, tenant);
    let all: Vec<String> = tenants.iter().filter_map(of_tenant).collect();
    if all.is_empty() { vec![issuer.to_owned()] } else { all }
}

fn issuer_of_tenant(tenancy: Tenancy, issuer: &str, tenant: &str) -> Option<String> {
    let mut found = false;
    let segments = issuer.split('/').map(|segment| {
        let is_shared = tenancy.shared.contains(&segment);
        found |= is_shared;
        if is_shared { tenant } else { segment }
    });
    let replaced = segments.collect::<Vec<_>>().join("/");
    found.then_some(replaced)
}

/// A tenant's id is a GUID in lower case; anything else could change what the issuer means.
fn is_tenant(text: &str) -> bool {
    let digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, b)| if [8, 13, 18, 23].contains(&at) { b == b'-' } else { digit(b) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: &str = "8f14e45f-ceea-467f-9575-0a1b2c3d4e5f";

    /// IDP-entra: the issuer of a token is the template with the token's own tenant in it.
    #[test]
    fn idp_entra_an_issuer_for_each_tenant() {
        let shared = "https://login.microsoftonline.com/common/v2.0";
        let own = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        let listed = [TENANT.to_owned()];
        assert_eq!(issuers_of(&Preset::ENTRA, shared, &listed), [own.as_str()]);
        assert_eq!(issuers_of(&Preset::ENTRA, &own, &[]), [own.as_str()]);
        assert_eq!(issuers_of(&Preset::OIDC, shared, &listed), [shared]);
        assert!(is_tenant(TENANT));
        for not in ["", "common", "../common", &TENANT.to_uppercase(), &format!("{TENANT}/")] {
            assert!(!is_tenant(not), "{not}");
        }
    }
}
