//! The pages as a browser reads them: parsed, not searched as text.

mod gallery;

use gallery::{ALICE, HOSTILE, SERVER, consent, gallery, link, redirect};
use gatelodge::pages::{
    ClientView, ConsentPage, ErrorPage, FindView, NoAccessPage, Problem, ReturnPage, SignOutPage,
    UpstreamView, assets, clean, csp,
};
use gatelodge::protocol::ErrorCode;
use scraper::{ElementRef, Html, Selector};

fn select<'a>(page: &'a Html, css: &str) -> Vec<ElementRef<'a>> {
    let selector = Selector::parse(css).unwrap();
    page.select(&selector).collect()
}

fn words(element: ElementRef<'_>) -> String {
    element.text().collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn all_words(page: &Html) -> String {
    words(select(page, "main")[0])
}

fn attribute<'a>(element: ElementRef<'a>, name: &str) -> &'a str {
    element.value().attr(name).unwrap_or_default()
}

/// SEC-032, SEC-046, SEC-160: on every page, nothing but our own markup, and nothing from elsewhere.
#[test]
fn every_page_is_inert() {
    for (name, html) in gallery() {
        let page = Html::parse_document(&html);
        assert_eq!(format!("{:?}", page.quirks_mode), "NoQuirks", "{name}");
        for forbidden in ["script", "style", "iframe", "object", "embed", "base", "meta[http-equiv]", "svg"] {
            assert!(select(&page, forbidden).is_empty(), "{name}: {forbidden}");
        }
        for element in select(&page, "*") {
            for (attribute, value) in element.value().attrs() {
                assert!(attribute != "style" && !attribute.starts_with("on"), "{name}: {attribute}");
                let loads = matches!(attribute, "src" | "srcset" | "action" | "formaction")
                    || (attribute == "href" && element.value().name() == "link");
                assert!(!loads || (value.starts_with('/') && !value.starts_with("//")), "{name}: {value}");
            }
        }
        let invisible = |c: char| {
            c.is_control() && c != '\n'
                || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}')
        };
        assert!(!html.contains(invisible), "{name}");
    }
}

/// Readable by a screen reader: language, one title, one first heading, landmarks, no skipped level.
#[test]
fn every_page_has_its_landmarks() {
    for (name, html) in gallery() {
        let page = Html::parse_document(&html);
        assert_eq!(attribute(select(&page, "html")[0], "lang"), "en", "{name}");
        assert!(select(&page, "meta[name=viewport]").len() == 1, "{name}");
        for once in ["title", "h1", "main", "header", "footer"] {
            assert_eq!(select(&page, once).len(), 1, "{name}: {once}");
            let spoken = words(select(&page, once)[0]);
            assert!(!spoken.is_empty(), "{name}: {once}");
        }
        assert!(select(&page, "h3").is_empty() && select(&page, "img:not([alt])").is_empty(), "{name}");
        for control in select(&page, "button, a") {
            assert!(!words(control).is_empty(), "{name}: a control without a label");
        }
        for described in select(&page, "[aria-describedby], [aria-labelledby]") {
            let id =
                [attribute(described, "aria-describedby"), attribute(described, "aria-labelledby")].concat();
            assert_eq!(select(&page, &format!("#{id}")).len(), 1, "{name}: {id}");
        }
    }
}

/// Everything that a page loads is served, under the issuer's own path.
#[test]
fn every_page_loads_only_what_is_served() {
    for (name, html) in gallery() {
        let page = Html::parse_document(&html);
        for element in select(&page, "link, img") {
            let path = [attribute(element, "href"), attribute(element, "src")].concat();
            let below = ["/auth", "/a"].iter().find_map(|base| path.strip_prefix(&format!("{base}/assets")));
            let path = below.map_or(path.clone(), |rest| format!("/assets{rest}"));
            assert!(assets::find(&path).is_some(), "{name}: {path}");
        }
    }
    assert!(assets::find("/assets/gatelodge.css").is_none());
    let css = std::str::from_utf8(assets::stylesheet().bytes).unwrap();
    assert!(!css.contains("url(") && !css.contains("@import"), "the stylesheet loads nothing");
}

/// SEC-033, SEC-034: one form, by POST, with exactly the fields that the consent step reads.
#[test]
fn the_consent_form_holds_exactly_its_fields() {
    let local = redirect("http://127.0.0.1:1/cb");
    let html = ConsentPage { base: "/auth", ..consent(&local, Some("x")) }.render();
    let page = Html::parse_document(&html);
    let [form] = select(&page, "form")[..] else { panic!("one form") };
    assert_eq!((attribute(form, "method"), attribute(form, "action")), ("post", "/auth/oauth/consent"));
    let fields: Vec<_> = select(&page, "form input, form button, form select, form textarea")
        .into_iter()
        .map(|field| {
            let [kind, name, value] = ["type", "name", "value"].map(|key| attribute(field, key));
            (kind, name, value, words(field))
        })
        .collect();
    let expected = [
        ("hidden", "login", "AAAAAAAAAAAAAAAAAAAAAA", ""),
        ("hidden", "form_token", "form-token-1", ""),
        ("submit", "upstream", "okta", "Continue with Okta"),
        ("submit", "action", "deny", "Deny"),
    ];
    assert_eq!(fields, expected.map(|(kind, name, value, label)| (kind, name, value, label.to_owned())));
    assert!(select(&page, "input, button").len() == 4, "no field outside the form");
}

/// Four providers and the field: by name, each with a mark that nobody has to see or own; Enter in
/// the field is its own button's, and no other button stumbles over a half-written address.
#[test]
fn four_providers_and_a_field() {
    let local = redirect("http://127.0.0.1:1/cb");
    let names = [("g", "Google"), ("e", "Microsoft Entra"), ("k", "42 Partner"), ("x", "\u{202E}…")];
    let upstreams = names.map(|(id, name)| UpstreamView { id, name }).to_vec();
    let find = Some(FindView { email: Some("alice@example.com"), problem: None });
    let html = ConsentPage { upstreams, find, ..consent(&local, Some("x")) }.render();
    let page = Html::parse_document(&html);
    let buttons = select(&page, "form button");
    let values: Vec<_> = buttons.iter().map(|button| attribute(*button, "value")).collect();
    assert_eq!(values, ["find", "g", "e", "k", "x", "deny"]);
    for button in &buttons[1..] {
        assert!(button.value().attr("formnovalidate").is_some(), "{}", words(*button));
    }
    let marks = select(&page, "button .mark");
    let letters: Vec<_> = marks.iter().map(|mark| words(*mark)).collect();
    assert_eq!(letters, ["G", "M", "4", ""]);
    assert!(marks.iter().all(|mark| attribute(*mark, "aria-hidden") == "true"));
    let [field] = select(&page, "input[type=email]")[..] else { panic!("one field") };
    assert_eq!((attribute(field, "name"), attribute(field, "value")), ("email", "alice@example.com"));
    assert_eq!(field.value().attr("required"), None, "the buttons work without an address");
    assert!(select(&page, "[role=alert]").is_empty());
}

/// Signed in: Allow is a form of its own, so that Enter in the address field of the other one cannot
/// press it; without JavaScript the other ways in unfold all the same.
#[test]
fn beside_allow_the_other_ways_in_are_another_form() {
    let local = redirect("http://127.0.0.1:1/cb");
    let find = Some(FindView { email: None, problem: None });
    let html = ConsentPage { signed_in: Some(ALICE), find, ..consent(&local, Some("x")) }.render();
    let page = Html::parse_document(&html);
    let [allow, other] = select(&page, "form")[..] else { panic!("two forms") };
    let buttons = |form: ElementRef<'_>| -> Vec<String> {
        let button = Selector::parse("button").unwrap();
        form.select(&button).map(|button| attribute(button, "value").to_owned()).collect()
    };
    assert_eq!(buttons(allow), ["allow", "deny"]);
    assert_eq!(buttons(other), ["find", "okta"]);
    for form in [allow, other] {
        let hidden = Selector::parse("input[type=hidden]").unwrap();
        let names: Vec<_> = form.select(&hidden).map(|input| attribute(input, "name")).collect();
        assert_eq!(names, ["login", "form_token"]);
        assert_eq!((attribute(form, "method"), attribute(form, "action")), ("post", "/oauth/consent"));
    }
    let [details] = select(&page, "details")[..] else { panic!("one fold") };
    assert_eq!(details.value().attr("open"), None);
    assert_eq!(words(select(&page, "details > summary")[0]), "Use another account");
    assert!(
        all_words(&page).contains("You are signed in as alice@example.com (Okta)."),
        "{}",
        all_words(&page)
    );
    assert!(all_words(&page).contains("By allowing, you approve this application."));
}

/// SEC-033: the sign-out form holds its token, the box and one button.
#[test]
fn the_sign_out_form_holds_exactly_its_fields() {
    let html = SignOutPage { base: "/auth", who: ALICE, form_token: "t" }.render();
    let page = Html::parse_document(&html);
    let [form] = select(&page, "form")[..] else { panic!("one form") };
    assert_eq!((attribute(form, "method"), attribute(form, "action")), ("post", "/auth/oauth/logout"));
    let fields: Vec<_> = select(&page, "form input, form button")
        .into_iter()
        .map(|field| ["type", "name", "value"].map(|key| attribute(field, key)))
        .collect();
    let expected = [["hidden", "form_token", "t"], ["checkbox", "end_access", "yes"], ["submit", "", ""]];
    assert_eq!(fields, expected);
    assert!(select(&page, "input[checked]").is_empty(), "nothing ends by default");
    assert_eq!(words(select(&page, "label[for=end-access]")[0]), "Also end the access of all applications");
}

/// SEC-030: name, client id (or its host), redirect host, resource, scopes, self-registered mark.
#[test]
fn consent_shows_who_where_and_what() {
    let claude = redirect("https://claude.ai/api/mcp/auth_callback");
    let mut view = consent(&claude, Some("Claude"));
    let html = view.render();
    let shown = all_words(&Html::parse_document(&html));
    for part in [
        "Allow Claude to use Acme tools?",
        "dyn_7Jx2PzqV0dK4",
        "claude.ai",
        "https://mcp.example.com/mcp",
        "Read documents",
        "mcp:write",
        "Self-registered. Gatelodge has not verified this name.",
        "By continuing, you approve this application.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    view.client = ClientView { id: "https://app.example/client.json", name: None, self_registered: false };
    let html = view.render();
    let shown = all_words(&Html::parse_document(&html));
    assert!(!shown.contains("Self-registered"), "{shown}");
    assert!(shown.contains("Described by app.example") && shown.contains(clean::UNNAMED), "{shown}");
}

/// SEC-031: destinations that any local program can claim carry a warning of their own.
#[test]
fn consent_warns_of_destinations_that_anyone_can_claim() {
    for (uri, warning) in [
        ("http://127.0.0.1:33418/", Some("an application on this computer")),
        ("http://[::1]:1/", Some("an application on this computer")),
        ("http://localhost/cb", Some("an application on this computer")),
        ("cursor://anysphere.cursor-mcp/cb", Some("Any installed application may claim this address")),
        ("https://claude.ai/cb", None),
    ] {
        let uri = redirect(uri);
        let html = consent(&uri, Some("x")).render();
        let page = Html::parse_document(&html);
        let cautions: Vec<_> = select(&page, "dd .caution").into_iter().map(words).collect();
        match warning {
            Some(text) => assert!(cautions.len() == 1 && cautions[0].contains(text), "{uri:?}: {cautions:?}"),
            None => assert!(cautions.is_empty(), "{uri:?}: {cautions:?}"),
        }
        let shown = all_words(&page);
        assert!(shown.contains(&uri.destination()), "{shown}");
    }
}

/// SEC-032: a name is text: escaped, stripped, cut.
#[test]
fn a_hostile_name_is_only_text() {
    let local = redirect("http://127.0.0.1:1/");
    let html = consent(&local, Some(HOSTILE)).render();
    let page = Html::parse_document(&html);
    let name = words(select(&page, "h1 bdi")[0]);
    assert!(name.starts_with("</bdi></h1><script>alert(1)</script><b onclick=x"), "{name}");
    assert!(name.chars().count() <= clean::LONGEST_NAME && name.ends_with('…'), "{name}");
    let html = consent(&local, Some(&"x".repeat(10_000))).render();
    assert!(html.len() < 8_000, "{}", html.len());
}

/// SEC-003, SEC-013: a way back leads to the checked redirect and nowhere else, state and all.
#[test]
fn a_way_back_is_the_checked_redirect() {
    let state = "\"><script>\r\n&";
    let back =
        link("https://a.example/cb?x=1", Some("Claude"), &[("error", "access_denied"), ("state", state)]);
    let html = ErrorPage { return_to: Some(back), ..ErrorPage::of("", Problem::FormReplayed) }.render();
    let page = Html::parse_document(&html);
    let [back] = select(&page, "main a")[..] else { panic!("one link") };
    let url = attribute(back, "href");
    assert_eq!(url, "https://a.example/cb?x=1&error=access_denied&state=%22%3E%3Cscript%3E%0D%0A%26");
    assert_eq!((words(back), attribute(back, "rel")), ("Return to Claude".to_owned(), "noreferrer"));
}

/// SEC-019: the page before the way back names the error and the destination, and needs a click.
#[test]
fn the_return_page_needs_a_click() {
    let page = ReturnPage {
        base: "",
        code: ErrorCode::InvalidScope,
        description: "No such scope.",
        return_to: link("https://a.example/cb", None, &[("error", "invalid_scope")]),
    };
    let html = page.render();
    let page = Html::parse_document(&html);
    let shown = all_words(&page);
    for part in ["invalid_scope", "No such scope.", "a.example", "Return to the application", "not verified"]
    {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(select(&page, "meta[http-equiv], form").is_empty());
}

/// Whom to ask becomes a link only where the link can be nothing else.
#[test]
fn a_contact_is_a_link_only_if_it_is_plainly_one() {
    for (contact, href) in [
        ("it-help@example.com", Some("mailto:it-help@example.com")),
        ("https://help.example.com/?a=1&b=\"x\"", Some("https://help.example.com/?a=1&b=\"x\"")),
        ("javascript:alert(1)", None),
        ("a@example.com?bcc=b@evil.example", None),
        ("the platform team, room 4", None),
        ("  ", None),
    ] {
        let page = NoAccessPage {
            base: "",
            person: "a",
            provider: "b",
            server: SERVER,
            reasons: vec![],
            contact: Some(contact),
            another_account: None,
            return_to: None,
        };
        let html = page.render();
        let page = Html::parse_document(&html);
        let links: Vec<_> = select(&page, "main a").into_iter().map(|a| attribute(a, "href")).collect();
        assert_eq!(links, href.into_iter().collect::<Vec<_>>(), "{contact}");
        assert!(all_words(&page).contains(contact.trim()), "{contact}");
    }
}

/// Every problem has a page with words of its own, and a status that is an error.
#[test]
fn every_problem_has_its_words() {
    let mut titles = std::collections::HashSet::new();
    for problem in Problem::ALL {
        let page = ErrorPage::of("", problem);
        assert!(titles.insert(page.title), "{problem:?}");
        assert!(page.explanation.len() > 20 && page.advice.len() > 20, "{problem:?}");
        assert!(problem.status() >= 400, "{problem:?}");
        let shown = all_words(&Html::parse_document(&page.render()));
        for part in [page.title, page.explanation, page.advice] {
            assert!(shown.contains(part), "{problem:?}: the page cut {part}");
        }
    }
}

/// SEC-035, SEC-160, INT-71: the policies; why consent has no `form-action` stands in `pages::csp`.
#[test]
fn policies_name_no_host_and_only_forms_may_lead_away() {
    for policy in [csp::PLAIN, csp::FORM] {
        for part in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(policy.split("; ").any(|directive| directive == part), "{policy}");
        }
        assert!(!policy.contains("unsafe") && !policy.contains('*') && !policy.contains("http"), "{policy}");
    }
    assert!(csp::PLAIN.contains("form-action 'none'") && !csp::FORM.contains("form-action"));
    for (name, html) in gallery() {
        let page = Html::parse_document(&html);
        let has_form = !select(&page, "form").is_empty();
        let asks = name.starts_with("consent") || name.starts_with("sign-out");
        assert_eq!(has_form, asks, "{name}: a page with a form needs csp::FORM");
    }
}
