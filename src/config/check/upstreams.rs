//! Identity providers.

use url::Url;

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::RawUpstream;
use super::super::settings::{Preset, RecheckConfig, UpstreamConfig};
use super::super::text::{Located, Text, Texts};
use super::products::product;
use super::values::{Checker, Limits, Value};
use super::{Checked, Partly};
use crate::domain::{DomainName, UpstreamId};
use crate::protocol::{Scope, is_loopback_host};

const AFTER: Limits = Limits { default: defaults::RECHECK_AFTER, least: "0s", most: "24h" };
const OUTAGE: Limits = Limits { default: defaults::OUTAGE_TOLERANCE, least: "0s", most: "30d" };

impl Checker<'_> {
    pub(super) fn upstreams(&mut self, raw: Option<&[Located<RawUpstream>]>) -> Partly<UpstreamConfig> {
        let list = Place::root().key("upstreams", Place::root().spot);
        let raw = raw.unwrap_or_default();
        let mut upstreams: Vec<UpstreamConfig> = Vec::new();
        let mut complete = !raw.is_empty();
        if raw.is_empty() {
            let instead =
                "name at least one identity provider: `- { id, preset, issuer, client_id, client_secret }`";
            self.report(&list, "there is nobody to sign in with", instead);
        }
        for (i, raw) in raw.iter().enumerate() {
            let place = list.item(i, raw.spot);
            match self.upstream(&raw.inner, &place) {
                Ok(upstream) => {
                    complete &= self.is_new_upstream(&upstreams, &upstream, (&raw.inner, &place));
                    upstreams.push(upstream);
                }
                Err(_) => complete = false,
            }
        }
        Partly { good: upstreams, complete }
    }

    fn is_new_upstream(
        &mut self,
        others: &[UpstreamConfig],
        new: &UpstreamConfig,
        (raw, place): (&RawUpstream, &Place),
    ) -> bool {
        let at = |key: &str, text: Option<&Text>| place.key(key, text.map_or(place.spot, |text| text.spot));
        if others.iter().any(|other| other.id == new.id) {
            let problem = format!("another upstream has this id: `{}`", new.id);
            self.report(&at("id", raw.id.as_ref()), problem, "give each its own");
            return false;
        }
        if others.iter().any(|other| other.name == new.name) {
            let problem = "another upstream's button has the same label";
            self.report(&at("name", raw.name.as_ref()), problem, "give each its own `name`");
            return false;
        }
        true
    }

    fn upstream(&mut self, raw: &RawUpstream, place: &Place) -> Checked<UpstreamConfig> {
        let id = self.upstream_id(raw, place);
        let name = self.optional(place, "name", raw.name.as_ref());
        let preset = self.preset(raw, place);
        let issuer = self.upstream_issuer(raw, place, preset.ok());
        let instead = "write the client id that the provider gave you";
        let client_id = self.required(place, "client_id", raw.client_id.as_ref(), instead);
        let secret_file = raw.client_secret_file.as_ref();
        let client_secret = self.secret(place, "client_secret", raw.client_secret.as_ref(), secret_file);
        let allowed_domains = self.domains(place, "allowed_domains", raw.allowed_domains.as_ref());
        let suits = preset.and_then(|preset| self.suits(raw, preset, place));
        let organizations =
            self.list(place, "organizations", raw.organizations.as_ref(), |_, value| Ok(value.text.clone()));
        let tenants = self.tenants(raw, place, (preset.ok(), issuer.as_deref().ok()));
        let scopes = self.upstream_scopes(place, raw, preset.ok());
        let groups_claim =
            self.or_default(place, "groups_claim", raw.groups_claim.as_ref(), defaults::GROUPS_CLAIM);
        let groups_claim = groups_claim.and_then(|value| self.place_of_claim(value));
        let roles_claim = self.optional(place, "roles_claim", raw.roles_claim.as_ref());
        let roles_claim =
            roles_claim.and_then(|value| value.map(|value| self.place_of_claim(value)).transpose());
        let api_url = self.api_url(raw, place, (preset.ok(), issuer.as_deref().ok()));
        let idp_hint = self.optional(place, "idp_hint", raw.idp_hint.as_ref());
        let email_verified_as_text = self
            .optional(place, "email_verified_as_text", raw.email_verified_as_text.as_ref())
            .and_then(|value| value.map_or(Ok(false), |value| self.flag(&value)));
        let recheck = self.recheck(raw, place);
        let (id, preset) = (id?, preset?);
        let default_name =
            || if preset == Preset::Oidc { id.to_string() } else { product(preset).name.to_owned() };
        suits?;
        Ok(UpstreamConfig {
            name: name?.map_or_else(default_name, |name| name.text),
            id,
            preset,
            issuer: issuer?,
            client_id: client_id?.text,
            client_secret: client_secret?.map(|(secret, _)| secret),
            allowed_domains: allowed_domains?,
            scopes: scopes?,
            groups_claim: groups_claim?,
            roles_claim: roles_claim?,
            organizations: organizations?,
            tenants: tenants?,
            api_url: api_url?,
            idp_hint: idp_hint?.map(|hint| hint.text),
            email_verified_as_text: email_verified_as_text?,
            recheck: recheck?,
        })
    }

    /// How the provider is asked again; bounds that bound nothing are a fault.
    fn recheck(&mut self, raw: &RawUpstream, place: &Place) -> Checked<Option<RecheckConfig>> {
        let flag = self.or_default(place, "recheck", raw.recheck.as_ref(), defaults::RECHECK);
        let flag = flag.and_then(|value| self.flag(&value));
        let after = self.lifetime(place, "recheck_after", raw.recheck_after.as_ref(), AFTER);
        let outage = self.lifetime(place, "outage_tolerance", raw.outage_tolerance.as_ref(), OUTAGE);
        let (after, outage_tolerance) = (after?.0, outage?.0);
        if flag? {
            return Ok(Some(RecheckConfig { after, outage_tolerance }));
        }
        let bounds = [("recheck_after", &raw.recheck_after), ("outage_tolerance", &raw.outage_tolerance)];
        let given = bounds.into_iter().find_map(|(key, text)| Some((key, text.as_ref()?.spot)));
        given.map_or(Ok(None), |(key, spot)| {
            let problem = "means nothing where `recheck` is false";
            Err(self.report(&place.key(key, spot), problem, "remove it"))
        })
    }

    fn upstream_id(&mut self, raw: &RawUpstream, place: &Place) -> Checked<UpstreamId> {
        let instead = "write 1 to 40 of a-z, 0-9 and -, such as `okta`";
        let value = self.required(place, "id", raw.id.as_ref(), instead)?;
        UpstreamId::parse(&value.text).ok_or_else(|| {
            self.report(&value.place, format!("{} cannot stand in a URL's path", value.quoted()), instead)
        })
    }

    fn preset(&mut self, raw: &RawUpstream, place: &Place) -> Checked<Preset> {
        let words = Preset::ALL.map(|preset| (preset.as_str(), preset));
        let instead = format!("write one of {}", words.map(|(word, _)| word).join(", "));
        let value = self.required(place, "preset", raw.preset.as_ref(), &instead)?;
        self.word(&value, &words)
    }

    fn upstream_issuer(
        &mut self,
        raw: &RawUpstream,
        place: &Place,
        preset: Option<Preset>,
    ) -> Checked<String> {
        let instead = "write the issuer URL that the provider's discovery document names";
        let value = match preset.and_then(|preset| product(preset).issuer) {
            Some(known) => self.or_default(place, "issuer", raw.issuer.as_ref(), known),
            None => self.required(place, "issuer", raw.issuer.as_ref(), instead),
        }?;
        let url = Url::parse(&value.text).ok().filter(|url| {
            let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
            plain && url.password().is_none() && value.text.bytes().all(|b| b.is_ascii_graphic())
        });
        let Some((url, host)) = url.as_ref().and_then(|url| Some((url, url.host()?))) else {
            let problem = format!("{} is not an issuer URL", value.quoted());
            return Err(self.report(&value.place, problem, instead));
        };
        let loopback = is_loopback_host(&host);
        if url.scheme() != "https" && !(url.scheme() == "http" && loopback) {
            let problem = format!("{} is not https", value.quoted());
            return Err(self.report(
                &value.place,
                problem,
                "write an https URL; plain http only on loopback",
            ));
        }
        // Google's trust rule believes claims that only Google may make.
        if preset == Some(Preset::Google) && value.text != defaults::GOOGLE_ISSUER && !loopback {
            let problem = format!("{} is not Google", value.quoted());
            return Err(self.report(&value.place, problem, "remove it, or write `preset: oidc`"));
        }
        Ok(value.text)
    }

    /// A list of domains.
    pub(super) fn domains(
        &mut self,
        parent: &Place,
        key: &str,
        raw: Option<&Texts>,
    ) -> Checked<Vec<DomainName>> {
        self.list(parent, key, raw, Self::domain)
    }

    /// One domain.
    pub(super) fn domain(&mut self, value: &Value) -> Checked<DomainName> {
        value.text.parse().map_err(|_| {
            let problem = format!("{} is not a domain name", value.quoted());
            let instead = "write for example example.com, without @, wildcard or trailing dot";
            self.report(&value.place, problem, instead)
        })
    }

    fn upstream_scopes(
        &mut self,
        place: &Place,
        raw: &RawUpstream,
        preset: Option<Preset>,
    ) -> Checked<Vec<String>> {
        let organization = preset == Some(Preset::Clerk) && raw.organizations.is_some();
        let Some(raw) = raw.scopes.as_ref() else {
            let usual = preset.map_or(defaults::UPSTREAM_SCOPES.as_slice(), |preset| product(preset).scopes);
            let more = organization.then_some(defaults::CLERK_ORGANIZATION_SCOPE);
            return Ok(usual.iter().copied().chain(more).map(str::to_owned).collect());
        };
        let scopes = self.list(place, "scopes", Some(raw), |checker, value| {
            checker.scope(value).map(|scope| scope.to_string())
        })?;
        if preset == Some(Preset::GitHub) || scopes.iter().any(|scope| scope == "openid") {
            return Ok(scopes);
        }
        let at = place.key("scopes", raw.spot);
        Err(self.report(&at, "`openid` is not among them, so no ID token would come", "add openid"))
    }

    /// A claim's name or path.
    pub(super) fn place_of_claim(&mut self, value: Value) -> Checked<String> {
        if value.text.split('.').any(str::is_empty) {
            let problem = format!("{} is not a claim's name or path", value.quoted());
            return Err(self.report(&value.place, problem, "write for example groups or realm_access.roles"));
        }
        Ok(value.text)
    }

    /// One scope token.
    pub(super) fn scope(&mut self, value: &Value) -> Checked<Scope> {
        value.text.parse().map_err(|_| {
            let problem = format!("{} is not a scope", value.quoted());
            let instead =
                "use printable ASCII without spaces, quotes and backslashes; one scope per list item";
            self.report(&value.place, problem, instead)
        })
    }
}
