//! Every value, and every connection between values, checked.
//!
//! | file | subject |
//! |---|---|
//! | [`values`] | texts, lists, words, flags, durations, secrets: what every other file reads with |
//! | [`server`] | issuer, addresses, logs |
//! | [`registration`] | clients that register themselves |
//! | [`secret`] | the operator's secrets |
//! | [`signing`] | how tokens are signed |
//! | [`store`] | memory, file or Redis in its three shapes |
//! | [`tokens`], [`browser_sessions`] | lifetimes |
//! | [`sign_ins`] | how many sign-ins may be begun |
//! | [`upstreams`], [`products`] | identity providers, and what each product needs and takes |
//! | [`resources`] | protected servers |
//! | [`forwarding`] | how requests are passed on to them |
//! | [`tenants`] | to whose server of several |
//! | [`credentials`], [`credential_keys`], [`foreign`] | what requests to them may carry, which keys each type takes, and what others vouch for |
//! | [`access`], [`rules`], [`conditions`], [`sources`], [`hierarchy`] | who may do what, and whether anyone ever can |
//! | [`clients`], [`client_proof`], [`client_policy`] | clients that are known beforehand, and which others there may be |
//!
//! A check reads all of its values before it gives up on any, so one run reports everything.

mod access;
mod browser_sessions;
mod client_documents;
mod client_policy;
mod client_proof;
mod clients;
mod conditions;
mod credential_keys;
mod credentials;
mod foreign;
mod forwarding;
mod hierarchy;
mod products;
mod registration;
mod resources;
mod rules;
mod secret;
mod server;
mod sign_ins;
mod signing;
mod sources;
mod store;
mod tenants;
mod tokens;
mod upstreams;
mod values;

use super::fault::{Fault, Place};
use super::raw::RawConfig;
use super::settings::Config;
use access::Known;
use values::Checker;

/// The proof that a fault has been recorded.
#[derive(Debug, Clone, Copy)]
struct Reported;

type Checked<T> = Result<T, Reported>;

/// Checks the whole file. Without a configuration there is at least one fault.
pub(super) fn config(raw: &RawConfig, env: &dyn Fn(&str) -> Option<String>) -> (Option<Config>, Vec<Fault>) {
    let mut checker = Checker::new(env);
    let config = checker.config(raw);
    (config.ok(), checker.faults)
}

impl Checker<'_> {
    fn config(&mut self, raw: &RawConfig) -> Checked<Config> {
        let root = Place::root();
        let issuer = self.issuer(raw);
        let listen = self.listen(raw);
        let max_connections = self.max_connections(raw);
        let allowed_hosts = self.hosts(&root, "allowed_hosts", raw.allowed_hosts.as_ref());
        let trusted_proxies = self.proxies(&root, raw.trusted_proxies.as_ref());
        let forward_auth = self.forward_auth(raw, trusted_proxies.as_deref().ok());
        let store = self.store(raw);
        let secret = self.operator_secret(raw, store.as_ref().ok());
        let previous_secrets = self.previous_secrets(raw, secret.as_ref().ok());
        let upstreams = self.upstreams(raw.upstreams.as_deref());
        let around = credentials::Around {
            upstreams: &upstreams,
            issuer: issuer.as_ref().ok(),
            listen: listen.as_ref().ok().copied(),
        };
        let credentials = self.credentials(raw.credentials.as_deref(), around);
        let mut resources =
            self.resources(raw.resources.as_deref(), &credentials, forward_auth.as_ref().ok().copied());
        let admin_api = self.admin_api(raw.admin_api.as_ref(), issuer.as_ref().ok(), &mut resources);
        let api_key_scheme = self.api_key_scheme(&raw.api_keys, &resources);
        let apart = self.apart(raw.resources.as_deref(), &resources, issuer.as_ref().ok());
        let accepted = self.accepted_somewhere(raw.credentials.as_deref(), &resources);
        let tokens = self.tokens(&raw.tokens);
        let browser_sessions = self.browser_sessions(&raw.browser_sessions);
        let sign_ins = self.sign_ins(&raw.sign_ins);
        let signing = self.signing(&raw.signing);
        let registration = self.registration(&raw.registration);
        let clients = self.clients(raw.clients.as_ref(), &resources);
        let client_policy = self.client_policy(raw.clients.as_ref());
        let client_documents = self.client_documents(&raw.client_documents);
        let only_clients = match (&registration, &client_documents, &clients) {
            (Ok(registration), Ok(documents), Ok(clients)) if !registration.open => {
                let pinned = documents.pinned.iter().map(|pinned| pinned.client_id.as_str());
                Some(clients.iter().map(|client| client.id.as_str()).chain(pinned).collect::<Vec<_>>())
            }
            _ => None,
        };
        let known = Known {
            upstreams: &upstreams,
            credentials: &credentials,
            resources: &resources,
            only_clients: only_clients.as_deref(),
            urls_are_clients: client_documents.as_ref().is_ok_and(|documents| documents.enabled),
            tokens: tokens.as_ref().ok(),
        };
        let access = self.access(raw.access.as_ref(), known);
        let logs = self.logs(&raw.logs);
        Ok(Config {
            issuer: issuer?,
            listen: listen?,
            max_connections: max_connections?,
            allowed_hosts: allowed_hosts?,
            trusted_proxies: trusted_proxies?,
            secret: secret?,
            previous_secrets: previous_secrets?,
            store: store?,
            upstreams: upstreams.whole()?,
            resources: apart.and(resources.whole())?,
            credentials: accepted.and(credentials.whole())?,
            api_key_scheme: api_key_scheme?,
            admin_api: admin_api?,
            access: access?,
            tokens: tokens?,
            browser_sessions: browser_sessions?,
            sign_ins: sign_ins?,
            forward_auth: forward_auth?,
            signing: signing?,
            registration: registration?,
            client_documents: client_documents?,
            clients: clients?,
            client_policy: client_policy?,
            logs: logs?,
        })
    }
}

/// A list of which some items may have been refused: what others may refer to.
struct Partly<T> {
    good: Vec<T>,
    complete: bool,
}

impl<T> Partly<T> {
    fn whole(self) -> Checked<Vec<T>> {
        if self.complete { Ok(self.good) } else { Err(Reported) }
    }
}
