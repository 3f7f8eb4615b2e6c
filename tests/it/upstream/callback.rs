//! The provider's answer: whose it is, in which browser, how often, and what it says.

use std::time::Duration;

use serde_json::json;

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::{Page, query};
use crate::harness::client::{TestClient, Tokens, VERIFIER};
use crate::harness::provider::{ResponseIss, Signing};

use super::{Answered, assert_page, has_code};

/// SEC-042: a state that is absent, altered, another sign-in's or nobody's gets a page, and the
/// provider's token endpoint hears nothing; each in the very browser that approved.
#[tokio::test]
async fn sec_042_a_state_that_is_not_this_sign_ins_is_refused_before_any_call() {
    let broker = TestBroker::start().await;
    let other = Answered::by(&broker, "idp").await.parameter("state");
    let (other_id, other_secret) = other.split_once('.').unwrap();
    type Alter = fn(&str, &str, (&str, &str)) -> Vec<String>;
    let cases: [(&str, Alter); 9] = [
        ("absent", |_, _, _| vec![]),
        ("the id alone", |id, _, _| vec![id.into()]),
        ("the id and an empty secret", |id, _, _| vec![format!("{id}.")]),
        ("cut by one", |id, secret, _| vec![format!("{id}.{}", &secret[..secret.len() - 1])]),
        ("one longer", |id, secret, _| vec![format!("{id}.{secret}A")]),
        ("another's secret", |id, _, (_, other)| vec![format!("{id}.{other}")]),
        ("another's id", |_, secret, (other, _)| vec![format!("{other}.{secret}")]),
        ("nobody's", |_, secret, _| vec![format!("{}.{secret}", "A".repeat(22))]),
        ("twice", |id, secret, _| vec![format!("{id}.{secret}"), format!("{id}.{secret}")]),
    ];
    for (case, alter) in cases {
        let answered = Answered::by(&broker, "idp").await;
        let state = answered.parameter("state");
        let (id, secret) = state.split_once('.').unwrap();
        let mut url = answered.url_with(&[("state", "")]);
        for state in alter(id, secret, (other_id, other_secret)) {
            url = format!("{url}&state={state}");
        }
        assert_page(&answered.browser.get(&url).await, 400, case);
        assert_eq!(broker.provider.token_requests(), [], "{case}");
    }
}

/// SEC-042: ten minutes, by the injected clock, at the very second.
#[tokio::test]
async fn sec_042_a_state_lives_ten_minutes() {
    let broker = TestBroker::start().await;
    let answered = Answered::by(&broker, "idp").await;
    broker.clock.advance(Duration::from_secs(600));
    assert_page(&answered.arrive().await, 400, "after 600 s");
    assert_eq!(broker.provider.token_requests(), []);

    let answered = Answered::by(&broker, "idp").await;
    broker.clock.advance(Duration::from_secs(599));
    assert!(has_code(&answered.arrive().await), "after 599 s");
}

/// SEC-029, SEC-042: the captured answer of an attacker's own sign-in is worth nothing in another
/// browser, with a sign-in of its own or without; where it belongs it still works afterwards.
#[tokio::test]
async fn sec_042_another_browser_gets_a_page_and_no_call_is_made() {
    let broker = TestBroker::start().await;
    let attackers = Answered::by(&broker, "idp").await;
    let victim = Answered::by(&broker, "idp").await;
    assert_page(&victim.browser.get(&attackers.url).await, 400, "a browser with another sign-in");
    assert_page(&broker.browser().get(&attackers.url).await, 400, "a browser without cookies");
    assert_eq!(broker.provider.token_requests(), []);
    assert!(has_code(&attackers.arrive().await));
    assert!(has_code(&victim.arrive().await));
}

/// SEC-042, SEC-057: the second callback gets a page, no second call is made, and what the first
/// one led to stands.
#[tokio::test]
async fn sec_057_a_callback_counts_once_and_the_first_one_stands() {
    let broker = TestBroker::start().await;
    let answered = Answered::by(&broker, "idp").await;
    let first = answered.arrive().await;
    assert_page(&answered.arrive().await, 400, "the second");
    assert_eq!(broker.provider.token_requests().len(), 1);
    let code = query(&first.location().unwrap())["code"].clone();
    let _ = Tokens::of(&answered.client.redeem(&broker, &code).await);
}

/// SEC-057: of two callbacks at once, with the same cookie, one is answered with a code, and the
/// provider's code is redeemed once.
#[tokio::test]
async fn sec_057_of_two_callbacks_at_once_one_counts() {
    let broker = TestBroker::start().await;
    let answered = Answered::by(&broker, "idp").await;
    let pages: [Page; 2] = tokio::join!(answered.arrive(), answered.arrive()).into();
    assert_eq!(pages.iter().filter(|page| has_code(page)).count(), 1, "{pages:?}");
    assert_eq!(pages.iter().filter(|page| page.status == 400).count(), 1, "{pages:?}");
    assert_eq!(broker.provider.token_requests().len(), 1);
}

/// SEC-044: S256 towards the provider, answered at its token endpoint; and SEC-042, SEC-043:
/// state, nonce and challenge are new each time, and none is what the client sent.
#[tokio::test]
async fn sec_044_each_sign_in_has_its_own_pkce_nonce_and_state_towards_the_provider() {
    let broker = TestBroker::start().await;
    for _ in 0..2 {
        assert!(has_code(&super::arrival(&broker).await));
    }
    let asked = broker.provider.authorize_requests();
    for request in &asked {
        assert_eq!(request["code_challenge_method"], "S256");
        assert_eq!(request["code_challenge"].len(), 43);
        assert!(request["state"].len() >= 43 && request["nonce"].len() >= 22, "{request:?}");
    }
    for name in ["state", "nonce", "code_challenge"] {
        assert_ne!(asked[0][name], asked[1][name], "{name}");
    }
    for call in broker.provider.token_requests() {
        let verifier = &call.form["code_verifier"];
        assert!(verifier.len() >= 43 && verifier != VERIFIER, "{verifier}");
    }
}

/// SEC-045: an answer that names another issuer, or none where the provider announces its name,
/// gets a page and no call. A provider that announces nothing may leave it out, not lie.
#[tokio::test]
async fn sec_045_the_answer_names_the_provider_that_was_asked() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    let provider = &broker.provider;
    let others = broker.other.as_ref().unwrap().issuer().to_owned();
    let slash = format!("{}/", provider.issuer());
    for iss in [
        ResponseIss::Wrong(others.clone()),
        ResponseIss::Wrong(slash),
        ResponseIss::Wrong(String::new()),
        ResponseIss::Missing,
    ] {
        provider.misbehave(|m| m.response_iss = iss.clone());
        assert_page(&super::arrival(&broker).await, 400, &format!("{iss:?}"));
        assert_eq!(provider.token_requests(), [], "{iss:?}");
    }
    provider.behave();

    let silent = TestBroker::start().await;
    let unannounced = |iss: ResponseIss| {
        silent.provider.misbehave(|m| {
            let name = "authorization_response_iss_parameter_supported";
            m.discovery.insert(name.into(), json!(null));
            m.response_iss = iss;
        });
    };
    unannounced(ResponseIss::Wrong(others));
    assert_page(&super::arrival(&silent).await, 400, "unannounced, wrong");
    assert_eq!(silent.provider.token_requests(), []);
    unannounced(ResponseIss::Missing);
    assert!(has_code(&super::arrival(&silent).await));
}

/// SEC-045: one provider's answer at the other's path is a page, and neither is called.
#[tokio::test]
async fn sec_045_each_provider_has_its_own_callback() {
    let broker = TestBroker::with(Setup { two_upstreams: true, ..Setup::default() }).await;
    // Without `iss` in the answer the path alone tells them apart.
    for provider in [&broker.provider, broker.other.as_ref().unwrap()] {
        provider.misbehave(|m| {
            let name = "authorization_response_iss_parameter_supported";
            m.discovery.insert(name.into(), json!(null));
            m.response_iss = ResponseIss::Missing;
        });
    }
    for (from, to) in [("idp", "other"), ("other", "idp"), ("idp", "nobody")] {
        let answered = Answered::by(&broker, from).await;
        let moved = answered.url.replace(&format!("/callback/{from}"), &format!("/callback/{to}"));
        assert_ne!(moved, answered.url);
        let status = if to == "nobody" { 404 } else { 400 };
        assert_page(&answered.browser.get(&moved).await, status, to);
    }
    assert_eq!(broker.provider.token_requests(), []);
    assert_eq!(broker.other.as_ref().unwrap().token_requests(), []);
}

/// SEC-046: what the provider says about an error is text on a page; the same check of `iss`
/// holds for errors; and a person who declined goes back to the client without that text.
#[tokio::test]
async fn sec_046_the_providers_error_text_is_inert() {
    let broker = TestBroker::start().await;
    let script = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    broker.provider.misbehave(|m| m.authorize_error = Some((format!("bad{script}"), script.into())));
    let page = super::arrival(&broker).await;
    assert_page(&page, 502, "hostile text");
    assert!(page.text("main").contains("alert(1)"), "{}", page.text("main"));
    assert!(!page.body.contains("<script>alert") && !page.body.contains("<img src=x"), "{}", page.body);
    assert!(page.header("content-security-policy").contains("default-src 'none'"));

    let declined = ("access_denied".to_owned(), script.to_owned());
    broker.provider.misbehave(|m| m.authorize_error = Some(declined));
    let back = query(&super::arrival(&broker).await.location().unwrap());
    assert_eq!((back["error"].as_str(), back["state"].as_str()), ("access_denied", "st/ate=="));
    assert_eq!(back["iss"], broker.issuer);
    assert!(!back["error_description"].contains("alert"), "{back:?}");

    broker.provider.misbehave(|m| m.response_iss = ResponseIss::Missing);
    assert_page(&super::arrival(&broker).await, 400, "an error without iss");
    assert_eq!(broker.provider.token_requests(), []);
}

/// SEC-058: in no answer of the broker, good or bad, stands anything that the provider gave out;
/// nor in the claims of our tokens.
#[tokio::test]
async fn sec_058_what_the_provider_gives_out_stays_inside() {
    let broker = TestBroker::start().await;
    // Without an email in the ID token, the access token is used at the userinfo endpoint, too.
    broker.provider.misbehave(|m| drop(m.claims.insert("email".into(), json!(null))));
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    let refreshed = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    client.revoke(&broker, &refreshed.refresh).await;
    assert_eq!(broker.provider.fetches().userinfo, 1);
    for signing in [Signing::Unsigned, Signing::UnknownKid] {
        broker.provider.misbehave(|m| m.signing = signing);
        assert_page(&super::arrival(&broker).await, 502, "a forged ID token");
    }
    let given_out = broker.provider.given_out();
    assert_eq!(given_out.len(), 9, "three codes, ID tokens and access tokens");
    let exchanges = broker.exchanges.all();
    assert!(exchanges.len() > 12);
    for exchange in &exchanges {
        let answer = exchange.answer();
        let found = given_out.iter().find(|secret| answer.contains(*secret));
        assert_eq!(found, None, "{} {}", exchange.status, exchange.path);
    }
    for ours in [&tokens, &refreshed] {
        let claims = ours.claims().to_string();
        assert!(!given_out.iter().any(|secret| claims.contains(secret)), "{claims}");
    }
}

/// SEC-059: away by 303, no referrer, nothing from a third party; on the pages of failure too.
#[tokio::test]
async fn sec_059_the_callback_leads_away_and_fetches_nothing() {
    let broker = TestBroker::start().await;
    let answered = Answered::by(&broker, "idp").await;
    let good = answered.arrive().await;
    assert_eq!(good.status, 303);
    assert_eq!(good.body, "");
    let bad = answered.arrive().await;
    broker.provider.misbehave(|m| m.signing = Signing::Unsigned);
    let refused = super::arrival(&broker).await;
    for page in [&good, &bad, &refused] {
        assert_eq!(page.header("referrer-policy"), "no-referrer", "{}", page.status);
        assert_eq!(page.header("cache-control"), "no-store", "{}", page.status);
    }
    for page in [&bad, &refused] {
        assert!(page.header("content-security-policy").starts_with("default-src 'none'"));
        let html = scraper::Html::parse_document(&page.body);
        let fetched = "[src], link[href], object[data], [srcset], [style*='url(']";
        let fetched = scraper::Selector::parse(fetched).unwrap();
        for element in html.select(&fetched) {
            let from = element.value().attr("src").or_else(|| element.value().attr("href")).unwrap_or("?");
            assert!(from.starts_with("/assets/"), "{from}");
        }
    }
}
