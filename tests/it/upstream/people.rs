//! Which account a sign-in is, and what of it may decide.

use serde_json::{Value, json};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Page, query};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::keys::object;
use crate::harness::provider::Person;

use super::{Answered, assert_page, has_code, product, scopes};

/// Google behind the broker; its sign-in tells no groups, so no rule asks for one.
fn google() -> Setup {
    let access = "  default_scopes: [mcp:read]\n  admin_users: [alice@example.com]\n  \
                  admin_scopes: [mcp:read, mcp:write, mcp:admin]\n";
    Setup { preset: "google", access: access.into(), ..Setup::default() }
}

async fn sign_in(broker: &TestBroker, client: &TestClient, person: Person) -> Page {
    broker.provider.sign_in_as(person);
    Answered::of(broker, client.clone(), "idp").await.arrive().await
}

/// The `sub` of the token that a person gets.
async fn account(broker: &TestBroker, client: &TestClient, person: Person) -> Value {
    let page = sign_in(broker, client, person).await;
    let code = query(&page.location().unwrap_or_else(|| panic!("{}", page.body)))["code"].clone();
    Tokens::of(&client.redeem(broker, &code).await).claims()["sub"].clone()
}

/// SEC-053: only the JSON `true` verifies an email; without a verified email the domain decides
/// nothing, and the person is not admitted.
#[tokio::test]
async fn sec_053_only_true_verifies_an_email() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for said in [json!(false), json!("true"), json!("false"), json!(1), json!(null), json!([true]), json!({})]
    {
        let mut person = Person::new("alice", "alice@example.com");
        person.email_verified = said.clone();
        assert_page(&sign_in(&broker, &client, person).await, 403, &said.to_string());
    }
    broker.provider.misbehave(|m| m.claims = object(json!({"email_verified": null})));
    let person = Person::new("alice", "alice@example.com");
    assert_page(&sign_in(&broker, &client, person.clone()).await, 403, "absent");
    broker.provider.behave();
    assert!(has_code(&sign_in(&broker, &client, person).await));
}

/// SEC-053: where the operator says so the text counts as well; still only "true", at the provider that
/// it is said of.
#[tokio::test]
async fn sec_053_the_text_true_counts_where_the_operator_says_so() {
    let broker = product(
        "",
        "oidc",
        "    allowed_domains: [example.com]\n    email_verified_as_text: true\n",
        "  default_scopes: [mcp:read]\n",
    )
    .await;
    for (said, is_verified) in [
        (json!("true"), true),
        (json!(true), true),
        (json!("True"), false),
        (json!("false"), false),
        (json!("1"), false),
        (json!(1), false),
        (json!(["true"]), false),
        (json!(null), false),
    ] {
        let mut person = Person::new("alice", "alice@example.com");
        person.email_verified = said.clone();
        assert_eq!(scopes(&broker, person).await.is_ok(), is_verified, "{said}");
    }
}

/// SEC-053: email and verification are read from one document: what userinfo verifies says
/// nothing about the ID token's address, nor the other way round.
#[tokio::test]
async fn sec_053_email_and_its_verification_stand_in_one_document() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    let person = || Person::new("alice", "alice@example.com");
    // The address in the ID token, the verification only in userinfo.
    broker.provider.misbehave(|m| m.claims = object(json!({"email_verified": null})));
    assert_page(&sign_in(&broker, &client, person()).await, 403, "verified in userinfo");
    // The verification in the ID token, the address only in userinfo.
    broker.provider.misbehave(|m| {
        m.claims = object(json!({"email": null, "email_verified": true}));
        m.userinfo = object(json!({"email_verified": null}));
    });
    assert_page(&sign_in(&broker, &client, person()).await, 403, "verified in the ID token");
    // Both in userinfo.
    broker.provider.misbehave(|m| {
        m.claims = object(json!({"email": null, "email_verified": null}));
        m.userinfo = object(json!({}));
    });
    assert!(has_code(&sign_in(&broker, &client, person()).await));
}

/// SEC-054: the account is issuer and subject: a new subject with a known address is somebody
/// else, a known subject with a new address is the same, and so is nobody at another provider.
#[tokio::test]
async fn sec_054_the_account_is_issuer_and_subject() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let client = TestClient::register(&broker).await;
    let alice = account(&broker, &client, Person::new("1", "alice@example.com")).await;
    let renamed = account(&broker, &client, Person::new("1", "alice.b@example.com")).await;
    let recycled = account(&broker, &client, Person::new("2", "alice@example.com")).await;
    assert_eq!(alice, renamed);
    assert_ne!(alice, recycled);

    let other = broker.other.as_ref().unwrap();
    other.sign_in_as(Person::new("1", "alice@example.com"));
    let page = Answered::of(&broker, client.clone(), "other").await.arrive().await;
    let code = query(&page.location().unwrap())["code"].clone();
    let elsewhere = Tokens::of(&client.redeem(&broker, &code).await).claims()["sub"].clone();
    assert_ne!(alice, elsewhere);
}

/// IDP-matcher: an address that only looks like the allowed domain admits nobody, all the way.
#[tokio::test]
async fn idp_matcher_a_lookalike_is_not_admitted() {
    let broker = TestBroker::start().await;
    let client = TestClient::register(&broker).await;
    for address in [
        "a@evil-example.com",
        "a@example.com.evil",
        "a@evil@example.com",
        "\"a@example.com\"@evil",
        "a@\u{435}xample.com",
        "a@example.com\u{0}",
        "a@sub.example.com",
        "a@xn--example-.com",
        "a@example.com.",
        "a b@example.com",
    ] {
        assert_page(&sign_in(&broker, &client, Person::new("a", address)).await, 403, address);
    }
    for address in ["a@example.com", "A+tag@EXAMPLE.COM"] {
        assert!(has_code(&sign_in(&broker, &client, Person::new("a", address)).await), "{address}");
    }
}

/// IDP-google: `hd` decides, byte for byte, and only with a verified email; the address itself
/// decides nothing, since anyone can make an account on it.
#[tokio::test]
async fn idp_google_the_hosted_domain_decides() {
    let broker = TestBroker::with(google()).await;
    let client = TestClient::register(&broker).await;
    let with = |email: &str, hd: Value| Person::new("1", email).with("hd", hd);
    let mut unverified = with("alice@example.com", json!("example.com"));
    unverified.email_verified = json!(false);
    for (case, person) in [
        ("a consumer account on a corporate address", Person::new("1", "alice@example.com")),
        ("another organisation", with("alice@example.com", json!("other.example"))),
        ("a sub-domain", with("alice@example.com", json!("sub.example.com"))),
        ("a suffix", with("alice@example.com", json!("evil-example.com"))),
        ("not a text", with("alice@example.com", json!(["example.com"]))),
        ("unverified", unverified),
        ("a service account", Person::new("1", "bot@project.iam.gserviceaccount.com")),
        ("a consumer", Person::new("1", "alice@gmail.com")),
    ] {
        assert_page(&sign_in(&broker, &client, person).await, 403, case);
    }
    let hosted = |sub: &str| Person::new(sub, "alice@example.com").with("hd", json!("example.com"));
    let known = account(&broker, &client, hosted("1")).await;
    assert_ne!(known, account(&broker, &client, hosted("2")).await, "a re-made account is not the old one");
    assert_eq!(known, account(&broker, &client, hosted("1")).await);
    // Google may leave the scheme out of the issuer; the account is the same.
    broker.provider.misbehave(|m| m.claims = object(json!({"iss": "accounts.google.com"})));
    assert_eq!(known, account(&broker, &client, hosted("1")).await);
    // What the broker asks of Google is no proof of anything.
    assert!(broker.provider.authorize_requests().iter().all(|asked| !asked.contains_key("hd")));
}

/// IDP-google: `admin_users` names an address; without `hd` the provider is no authority for it.
#[tokio::test]
async fn idp_google_an_admin_address_needs_the_hosted_domain() {
    let broker = TestBroker::with(google()).await;
    let client = TestClient::register(&broker).await;
    let scope = async |person: Person| {
        let page = sign_in(&broker, &client, person).await;
        let code = query(&page.location().unwrap_or_else(|| panic!("{}", page.body)))["code"].clone();
        Tokens::of(&client.redeem(&broker, &code).await).answer["scope"].clone()
    };
    let alice = Person::new("1", "alice@example.com").with("hd", json!("example.com"));
    assert_eq!(scope(alice).await, "mcp:admin mcp:read mcp:write");
    let bob = Person::new("2", "bob@example.com").with("hd", json!("example.com"));
    assert_eq!(scope(bob).await, "mcp:read");
    let foreign = Person::new("3", "alice@example.com").with("hd", json!("other.example"));
    assert_page(&sign_in(&broker, &client, foreign).await, 403, "alice's address elsewhere");
}
