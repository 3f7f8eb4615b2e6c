//! The HTML: one page to sign in, one to say what is wrong. No script.

use askama::Template;
use axum::http::StatusCode;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::{IntoResponse, Response};

use super::people::{PEOPLE, Person};

/// No `form-action`: it would also bind the redirects that follow the form (INT-71).
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'";

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Demo identity provider</title>
<style>
:root { color-scheme: light dark; --line: #8a8f98; --accent: #0b62c4; --soft: #f3f5f8; }
@media (prefers-color-scheme: dark) { :root { --accent: #8ab8ff; --soft: #23272e; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.25rem; font: 1rem/1.5 system-ui, sans-serif; }
main { max-width: 26rem; margin: 8vh auto 0; }
.tag { display: inline-block; border: 1px dashed var(--line); border-radius: .3rem;
  padding: 0 .5rem; font-size: .85rem; }
h1 { font-size: 1.5rem; margin: .75rem 0 .25rem; }
ul { list-style: none; margin: 1.25rem 0; padding: 0; }
li { margin: .6rem 0; }
button { width: 100%; min-height: 3.5rem; padding: .6rem .9rem; text-align: left; font: inherit;
  color: inherit; background: var(--soft); border: 1px solid var(--line); border-radius: .5rem;
  cursor: pointer; overflow-wrap: anywhere; }
button:hover { border-color: var(--accent); }
button:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
button strong, button span { display: block; }
button span, footer { font-size: .9rem; opacity: .8; }
</style>
</head>
<body>
<main>
<p class="tag">For trying things out only</p>
<h1>Demo identity provider</h1>
{%- if let Some(fault) = fault %}
<p role="alert" id="fault">{{ fault }}</p>
{%- else %}
<p>This page stands in for your company's sign-in. Who are you?</p>
<form method="post" action="authorize" id="sign-in">
<input type="hidden" name="request" value="{{ request }}">
<ul>
{%- for person in people %}
<li><button name="person" value="{{ person.key }}" id="person-{{ person.key }}">
<strong>{{ person.name }}</strong>
<span>{{ person.email }}</span>
<span>{{ person.about }}</span>
</button></li>
{%- endfor %}
</ul>
</form>
<footer>There are no passwords here. This provider listens on this computer only.</footer>
{%- endif %}
</main>
</body>
</html>
"#
)]
struct Page<'a> {
    fault: Option<&'a str>,
    request: &'a str,
    people: &'static [Person],
}

/// The sign-in page; `request` is the query to come back with.
pub(super) fn sign_in(request: &str) -> Response {
    answer(StatusCode::OK, &Page { fault: None, request, people: &PEOPLE })
}

/// A page that says what is wrong: there is no address that could safely be told.
pub(super) fn fault(text: &str) -> Response {
    answer(StatusCode::BAD_REQUEST, &Page { fault: Some(text), request: "", people: &[] })
}

fn answer(status: StatusCode, page: &Page<'_>) -> Response {
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CACHE_CONTROL, "no-store"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
    ];
    match page.render() {
        Ok(html) => (status, headers, html).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
