//! What each product needs and takes beside what every identity provider has.

use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawUpstream;
use super::super::settings::Preset;
use super::super::text::Spot;
use super::Checked;
use super::values::Checker;
use crate::protocol::is_loopback_host;

/// What the checks know of a product.
pub(super) struct Product {
    /// Its name.
    pub(super) name: &'static str,
    /// Its issuer, if it has but one.
    pub(super) issuer: Option<&'static str>,
    /// What it is asked for.
    pub(super) scopes: &'static [&'static str],
    /// The keys that mean something here and not everywhere.
    takes: &'static [&'static str],
    /// One of these must be there: anyone can have an account.
    gates: &'static [&'static str],
}

pub(super) const fn product(preset: Preset) -> Product {
    let plain = Product {
        name: "OpenID Connect",
        issuer: None,
        scopes: &defaults::UPSTREAM_SCOPES,
        takes: &["allowed_domains", "groups_claim", "roles_claim"],
        gates: &[],
    };
    match preset {
        Preset::Oidc => Product {
            takes: &["allowed_domains", "groups_claim", "roles_claim", "email_verified_as_text"],
            ..plain
        },
        Preset::Okta => Product { name: "Okta", ..plain },
        Preset::Google => Product {
            name: "Google",
            issuer: Some(defaults::GOOGLE_ISSUER),
            takes: &["allowed_domains"],
            gates: &["allowed_domains"],
            ..plain
        },
        Preset::Keycloak => Product {
            name: "Keycloak",
            takes: &["allowed_domains", "groups_claim", "roles_claim", "idp_hint"],
            ..plain
        },
        Preset::Clerk => Product {
            name: "Clerk",
            takes: &["allowed_domains", "groups_claim", "roles_claim", "organizations"],
            gates: &["allowed_domains", "organizations"],
            ..plain
        },
        Preset::Entra => Product {
            name: "Microsoft Entra",
            takes: &["allowed_domains", "groups_claim", "roles_claim", "tenants", "api_url"],
            ..plain
        },
        Preset::Auth0 => Product {
            name: "Auth0",
            takes: &["allowed_domains", "groups_claim", "roles_claim", "organizations", "idp_hint"],
            ..plain
        },
        // GitHub is the authority for nobody's domain, so domains decide nothing there.
        Preset::GitHub => Product {
            name: "GitHub",
            issuer: Some(defaults::GITHUB_ISSUER),
            scopes: &defaults::GITHUB_SCOPES,
            takes: &["organizations", "api_url"],
            gates: &["organizations"],
        },
    }
}

impl Checker<'_> {
    /// Nothing that the product does not take, and nobody comes in by accident.
    pub(super) fn suits(&mut self, raw: &RawUpstream, preset: Preset, place: &Place) -> Checked<()> {
        let Product { name, takes, gates, .. } = product(preset);
        let text = |text: &Option<super::super::text::Text>| text.as_ref().map(|text| text.spot);
        let list = |texts: &Option<super::super::text::Texts>| texts.as_ref().map(|texts| texts.spot);
        let given: [(&str, Option<Spot>); 8] = [
            ("allowed_domains", list(&raw.allowed_domains)),
            ("groups_claim", text(&raw.groups_claim)),
            ("roles_claim", text(&raw.roles_claim)),
            ("organizations", list(&raw.organizations)),
            ("tenants", list(&raw.tenants)),
            ("api_url", text(&raw.api_url)),
            ("idp_hint", text(&raw.idp_hint)),
            ("email_verified_as_text", text(&raw.email_verified_as_text)),
        ];
        let mut suits = Ok(());
        for (key, spot) in given {
            if let Some(spot) = spot.filter(|_| !takes.contains(&key)) {
                let problem = format!("means nothing at {name}");
                suits = Err(self.report(&place.key(key, spot), problem, "remove it"));
            }
        }
        let is_given = |gate: &&str| given.iter().any(|(key, spot)| key == gate && spot.is_some());
        if let ([first, ..], false) = (gates, gates.iter().any(is_given)) {
            let problem = format!("is missing: anyone with a {name} account could sign in");
            let instead = match *first {
                "organizations" => "name your organisations, such as [example-inc]",
                _ => "name your organisation's domains, such as [example.com]",
            };
            suits = Err(self.report(&place.key(first, place.spot), problem, instead));
        }
        suits
    }

    /// The tenants whose accounts may come; an issuer that is one tenant's needs no list.
    pub(super) fn tenants(
        &mut self,
        raw: &RawUpstream,
        place: &Place,
        (preset, issuer): (Option<Preset>, Option<&str>),
    ) -> Checked<Vec<String>> {
        let tenants = self.list(place, "tenants", raw.tenants.as_ref(), |checker, value| {
            let id = value.text.to_ascii_lowercase();
            if is_guid(&id) {
                return Ok(id);
            }
            let problem = format!("{} is not a tenant's id", value.quoted());
            Err(checker.report(&value.place, problem, "write the GUID that the tenant's overview shows"))
        })?;
        let Some(issuer) = issuer.filter(|_| preset == Some(Preset::Entra)) else { return Ok(tenants) };
        let tenant = Url::parse(issuer).ok().and_then(|url| Some(url.path_segments()?.next()?.to_owned()));
        let tenant = tenant.unwrap_or_default();
        let at = |key: &str, spot: Option<Spot>| place.key(key, spot.unwrap_or(place.spot));
        let issuer_at = at("issuer", raw.issuer.as_ref().map(|issuer| issuer.spot));
        let tenants_at = at("tenants", raw.tenants.as_ref().map(|tenants| tenants.spot));
        match (tenant.as_str(), tenants.is_empty()) {
            ("common" | "organizations", true) => {
                let problem = "is missing: anyone with a Microsoft account of any organisation could sign in";
                Err(self.report(&tenants_at, problem, "list the ids of the tenants whose people may sign in"))
            }
            ("common" | "organizations", false) => Ok(tenants),
            (guid, true) if is_guid(guid) => Ok(tenants),
            (guid, false) if is_guid(guid) => {
                let problem = "means nothing: the issuer is one tenant's";
                Err(self.report(&tenants_at, problem, "remove it, or write `organizations` into the issuer"))
            }
            _ => {
                let problem = "is not of the form https://login.microsoftonline.com/<tenant>/v2.0";
                let instead =
                    "<tenant> is the tenant's id (a GUID in lower case), `organizations` or `common`";
                Err(self.report(&issuer_at, problem, instead))
            }
        }
    }

    /// Where the API is; GitHub Enterprise has its own below its own address.
    pub(super) fn api_url(
        &mut self,
        raw: &RawUpstream,
        place: &Place,
        (preset, issuer): (Option<Preset>, Option<&str>),
    ) -> Checked<Option<String>> {
        let Some(value) = self.optional(place, "api_url", raw.api_url.as_ref())? else {
            let is_github = preset == Some(Preset::GitHub);
            let own = issuer.filter(|issuer| is_github && *issuer != defaults::GITHUB_ISSUER);
            return Ok(own.map(|issuer| format!("{issuer}/api/v3")));
        };
        let callable = Url::parse(&value.text).ok().filter(|url| {
            let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            let loopback = url.host().is_some_and(|host| is_loopback_host(&host));
            plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
        });
        if callable.is_none() {
            let problem = format!("{} is not an https URL", value.quoted());
            let instead = "write for example https://github.example.com/api/v3";
            return Err(self.report(&value.place, problem, instead));
        }
        Ok(Some(value.text.trim_end_matches('/').to_owned()))
    }
}

/// 8-4-4-4-12 in lower case.
fn is_guid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    let digit = |b: u8| b == b'-' || b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    lengths == [8, 4, 4, 4, 12] && text.bytes().all(digit)
}
