//! Codes, refresh tokens and revocation (sections E, F and J).

use std::time::Duration;

use gatelodge::protocol::S256Challenge;
use serde_json::json;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::client::{REDIRECT, TestClient, Tokens, authorize_url};
use crate::harness::provider::Person;

async fn two_clients() -> (TestBroker, TestClient, TestClient) {
    let broker = TestBroker::start().await;
    let (a, b) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
    (broker, a, b)
}

fn dead(page: &crate::harness::browser::Page) {
    assert_eq!((page.status, page.error().as_str()), (400, "invalid_grant"), "{}", page.body);
}

/// SEC-073 (CVE-2026-32245, CVE-2026-55672): a code belongs to its client.
#[tokio::test]
async fn sec_073_a_code_is_bound_to_its_client() {
    let (broker, a, b) = two_clients().await;
    let code = a.code(&broker).await;
    dead(&b.redeem(&broker, &code).await);
    assert_eq!(a.redeem(&broker, &code).await.status, 200, "A can still redeem");
}

/// SEC-074, SEC-079, SEC-080 (CVE-2025-4144): what must come with a code; nothing of it
/// burns the code.
#[tokio::test]
async fn sec_074_sec_079_sec_080_what_a_code_comes_with() {
    let (broker, client, _) = two_clients().await;
    let code = client.code(&broker).await;
    let long = "a".repeat(129);
    for (change, error) in [
        (("code_verifier", ""), "invalid_request"),
        (("code_verifier", "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong"), "invalid_grant"),
        (("code_verifier", &long[..42]), "invalid_grant"),
        (("code_verifier", &long), "invalid_grant"),
        (("redirect_uri", "http://127.0.0.1:1/other"), "invalid_grant"),
        (("resource", "https://other.example/"), "invalid_target"),
        (("code", "nonsense"), "invalid_grant"),
        (("code", ""), "invalid_request"),
    ] {
        let page = client.redeem_with(&broker, &code, &[change]).await;
        assert_eq!((page.status, page.error().as_str()), (400, error), "{change:?}");
    }
    let page = client.redeem_with(
        &broker,
        &code,
        &[("redirect_uri", ""), ("resource", "HTTPS://mcp.example.com/mcp/")],
    );
    let tokens = Tokens::of(&page.await);
    assert_eq!(tokens.claims()["aud"], RESOURCE);
}

/// INT-54, SEC-074: verifiers of 43 to 128 unreserved characters; others answer not even their own
/// challenge.
#[tokio::test]
async fn int_54_sec_074_the_length_and_the_characters_of_a_verifier() {
    let (broker, client, _) = two_clients().await;
    for (verifier, good) in [
        ("a".repeat(43), true),
        ("-._~".repeat(32), true),
        ("a".repeat(42), false),
        ("a".repeat(129), false),
        (format!("{}+", "a".repeat(50)), false),
        (format!("{}\u{e4}", "a".repeat(50)), false),
    ] {
        let challenge = S256Challenge::of_verifier(&verifier);
        let request = client.request_with(&[("code_challenge", challenge.as_str())]);
        let url = authorize_url(&broker, &request);
        let code = client.sign_in_at(&broker, &broker.browser(), &url).await["code"].clone();
        let page = client.redeem_with(&broker, &code, &[("code_verifier", &verifier)]).await;
        if good {
            assert_eq!(page.status, 200, "{verifier}: {}", page.body);
        } else {
            dead(&page);
        }
    }
}

/// SEC-075 (CVE-2024-23647): there is no code without a challenge, so no verifier can come with one:
/// such a request leads to no page that could be approved.
#[tokio::test]
async fn sec_075_no_code_is_without_a_challenge() {
    let (broker, client, _) = two_clients().await;
    for change in [("code_challenge", ""), ("code_challenge_method", "plain"), ("code_challenge_method", "")]
    {
        let url = authorize_url(&broker, &client.request_with(&[change]));
        let page = broker.browser().get(&url).await;
        assert!(!page.body.contains("name=\"upstream\""), "{change:?}: {}", page.body);
        assert!(!page.body.contains("code=") && page.body.contains("invalid_request"), "{}", page.body);
    }
}

/// SEC-081: a code is good for less than a minute, and only for somebody who still has access.
#[tokio::test]
async fn sec_081_a_code_ends_with_its_minute_and_with_its_person_s_access() {
    let folder = crate::harness::temp_dir::TempDir::new();
    let store = format!("store: {}\n", folder.path().join("store.db").display());
    let before = TestBroker::with(Setup { store: store.clone(), ..Setup::default() }).await;
    before.provider.sign_in_as(Person::new("bob", "bob@example.com"));
    let client = TestClient::register(&before).await;
    let (in_time, late) = (client.code(&before).await, client.code(&before).await);
    before.clock.advance(Duration::from_secs(59));
    assert_eq!(client.redeem(&before, &in_time).await.status, 200);
    before.clock.advance(Duration::from_secs(1));
    dead(&client.redeem(&before, &late).await);

    let (kept, lost) = (client.code(&before).await, client.code(&before).await);
    let (clock, provider) = (before.clock.clone(), before.provider.clone());
    before.stop().await;
    let access = "  rules: [{ groups: [other], scopes: [mcp:read] }]\n".to_owned();
    let without = Setup { store: store.clone(), access, ..Setup::default() };
    let after = TestBroker::replica(without, clock.clone(), provider.clone()).await;
    dead(&client.redeem(&after, &lost).await);
    after.stop().await;
    let again = TestBroker::replica(Setup { store, ..Setup::default() }, clock, provider).await;
    assert_eq!(client.redeem(&again, &kept).await.status, 200, "it was access that decided");
}

/// SEC-076: a second valid redemption ends what the first one got.
#[tokio::test]
async fn sec_076_a_replayed_code_ends_the_family() {
    let (broker, client, _) = two_clients().await;
    let code = client.code(&broker).await;
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    dead(&client.redeem(&broker, &code).await);
    dead(&client.refresh(&broker, &tokens.refresh).await);
}

/// SEC-077, SEC-073: a replay by somebody who lacks the verifier, or is another client, is
/// refused and ends nothing.
#[tokio::test]
async fn sec_077_a_bad_replay_leaves_the_tokens_alive() {
    let (broker, client, other) = two_clients().await;
    let code = client.code(&broker).await;
    let tokens = Tokens::of(&client.redeem(&broker, &code).await);
    let wrong = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong";
    dead(&client.redeem_with(&broker, &code, &[("code_verifier", wrong)]).await);
    dead(&other.redeem(&broker, &code).await);
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// SEC-082, SEC-084, INT-62, INT-63: rotation, and the end of a family whose old token comes back
/// after its grace window.
#[tokio::test]
async fn sec_082_sec_084_reuse_after_the_window_ends_the_family() {
    let (broker, client, _) = two_clients().await;
    let first = client.tokens(&broker).await;
    let second = Tokens::of(&client.refresh(&broker, &first.refresh).await);
    assert_ne!(first.refresh, second.refresh);
    broker.clock.advance(Duration::from_secs(120));
    dead(&client.refresh(&broker, &first.refresh).await);
    dead(&client.refresh(&broker, &second.refresh).await);
    use gatelodge::store::Store as _;
    broker.parts.journal.settled().await;
    let events = broker.store.recent_audit(10).await.expect("events");
    assert!(events.iter().any(|event| event.kind.as_str() == "refresh_reused"), "{events:?}");
}

/// SEC-085, SEC-086, INT-61: inside the window every duplicate gets one and the same successor;
/// the next rotation ends the window.
#[tokio::test]
async fn sec_085_duplicates_inside_the_window_get_one_successor() {
    let (broker, client, _) = two_clients().await;
    let first = client.tokens(&broker).await;
    let together = (0..20).map(|_| client.refresh(&broker, &first.refresh));
    let mut successors: Vec<_> =
        futures::future::join_all(together).await.iter().map(|page| Tokens::of(page).refresh).collect();
    broker.clock.advance(Duration::from_secs(119));
    successors.push(Tokens::of(&client.refresh(&broker, &first.refresh).await).refresh);
    successors.dedup();
    assert_eq!(successors.len(), 1);
    let third = Tokens::of(&client.refresh(&broker, &successors[0]).await);
    dead(&client.refresh(&broker, &first.refresh).await);
    dead(&client.refresh(&broker, &third.refresh).await);
}

/// SEC-086: the window does not outlive the family's revocation.
#[tokio::test]
async fn sec_086_a_duplicate_of_a_revoked_family_is_dead() {
    let (broker, client, _) = two_clients().await;
    let first = client.tokens(&broker).await;
    let second = Tokens::of(&client.refresh(&broker, &first.refresh).await);
    assert_eq!(client.refresh(&broker, &first.refresh).await.status, 200, "inside the window");
    assert_eq!(client.revoke(&broker, &second.refresh).await.status, 200);
    dead(&client.refresh(&broker, &first.refresh).await);
}

/// SEC-083 (CVE-2026-28513): another client's token is refused in every branch, and ends nothing.
#[tokio::test]
async fn sec_083_refresh_tokens_are_bound_to_their_client() {
    let (broker, a, b) = two_clients().await;
    let first = a.tokens(&broker).await;
    dead(&b.refresh(&broker, &first.refresh).await);
    let second = Tokens::of(&a.refresh(&broker, &first.refresh).await);
    dead(&b.refresh(&broker, &first.refresh).await);
    broker.clock.advance(Duration::from_secs(600));
    dead(&b.refresh(&broker, &first.refresh).await);
    assert_eq!(a.refresh(&broker, &second.refresh).await.status, 200, "the family lives");
}

/// SEC-087, INT-57: scope at refresh is cut, never wider, and only for the access token.
#[tokio::test]
async fn sec_087_scope_at_refresh() {
    let (broker, client, _) = two_clients().await;
    let tokens = client.tokens(&broker).await;
    assert_eq!(tokens.answer["scope"], "mcp:admin mcp:read mcp:write");
    let narrow = Tokens::of(&client.refresh_with(&broker, &tokens.refresh, &[("scope", "mcp:read")]).await);
    assert_eq!(narrow.answer["scope"], "mcp:read");
    let wide = [("scope", "mcp:read mcp:write other:scope")];
    let wide = Tokens::of(&client.refresh_with(&broker, &narrow.refresh, &wide).await);
    assert_eq!(wide.answer["scope"], "mcp:read mcp:write");
    let none = client.refresh_with(&broker, &wide.refresh, &[("scope", "other:scope")]).await;
    assert_eq!((none.status, none.error().as_str()), (400, "invalid_scope"));
    let all = Tokens::of(&client.refresh(&broker, &wide.refresh).await);
    assert_eq!(all.answer["scope"], "mcp:admin mcp:read mcp:write");
}

/// SEC-088, INT-55, INT-56: the audience stays.
#[tokio::test]
async fn sec_088_resource_at_refresh() {
    let (broker, client, _) = two_clients().await;
    let tokens = client.tokens(&broker).await;
    let other =
        client.refresh_with(&broker, &tokens.refresh, &[("resource", "https://other.example/")]).await;
    assert_eq!((other.status, other.error().as_str()), (400, "invalid_target"));
    let kept = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(kept.claims()["aud"], RESOURCE);
    let same = [("resource", "https://MCP.example.com:443/mcp/")];
    assert_eq!(client.refresh_with(&broker, &kept.refresh, &same).await.status, 200);
}

/// SEC-089: idle for 30 days, or 90 days old.
#[tokio::test]
async fn sec_089_idle_and_absolute_end() {
    let day = Duration::from_secs(24 * 3600);
    let (broker, client, _) = two_clients().await;
    let idle = client.tokens(&broker).await;
    broker.clock.advance(day * 30);
    dead(&client.refresh(&broker, &idle.refresh).await);
    let client = TestClient::register(&broker).await;
    let mut tokens = client.tokens(&broker).await;
    for _ in 0..4 {
        broker.clock.advance(day * 20);
        tokens = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    }
    broker.clock.advance(day * 10);
    dead(&client.refresh(&broker, &tokens.refresh).await);
}

/// SEC-090 (CVE-2026-43983): policy is asked again at every refresh. The same store
/// behind a policy that has lost the person.
#[tokio::test]
async fn sec_090_who_lost_access_is_refused_at_the_next_refresh() {
    let folder = crate::harness::temp_dir::TempDir::new();
    let store = format!("store: {}\n", folder.path().join("store.db").display());
    let before = TestBroker::with(Setup { store: store.clone(), ..Setup::default() }).await;
    before.provider.sign_in_as(Person::new("bob", "bob@example.com").in_groups(&["platform"]));
    let client = TestClient::register(&before).await;
    let tokens = client.tokens(&before).await;
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    let (clock, provider) = (before.clock.clone(), before.provider.clone());
    before.stop().await;
    for (access, status) in [
        ("  default_scopes: [mcp:read]\n", 200),
        ("  rules: [{ groups: [other], scopes: [mcp:read] }]\n", 400),
    ] {
        let setup = Setup { store: store.clone(), access: access.into(), ..Setup::default() };
        let after = TestBroker::replica(setup, clock.clone(), provider.clone()).await;
        let page = client.refresh(&after, &tokens.refresh).await;
        assert_eq!(page.status, status, "{}", page.body);
        if status == 200 {
            assert_eq!(page.json()["scope"], "mcp:read", "what is left");
        } else {
            assert_eq!(page.error(), "invalid_grant");
        }
        after.stop().await;
    }
}

/// SEC-091, CVE-2026-9802: a restart revives nothing and forgets nothing.
#[tokio::test]
async fn sec_091_reuse_is_detected_after_a_restart() {
    let folder = crate::harness::temp_dir::TempDir::new();
    let setup =
        Setup { store: format!("store: {}\n", folder.path().join("store.db").display()), ..Setup::default() };
    let before = TestBroker::with(setup.clone()).await;
    let client = TestClient::register(&before).await;
    let first = client.tokens(&before).await;
    let second = Tokens::of(&client.refresh(&before, &first.refresh).await);
    let (clock, provider) = (before.clock.clone(), before.provider.clone());
    before.stop().await;
    let after = TestBroker::replica(setup, clock.clone(), provider).await;
    let third = Tokens::of(&client.refresh(&after, &second.refresh).await);
    clock.advance(Duration::from_secs(120));
    dead(&client.refresh(&after, &first.refresh).await);
    dead(&client.refresh(&after, &third.refresh).await);
}

/// SEC-092 at the endpoint: a token that was touched.
#[tokio::test]
async fn sec_092_touched_tokens_are_dead() {
    let (broker, client, _) = two_clients().await;
    let tokens = client.tokens(&broker).await;
    for touched in [&tokens.refresh[..tokens.refresh.len() - 1], &format!("{}A", tokens.refresh), "glr_", "x"]
    {
        dead(&client.refresh(&broker, touched).await);
    }
    assert_eq!(client.refresh(&broker, &tokens.refresh).await.status, 200);
}

/// SEC-093: a client that registered without refresh gets no refresh token.
#[tokio::test]
async fn sec_093_refresh_only_for_clients_that_may() {
    let broker = TestBroker::start().await;
    let metadata = json!({ "redirect_uris": [REDIRECT], "grant_types": ["authorization_code"] });
    let client = TestClient::register_with(&broker, metadata).await;
    let tokens = client.tokens(&broker).await;
    assert!(tokens.answer.get("refresh_token").is_none());
}

/// SEC-133, INT-66: a client ends its own grant by either token, twice if it likes, whatever the
/// hint; an unknown token is no error; another client's stays alive.
#[tokio::test]
async fn sec_133_revocation() {
    let (broker, client, other) = two_clients().await;
    let tokens = client.tokens(&broker).await;
    let refused = other.revoke(&broker, &tokens.refresh).await;
    assert_eq!((refused.status, refused.error().as_str()), (400, "invalid_grant"));
    assert_eq!(client.revoke(&broker, "unknown").await.status, 200);
    let kept = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    for token in [&kept.refresh, &kept.access] {
        assert_eq!(client.revoke(&broker, token).await.status, 200);
    }
    dead(&client.refresh(&broker, &kept.refresh).await);
    for hint in ["", "access_token", "refresh_token", "nonsense"] {
        for of in [|tokens: &Tokens| tokens.refresh.clone(), |tokens: &Tokens| tokens.access.clone()] {
            let tokens = client.tokens(&broker).await;
            assert_eq!(client.revoke_with(&broker, &of(&tokens), hint).await.status, 200);
            dead(&client.refresh(&broker, &tokens.refresh).await);
        }
    }
}

/// INT-36: a client that has been used outlives its refresh tokens; one that never was is
/// forgotten.
#[tokio::test]
async fn int_36_used_clients_are_kept() {
    let day = Duration::from_secs(24 * 3600);
    let (broker, used, unused) = two_clients().await;
    used.tokens(&broker).await;
    broker.clock.advance(day * 90);
    let ask = async |client: &TestClient| broker.browser().get(&client.authorize_url(&broker)).await.status;
    assert_eq!((ask(&used).await, ask(&unused).await), (200, 400));
}
