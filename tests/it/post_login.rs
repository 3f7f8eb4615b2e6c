//! Where people are sent after a sign-in or a sign-out: to a client's own redirect URI, or to a page of ours.

use crate::harness::broker::TestBroker;
use crate::harness::browser::Browser;

/// SEC-158: no address of ours takes a URL to go on to, in none of the spellings that browsers follow.
#[tokio::test]
async fn sec_158_nobody_is_sent_where_a_parameter_says() {
    let broker = TestBroker::start().await;
    let browser = Browser::new();
    for path in
        ["/", "/oauth/logout", "/oauth/logout/done", "/oauth/authorize", "/oauth/callback/okta", "/verify"]
    {
        for name in ["rd", "next", "url", "redirect", "redirect_uri", "return_to", "post_logout_redirect_uri"]
        {
            for value in
                ["https://e.example/", "//e.example", "/%5Ce.example", "https:e.example", "/%09/e.example"]
            {
                let page = browser.get(&broker.url(&format!("{path}?{name}={value}"))).await;
                let to = page.header("location");
                assert!(!to.contains("e.example"), "{path} {name}={value}: {to}");
                let links = ["href=\"https://e.example", "href=\"//e.example", "action=\"//e.example"];
                assert!(links.iter().all(|link| !page.body.contains(link)), "{path} {name}={value}");
                assert_eq!(page.header("refresh"), "", "{path} {name}={value}");
            }
        }
    }
}
