//! How a client that is known beforehand proves itself.

use url::Url;

use super::super::fault::Place;
use super::super::raw_clients::{CLIENT_AUTHS, RawClient};
use super::super::settings_clients::ClientAuth;
use super::Checked;
use super::values::Checker;
use crate::protocol::KeySet;
use crate::protocol::client_document::ClientKeys;
use crate::secret::{MasterSecret, Secret};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    None,
    Basic,
    Post,
    Jwt,
}

impl Checker<'_> {
    /// A secret or keys, and the method that fits. What is left out follows from what is there.
    pub(super) fn client_proof(&mut self, raw: &RawClient, place: &Place) -> Checked<ClientAuth> {
        let secret = self.client_secret(raw, place);
        let keys = self.client_keys(raw, place);
        let has_secret = raw.secret.is_some() || raw.secret_file.is_some();
        let has_keys = raw.jwks_file.is_some() || raw.jwks_uri.is_some();
        let method = match &raw.auth {
            Some(written) => {
                let value = self.value(place.key("auth", written.spot), written)?;
                let [none, basic, post, jwt] = CLIENT_AUTHS;
                let words =
                    [(none, Method::None), (basic, Method::Basic), (post, Method::Post), (jwt, Method::Jwt)];
                let method = self.word(&value, &words)?;
                let (problem, instead) = match (method, has_secret, has_keys) {
                    (Method::None, true, _) => ("leaves the secret without effect", "remove one of the two"),
                    (Method::Basic | Method::Post, false, _) => {
                        ("has no effect without a secret", "remove it, or add a secret")
                    }
                    (Method::Jwt, true, _) => {
                        ("leaves the secret without effect", "remove the secret: the client signs")
                    }
                    (Method::Jwt, false, false) => {
                        ("needs the client's public keys", "add `jwks_file` or `jwks_uri`")
                    }
                    (Method::None | Method::Basic | Method::Post, _, true) => {
                        ("leaves the keys without effect", "write private_key_jwt, or remove the keys")
                    }
                    _ => ("", ""),
                };
                if !problem.is_empty() {
                    return Err(self.report(&value.place, problem, instead));
                }
                method
            }
            None if has_secret && has_keys => {
                let problem = "has both a secret and keys";
                return Err(self.report(place, problem, "keep one of them"));
            }
            None if has_keys => Method::Jwt,
            None if has_secret => Method::Basic,
            None => Method::None,
        };
        Ok(match (method, secret?, keys?) {
            (Method::Basic, Some(secret), _) => ClientAuth::ClientSecretBasic(secret),
            (Method::Post, Some(secret), _) => ClientAuth::ClientSecretPost(secret),
            (Method::Jwt, _, Some(keys)) => ClientAuth::PrivateKeyJwt(keys),
            _ => ClientAuth::None,
        })
    }

    /// A client's secret has to be as strong as the operator's own (SEC-168).
    fn client_secret(&mut self, raw: &RawClient, place: &Place) -> Checked<Option<Secret>> {
        let secret = self.secret(place, "secret", raw.secret.as_ref(), raw.secret_file.as_ref())?;
        let Some((secret, at)) = secret else { return Ok(None) };
        match MasterSecret::new(secret.clone()) {
            Ok(_) => Ok(Some(secret)),
            Err(weak) => Err(self.report(&at, weak.to_string(), "")),
        }
    }

    fn client_keys(&mut self, raw: &RawClient, place: &Place) -> Checked<Option<ClientKeys>> {
        let file = self.optional(place, "jwks_file", raw.jwks_file.as_ref());
        let uri = self.optional(place, "jwks_uri", raw.jwks_uri.as_ref());
        match (file?, uri?) {
            (None, None) => Ok(None),
            (Some(_), Some(uri)) => {
                let problem = "`jwks_file` and `jwks_uri` are both given";
                Err(self.report(&uri.place, problem, "keep one of them"))
            }
            (Some(file), None) => {
                let text = self.file(&file)?;
                let keys = ClientKeys::read(&text);
                let keys = keys.map_err(|fault| fault.to_string()).and_then(|keys| match &keys {
                    ClientKeys::Jwks(jwks) if KeySet::from_jwks(jwks).is_empty() => {
                        Err("there is no key in it that can be used".to_owned())
                    }
                    ClientKeys::Jwks(_) | ClientKeys::JwksUri(_) => Ok(keys),
                });
                let instead = "write the JWK set that the client publishes";
                keys.map(Some).map_err(|fault| {
                    self.report(&file.place, format!("the file {}: {fault}", file.quoted()), instead)
                })
            }
            (None, Some(uri)) => {
                let url = Url::parse(&uri.text).ok();
                let url = url.filter(|url| url.scheme() == "https" && url.domain().is_some());
                let problem = || format!("{} is not an https URL with a domain name", uri.quoted());
                url.map(|url| Some(ClientKeys::JwksUri(url))).ok_or_else(|| {
                    self.report(&uri.place, problem(), "write the URL of the client's JWK set")
                })
            }
        }
    }
}
