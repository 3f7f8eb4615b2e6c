//! `gatelodge clients add`: what a new client is to be.

use std::path::PathBuf;

use clap::ValueEnum;
use url::Url;

use crate::app::{NewClient, NewProof};
use crate::domain::{ClientLimits, SecretPlace};
use crate::protocol::client_document::ClientKeys;
use crate::protocol::{RedirectUri, ResourceUri, Scope};

use super::ConfigFile;

#[derive(Debug, clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// The name on our pages.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where answers may go: a whole URL. May be given several times.
    #[arg(long = "redirect-uri", value_name = "URI", required = true, value_parser = RedirectUri::parse)]
    redirect_uris: Vec<RedirectUri>,
    /// How it proves itself at the token endpoint.
    #[arg(long, value_enum, default_value_t = Auth::None)]
    auth: Auth,
    /// A file with its public keys (a JWK set), for `private_key_jwt`.
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// The https URL of its public keys, for `private_key_jwt`.
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<Url>,
    /// A scope that it may ask for; left out: every one. May be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// A server that it may ask for, by URL; left out: every one. May be given several times.
    #[arg(long = "resource", value_name = "URL", value_parser = ResourceUri::parse)]
    resources: Vec<ResourceUri>,
    /// It gets no refresh tokens.
    #[arg(long)]
    no_refresh: bool,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum Auth {
    /// A public client: PKCE alone protects its codes.
    None,
    /// A secret that we make, by HTTP Basic.
    ClientSecretBasic,
    /// A secret that we make, in the form.
    ClientSecretPost,
    /// A JWT that the client signs.
    PrivateKeyJwt,
}

impl Add {
    /// The client, if what was said of it fits together.
    pub(super) fn client(&self) -> Result<NewClient, Box<dyn std::error::Error>> {
        let keys = self.keys()?;
        let proof = match (self.auth, keys) {
            (Auth::PrivateKeyJwt, Some(keys)) => NewProof::Keys(keys),
            (Auth::PrivateKeyJwt, None) => return Err("private_key_jwt needs --jwks or --jwks-uri".into()),
            (_, Some(_)) => return Err("keys are for --auth private_key_jwt".into()),
            (Auth::None, None) => NewProof::None,
            (Auth::ClientSecretBasic, None) => NewProof::Secret(SecretPlace::Header),
            (Auth::ClientSecretPost, None) => NewProof::Secret(SecretPlace::Body),
        };
        Ok(NewClient {
            name: self.name.clone(),
            redirect_uris: self.redirect_uris.clone(),
            proof,
            may_refresh: !self.no_refresh,
            limits: ClientLimits {
                scopes: Some(self.scopes.iter().cloned().collect()).filter(|_| !self.scopes.is_empty()),
                resources: Some(self.resources.clone()).filter(|resources| !resources.is_empty()),
            },
        })
    }

    fn keys(&self) -> Result<Option<ClientKeys>, Box<dyn std::error::Error>> {
        if let Some(path) = &self.jwks {
            let text = std::fs::read_to_string(path);
            let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
            let keys = ClientKeys::read(&text).map_err(|fault| format!("{}: {fault}", path.display()))?;
            return Ok(Some(keys));
        }
        let Some(uri) = &self.jwks_uri else { return Ok(None) };
        if uri.scheme() != "https" || uri.domain().is_none() {
            return Err("--jwks-uri must be an https URL with a domain name".into());
        }
        Ok(Some(ClientKeys::JwksUri(uri.clone())))
    }
}
