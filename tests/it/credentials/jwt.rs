//! Signed tokens of another issuer.

use std::time::Duration;

use gatelodge::domain::{PersonId, Revoked};
use gatelodge::store::Store as _;
use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::client::TestClient;
use crate::harness::keys::object;
use crate::harness::provider::{AUDIENCE, Person, Signing};
use crate::harness::question::{NOTES, WIKI, ask};

use super::{Scene, assert_invalid, assert_undecided};

const PARTNER: &str = "  - id: partner\n    type: jwt\n    issuer: ISSUER\n    audience: https://api.example.com\n    \
                       allowed_domains: [partner.example]\n    required_scopes: api.read\n";

async fn scene() -> Scene {
    Scene::new("access_token, partner", PARTNER).await
}

/// Without `allowed_domains`, any account may come, and no address decides.
async fn open(more: &str) -> Scene {
    let partner = format!(
        "  - id: partner\n    type: jwt\n    issuer: ISSUER\n    audience: https://api.example.com\n{more}"
    );
    let access = "  default_scopes: [mcp:read]\n  rules:\n    \
                  - { upstreams: [partner], groups: [platform], scopes: [mcp:write] }\n    \
                  - { upstreams: [partner], subjects: 'ISSUER|mallory', deny: true }\n";
    Scene::with("partner, access_token", &partner, access).await
}

impl Scene {
    async fn shows(&self, token: &str) -> Page {
        ask(&self.broker, &NOTES, &format!("Bearer {token}")).await
    }

    /// A token of Dave, whose address the partner has verified, with claims laid over.
    fn dave(&self, patch: Value) -> String {
        let mut claims =
            object(json!({"sub": "dave", "email": "dave@partner.example", "email_verified": true}));
        claims.extend(object(patch));
        self.other.access_token(Value::Object(claims))
    }
}

/// Policy decides about the account of a token as about a person who signs in; the server behind is told the
/// same name for both.
#[tokio::test]
async fn a_token_of_another_issuer_gets_what_policy_gives_its_account() {
    let scene = scene().await;
    let page = scene.shows(&scene.dave(json!({}))).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let dave = PersonId::of(scene.other.issuer(), "dave");
    assert_eq!(page.header("x-auth-user"), dave.as_str());
    assert_eq!(page.header("x-auth-email"), "dave@partner.example");
    assert_eq!((page.header("x-auth-client"), page.header("x-auth-scopes")), ("", "mcp:read mcp:write"));
    let eve = json!({"sub": "eve", "email": "eve@partner.example", "email_verified": true});
    for (claims, scopes) in [(json!({}), "mcp:read"), (json!({"groups": ["platform"]}), "mcp:read mcp:write")]
    {
        let mut all = object(eve.clone());
        all.extend(object(claims));
        let page = scene.shows(&scene.other.access_token(Value::Object(all))).await;
        assert_eq!((page.status, page.header("x-auth-scopes")), (200, scopes));
    }
}

/// SEC-141, SEC-143: what is expired, for somebody else, or no access token at all.
#[tokio::test]
async fn sec_141_sec_143_a_token_that_is_not_for_here_is_refused() {
    let scene = scene().await;
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    for patch in [
        json!({"exp": now - 60}),
        json!({"exp": null}),
        json!({"exp": "soon"}),
        json!({"nbf": now + 61}),
        json!({"iat": now + 61}),
        json!({"aud": "https://other.example"}),
        json!({"aud": [AUDIENCE.to_uppercase()]}),
        json!({"aud": null}),
        json!({"iss": "https://evil.example"}),
        json!({"iss": format!("{}/", scene.other.issuer())}),
        json!({"iss": null}),
        json!({"sub": ""}),
        json!({"sub": null}),
        json!({"sub": 7}),
        json!({"scope": "api.readonly"}),
        json!({"scope": null}),
        json!({"cnf": {"jkt": "a-key"}}),
        json!({"events": {}}),
        json!({"token_use": "id"}),
        json!({"typ": "ID"}),
    ] {
        assert_invalid(&scene.shows(&scene.dave(patch.clone())).await, &patch.to_string());
    }
    // The same just in time, and in the other spelling of scopes and audiences.
    for patch in [
        json!({"exp": now - 59}),
        json!({"scope": null, "scp": ["api.read"]}),
        json!({"aud": ["x", AUDIENCE]}),
    ] {
        assert_eq!(scene.shows(&scene.dave(patch.clone())).await.status, 200, "{patch}");
    }
    for typ in ["logout+jwt", "id_token+jwt", "dpop+jwt", "secevent+jwt"] {
        scene.other.misbehave(|m| drop(m.header.insert("typ".into(), json!(typ))));
        assert_invalid(&scene.shows(&scene.dave(json!({}))).await, typ);
    }
    // Untyped, a nonce gives an ID token away.
    scene.other.misbehave(|m| drop(m.header.insert("typ".into(), json!("JWT"))));
    assert_invalid(&scene.shows(&scene.dave(json!({"nonce": "n"}))).await, "an ID token");
    assert_eq!(scene.shows(&scene.dave(json!({}))).await.status, 200);
}

/// SEC-142, SEC-144: nobody else can sign, whatever the header says; and what is no JWT is no more than that.
#[tokio::test]
async fn sec_142_only_the_issuer_s_own_signature_counts() {
    let scene = scene().await;
    for signing in [
        Signing::Unsigned,
        Signing::HmacWithPublicKey,
        Signing::HmacWithClientSecret,
        Signing::AnotherKeySameKid,
        Signing::EmbeddedJwk,
        Signing::UnknownKid,
    ] {
        scene.other.misbehave(|m| m.signing = signing);
        assert_invalid(&scene.shows(&scene.dave(json!({}))).await, &format!("{signing:?}"));
    }
    scene.other.misbehave(|m| m.signing = Signing::Rs256);
    assert_eq!(scene.shows(&scene.dave(json!({}))).await.status, 200);
    let token = scene.dave(json!({}));
    let cut = &token[..token.len() - 2];
    for bad in ["", "x", "a.b.c", "..", cut, &format!("{token}.x"), &".".repeat(1000), &"a".repeat(17_000)] {
        assert_invalid(&scene.shows(bad).await, &bad.chars().take(40).collect::<String>());
    }
    scene.other.misbehave(|m| drop(m.header.insert("crit".into(), json!(["x"]))));
    assert_invalid(&scene.shows(&scene.dave(json!({}))).await, "crit");
}

/// The operator chooses algorithms, age and whether a token must say when it ends.
#[tokio::test]
async fn algorithms_age_and_skew_are_the_operator_s() {
    let more = "    algorithms: [RS256]\n    max_age: 2m\n    require_expiry: false\n    clock_skew: 0s\n";
    let scene = open(more).await;
    assert_invalid(&scene.shows(&scene.other.access_token(json!({}))).await, "ES256");
    scene.other.misbehave(|m| m.signing = Signing::Rs256);
    let token = scene.other.access_token(json!({"exp": null}));
    assert_eq!(scene.shows(&token).await.status, 200);
    assert_invalid(
        &scene.shows(&scene.other.access_token(json!({"exp": null, "iat": null}))).await,
        "no dates",
    );
    scene.broker.clock.advance(Duration::from_secs(119));
    assert_eq!(scene.shows(&token).await.status, 200);
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_invalid(&scene.shows(&token).await, "two minutes old");
}

/// SEC-157: what was good at one server is nothing at another, and no longer good than it says.
#[tokio::test]
async fn sec_157_a_good_token_is_good_at_its_server_and_until_its_end() {
    let scene = scene().await;
    let token = scene.dave(json!({}));
    assert_eq!(scene.shows(&token).await.status, 200);
    assert_invalid(&ask(&scene.broker, &WIKI, &format!("Bearer {token}")).await, "the wiki accepts none");
    scene.broker.clock.advance(Duration::from_secs(359));
    assert_eq!(scene.shows(&token).await.status, 200, "five minutes, and one for clocks");
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_invalid(&scene.shows(&token).await, "expired");
}

/// SEC-053: addresses decide only where the token says that they are verified, and the operator that the issuer has a
/// say over their domain.
#[tokio::test]
async fn sec_053_an_address_that_nobody_vouches_for_decides_nothing() {
    let scene = scene().await;
    for patch in
        [json!({"email_verified": false}), json!({"email_verified": "true"}), json!({"email_verified": null})]
    {
        let page = scene.shows(&scene.dave(patch.clone())).await;
        assert_eq!(page.status, 403, "{patch}: nobody of the partner's domain");
        assert!(page.header("www-authenticate").contains("error=\"insufficient_scope\""), "{patch}");
    }
    // The address of somebody whose domain is an upstream's.
    let open = open("").await;
    let alice = json!({"sub": "alice", "email": "alice@example.com", "email_verified": true});
    assert_eq!(open.shows(&open.other.access_token(alice)).await.status, 403);
    let page = open.shows(&open.other.access_token(json!({"email": "carol@example.com"}))).await;
    assert_eq!((page.status, page.header("x-auth-email")), (200, ""), "an address that counts for nothing");
    let trusting =
        "    trust_email: true\n    email_claim: contact.mail\n    allowed_domains: [partner.example]\n";
    let trusted = super::Scene::new(
        "partner",
        &format!("{}{trusting}", PARTNER.replace("    allowed_domains: [partner.example]\n", "")),
    )
    .await;
    let page = trusted
        .shows(&trusted.other.access_token(json!({"contact": {"mail": "dave@partner.example"}})))
        .await;
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, "mcp:read mcp:write"));
}

/// An admin's address is pinned to whoever signs in with it first, and never to a token.
#[tokio::test]
async fn no_token_takes_an_admin_s_address() {
    let access = "  admin_users: [alice@example.com, 'ISSUER|root']\n  admin_scopes: [mcp:read, mcp:admin]\n";
    let partner = PARTNER.replace("allowed_domains: [partner.example]", "allowed_domains: [example.com]");
    let scene = Scene::with("access_token, partner", &partner, access).await;
    let with = |sub: &str| json!({"sub": sub, "email": "alice@example.com", "email_verified": true});
    let page = scene.shows(&scene.other.access_token(with("mallory"))).await;
    assert_eq!(page.status, 403, "by address");
    let page = scene.shows(&scene.other.access_token(with("root"))).await;
    assert_eq!(
        (page.status, page.header("x-auth-scopes")),
        (200, "mcp:admin mcp:read mcp:write"),
        "by account"
    );
    let address = "alice@example.com".parse().unwrap();
    let store = &scene.broker.store;
    assert_eq!(store.admin_pin(&address).await.unwrap(), None);
}

/// A genuine token of somebody whom policy gives nothing does not pass, also where nothing is required.
#[tokio::test]
async fn whoever_gets_nothing_does_not_pass() {
    let scene = open("").await;
    let page = scene.shows(&scene.other.access_token(json!({"sub": "mallory"}))).await;
    assert_eq!(page.status, 403);
    let challenge = page.header("www-authenticate");
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("mcp:read"),
        "{challenge}"
    );
}

/// A list of groups that is not whole hides nobody from a rule that denies by groups.
#[tokio::test]
async fn idp_entra_too_many_groups_are_never_none() {
    let access = "  default_scopes: [mcp:read]\n  rules:\n    - { upstreams: [partner], groups: [banned], deny: true }\n";
    let scene = Scene::with("partner", PARTNER, access).await;
    for (patch, status) in [
        (json!({"groups": ["staff"]}), 200),
        (json!({"groups": ["banned"]}), 403),
        (json!({"_claim_names": {"groups": "src1"}}), 403),
        (json!({"hasgroups": true}), 403),
        (json!({"hasgroups": false}), 200),
    ] {
        assert_eq!(scene.shows(&scene.dave(patch.clone())).await.status, status, "{patch}");
    }
}

/// `scopes_from: token`: of what policy gives, only what the token names itself.
#[tokio::test]
async fn a_token_may_bound_its_own_scopes() {
    let scene = open("    scopes_from: token\n").await;
    for (scope, status, expected) in [
        ("api.read mcp:read", 200, "mcp:read"),
        ("mcp:read mcp:write mcp:admin", 200, "mcp:read mcp:write"),
        ("api.read", 403, ""),
    ] {
        let claims = json!({"scope": scope, "groups": ["platform"]});
        let page = scene.shows(&scene.other.access_token(claims)).await;
        assert_eq!((page.status, page.header("x-auth-scopes")), (status, expected), "{scope}");
    }
}

/// SEC-132: whoever is revoked here has no use for a token from before, of whatever issuer.
#[tokio::test]
async fn sec_132_a_revoked_person_s_tokens_count_no_longer() {
    let scene = scene().await;
    let (dave, erin) = (scene.dave(json!({})), scene.dave(json!({"sub": "erin"})));
    assert_eq!((scene.shows(&dave).await.status, scene.shows(&erin).await.status), (200, 200));
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref());
    let who = Revoked::Person(PersonId::of(scene.other.issuer(), "dave"));
    let revocations = &scene.broker.parts.login.revocations;
    revocations.revoke(&who, now, Duration::from_secs(3600)).await.unwrap();
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_invalid(&scene.shows(&dave).await, "revoked");
    assert_invalid(&scene.shows(&scene.dave(json!({"iat": null}))).await, "without a date");
    assert_eq!(scene.shows(&erin).await.status, 200);
    scene.broker.clock.advance(Duration::from_secs(6));
    assert_eq!(scene.shows(&scene.dave(json!({}))).await.status, 200, "a newer one");
}

/// SEC-052: a key that the issuer changes is found at once, one that it withdraws counts no longer after
/// `jwks_refresh`, and invented names of keys cost one look in 30 s.
#[tokio::test]
async fn sec_052_the_issuer_s_keys_come_and_go() {
    let scene = scene().await;
    let old = scene.dave(json!({"exp": 4_000_000_000_u32}));
    assert_eq!(scene.shows(&old).await.status, 200);
    assert_eq!((scene.other.fetches().discovery, scene.other.fetches().jwks), (1, 1));
    scene.other.rotate_keys();
    assert_eq!(scene.shows(&old).await.status, 200, "nobody has looked yet");
    assert_eq!(scene.shows(&scene.dave(json!({}))).await.status, 200, "the new key");
    assert_eq!(scene.other.fetches().jwks, 2);
    assert_invalid(&scene.shows(&old).await, "withdrawn");
    scene.other.misbehave(|m| m.signing = Signing::UnknownKid);
    for _ in 0..20 {
        assert_invalid(&scene.shows(&scene.dave(json!({}))).await, "invented");
    }
    assert_eq!(scene.other.fetches().jwks, 2);
    scene.broker.clock.advance(Duration::from_secs(30));
    for _ in 0..20 {
        assert_invalid(&scene.shows(&scene.dave(json!({}))).await, "invented");
    }
    assert_eq!(scene.other.fetches().jwks, 3);
    scene.other.behave();
    let good = scene.dave(json!({"exp": 4_000_000_000_u32}));
    assert_eq!(scene.shows(&good).await.status, 200);
    scene.other.rotate_keys();
    scene.broker.clock.advance(Duration::from_secs(3599));
    assert_eq!(scene.shows(&good).await.status, 200, "not an hour yet");
    scene.broker.clock.advance(Duration::from_secs(1));
    assert_invalid(&scene.shows(&good).await, "withdrawn");
}

/// PRIN-5: an issuer that cannot be asked says nothing of a token: what it signed is not refused, and nobody
/// else's credential suffers. The last good keys serve for a day.
#[tokio::test]
async fn rel_13_an_issuer_that_is_away_refuses_nobody() {
    let scene = scene().await;
    let away = |is_away| scene.other.misbehave(|m| (m.discovery_fails, m.jwks_fails) = (is_away, is_away));
    away(true);
    let dave = scene.dave(json!({"exp": 4_000_000_000_u32}));
    for _ in 0..20 {
        assert_undecided(&scene.shows(&dave).await, "no key was ever had");
    }
    assert_eq!(scene.other.fetches().discovery, 1, "and nobody makes us ask again and again");
    scene.broker.provider.sign_in_as(Person::new("alice", "alice@example.com"));
    let client = TestClient::register(&scene.broker).await;
    let own = client.tokens(&scene.broker).await.access;
    assert_eq!(scene.shows(&own).await.status, 200, "our own tokens");
    assert_invalid(&scene.shows("nonsense").await, "what is nobody's");
    away(false);
    scene.broker.clock.advance(Duration::from_secs(30));
    assert_eq!(scene.shows(&dave).await.status, 200);
    away(true);
    scene.broker.clock.advance(Duration::from_secs(24 * 3600 - 1));
    assert_eq!(scene.shows(&dave).await.status, 200, "the last good keys");
    scene.other.misbehave(|m| m.signing = Signing::UnknownKid);
    assert_undecided(&scene.shows(&scene.dave(json!({}))).await, "a key that may be new");
    scene.broker.clock.advance(Duration::from_secs(31));
    assert_undecided(&scene.shows(&dave).await, "after a day");
}

/// Keys may stand at a URL of their own: then no metadata is asked for.
#[tokio::test]
async fn keys_at_a_url_of_their_own() {
    let scene = open("    jwks_url: ISSUER/jwks\n").await;
    assert_eq!(scene.shows(&scene.other.access_token(json!({}))).await.status, 200);
    assert_eq!((scene.other.fetches().discovery, scene.other.fetches().jwks), (0, 1));
}
