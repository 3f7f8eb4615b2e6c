//! Protected servers.

use super::super::fault::Place;
use super::super::raw_resources::{RawRequestLimits, RawResource};
use super::super::settings::ResourceConfig;
use super::super::settings_credentials::CredentialConfig;
use super::super::text::{Located, Pairs, Text, Texts};
use super::values::{Checker, Value};
use super::{Checked, Partly};
use crate::domain::{ADMIN_API_PATH, ADMIN_SCOPE, Accepted, KEYS_SCOPE, RequestLimits, Tenants};
use crate::protocol::{Issuer, ResourceUri, Scope, ScopeSet};

/// Scopes that mean something in OAuth itself and can protect nothing (SEC-139).
const RESERVED: [&str; 2] = ["openid", "offline_access"];

/// More than any limit means anything at.
const MOST_REQUESTS: u32 = 1_000_000;

impl Checker<'_> {
    pub(super) fn resources(
        &mut self,
        raw: Option<&[Located<RawResource>]>,
        credentials: &Partly<CredentialConfig>,
        forward_auth: Option<bool>,
    ) -> Partly<ResourceConfig> {
        let list = Place::root().key("resources", Place::root().spot);
        let raw = raw.unwrap_or_default();
        let mut resources: Vec<ResourceConfig> = Vec::new();
        let mut complete = !raw.is_empty();
        if raw.is_empty() {
            // SEC-143: without a resource a token would have no audience.
            let instead = "name at least one MCP server: `- { url, name, scopes }`";
            self.report(&list, "there is nothing to protect", instead);
        }
        for (i, raw) in raw.iter().enumerate() {
            let place = list.item(i, raw.spot);
            let at = |key: &str, spot| place.key(key, spot);
            let is_passed_on = raw.inner.upstream_url.is_some() || raw.inner.tenants.is_some();
            if forward_auth == Some(false) && !is_passed_on {
                complete &= self.nothing_is_decided(&raw.inner, &place).is_ok();
            }
            let Ok(resource) = self.resource(&raw.inner, &place, credentials) else {
                complete = false;
                continue;
            };
            if resources.iter().any(|other| other.url == resource.url) {
                let spot = raw.inner.url.as_ref().map_or(raw.spot, |url| url.spot);
                self.report(&at("url", spot), "another resource has this URL", "name each server once");
                complete = false;
            }
            if resource.default && resources.iter().any(|other| other.default) {
                let spot = raw.inner.default.as_ref().map_or(raw.spot, |flag| flag.spot);
                self.report(&at("default", spot), "another resource is the default", "keep one of them");
                complete = false;
            }
            resources.push(resource);
        }
        Partly { good: resources, complete }
    }

    /// The HTTP API is a server like any other, at the issuer's own address.
    pub(super) fn admin_api(
        &mut self,
        raw: Option<&Text>,
        issuer: Option<&Issuer>,
        resources: &mut Partly<ResourceConfig>,
    ) -> Checked<Option<ResourceUri>> {
        let value = self.or_default(&Place::root(), "admin_api", raw, "false")?;
        if !self.flag(&value)? {
            return Ok(None);
        }
        // Without an issuer there is a fault already.
        let Some(url) = issuer.and_then(|issuer| ResourceUri::parse(&issuer.url(ADMIN_API_PATH)).ok()) else {
            return Ok(None);
        };
        let is_ours = |scope: &Scope| [ADMIN_SCOPE, KEYS_SCOPE].contains(&scope.as_str());
        let takes =
            |other: &ResourceConfig| other.url == url || other.scopes.iter().any(|(scope, _)| is_ours(scope));
        if let Some(other) = resources.good.iter().find(|other| takes(other)) {
            let problem = format!("{} has the URL or a scope of this API", other.url);
            return Err(self.report(&value.place, problem, "rename the scope, or move the server"));
        }
        // A single server stays the one that is meant where none is named.
        if let [only] = resources.good.as_mut_slice() {
            only.default = true;
        }
        let scope = |name: &str, text: &str| name.parse().ok().map(|scope: Scope| (scope, text.to_owned()));
        let own = scope(KEYS_SCOPE, "Manage your API keys: each may do what you may, until it is revoked");
        let all = scope(ADMIN_SCOPE, "Manage everybody's API keys");
        let scopes: Vec<(Scope, String)> = own.into_iter().chain(all).collect();
        resources.good.push(ResourceConfig {
            url: url.clone(),
            name: "Gatelodge API".to_owned(),
            required_scopes: ScopeSet::default(),
            everyday_scopes: scopes.iter().map(|(scope, _)| scope.clone()).collect(),
            scopes,
            accepts: vec![Accepted::AccessToken],
            forwarding: None,
            limits: RequestLimits::default(),
            default: false,
        });
        Ok(Some(url))
    }

    fn resource(
        &mut self,
        raw: &RawResource,
        place: &Place,
        credentials: &Partly<CredentialConfig>,
    ) -> Checked<ResourceConfig> {
        let instead = "write the MCP server's URL as people type it, such as https://mcp.example.com/mcp";
        let url = self.required(place, "url", raw.url.as_ref(), instead);
        let url = url.and_then(|value| self.resource_uri(&value));
        let instead = "write the name that people see, such as Acme tools";
        let name = self.required(place, "name", raw.name.as_ref(), instead);
        let default = self
            .or_default(place, "default", raw.default.as_ref(), "false")
            .and_then(|value| self.flag(&value));
        let scopes = self.resource_scopes(place, raw.scopes.as_ref());
        let required = self.scopes_of_server(
            place,
            "required_scopes",
            raw.required_scopes.as_ref(),
            scopes.as_deref().ok(),
        );
        let known = scopes.as_deref().ok();
        let everyday = self.scopes_of_server(place, "everyday_scopes", raw.everyday_scopes.as_ref(), known);
        let forwarding = self.forwarding(raw, place, known);
        let tenants = forwarding.as_ref().ok().and_then(|to| to.as_ref()?.tenants.as_ref());
        let of_tenants = tenants.map(Tenants::scope_set).unwrap_or_default();
        let everyday = everyday.map(|named| match (known, &required) {
            // What tenants need strangers do not read.
            (Some(known), Ok(required)) if raw.everyday_scopes.is_none() => {
                let all = known.iter().map(|(scope, _)| scope);
                all.filter(|scope| !of_tenants.contains(scope) || required.contains(scope)).cloned().collect()
            }
            (_, Ok(required)) => named.union(required),
            (_, Err(_)) => named,
        });
        let accepts = self.accepted(place, raw.accepts.as_ref(), credentials);
        let limits = self.request_limits(place, &raw.limits);
        Ok(ResourceConfig {
            url: url?,
            name: name?.text,
            scopes: scopes?,
            required_scopes: required?,
            everyday_scopes: everyday?,
            accepts: accepts?,
            forwarding: forwarding?,
            limits: limits?,
            default: default?,
        })
    }

    /// No setting is silently ignored.
    fn nothing_is_decided(&mut self, raw: &RawResource, place: &Place) -> Checked<()> {
        let first = raw.limits.per_address.as_ref().or(raw.limits.per_credential.as_ref());
        let keys = [
            ("required_scopes", raw.required_scopes.as_ref().map(|list| list.spot)),
            ("accepts", raw.accepts.as_ref().map(|list| list.spot)),
            ("limits", first.map(|text| text.spot)),
        ];
        let mut checked = Ok(());
        for (key, spot) in keys {
            if let Some(spot) = spot {
                let problem = "has an effect only where we decide about requests";
                let instead = "add `upstream_url` here or `forward_auth: true`, or remove the key";
                checked = Err(self.report(&place.key(key, spot), problem, instead));
            }
        }
        checked
    }

    fn request_limits(&mut self, parent: &Place, raw: &RawRequestLimits) -> Checked<RequestLimits> {
        let place = parent.key("limits", parent.spot);
        let mut most = |key: &str, raw: Option<&Text>| {
            raw.map(|raw| self.count(&place, key, Some(raw), ("600", MOST_REQUESTS))).transpose()
        };
        let per_address = most("per_address", raw.per_address.as_ref());
        let per_credential = most("per_credential", raw.per_credential.as_ref());
        Ok(RequestLimits { per_address: per_address?, per_credential: per_credential? })
    }

    /// Scopes that the server has, or no token could ever be enough.
    pub(super) fn scopes_of_server(
        &mut self,
        place: &Place,
        key: &str,
        raw: Option<&Texts>,
        known: Option<&[(Scope, String)]>,
    ) -> Checked<ScopeSet> {
        let scopes = self.distinct(place, key, raw, |checker, value| {
            let scope = checker.scope(value)?;
            if known.is_some_and(|known| known.iter().all(|(own, _)| *own != scope)) {
                let problem = format!("{} is no scope of this server", value.quoted());
                return Err(checker.report(&value.place, problem, "name one that stands under `scopes`"));
            }
            Ok(scope)
        });
        Ok(scopes?.into_iter().collect())
    }

    /// A server's URL.
    pub(super) fn resource_uri(&mut self, value: &Value) -> Checked<ResourceUri> {
        let exact = !value.text.contains('*') && value.text.bytes().all(|b| b.is_ascii_graphic());
        let problem = match ResourceUri::parse(&value.text) {
            Ok(url) if exact => return Ok(url),
            Ok(_) => "must name one server, without wildcard or spaces".to_owned(),
            Err(invalid) => invalid.to_string(),
        };
        let instead = "write for example https://mcp.example.com/mcp";
        Err(self.report(&value.place, format!("{} {problem}", value.quoted()), instead))
    }

    fn resource_scopes(
        &mut self,
        parent: &Place,
        raw: Option<&Located<Pairs>>,
    ) -> Checked<Vec<(Scope, String)>> {
        let place = parent.key("scopes", raw.map_or(parent.spot, |raw| raw.spot));
        let pairs = raw.map(|raw| raw.inner.0.as_slice()).unwrap_or_default();
        if pairs.is_empty() {
            let instead = "name at least one with what people read about it: `mcp:read: Read documents`";
            return Err(self.report(&place, "the server has no scopes", instead));
        }
        let mut scopes: Vec<(Scope, String)> = Vec::new();
        let mut failed = None;
        for (key, text) in pairs {
            let key_place = place.key(&key.written, key.spot);
            let description = self.value(place.key(&key.written, text.spot), text);
            let scope = self.value(key_place, key).and_then(|value| {
                let scope = self.scope(&value)?;
                if RESERVED.contains(&scope.as_str()) {
                    let problem = format!("{} is a word of OAuth itself", value.quoted());
                    return Err(self.report(&value.place, problem, "give the scope a name of your own"));
                }
                if scopes.iter().any(|(known, _)| *known == scope) {
                    let problem = format!("{} is given twice", value.quoted());
                    return Err(self.report(&value.place, problem, "keep one of them"));
                }
                Ok(scope)
            });
            match (scope, description) {
                (Ok(scope), Ok(description)) => scopes.push((scope, description.text)),
                (Err(reported), _) | (_, Err(reported)) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(scopes), Err)
    }
}
