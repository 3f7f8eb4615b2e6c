//! A checked configuration and a store become a broker.

use std::sync::Arc;

use crate::access::{AccessTokens, Introspection, Liveness};
use crate::broker::Broker;
use crate::clients::{Authenticator, Registration, RegistrationParts};
use crate::clock::Clock;
use crate::config::{AccessConfig, BrowserSessionConfig, Config, SignInConfig, SigningConfig};
use crate::domain::{Conditions, Effect, Resource, Resources, RotationRules, Rule};
use crate::grants::{GrantRules, TokenEndpoint};
use crate::keyring::{KeyKeeper, KeyRules};
use crate::login::{Login, LoginRules, SessionRules, SignInCounter, SignInLimits};
use crate::outbound::Outbound;
use crate::people::People;
use crate::policy::{Hierarchy, Policy};
use crate::protocol::ScopeSet;
use crate::store::audit::Journal;
use crate::store::revocations::Revocations;
use crate::tokens::{AuthorizationCodes, Minter, RefreshTokens};
use crate::upstream::{Upstream, Upstreams};

use super::{StartError, State, clients, foreign, guarding, upstreams};

fn login_rules(config: &Config) -> LoginRules {
    let BrowserSessionConfig { ends, remember_consent } = config.browser_sessions;
    LoginRules {
        login: config.tokens.login_lifetime,
        code: config.tokens.code_lifetime,
        grant: config.tokens.refresh_absolute,
        session: ends.map(|(idle, absolute)| SessionRules { idle, absolute }),
        remember_consent,
    }
}

fn grant_rules(config: &Config) -> GrantRules {
    let rotation = RotationRules { grace: config.tokens.refresh_grace, idle: config.tokens.refresh_idle };
    GrantRules { rotation, keep_client: clients::kept_for(config) }
}

fn introspection(
    config: &Config,
    authenticator: &Arc<Authenticator>,
    minter: &Minter,
    liveness: &Liveness,
    clock: &Arc<dyn Clock>,
) -> Introspection {
    Introspection {
        authenticator: Arc::clone(authenticator),
        servers: clients::introspecting(&config.clients),
        minter: minter.clone(),
        liveness: liveness.clone(),
        clock: Arc::clone(clock),
    }
}

fn sign_in_counter(config: &Config, clock: &Arc<dyn Clock>) -> SignInCounter {
    let SignInConfig { per_address, most_pending } = config.sign_ins;
    let limits = SignInLimits { per_address, most_pending };
    SignInCounter::new(limits, config.tokens.login_lifetime, clock)
}

/// Wires a broker.
pub fn wire(config: &Config, state: &State, clock: Arc<dyn Clock>) -> Result<Broker, StartError> {
    let store = Arc::clone(&state.store);
    let journal = Journal::new(Arc::clone(&store));
    let resources = Arc::new(resources(config)?);
    let policy = Arc::new(policy(config));
    let revocations = Arc::new(Revocations::new(Arc::clone(&store)));
    let clients = clients::directory(config, state, &revocations, &clock);
    let minter = Minter::new(config.issuer.clone(), Arc::clone(&state.keys), config.tokens.access_lifetime);
    let upstreams = providers(config, &policy)?;
    let people = People { upstreams: upstreams.clone(), store: Arc::clone(&store) };
    let login = Login {
        issuer: config.issuer.clone(),
        clients: clients.clone(),
        store: Arc::clone(&store),
        journal: journal.clone(),
        revocations: Arc::clone(&revocations),
        upstreams,
        people: people.clone(),
        policy: Arc::clone(&policy),
        resources: Arc::clone(&resources),
        codes: AuthorizationCodes::new(&state.secret),
        key: state.secret.mac_key("gatelodge login v1"),
        rules: login_rules(config),
        begun: sign_in_counter(config, &clock),
        clock: Arc::clone(&clock),
    };
    let authenticator = Arc::new(clients::authenticator(config, state, clients.clone(), Arc::clone(&clock)));
    let liveness = Liveness::new(clients.clone(), Arc::clone(&store), Arc::clone(&revocations));
    let introspection = introspection(config, &authenticator, &minter, &liveness, &clock);
    let owners = guarding::owners(&people, &policy, &revocations);
    let access_tokens = AccessTokens::new(minter.clone(), liveness);
    let guard = guarding::guard(config, access_tokens, (&state.secret, owners.clone()), &journal, &clock)?;
    let book = guarding::key_book(&state.secret, owners, &resources, &journal, &clock);
    let gateway = guarding::gateway(config, state, &clock)?;
    let documents = clients.documents().clone();
    let tokens = TokenEndpoint {
        authenticator,
        clients,
        people,
        store: Arc::clone(&store),
        journal: journal.clone(),
        revocations: Arc::clone(&revocations),
        policy,
        resources: Arc::clone(&resources),
        minter,
        codes: AuthorizationCodes::new(&state.secret),
        refresh_tokens: RefreshTokens::new(&state.secret),
        rules: grant_rules(config),
        clock: Arc::clone(&clock),
    };
    let keys = keeper(config, state, journal.clone(), Arc::clone(&clock));
    let parts = RegistrationParts {
        issuer: config.issuer.clone(),
        scopes: resources.scope_set(),
        documents,
        store: Arc::clone(&store),
        journal: journal.clone(),
        revocations,
        clock,
    };
    Ok(Broker {
        issuer: config.issuer.clone(),
        allowed_hosts: config.allowed_hosts.clone(),
        trusted_proxies: config.trusted_proxies.clone(),
        contact: config.access.contact.clone(),
        ending: tokio::sync::watch::Sender::new(false),
        registration: Registration::new(clients::registration_rules(config), parts),
        resources,
        login,
        tokens,
        introspection,
        guard,
        api_keys: book,
        admin_api: config.admin_api.clone(),
        forward_auth: config.forward_auth,
        gateway,
        store,
        journal,
        keys,
    })
}

/// The identity providers.
pub(super) fn providers(config: &Config, policy: &Policy) -> Result<Upstreams, StartError> {
    let outbound = Outbound::new()?;
    let provider =
        |upstream| Upstream::new(upstreams::settings(upstream, &config.issuer, policy), outbound.clone());
    Ok(Upstreams::new(config.upstreams.iter().map(provider).collect()))
}

/// The keeper of a broker's signing keys.
pub(super) fn keeper(config: &Config, state: &State, journal: Journal, clock: Arc<dyn Clock>) -> KeyKeeper {
    let SigningConfig { algorithm, rotate_every, key_files } = &config.signing;
    let rules = KeyRules { algorithm: *algorithm, every: *rotate_every };
    KeyKeeper {
        keys: Arc::clone(&state.keys),
        store: Arc::clone(&state.store),
        journal,
        rules: key_files.is_empty().then_some(rules),
        clock,
    }
}

/// What is protected.
pub(super) fn resources(config: &Config) -> Result<Resources, StartError> {
    let all = config.resources.iter().map(|resource| Resource {
        url: resource.url.clone(),
        name: resource.name.clone(),
        scopes: resource.scopes.clone(),
        required: resource.required_scopes.clone(),
        everyday: resource.everyday_scopes.clone(),
        accepts: resource.accepts.clone(),
        limits: resource.limits,
        tenants: resource.forwarding.as_ref().and_then(|forwarding| forwarding.tenants.clone()),
    });
    let default = config.resources.iter().find(|resource| resource.default);
    let default = default.map(|resource| resource.url.clone());
    Resources::new(all.collect(), default).ok_or(StartError::NoResource)
}

/// The short form and the rules become one list.
pub(super) fn policy(config: &Config) -> Policy {
    let AccessConfig { default_scopes, admin_emails, admin_accounts, admin_scopes, .. } = &config.access;
    let short = |name: &str, when: Conditions, scopes: &ScopeSet| {
        let effect = Effect::Grant { scopes: scopes.clone(), session: None };
        Rule { name: name.to_owned(), when, effect }
    };
    let mut rules = Vec::new();
    if !default_scopes.is_empty() {
        rules.push(short("access.default_scopes", Conditions::default(), default_scopes));
    }
    if !admin_emails.is_empty() {
        let when = Conditions { admins: admin_emails.clone(), ..Conditions::default() };
        rules.push(short("access.admin_users by address", when, admin_scopes));
    }
    if !admin_accounts.is_empty() {
        let when = Conditions { subjects: admin_accounts.clone(), ..Conditions::default() };
        rules.push(short("access.admin_users by account", when, admin_scopes));
    }
    rules.extend(config.access.rules.iter().cloned());
    let credentials = config.credentials.iter().filter_map(foreign::admission);
    let admissions = config.upstreams.iter().map(upstreams::admission).chain(credentials);
    let hierarchy = Hierarchy::new(config.access.scope_hierarchy.iter().cloned());
    Policy::new(admissions.collect(), rules, hierarchy)
}
