//! A browser without a screen: it keeps cookies, fills in forms, and stops at every redirect so
//! that a test sees each one.

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, LOCATION};
use scraper::{Html, Selector};
use url::Url;

/// A cookie jar and a connection.
pub(crate) struct Browser {
    http: reqwest::Client,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// The address that was asked.
    pub(crate) url: String,
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: String,
}

impl Browser {
    /// A browser without cookies.
    #[expect(clippy::disallowed_methods, reason = "a test's browser, not the broker's client")]
    pub(crate) fn new() -> Self {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .cookie_store(true)
            .no_proxy()
            .build()
            .expect("a client");
        Self { http }
    }

    /// The connection, for requests that a browser would not make.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// Opens an address.
    pub(crate) async fn get(&self, url: &str) -> Page {
        let request = self.http.get(url).header("accept", "text/html,*/*");
        Page::of(url, request.send().await.expect("an answer")).await
    }

    /// Sends a form.
    pub(crate) async fn post(&self, url: &str, form: &[(&str, &str)]) -> Page {
        let request = self.http.post(url).header("accept", "text/html,*/*").form(form);
        Page::of(url, request.send().await.expect("an answer")).await
    }

    /// Presses a button of the page's form: everything hidden goes along.
    pub(crate) async fn press(&self, page: &Page, name: &str, value: &str) -> Page {
        let (action, mut fields) = page.form();
        fields.insert(name.to_owned(), value.to_owned());
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        self.post(&action, &fields).await
    }

    /// Follows redirects while they stay on this machine's servers, up to where `stop` begins.
    pub(crate) async fn follow(&self, mut page: Page, stop: &str) -> Page {
        for _ in 0..10 {
            match page.location() {
                Some(next) if !next.starts_with(stop) => page = self.get(&next).await,
                _ => return page,
            }
        }
        panic!("too many redirects; the last was {}", page.url);
    }
}

impl Page {
    /// Reads an answer whole.
    pub(crate) async fn of(url: &str, response: reqwest::Response) -> Self {
        Self {
            url: url.to_owned(),
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.text().await.expect("a body"),
        }
    }

    /// Where it leads.
    pub(crate) fn location(&self) -> Option<String> {
        self.headers.get(LOCATION).map(|value| value.to_str().expect("text").to_owned())
    }

    /// A header's text.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// The OAuth error code of a JSON answer.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_default().to_owned()
    }

    /// The address and the hidden fields of the page's form.
    pub(crate) fn form(&self) -> (String, BTreeMap<String, String>) {
        let html = Html::parse_document(&self.body);
        let select = |css: &str| Selector::parse(css).expect("a selector");
        let form = select("form");
        let form = html.select(&form).next().unwrap_or_else(|| panic!("no form in: {}", self.body));
        let action = form.value().attr("action").unwrap_or_default();
        let action = Url::parse(&self.url).expect("a URL").join(action).expect("a URL");
        let hidden = select("input[type=hidden]");
        let fields = form.select(&hidden).map(|input| {
            let attr = |name| input.value().attr(name).unwrap_or_default().to_owned();
            (attr("name"), attr("value"))
        });
        (action.to_string(), fields.collect())
    }

    /// The text of the elements that a selector finds.
    pub(crate) fn text(&self, css: &str) -> String {
        let html = Html::parse_document(&self.body);
        let selector = Selector::parse(css).expect("a selector");
        let found = html.select(&selector).map(|element| element.text().collect::<Vec<_>>().join(" "));
        found.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The parameters of a URL's query.
pub(crate) fn query(url: &str) -> BTreeMap<String, String> {
    Url::parse(url).expect("a URL").query_pairs().into_owned().collect()
}
