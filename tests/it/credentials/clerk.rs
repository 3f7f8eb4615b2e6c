//! Session tokens of Clerk, from the header and from the cookie.

use serde_json::{Value, json};

use crate::harness::browser::Page;
use crate::harness::keys::{object, patched};
use crate::harness::question::{NOTES, WIKI, ask, ask_with};

use super::{Scene, assert_invalid, assert_undecided};

const APP: &str = "https://app.example.com";

const CLERK: &str = "  - id: clerk\n    type: clerk\n    issuer: ISSUER\n    \
                     authorized_parties: [https://app.example.com, 'http://localhost:3000']\n    \
                     jwks_refresh: 1m\n    roles_claim: o.rol\n    groups_claim: o.id\n";

const ACCESS: &str = "  default_scopes: [mcp:read]\n  rules:\n    \
                      - { upstreams: [clerk], groups: [org_1], roles: [admin], scopes: [mcp:write] }\n";

async fn scene() -> Scene {
    let scene = Scene::with("access_token, clerk", CLERK, ACCESS).await;
    scene.other.misbehave(|m| {
        m.header.insert("typ".into(), json!("JWT"));
        m.header.insert("cat".into(), json!("cl_B7d4PD111AAA"));
    });
    scene
}

/// A session token as Clerk makes one (version 2), changed.
fn token(scene: &Scene, patch: Value) -> String {
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    let usual = json!({"aud": null, "client_id": null, "scope": null, "sub": "user_2abc", "sid": "sess_2abc",
        "azp": APP, "v": 2, "sts": "active", "nbf": now - 10, "exp": now + 60, "fva": [0, -1],
        "o": {"id": "org_1", "slg": "acme", "rol": "admin"}});
    let mut claims = object(usual);
    claims.extend(object(patch));
    scene.other.access_token(Value::Object(claims))
}

async fn with_cookie(scene: &Scene, cookie: &str, more: &[(&str, &str)]) -> Page {
    ask_with(&scene.broker, &[&NOTES[..], &[("cookie", cookie)], more].concat()).await
}

/// Good in the header, and in the cookie where nothing says that another site is behind it.
#[tokio::test]
async fn a_session_counts_in_the_header_and_in_the_cookie() {
    let scene = scene().await;
    let token = token(&scene, json!({}));
    let page = ask(&scene.broker, &NOTES, &format!("Bearer {token}")).await;
    assert_eq!((page.status, page.header("x-auth-scopes")), (200, "mcp:read mcp:write"), "{}", page.body);
    let cookie = format!("a=b; __session={token}; __client_uat=1");
    for more in [
        &[][..],
        &[("sec-fetch-site", "same-origin")],
        &[("sec-fetch-site", "same-site"), ("origin", APP)],
        &[("sec-fetch-site", "none")],
        &[("origin", "https://mcp.example.com")],
    ] {
        assert_eq!(with_cookie(&scene, &cookie, more).await.status, 200, "{more:?}");
    }
}

/// SEC-161: browsers send cookies for the pages of others: then it is as if there were none. And a header goes first.
#[tokio::test]
async fn sec_161_a_cookie_of_another_site_s_request_is_none() {
    let scene = scene().await;
    let token = token(&scene, json!({}));
    let cookie = format!("__session={token}");
    for more in [
        &[("sec-fetch-site", "cross-site")][..],
        &[("sec-fetch-site", "cross-site"), ("origin", "https://mcp.example.com")],
        &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "")],
        &[("sec-fetch-site", "anything")],
        &[("origin", "https://evil.example")],
        &[("origin", "https://app.example.com")],
        &[("origin", "null")],
        &[("origin", "https://mcp.example.com"), ("origin", "https://evil.example")],
    ] {
        let page = with_cookie(&scene, &cookie, more).await;
        assert_eq!(page.status, 401, "{more:?}");
        assert!(!page.header("www-authenticate").contains("error="), "{more:?}: as if nothing was sent");
    }
    let header = with_cookie(&scene, &cookie, &[("authorization", "Bearer nonsense")]).await;
    assert_invalid(&header, "the header decides");
    let other = with_cookie(&scene, &cookie, &[("authorization", "Basic eDp5")]).await;
    assert_eq!(other.status, 401, "also one that nobody knows");
    for planted in
        [format!("__session={token}; __session={token}"), "__session=".into(), format!("_session={token}")]
    {
        let page = with_cookie(&scene, &planted, &[]).await;
        assert!(page.status == 401 && !page.header("www-authenticate").contains("error="), "{planted}");
    }
    let wiki = ask_with(&scene.broker, &[&WIKI[..], &[("cookie", cookie.as_str())]].concat()).await;
    assert_eq!(wiki.status, 401, "the wiki takes none");
    assert!(!wiki.header("www-authenticate").contains("error="));
}

/// Expired, of another application, of no session, not signed in whole, signed by somebody else.
#[tokio::test]
async fn what_is_no_session_of_ours_is_refused() {
    let scene = scene().await;
    let now = gatelodge::clock::Clock::now(scene.broker.clock.as_ref()).as_unix();
    for patch in [
        json!({"exp": now - 60}),
        json!({"exp": null}),
        json!({"azp": "https://evil.example"}),
        json!({"azp": "https://app.example.com.evil.example"}),
        json!({"azp": null}),
        json!({"azp": ""}),
        json!({"iss": "https://other.clerk.accounts.dev"}),
        json!({"sid": null}),
        json!({"nonce": "n"}),
        json!({"sts": "pending"}),
        json!({"sub": null}),
    ] {
        let token = token(&scene, patch.clone());
        assert_invalid(&ask(&scene.broker, &NOTES, &format!("Bearer {token}")).await, &patch.to_string());
        assert_invalid(&with_cookie(&scene, &format!("__session={token}"), &[]).await, &patch.to_string());
    }
    assert_invalid(&with_cookie(&scene, "__session=nonsense", &[]).await, "malformed");
    let good = token(&scene, json!({}));
    scene.other.rotate_keys();
    scene.broker.clock.advance(std::time::Duration::from_secs(60));
    assert_invalid(
        &with_cookie(&scene, &format!("__session={good}"), &[]).await,
        "signed with a key that is gone",
    );
}

/// PRIN-5: Clerk away.
#[tokio::test]
async fn clerk_away_refuses_nobody() {
    let scene = scene().await;
    scene.other.misbehave(|m| m.jwks_fails = true);
    let token = token(&scene, json!({}));
    assert_undecided(&with_cookie(&scene, &format!("__session={token}"), &[]).await, "no key was ever had");
}

/// `audience` may be asked for beside the application, where the operator puts one into the tokens.
#[tokio::test]
async fn an_audience_may_be_asked_for() {
    let more = format!("{CLERK}    audience: notes\n");
    let scene = Scene::with("clerk", &more, ACCESS).await;
    scene.other.misbehave(|m| m.header = patched(m.header.clone(), &object(json!({"typ": "JWT"}))));
    let show = async |token: String| ask(&scene.broker, &NOTES, &format!("Bearer {token}")).await;
    assert_invalid(&show(token(&scene, json!({}))).await, "none");
    assert_eq!(show(token(&scene, json!({"aud": "notes"}))).await.status, 200);
}
