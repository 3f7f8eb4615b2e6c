//! Clients that are known beforehand.

use super::super::defaults;
use super::super::fault::Place;
use super::super::raw::{CLIENT_AUTHS, RawClient};
use super::super::settings::{ClientAuth, ClientConfig, ResourceConfig};
use super::super::text::Located;
use super::values::Checker;
use super::{Checked, Partly};
use crate::protocol::{RedirectUri, ResourceUri};
use crate::secret::MasterSecret;

impl Checker<'_> {
    pub(super) fn clients(
        &mut self,
        raw: &[Located<RawClient>],
        resources: &Partly<ResourceConfig>,
    ) -> Checked<Vec<ClientConfig>> {
        let list = Place::root().key("clients", Place::root().spot);
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
        let auth = self.client_auth(raw, place);
        let secret = self.secret(place, "secret", raw.secret.as_ref(), raw.secret_file.as_ref())?;
        let secret = match secret {
            // A client's secret has to be as strong as the operator's own (SEC-168).
            Some((secret, at)) => match MasterSecret::new(secret.clone()) {
                Ok(_) => Some(secret),
                Err(weak) => return Err(self.report(&at, weak.to_string(), "")),
            },
            None => None,
        };
        Ok(ClientConfig {
            introspects: introspects?,
            id: id?,
            name: name?.text,
            redirect_uris: redirect_uris?,
            secret,
            auth: auth?,
        })
    }

    /// Only who proves itself may ask about tokens (SEC-130).
    fn introspects(
        &mut self,
        raw: &RawClient,
        place: &Place,
        resources: &Partly<ResourceConfig>,
    ) -> Checked<Vec<ResourceUri>> {
        let servers = self.list(place, "introspects", raw.introspects.as_ref(), |checker, value| {
            checker.known_resource(value, resources)
        })?;
        if let (Some(list), None, None) = (&raw.introspects, &raw.secret, &raw.secret_file) {
            let at = place.key("introspects", list.spot);
            return Err(self.report(
                &at,
                "needs a secret: a public client cannot prove who asks",
                "add `secret`",
            ));
        }
        Ok(servers)
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

    fn client_auth(&mut self, raw: &RawClient, place: &Place) -> Checked<ClientAuth> {
        let has_secret = raw.secret.is_some() || raw.secret_file.is_some();
        if let (Some(auth), false) = (&raw.auth, has_secret) {
            let at = place.key("auth", auth.spot);
            return Err(self.report(&at, "has no effect without a secret", "remove it, or add a secret"));
        }
        if !has_secret {
            return Ok(ClientAuth::None);
        }
        let [basic, post] = CLIENT_AUTHS;
        let words = [(basic, ClientAuth::ClientSecretBasic), (post, ClientAuth::ClientSecretPost)];
        let value = self.or_default(place, "auth", raw.auth.as_ref(), defaults::CLIENT_AUTH)?;
        self.word(&value, &words)
    }
}
