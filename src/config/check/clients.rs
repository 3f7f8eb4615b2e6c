//! Clients that are known beforehand.

use super::super::defaults;
use super::super::fault::Place;
use super::super::list_or::ListOr;
use super::super::raw_clients::{RawClient, RawClients};
use super::super::settings::ResourceConfig;
use super::super::settings_clients::{ClientAuth, ClientConfig};
use super::values::Checker;
use super::{Checked, Partly};
use crate::domain::ClientLimits;
use crate::protocol::{RedirectUri, ResourceUri, Scope};

impl Checker<'_> {
    pub(super) fn clients(
        &mut self,
        raw: Option<&RawClients>,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<Vec<ClientConfig>> {
        let clients = Place::root().key("clients", Place::root().spot);
        let (list, raw) = match raw {
            None => (clients, [].as_slice()),
            Some(ListOr::List(list)) => (clients, list.as_slice()),
            Some(ListOr::Mapping(raw, spot)) => {
                (clients.key("named", *spot), raw.named.as_deref().unwrap_or_default())
            }
        };
        let mut clients: Vec<ClientConfig> = Vec::with_capacity(raw.len());
        let mut failed = None;
        for (i, raw) in raw.iter().enumerate() {
            let place = list.item(i, raw.spot);
            match self.client(&raw.inner, &place, resources) {
                Ok(client) => {
                    if clients.iter().any(|other| other.id == client.id) {
                        let at = place.key("id", raw.inner.id.as_ref().map_or(raw.spot, |id| id.spot));
                        failed = Some(self.report(&at, "another client has this id", "give each its own"));
                    }
                    clients.push(client);
                }
                Err(reported) => failed = Some(reported),
            }
        }
        failed.map_or(Ok(clients), Err)
    }

    fn client(
        &mut self,
        raw: &RawClient,
        place: &Place,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<ClientConfig> {
        let id = self.client_id(raw, place);
        let instead = "write the name that people see when they consent";
        let name = self.required(place, "name", raw.name.as_ref(), instead);
        let introspects = self.introspects(raw, place, resources);
        if raw.redirect_uris.is_none() && raw.introspects.is_none() {
            let at = place.key("redirect_uris", place.spot);
            self.report(
                &at,
                "is missing",
                "name where answers may go, such as https://app.example.com/callback",
            );
        }
        let redirect_uris =
            self.list(place, "redirect_uris", raw.redirect_uris.as_ref(), |checker, value| {
                RedirectUri::parse(&value.text).map_err(|invalid| {
                    let problem = format!("{} {invalid}", value.quoted());
                    checker.report(&value.place, problem, "write the whole URL as the client sends it")
                })
            });
        let auth = self.client_proof(raw, place);
        let limits = self.client_limits(raw, place, resources);
        let may_refresh = self.may_refresh(raw, place);
        let introspects = introspects?;
        let auth = auth?;
        if let (Some(list), ClientAuth::None) = (&raw.introspects, &auth) {
            // Only who proves itself may ask about tokens (SEC-130).
            let at = place.key("introspects", list.spot);
            let problem = "needs a secret or keys: a public client cannot prove who asks";
            return Err(self.report(&at, problem, "add `secret`, `jwks_file` or `jwks_uri`"));
        }
        Ok(ClientConfig {
            introspects,
            id: id?,
            name: name?.text,
            redirect_uris: redirect_uris?,
            auth,
            may_refresh: may_refresh?,
            limits: limits?,
        })
    }

    /// What it may ask for: each server and scope has to exist.
    fn client_limits(
        &mut self,
        raw: &RawClient,
        place: &Place,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<ClientLimits> {
        let servers = self.distinct(place, "resources", raw.resources.as_ref(), |checker, value| {
            checker.known_resource(value, resources)
        });
        let scopes = self.distinct(place, "scopes", raw.scopes.as_ref(), |checker, value| {
            let scope = value.text.parse::<Scope>().ok();
            let has = |resource: &ResourceConfig| {
                scope.as_ref().is_some_and(|scope| resource.scopes.iter().any(|(known, _)| known == scope))
            };
            let exists = !resources.complete || resources.good.iter().any(has);
            scope.filter(|_| exists).ok_or_else(|| {
                let problem = format!("no server has the scope {}", value.quoted());
                checker.report(&value.place, problem, "write one that stands under `resources`")
            })
        });
        Ok(ClientLimits {
            scopes: Some(scopes?.into_iter().collect()).filter(|_| raw.scopes.is_some()),
            resources: Some(servers?).filter(|_| raw.resources.is_some()),
        })
    }

    fn may_refresh(&mut self, raw: &RawClient, place: &Place) -> Checked<bool> {
        let Some(list) = &raw.grant_types else { return Ok(true) };
        let [code, refresh] = defaults::CLIENT_GRANTS;
        let grants = self.distinct(place, "grant_types", Some(list), |checker, value| {
            checker.word(value, &[(code, code), (refresh, refresh)])
        })?;
        if !grants.contains(&code) {
            let at = place.key("grant_types", list.spot);
            return Err(self.report(&at, "lacks authorization_code, with which everything begins", "add it"));
        }
        Ok(grants.contains(&refresh))
    }

    fn introspects(
        &mut self,
        raw: &RawClient,
        place: &Place,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<Vec<ResourceUri>> {
        self.list(place, "introspects", raw.introspects.as_ref(), |checker, value| {
            checker.known_resource(value, resources)
        })
    }

    fn client_id(&mut self, raw: &RawClient, place: &Place) -> Checked<String> {
        let instead = "write a client id of printable ASCII without spaces";
        let value = self.required(place, "id", raw.id.as_ref(), instead)?;
        // SEC-114: `p_` begins the `sub` of a person, and no client may be taken for one.
        if value.text.starts_with("p_") {
            let problem = format!("{} begins like a person's identifier, `p_`", value.quoted());
            return Err(self.report(&value.place, problem, instead));
        }
        if !value.text.bytes().all(|b| b.is_ascii_graphic()) {
            let problem = format!("{} is not a client id", value.quoted());
            return Err(self.report(&value.place, problem, instead));
        }
        Ok(value.text)
    }
}
