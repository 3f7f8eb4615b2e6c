//! What a proxy asks at `/verify` about a request to a protected server.

use super::broker::TestBroker;
use super::browser::{Browser, Page};

/// A request's target, as a proxy sends it.
pub(crate) type Asked<'a> = [(&'a str, &'a str); 3];

/// A request to the notes.
pub(crate) const NOTES: Asked<'static> =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "mcp.example.com"), ("x-forwarded-uri", "/mcp")];

/// A request to the wiki.
pub(crate) const WIKI: Asked<'static> =
    [("x-forwarded-proto", "https"), ("x-forwarded-host", "wiki.example.com"), ("x-forwarded-uri", "/mcp")];

/// What names a person to the server behind.
const IDENTITY: [&str; 5] =
    ["x-auth-user", "x-auth-email", "x-auth-client", "x-auth-scopes", "x-auth-tenant"];

/// Asks with these headers. Every answer sets or blanks every header that names a person (SEC-154).
pub(crate) async fn ask_with(broker: &TestBroker, headers: &[(&str, &str)]) -> Page {
    let url = broker.url("/verify");
    let browser = Browser::new();
    let mut request = browser.http().get(&url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let page = Page::of(&url, request.send().await.expect("an answer")).await;
    for name in IDENTITY {
        let given = page.headers.get_all(name).iter().count();
        assert_eq!(given, 1, "SEC-154: {name} at {}: {}", page.status, page.body);
        assert!(page.status == 200 || page.header(name).is_empty(), "SEC-154: {name} at {}", page.status);
    }
    page
}

/// Asks about a request with this `Authorization`.
pub(crate) async fn ask(broker: &TestBroker, asked: &Asked<'_>, authorization: &str) -> Page {
    ask_with(broker, &[&asked[..], &[("authorization", authorization)]].concat()).await
}
