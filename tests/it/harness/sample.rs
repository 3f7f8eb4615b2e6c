//! Records to put into a store.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gatelodge::clock::Timestamp;
use gatelodge::domain::{
    ApiKey, ApiKeyId, AuthorizationRequest, BrowserSession, Client, ClientAuthMethod, ClientId, ClientLimits,
    ClientOrigin, FormProof, Grant, GrantId, GrantState, Identity, KeyRing, LoginId, LoginStep, NewKey,
    PendingLogin, PersonId, UpstreamCredential, UpstreamGrant, UpstreamId, UpstreamSession, UpstreamToken,
};
use gatelodge::protocol::{RedirectUri, ResourceUri, S256Challenge, ScopeSet, SigningAlgorithm};
use gatelodge::secret::{Digest, KeyedHash, MasterSecret, Secret, random};

/// The present of every test that does not move it.
pub(crate) const NOW: Timestamp = Timestamp::from_unix(1_800_000_000);

/// [`NOW`] and some seconds.
pub(crate) fn later(seconds: u64) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds))
}

/// [`NOW`] less some seconds.
pub(crate) fn earlier(seconds: u64) -> Timestamp {
    Timestamp::from_unix(NOW.as_unix() - seconds)
}

/// A client that lives for an hour.
pub(crate) fn client(id: &str) -> Client {
    Client {
        id: ClientId::new(id),
        name: Some(format!("the client {id}")),
        redirect_uris: vec![RedirectUri::parse("http://127.0.0.1/cb").unwrap()],
        auth: ClientAuthMethod::ClientSecretBasic(Digest::of("secret")),
        origin: ClientOrigin::Registered,
        may_refresh: true,
        limits: ClientLimits::default(),
        created_at: NOW,
        expires_at: Some(later(3600)),
        registration: None,
    }
}

/// A sign-in that waits for consent, for ten minutes.
pub(crate) fn login() -> PendingLogin {
    PendingLogin {
        id: LoginId::generate(),
        request: AuthorizationRequest {
            client_id: ClientId::new("c"),
            redirect_uri: RedirectUri::parse("http://127.0.0.1:9000/cb").unwrap(),
            state: Some("the client's state".into()),
            challenge: S256Challenge::of_verifier(&"v".repeat(43)),
            resource: ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
            scopes: ScopeSet::parse_lenient("mcp:read mcp:write"),
            login_hint: Some("canary-hint@example.com".into()),
            shown: None,
            sign_in_anew: false,
        },
        step: LoginStep::AwaitingConsent { form: form(), shown_to: None },
        expires_at: later(600),
    }
}

/// The same sign-in at an upstream.
pub(crate) fn at_upstream(login: &PendingLogin, upstream: &str) -> PendingLogin {
    let step = LoginStep::AwaitingUpstream {
        form: form(),
        approved_at: NOW,
        upstream: UpstreamId::parse(upstream).unwrap(),
        state: Digest::of("state"),
        browser: Digest::of("browser"),
        nonce: "canary-nonce".into(),
        verifier: "canary-verifier".into(),
    };
    PendingLogin { step, ..login.clone() }
}

/// A grant, of a person of its own, whose code lives for a minute, and which ends after thirty days.
pub(crate) fn grant() -> Grant {
    let (issuer, subject) = ("https://idp.example.com", format!("canary-subject-{}", random::id()));
    Grant {
        id: GrantId::generate(&PersonId::of(issuer, &subject)),
        client_id: ClientId::new("c"),
        resource: ResourceUri::parse("https://mcp.example.com/mcp").unwrap(),
        scopes: ScopeSet::parse_lenient("mcp:read"),
        identity: Identity {
            upstream: UpstreamId::parse("okta").unwrap(),
            issuer: issuer.into(),
            subject,
            email: Some("canary-person@example.com".parse().unwrap()),
            domain: Some("example.com".parse().unwrap()),
            groups: BTreeSet::from(["canary-group".to_owned()]),
            roles: BTreeSet::from(["canary-role".to_owned()]),
            claims: BTreeMap::from([("a.path".to_owned(), BTreeSet::from(["canary-claim".to_owned()]))]),
            name: Some("Canary Person".into()),
            session: Some(UpstreamSession::from_bytes(*b"sid-of-8")),
            authenticated_at: NOW,
        },
        created_at: NOW,
        ends_at: later(30 * 86_400),
        expires_at: later(60),
        state: GrantState::AwaitingCode,
    }
}

/// A browser in which this person is signed in, since [`NOW`]: for an hour unused, for twelve at most.
pub(crate) fn browser_session(identity: Identity) -> BrowserSession {
    BrowserSession {
        identity,
        signed_in_at: NOW,
        idle_ends_at: later(3600),
        ends_at: later(12 * 3600),
        id_token: Some(Secret::new("canary-id-token".into())),
    }
}

/// An API key of this person that is good for an hour.
pub(crate) fn api_key(owner: Identity) -> ApiKey {
    let id = ApiKeyId::generate(&owner.person());
    let key = MasterSecret::generate().mac_key("test");
    ApiKey {
        id,
        owner,
        name: "Canary report".into(),
        resources: vec![ResourceUri::parse("https://mcp.example.com/mcp").unwrap()],
        scopes: ScopeSet::parse_lenient("mcp:read"),
        created_at: NOW,
        expires_at: Some(later(3600)),
        last_used_at: None,
        revoked_at: None,
        hash: KeyedHash::of(&key, &id.to_string(), "canary-secret"),
    }
}

/// The same of somebody who may have others.
pub(crate) fn grant_of(subject: &str) -> Grant {
    let usual = grant();
    let identity = Identity { subject: subject.into(), ..usual.identity };
    Grant { id: GrantId::generate(&identity.person()), identity, ..usual }
}

/// What an upstream says of the person of a grant, with a refresh token of theirs.
pub(crate) fn upstream_grant(of: &Grant) -> UpstreamGrant {
    let token = UpstreamToken::Refresh(Secret::new("canary-upstream-token".into()));
    let credential = UpstreamCredential { token, nonce: Some(Digest::of("nonce")) };
    UpstreamGrant::arrived(of.identity.clone(), Some(credential), None, (of.ends_at, NOW))
}

/// A ring whose only key signs since [`NOW`]. Stores do not look at keys.
pub(crate) fn key_ring(name: &str) -> KeyRing {
    KeyRing::first(new_key(name), NOW)
}

/// A key of a name.
pub(crate) fn new_key(name: &str) -> NewKey {
    let pem = Secret::new(format!("{name}-pem"));
    NewKey { kid: format!("kid-{name}"), algorithm: SigningAlgorithm::Es256, pem }
}

fn form() -> FormProof {
    FormProof { token: Digest::of("form"), browser: Digest::of("browser") }
}
