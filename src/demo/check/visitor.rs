//! A browser and an HTTP client in one: cookies, forms, redirects.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cookie::Cookie;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use url::Url;

use crate::outbound::Outbound;

use super::CheckFailed;

/// Keeps cookies by origin and name.
pub(super) struct Visitor {
    outbound: Outbound,
    cookies: BTreeMap<(String, String), String>,
}

/// What came back.
pub(super) struct Answer {
    pub(super) url: String,
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> String {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    }

    pub(super) fn location(&self) -> Option<String> {
        Some(self.header(LOCATION.as_str())).filter(|location| !location.is_empty())
    }

    pub(super) fn json(&self, step: &'static str) -> Result<Value, CheckFailed> {
        serde_json::from_str(&self.body).map_err(|_| CheckFailed { step, fault: self.summary() })
    }

    /// Enough to see what went wrong; never the query, which can hold a code.
    pub(super) fn summary(&self) -> String {
        let address = self.url.split('?').next().unwrap_or_default();
        let body: String = self.body.chars().take(300).collect();
        format!("{address} answered {}: {body}", self.status)
    }

    /// The form's address and hidden fields.
    fn form(&self) -> Option<(String, Vec<(String, String)>)> {
        let form = self.body.split_once("<form")?.1.split_once("</form>")?.0;
        let action = attribute(form.split_once('>')?.0, "action")?;
        let hidden = form.split("<input").skip(1).filter_map(|rest| {
            let tag = rest.split_once('>')?.0;
            Some((attribute(tag, "name")?, attribute(tag, "value")?))
        });
        Some((Url::parse(&self.url).ok()?.join(&action).ok()?.to_string(), hidden.collect()))
    }
}

/// An attribute of a tag that one of our own templates wrote.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split_once('"')?.0;
    Some(value.replace("&#38;", "&").replace("&amp;", "&"))
}

/// A parameter of a URL's query.
pub(super) fn parameter(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    url.query_pairs().find(|(own, _)| own == name).map(|(_, value)| value.into_owned())
}

/// The claims of a JWT, for showing them; whoever relies on them verifies them.
pub(super) fn claims(token: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?).ok()
}

impl Visitor {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self { outbound, cookies: BTreeMap::new() }
    }

    pub(super) async fn get(&mut self, step: &'static str, url: &str) -> Result<Answer, CheckFailed> {
        self.send(step, Request::get(url), Vec::new()).await
    }

    pub(super) async fn post_form(
        &mut self,
        step: &'static str,
        url: &str,
        form: &[(&str, &str)],
    ) -> Result<Answer, CheckFailed> {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = Request::post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(step, request, body.into_bytes()).await
    }

    pub(super) async fn post_json(
        &mut self,
        step: &'static str,
        url: &str,
        body: &Value,
        token: Option<&str>,
    ) -> Result<Answer, CheckFailed> {
        let mut request = Request::post(url)
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json, text/event-stream");
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(step, request, body.to_string().into_bytes()).await
    }

    /// Presses a button of a page's form.
    pub(super) async fn press(
        &mut self,
        step: &'static str,
        page: &Answer,
        button: (&str, &str),
    ) -> Result<Answer, CheckFailed> {
        let missing = || CheckFailed { step, fault: format!("no form: {}", page.summary()) };
        let (action, fields) = page.form().ok_or_else(missing)?;
        let mut form: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        form.push(button);
        self.post_form(step, &action, &form).await
    }

    /// Follows redirects to the end.
    pub(super) async fn follow(&mut self, step: &'static str, answer: Answer) -> Result<Answer, CheckFailed> {
        self.follow_until(step, answer, "stop nowhere").await
    }

    /// Follows redirects up to the one that leads to `stop`.
    pub(super) async fn follow_until(
        &mut self,
        step: &'static str,
        mut answer: Answer,
        stop: &str,
    ) -> Result<Answer, CheckFailed> {
        for _ in 0..10 {
            match answer.location() {
                Some(next) if !next.starts_with(stop) => answer = self.get(step, &next).await?,
                _ => return Ok(answer),
            }
        }
        Err(CheckFailed { step, fault: "too many redirects".into() })
    }

    async fn send(
        &mut self,
        step: &'static str,
        mut request: http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Answer, CheckFailed> {
        let failed = |fault: String| CheckFailed { step, fault };
        let url = request.uri_ref().map(ToString::to_string).unwrap_or_default();
        let origin =
            Url::parse(&url).map_or_else(|_| String::new(), |url| url.origin().ascii_serialization());
        let cookies = self.cookies.iter().filter(|((of, _), _)| *of == origin);
        let cookies: Vec<String> = cookies.map(|((_, name), value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let request = request.body(body).map_err(|fault| failed(fault.to_string()))?;
        let response = self.outbound.send(request).await.map_err(|fault| failed(fault.to_string()))?;
        for set in response.headers().get_all(SET_COOKIE) {
            let Some(cookie) = set.to_str().ok().and_then(|text| Cookie::parse(text).ok()) else { continue };
            let key = (origin.clone(), cookie.name().to_owned());
            if cookie.max_age().is_some_and(cookie::time::Duration::is_zero) {
                self.cookies.remove(&key);
            } else {
                self.cookies.insert(key, cookie.value().to_owned());
            }
        }
        let (parts, body) = response.into_parts();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { url, status: parts.status, headers: parts.headers, body })
    }
}
