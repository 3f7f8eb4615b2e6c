//! A browser that signs in: it follows redirects, and on every page it presses the first button. At
//! the identity provider it is somebody else every time: sessions of one person share a record.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cookie::Cookie;
use gatelodge::outbound::Outbound;
use gatelodge::secret::random;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{Request, StatusCode};
use scraper::{ElementRef, Html, Selector};
use url::Url;

use crate::Fault;

/// The media type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

/// Most pages and redirects of one sign-in.
const MOST_STEPS: usize = 12;

/// Signs in from `start` until it is sent to `redirect`; gives back the code that stands there.
pub(crate) async fn code(outbound: &Outbound, start: &str, redirect: &str) -> Result<String, Fault> {
    let mut browser = Browser { outbound, cookies: BTreeMap::new() };
    let mut at = browser.open(Request::get(start).body(Vec::new())?).await?;
    for _ in 0..MOST_STEPS {
        let request = match at {
            Arrival::Sent(url) if url.as_str().starts_with(redirect) => {
                let code = url.query_pairs().find(|(name, _)| name == "code");
                return code
                    .map(|(_, code)| code.into_owned())
                    .ok_or_else(|| format!("no code: {url}").into());
            }
            Arrival::Sent(url) => Request::get(url.as_str()).body(Vec::new())?,
            Arrival::Page(url, html) => press_first_button(&url, &html)?,
        };
        at = browser.open(request).await?;
    }
    Err("the sign-in goes round in circles".into())
}

enum Arrival {
    Page(Url, String),
    Sent(Url),
}

/// All servers of a run are one host, so its cookies are all cookies.
struct Browser<'a> {
    outbound: &'a Outbound,
    cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    async fn open(&mut self, mut request: Request<Vec<u8>>) -> Result<Arrival, Fault> {
        let url = Url::parse(&request.uri().to_string())?;
        if !self.cookies.is_empty() {
            let all: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request.headers_mut().insert(COOKIE, all.join("; ").parse()?);
        }
        let answer = self.outbound.send(request).await?;
        for set in answer.headers().get_all(SET_COOKIE) {
            let cookie = Cookie::parse(set.to_str()?)?;
            self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
        }
        if let Some(next) = answer.headers().get(LOCATION) {
            return Ok(Arrival::Sent(url.join(next.to_str()?)?));
        }
        let page = String::from_utf8_lossy(answer.body()).into_owned();
        if answer.status() == StatusCode::OK {
            return Ok(Arrival::Page(url, page));
        }
        Err(format!("{} answered {}: {page}", url.path(), answer.status()).into())
    }
}

/// The page's form with its hidden fields and its first button.
fn press_first_button(url: &Url, html: &str) -> Result<Request<Vec<u8>>, Fault> {
    static FORMS: LazyLock<Selector> = LazyLock::new(|| selector("form"));
    static HIDDEN: LazyLock<Selector> = LazyLock::new(|| selector("input[type=hidden]"));
    static BUTTON: LazyLock<Selector> = LazyLock::new(|| selector("button[name]"));
    let html = Html::parse_document(html);
    let form = html.select(&FORMS).next().ok_or_else(|| format!("{url} shows no form"))?;
    let attribute = |element: ElementRef<'_>, name| element.attr(name).unwrap_or_default().to_owned();
    let fields = form.select(&HIDDEN).chain(form.select(&BUTTON).take(1));
    let fields = fields.map(|field| match (attribute(field, "name"), attribute(field, "value")) {
        (name, value) if name == "person" => (name, format!("{value}+{}", random::id())),
        field => field,
    });
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let action = url.join(&attribute(form, "action"))?;
    Ok(Request::post(action.as_str()).header(CONTENT_TYPE, FORM).body(body.into_bytes())?)
}

fn selector(css: &str) -> Selector {
    Selector::parse(css).expect("a selector of ours")
}
