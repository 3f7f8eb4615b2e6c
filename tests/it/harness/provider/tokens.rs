//! ID tokens, logout tokens and access tokens, honest and forged.

use gatelodge::secret::random;
use serde_json::{Map, Value, json};

use super::super::keys::{self, TestKey, at_hash, object, patched};
use super::{CLIENT_ID, CLIENT_SECRET, Person, Shared, Signing, State};

/// An ID token for a person, with the knobs applied.
pub(super) fn id_token(
    shared: &Shared,
    state: &State,
    person: &Person,
    nonce: Option<&str>,
    access_token: &str,
) -> String {
    let now = shared.clock.now().as_unix();
    let mut claims = object(json!({
        "iss": shared.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "auth_time": now,
        "at_hash": at_hash(access_token)
    }));
    claims.extend(person.claims());
    if let Some(nonce) = nonce {
        claims.insert("nonce".into(), json!(nonce));
    }
    sign(state, &patched(claims, &state.misbehaviour.claims))
}

/// A logout token (OpenID Connect Back-Channel Logout section 2.4).
pub(super) fn logout_token(shared: &Shared, sub: &str, patch: &Map<String, Value>) -> String {
    let now = shared.clock.now().as_unix();
    let claims = object(json!({
        "iss": shared.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 120, "jti": random::id(), "sub": sub,
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}
    }));
    let mut state = shared.state();
    let typ = object(json!({"typ": "logout+jwt"}));
    let own = std::mem::take(&mut state.misbehaviour.header);
    state.misbehaviour.header = patched(typ, &own);
    let token = sign(&state, &patched(claims, patch));
    state.misbehaviour.header = own;
    token
}

/// An access token (RFC 9068 section 2) for [`super::AUDIENCE`].
pub(super) fn access_token(shared: &Shared, patch: &Map<String, Value>) -> String {
    let now = shared.clock.now().as_unix();
    let claims = object(json!({
        "iss": shared.issuer, "aud": super::AUDIENCE, "iat": now, "exp": now + 300, "jti": random::id(),
        "sub": "carol", "client_id": "an-app", "scope": "api.read"
    }));
    let mut state = shared.state();
    let own = std::mem::take(&mut state.misbehaviour.header);
    state.misbehaviour.header = patched(object(json!({"typ": "at+jwt"})), &own);
    let token = sign(&state, &patched(claims, patch));
    state.misbehaviour.header = own;
    token
}

fn sign(state: &State, claims: &Map<String, Value>) -> String {
    let patch = &state.misbehaviour.header;
    let with = |header: Map<String, Value>| patched(header, patch);
    let stranger = |kid: &str| TestKey::es256(kid);
    let honest = |key: &TestKey| key.sign(&with(key.header("JWT")), claims);
    match state.misbehaviour.signing {
        Signing::Es256 => honest(&state.es256),
        Signing::Rs256 => honest(&state.rs256),
        Signing::Unsigned => keys::unsigned(&with(object(json!({"typ": "JWT", "alg": "none"}))), claims),
        Signing::HmacWithPublicKey => {
            let kid = state.rs256.kid();
            let header = object(json!({"typ": "JWT", "alg": "HS256", "kid": kid}));
            keys::hs256(state.rs256.public_pem().as_bytes(), &with(header), claims)
        }
        Signing::HmacWithClientSecret => {
            let header = object(json!({"typ": "JWT", "alg": "HS256"}));
            keys::hs256(CLIENT_SECRET.as_bytes(), &with(header), claims)
        }
        Signing::AnotherKeySameKid => honest(&stranger(state.es256.kid())),
        Signing::EmbeddedJwk => {
            let key = stranger("embedded");
            let mut header = key.header("JWT");
            header.insert("jwk".into(), key.jwk());
            key.sign(&with(header), claims)
        }
        Signing::StaleKey => honest(state.stale.as_ref().expect("a rotation")),
        Signing::UnknownKid => honest(&stranger(&random::id())),
    }
}
