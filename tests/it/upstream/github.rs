//! GitHub: no ID token and no discovery; the numeric id, verified addresses, organisations.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::github::{Account, GitHub};

use super::{Answered, arrived, assert_page, assert_refused};

const ACCESS: &str = "  rules:\n    - { groups: [acme], scopes: [mcp:read] }\n    - { groups: [acme/platform], scopes: [mcp:write] }\n";

async fn start(organizations: &str) -> (TestBroker, GitHub) {
    let github = GitHub::start().await;
    let upstreams = format!(
        "  - id: github\n    preset: github\n    issuer: {}\n    client_id: Iv1.0123456789abcdef\n    client_secret: github-secret\n    organizations: [{organizations}]\n",
        github.origin()
    );
    (TestBroker::with(Setup { upstreams, access: ACCESS.into(), ..Setup::default() }).await, github)
}

async fn tokens(broker: &TestBroker, github: &GitHub, account: Account) -> Result<Tokens, String> {
    github.sign_in_as(account);
    arrived(broker, "github").await
}

/// IDP-github: members of the listed organisation, by its login or by its id, which does not change
/// hands; its teams are groups.
#[tokio::test]
async fn idp_github_organisation_and_team_decide() {
    for organizations in ["acme", "'id:4711'"] {
        let (broker, github) = start(organizations).await;
        let alice = tokens(&broker, &github, Account::new(1, "alice")).await.unwrap();
        assert_eq!(alice.answer["scope"], "mcp:read mcp:write");
        assert_eq!(alice.claims()["email"], "alice@example.com");
        let mut no_team = Account::new(2, "bob");
        no_team.teams.clear();
        assert_eq!(tokens(&broker, &github, no_team).await.unwrap().answer["scope"], "mcp:read");
        let mut stranger = Account::new(3, "eve");
        let evil = json!({"login": "evil", "id": 666});
        stranger.orgs =
            vec![evil.clone(), json!({"login": "Acme", "id": 667}), json!({"login": "id:4711", "id": null})];
        // A team of the same name in an organisation of one's own.
        stranger.teams = vec![json!({"id": 1, "slug": "platform", "organization": evil})];
        assert_refused(tokens(&broker, &github, stranger).await, "none of the organisations");
        assert!(broker.provider.token_requests().is_empty());
    }
}

/// IDP-github: the account is the numeric id: a renamed login is the same person, and a login that
/// somebody else took over is another one.
#[tokio::test]
async fn idp_github_a_renamed_login_is_the_same_account() {
    let (broker, github) = start("acme").await;
    let account = async |id, login| {
        let person = tokens(&broker, &github, Account::new(id, login)).await.unwrap();
        person.claims()["sub"].clone()
    };
    let alice = account(1, "alice").await;
    assert_eq!(alice, account(1, "alice-renamed").await);
    assert_ne!(alice, account(2, "alice").await, "a recycled login");
}

/// IDP-github: only the primary, verified address counts; the profile's is whatever its owner wrote.
#[tokio::test]
async fn idp_github_only_the_verified_primary_address() {
    let (broker, github) = start("acme").await;
    let address = |primary: Value, verified: Value| json!([{"email": "alice@example.com", "primary": primary, "verified": verified}]);
    for (emails, email) in [
        (address(json!(true), json!(true)), json!("alice@example.com")),
        (address(json!(true), json!(false)), Value::Null),
        (address(json!(false), json!(true)), Value::Null),
        (address(json!(true), json!("true")), Value::Null),
        (json!([]), Value::Null),
    ] {
        let person = Account { emails: emails.clone(), ..Account::new(1, "alice") };
        let claims = tokens(&broker, &github, person).await.unwrap().claims();
        assert_eq!(claims["email"], email, "{emails}");
    }
}

/// Organisations and teams beyond the first page are found.
#[tokio::test]
async fn idp_github_lists_are_read_to_their_end() {
    let (broker, github) = start("acme").await;
    let mut busy = Account::new(1, "alice");
    let others = (0..250).map(|n| json!({"login": format!("org-{n}"), "id": 10_000 + n}));
    busy.orgs = others.chain(busy.orgs).collect();
    assert_eq!(tokens(&broker, &github, busy).await.unwrap().answer["scope"], "mcp:read mcp:write");
    let pages = github.calls().iter().filter(|call| call.contains("/user/orgs")).count();
    assert_eq!(pages, 3);
}

/// SEC-044, SEC-045: PKCE goes along, there is no nonce, and the answer needs no `iss`, but a wrong
/// one is refused. GitHub refuses codes with status 200.
#[tokio::test]
async fn idp_github_the_exchange_is_plain_oauth() {
    let (broker, github) = start("acme").await;
    let answered = Answered::by(&broker, "github").await;
    let asked = &github.authorize_requests()[0];
    assert_eq!(asked["code_challenge_method"], "S256");
    assert_eq!(asked["scope"], "read:user user:email read:org");
    assert!(!asked.contains_key("nonce") && !asked.contains_key("login_hint"), "{asked:?}");
    let wrong = answered.url_with(&[("iss", "https://idp.example")]);
    assert_page(&answered.browser.get(&wrong).await, 400, "a wrong iss");
    github.refuse_codes();
    assert_page(&answered.arrive().await, 502, "a refused code");
}

/// The client, and the tokens of an account that has signed in through it.
async fn family(broker: &TestBroker, github: &GitHub, account: Account) -> (TestClient, Tokens) {
    github.sign_in_as(account);
    let answered = Answered::by(broker, "github").await;
    let code = crate::harness::browser::query(&answered.arrive().await.location().unwrap())["code"].clone();
    let tokens = Tokens::of(&answered.client.redeem(broker, &code).await);
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write");
    (answered.client, tokens)
}

async fn a_minute_later(broker: &TestBroker, client: &TestClient, tokens: &Tokens) -> Page {
    broker.clock.advance(Duration::from_secs(60));
    client.refresh(broker, &tokens.refresh).await
}

/// IDP-github: organisation and team are checked again at refresh. Whoever has left the organisation
/// gets nothing, whoever has left the team no more than its members do not get.
#[tokio::test]
async fn idp_github_whoever_leaves_loses_access_at_the_next_refresh() {
    for is_app in [false, true] {
        let (broker, github) = start("acme").await;
        if is_app {
            github.become_app();
        }
        let (client, tokens) = family(&broker, &github, Account::new(1, "alice")).await;
        let mut account = Account::new(1, "alice");
        account.teams.clear();
        github.sign_in_as(account.clone());
        let tokens = Tokens::of(&a_minute_later(&broker, &client, &tokens).await);
        assert_eq!(tokens.answer["scope"], "mcp:read");
        account.orgs.clear();
        github.sign_in_as(account);
        let left = a_minute_later(&broker, &client, &tokens).await;
        assert_eq!((left.status, left.error().as_str()), (400, "invalid_grant"), "{}", left.body);
        // A login that was renamed is the same person.
        github.sign_in_as(Account::new(1, "alice-renamed"));
        let back = Tokens::of(&a_minute_later(&broker, &client, &tokens).await);
        assert_eq!(back.answer["scope"], "mcp:read mcp:write");
        assert_eq!(back.claims()["sub"], tokens.claims()["sub"]);
        assert_eq!(back.claims()["email"], "alice-renamed@example.com");
    }
}

/// IDP-github: a token that was taken back ends the family; a limit, a fault and another account's
/// answer say nothing of the person.
#[tokio::test]
async fn idp_github_only_a_token_that_was_taken_back_ends_the_family() {
    let (broker, github) = start("acme").await;
    let (client, mut tokens) = family(&broker, &github, Account::new(1, "alice")).await;
    for trouble in [StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY] {
        github.answer_with(Some(trouble));
        tokens = Tokens::of(&a_minute_later(&broker, &client, &tokens).await);
        assert_eq!(tokens.answer["scope"], "mcp:read mcp:write", "{trouble}");
    }
    github.answer_with(None);
    let mut other = Account::new(2, "alice");
    other.teams.clear();
    github.sign_in_as(other);
    tokens = Tokens::of(&a_minute_later(&broker, &client, &tokens).await);
    assert_eq!(tokens.answer["scope"], "mcp:read mcp:write", "another account's facts");
    github.answer_with(Some(StatusCode::UNAUTHORIZED));
    let ended = a_minute_later(&broker, &client, &tokens).await;
    assert_eq!((ended.status, ended.error().as_str()), (400, "invalid_grant"), "{}", ended.body);
    github.sign_in_as(Account::new(1, "alice"));
    github.answer_with(None);
    let over = a_minute_later(&broker, &client, &tokens).await;
    assert_eq!(over.error(), "invalid_grant");
}

/// IDP-github: a GitHub App's refresh token that GitHub does not know any more, said with status 200.
#[tokio::test]
async fn idp_github_a_refused_refresh_token_ends_the_family() {
    let (broker, github) = start("acme").await;
    github.become_app();
    let (client, tokens) = family(&broker, &github, Account::new(1, "alice")).await;
    let tokens = Tokens::of(&a_minute_later(&broker, &client, &tokens).await);
    // The tokens begin anew: the one that we have is of before.
    github.become_app();
    let ended = a_minute_later(&broker, &client, &tokens).await;
    assert_eq!((ended.status, ended.error().as_str()), (400, "invalid_grant"), "{}", ended.body);
}
