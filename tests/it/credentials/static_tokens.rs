//! Bearer tokens that stand in the configuration.

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::question::{NOTES, WIKI, ask};

const TOKEN: &str = "a-static-token-of-the-nightly-job-0123456789";

async fn broker() -> TestBroker {
    let usual = Setup::default();
    let resources = format!(
        "{}    required_scopes: [mcp:read]\n    accepts: [ci, access_token]\n  \
         - url: https://wiki.example.com/mcp\n    name: Wiki\n    scopes: {{ mcp:read: Read }}\n",
        usual.resources
    );
    let credentials = format!(
        "credentials:\n  - {{ id: ci, type: static, token: {TOKEN}, subject: nightly, scopes: [mcp:read] }}\n"
    );
    let extra = format!("trusted_proxies: [127.0.0.1]\nforward_auth: true\n{credentials}");
    TestBroker::with(Setup { extra, resources, ..usual }).await
}

/// It says who calls and what that may do, where it is accepted, and nowhere else.
#[tokio::test]
async fn a_static_token_counts_where_it_is_accepted() {
    let broker = broker().await;
    let page = ask(&broker, &NOTES, &format!("Bearer {TOKEN}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!((page.header("x-auth-user"), page.header("x-auth-scopes")), ("nightly", "mcp:read"));
    assert_eq!((page.header("x-auth-email"), page.header("x-auth-client")), ("", ""));
    let elsewhere = ask(&broker, &WIKI, &format!("Bearer {TOKEN}")).await;
    assert_eq!(elsewhere.status, 401);
    assert!(elsewhere.header("www-authenticate").contains("error=\"invalid_token\""));
}

/// Nothing that only resembles it counts.
#[tokio::test]
async fn what_resembles_a_static_token_is_refused() {
    let broker = broker().await;
    let shorter = &TOKEN[..TOKEN.len() - 1];
    for credential in ["Bearer".into(), format!("Bearer {shorter}"), format!("Bearer {TOKEN}0")] {
        let page = ask(&broker, &NOTES, &credential).await;
        assert_eq!(page.status, 401, "{credential}");
        assert!(page.header("www-authenticate").contains("error=\"invalid_token\""), "{credential}");
    }
    let basic = ask(&broker, &NOTES, &format!("Basic {TOKEN}")).await;
    assert!(!basic.header("www-authenticate").contains("error="), "no credential that is known");
}
