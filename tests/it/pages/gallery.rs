//! Every page at its plainest and at its worst.
//!
//! With `GATELODGE_DUMP_PAGES=<folder>` they are also written there, with the files that they
//! load, to be looked at.

use gatelodge::clock::Timestamp;
use gatelodge::domain::{Client, ClientAuthMethod, ClientId, ClientLimits, ClientOrigin};
use gatelodge::pages::{
    ClientView, ConsentPage, ErrorPage, FindProblem, FindView, IndexPage, NoAccessPage, Problem, ReturnLink,
    ReturnPage, ScopeView, ServerView, SessionNews, SignOutPage, SignedInView, SignedOutPage, UpstreamView,
    assets,
};
use gatelodge::protocol::{ErrorCode, RedirectUri};

/// What a client might call itself.
pub(super) const HOSTILE: &str = "</bdi></h1><script>alert(1)</script><b onclick=x style=\"color:red\">\u{202E}Bank\u{200B}\u{2066}'\"&amp;\u{1b}[31m\r\nX-Evil: 1";
pub(super) const SERVER: ServerView<'static> =
    ServerView { name: "Acme tools", url: "https://mcp.example.com/mcp" };

pub(super) fn redirect(uri: &str) -> RedirectUri {
    RedirectUri::parse(uri).unwrap()
}

pub(super) fn link(uri: &str, name: Option<&str>, parameters: &[(&str, &str)]) -> ReturnLink {
    let client = Client {
        id: ClientId::new("c"),
        name: None,
        redirect_uris: vec![redirect(uri)],
        auth: ClientAuthMethod::None,
        origin: ClientOrigin::Registered,
        may_refresh: true,
        limits: ClientLimits::default(),
        created_at: Timestamp::from_unix(0),
        expires_at: None,
        registration: None,
    };
    ReturnLink::new(&client.trusted_return(None).unwrap(), name, parameters)
}

pub(super) fn consent<'a>(redirect: &'a RedirectUri, name: Option<&'a str>) -> ConsentPage<'a> {
    ConsentPage {
        base: "",
        login: "AAAAAAAAAAAAAAAAAAAAAA",
        form_token: "form-token-1",
        client: ClientView { id: "dyn_7Jx2PzqV0dK4", name, self_registered: true },
        redirect,
        server: SERVER,
        scopes: vec![
            ScopeView { name: "mcp:read", description: "Read documents", is_withheld: false },
            ScopeView { name: "mcp:write", description: "Change documents", is_withheld: false },
        ],
        upstreams: vec![UpstreamView { id: "okta", name: "Okta" }],
        find: None,
        signed_in: None,
        news: None,
    }
}

/// Every page, with the name of its file.
pub(super) fn gallery() -> Vec<(&'static str, String)> {
    let [claude, local, cursor] = [
        "https://claude.ai/api/mcp/auth_callback",
        "http://127.0.0.1:33418/",
        "cursor://anysphere.cursor-mcp/cb",
    ]
    .map(redirect);
    let mut pages = vec![
        ("consent", consent(&local, Some("Claude Code")).render()),
        ("consent-trusted", {
            let mut page = consent(&claude, Some("Claude"));
            page.client.self_registered = false;
            page.render()
        }),
        ("consent-many", consent_with_everything(&cursor)),
        ("consent-rtl", consent(&cursor, Some("مساعد المستندات (تجريبي)")).render()),
        ("consent-hostile", consent(&local, Some(HOSTILE)).render()),
        ("consent-nothing", {
            let page = ConsentPage { scopes: vec![], ..consent(&local, Some("\u{200B}\u{202E}")) };
            page.render()
        }),
    ];
    pages.extend(signed_in_pages(&local));
    pages.extend(other_pages());
    pages
}

fn consent_with_everything(cursor: &RedirectUri) -> String {
    let long_url = format!("https://mcp.internal.example.com/{}", "a-rather-long-path/".repeat(9));
    let mut page =
        consent(cursor, Some("Cursor, the editor with a name that goes on and on until nobody reads it"));
    page.base = "/auth";
    page.client.id = "https://agents.cursor.example/oauth/clients/desktop/metadata.json";
    page.server = ServerView { name: "Acme engineering knowledge base and ticket search", url: &long_url };
    page.scopes = vec![
        ScopeView { name: "mcp:read", description: "Read documents", is_withheld: false },
        ScopeView {
            name: "mcp:write",
            description: "Create and change documents, and move them between folders",
            is_withheld: false,
        },
        ScopeView { name: "mcp:admin", description: "Administer", is_withheld: false },
        ScopeView { name: "tickets:read", description: "Read tickets", is_withheld: false },
        ScopeView {
            name: "tickets:write",
            description: "Open, answer and close tickets in your name",
            is_withheld: false,
        },
        ScopeView {
            name: "https://scopes.example.com/calendar.events.readonly",
            description: "See your calendar",
            is_withheld: false,
        },
        ScopeView { name: "search", description: "search", is_withheld: false },
    ];
    page.upstreams = [
        ("okta", "Okta"),
        ("google", "Google"),
        ("entra", "Microsoft Entra"),
        ("kc-partners", "Partner sign-in (Keycloak)"),
        ("github", "GitHub"),
    ]
    .map(|(id, name)| UpstreamView { id, name })
    .to_vec();
    page.find =
        Some(FindView { email: Some("alice@example.com"), problem: Some(FindProblem::UnknownDomain) });
    page.render()
}

/// Who is signed in.
pub(super) const ALICE: SignedInView<'static> =
    SignedInView { person: "alice@example.com", provider: "Okta" };

fn signed_in_pages(local: &RedirectUri) -> Vec<(&'static str, String)> {
    let alice = || {
        let mut page = ConsentPage { signed_in: Some(ALICE), ..consent(local, Some("Claude Code")) };
        page.scopes[1].is_withheld = true;
        page
    };
    let several =
        vec![UpstreamView { id: "okta", name: "Okta" }, UpstreamView { id: "google", name: "Google" }];
    let hostile = SignedInView { person: HOSTILE, provider: HOSTILE };
    vec![
        ("consent-signed-in", alice().render()),
        (
            "consent-signed-in-searching",
            ConsentPage {
                upstreams: several,
                find: Some(FindView { email: None, problem: Some(FindProblem::NoAddress) }),
                ..alice()
            }
            .render(),
        ),
        ("consent-another", ConsentPage { news: Some(SessionNews::AnotherPerson), ..alice() }.render()),
        ("consent-over", ConsentPage { news: Some(SessionNews::Over), ..consent(local, None) }.render()),
        (
            "consent-again",
            ConsentPage { news: Some(SessionNews::SignInAgain), ..consent(local, None) }.render(),
        ),
        ("consent-signed-in-hostile", ConsentPage { signed_in: Some(hostile), ..alice() }.render()),
        ("sign-out", SignOutPage { base: "", who: ALICE, form_token: "form-token-1" }.render()),
        ("sign-out-hostile", SignOutPage { base: "/auth", who: hostile, form_token: "t" }.render()),
        ("signed-out", SignedOutPage { base: "", also_at: None }.render()),
        ("signed-out-there", SignedOutPage { base: "/a", also_at: Some("Okta") }.render()),
    ]
}

fn other_pages() -> Vec<(&'static str, String)> {
    let back =
        link("https://claude.ai/cb", Some("Claude"), &[("error", "access_denied"), ("state", "a&\"b")]);
    let denied = NoAccessPage {
        base: "",
        person: "alice@example.com",
        provider: "Okta",
        server: SERVER,
        reasons: vec![
            "No rule names your email domain example.com.",
            "None of your groups (design, everyone) is named for this server.",
        ],
        contact: Some("it-help@example.com"),
        another_account: Some("https://auth.example.com/oauth/authorize?client_id=c&prompt=select_account"),
        return_to: Some(back.clone()),
    };
    let wrong_browser = ErrorPage {
        request_id: Some("req_01J9ZK3W8Q"),
        return_to: Some(back),
        ..ErrorPage::of("", Problem::WrongBrowser)
    };
    let upstream_failed = ErrorPage {
        detail: Some(HOSTILE),
        request_id: Some(HOSTILE),
        ..ErrorPage::of("/auth", Problem::UpstreamFailed)
    };
    let returning = ReturnPage {
        base: "",
        code: ErrorCode::InvalidScope,
        description: "None of the requested scopes exists on this server.",
        return_to: link(
            "https://a.example/cb",
            Some(HOSTILE),
            &[("error", "invalid_scope"), ("state", HOSTILE)],
        ),
    };
    let not_admitted = ErrorPage {
        contact: Some("https://it.example.com/apps"),
        request_id: Some("req_01J9ZK3W8Q"),
        ..ErrorPage::of("", Problem::NotAdmitted)
    };
    let waits = ErrorPage {
        approval: Some("3f9a-0c41-77de-b802"),
        contact: Some("it-help@example.com"),
        ..ErrorPage::of("", Problem::AwaitsApproval)
    };
    let waits_hostile = ErrorPage {
        approval: Some(HOSTILE),
        contact: Some(HOSTILE),
        ..ErrorPage::of("", Problem::AwaitsApproval)
    };
    vec![
        ("not-admitted", not_admitted.render()),
        ("waits", waits.render()),
        ("waits-hostile", waits_hostile.render()),
        ("no-access", denied.render()),
        (
            "no-access-hostile",
            NoAccessPage {
                person: HOSTILE,
                provider: HOSTILE,
                reasons: vec![HOSTILE],
                contact: Some(HOSTILE),
                return_to: None,
                ..denied
            }
            .render(),
        ),
        ("error", wrong_browser.render()),
        ("error-hostile", upstream_failed.render()),
        ("error-plain", ErrorPage::of("", Problem::NotFound).render()),
        ("return", returning.render()),
        ("index", IndexPage { base: "", issuer: "https://auth.example.com", servers: vec![SERVER] }.render()),
        ("index-bare", IndexPage { base: "/a", issuer: "https://example.com/a", servers: vec![] }.render()),
    ]
}

/// Writes the gallery where someone can look at it; does nothing unless asked.
#[test]
fn the_gallery_can_be_looked_at() {
    let Some(folder) = std::env::var_os("GATELODGE_DUMP_PAGES") else { return };
    let folder = std::path::PathBuf::from(folder);
    for base in ["", "auth", "a"] {
        for asset in [assets::stylesheet(), assets::mark()] {
            let file = folder.join(base).join(asset.path.trim_start_matches('/'));
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, asset.bytes).unwrap();
        }
    }
    for (name, html) in gallery() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}
