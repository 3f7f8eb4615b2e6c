//! Forward-auth: what a proxy is told about a request to a protected server (sections L and N of the security
//! requirements).

mod real_proxies;

use std::sync::Arc;
use std::time::Duration;

use gatelodge::domain::{Haste, PersonId, Revoked};
use gatelodge::protocol::SigningAlgorithm;
use gatelodge::store::faulty::Operation;
use gatelodge::store::revocations::Revocations;
use gatelodge::telemetry::LogStyle;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

use crate::harness::broker::{RESOURCE, Setup, TestBroker};
use crate::harness::browser::{Browser, Page};
use crate::harness::client::{TestClient, Tokens};
use crate::harness::question::{NOTES, ask as ask_about, ask_with as ask};
use crate::logs::Capture;

fn setup() -> Setup {
    let usual = Setup::default();
    let resources = format!(
        "{}    required_scopes: [mcp:read]\n  - url: https://wiki.example.com/mcp\n    name: Wiki\n    \
         scopes: {{ wiki:read: Read, mcp:read: Notes }}\n    required_scopes: [wiki:read]\n",
        usual.resources
    );
    Setup { extra: "trusted_proxies: [127.0.0.1]\nforward_auth: true\n".to_owned(), resources, ..usual }
}

async fn signed_in() -> (TestBroker, TestClient, Tokens) {
    let broker = TestBroker::with(setup()).await;
    let client = TestClient::register(&broker).await;
    let tokens = client.tokens(&broker).await;
    (broker, client, tokens)
}

/// Asks about a request to the notes with this token.
async fn with_token(broker: &TestBroker, token: &str) -> Page {
    ask_about(broker, &NOTES, &format!("Bearer {token}")).await
}

/// SEC-145, SEC-154: who may pass is named to the server behind; what the client says about itself is not.
#[tokio::test]
async fn sec_154_who_may_pass_is_named_and_nobody_else() {
    let (broker, client, tokens) = signed_in().await;
    let bearer = format!("bEaReR {}", tokens.access);
    let forged = [("authorization", bearer.as_str()), ("x-auth-user", "root"), ("x-auth-scopes", "all")];
    let page = ask(&broker, &[&NOTES[..], &forged].concat()).await;
    assert_eq!(page.status, 200, "{}", page.body);
    assert_eq!(page.header("x-auth-user"), tokens.claims()["sub"].as_str().unwrap());
    assert_eq!(page.header("x-auth-email"), "alice@example.com");
    assert_eq!(page.header("x-auth-client"), client.id);
    assert_eq!(page.header("x-auth-scopes"), tokens.claims()["scope"].as_str().unwrap());
    assert_eq!(page.header("cache-control"), "no-store");
}

/// SEC-145, INT-18 to INT-24, INT-27: the challenge is whole, and at the server's own origin.
#[tokio::test]
async fn sec_145_whoever_may_not_pass_gets_the_challenge() {
    let (broker, _, tokens) = signed_in().await;
    let page = ask(&broker, &NOTES).await;
    assert_eq!(page.status, 401);
    let challenge = page.header("www-authenticate");
    assert!(!challenge.contains("error="), "{challenge}");
    assert!(challenge.starts_with("Bearer resource_metadata=\"https://mcp.example.com/"), "{challenge}");
    assert!(challenge.contains("mcp:read mcp:write"), "{challenge}");
    for bad in ["", "x", "a.b.c", &tokens.refresh, &format!("{}x", tokens.access)] {
        let page = with_token(&broker, bad).await;
        assert_eq!(page.status, 401, "{bad}");
        assert!(page.header("www-authenticate").contains("error=\"invalid_token\""), "{bad}");
    }
    broker.clock.advance(Duration::from_secs(30 * 60));
    let page = with_token(&broker, &tokens.access).await;
    assert_eq!(page.status, 401, "expired");
    assert!(page.header("www-authenticate").contains("invalid_token"));
}

/// INT-24: the first challenge asks for what is needed every day, what every request needs included, and not for
/// all that there is.
#[tokio::test]
async fn int_24_the_first_challenge_asks_for_what_is_needed_every_day() {
    for (lines, asked) in [
        ("required_scopes: [mcp:read]\n    everyday_scopes: [mcp:write]", "mcp:read mcp:write"),
        ("everyday_scopes: [mcp:read]", "mcp:read"),
        ("required_scopes: [mcp:read]", "mcp:admin mcp:read mcp:write"),
    ] {
        let usual = setup();
        let resources = usual.resources.replacen("required_scopes: [mcp:read]", lines, 1);
        let broker = TestBroker::with(Setup { resources, ..usual }).await;
        let page = ask(&broker, &NOTES).await;
        let challenge = page.header("www-authenticate");
        assert!(challenge.ends_with(&format!(", scope=\"{asked}\"")), "{lines}: {challenge}");
    }
}

/// SEC-157, SEC-140: a token is for one server, also where it was seen before; and what a server requires has
/// to be in it.
#[tokio::test]
async fn sec_157_a_token_is_for_one_server() {
    let (broker, client, tokens) = signed_in().await;
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    let bearer = format!("Bearer {}", tokens.access);
    let wiki = [NOTES[0], ("x-forwarded-host", "wiki.example.com"), NOTES[2], ("authorization", &bearer)];
    let page = ask(&broker, &wiki).await;
    assert_eq!(page.status, 401);
    assert!(page.header("www-authenticate").contains("https://wiki.example.com/"));
    let narrow = client.refresh_with(&broker, &tokens.refresh, &[("scope", "mcp:write")]).await;
    let page = with_token(&broker, narrow.json()["access_token"].as_str().unwrap()).await;
    assert_eq!(page.status, 403);
    let challenge = page.header("www-authenticate");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains("mcp:read mcp:write"),
        "{challenge}"
    );
}

/// SEC-134, INT-26: what was ended passes no more within a second; what was issued just now passes at once.
#[tokio::test]
async fn sec_134_what_was_ended_passes_no_more_within_a_second() {
    let (broker, client, tokens) = signed_in().await;
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    let again = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    assert_eq!(with_token(&broker, &again.access).await.status, 200);
    client.revoke(&broker, &again.refresh).await;
    broker.clock.advance(Duration::from_secs(1));
    for token in [&tokens.access, &again.access] {
        assert_eq!(with_token(&broker, token).await.status, 401);
    }
    // Ended by another process, of the person: as the command does.
    broker.clock.advance(Duration::from_secs(10));
    let tokens = client.tokens(&broker).await;
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    let person = PersonId::parse(tokens.claims()["sub"].as_str().unwrap()).unwrap();
    let elsewhere = Revocations::new(Arc::clone(&broker.parts.store));
    let now = gatelodge::clock::Clock::now(broker.clock.as_ref());
    elsewhere.revoke(&Revoked::Person(person), now, Duration::from_secs(3600)).await.unwrap();
    broker.clock.advance(Duration::from_secs(1));
    assert_eq!(with_token(&broker, &tokens.access).await.status, 401);
}

/// SEC-134: what the store says of a grant counts for all of its tokens, for a second: a new one is verified, and
/// nothing is asked. One that was ended is new to nobody.
#[tokio::test]
async fn sec_134_the_tokens_of_a_grant_stand_and_fall_together() {
    let (broker, client, tokens) = signed_in().await;
    let again = Tokens::of(&client.refresh(&broker, &tokens.refresh).await);
    let third = Tokens::of(&client.refresh(&broker, &again.refresh).await);
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    broker.store.fail(Operation::Grant);
    assert_eq!(with_token(&broker, &again.access).await.status, 200, "asked a moment ago");
    broker.clock.advance(Duration::from_secs(1));
    for token in [&tokens.access, &again.access, &third.access] {
        assert_eq!(with_token(&broker, token).await.status, 503, "a second is over");
    }
    broker.store.heal();
    client.revoke(&broker, &third.refresh).await;
    for token in [&third.access, &tokens.access, &again.access] {
        assert_eq!(with_token(&broker, token).await.status, 401);
    }
}

/// SEC-162, SEC-163: the line of a question says which server it was about, whose credential was shown, by a public
/// name, and where the request came from; of a credential that is no good, nothing.
#[tokio::test]
async fn sec_163_the_log_says_which_server_whose_credential_and_from_where() {
    let (broker, _, tokens) = signed_in().await;
    let log = Capture::begin(LogStyle::Json);
    for bearer in [format!("Bearer {}", tokens.access), format!("Bearer {}x", tokens.access)] {
        let from = [("x-forwarded-for", "203.0.113.7"), ("authorization", bearer.as_str())];
        ask(&broker, &[&NOTES[..], &from].concat()).await;
    }
    let text = log.text();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let asked: Vec<Value> =
        lines.filter(|line| line["target"] == "request" && line["path"] == "/verify").collect();
    let [good, bad] = asked.as_slice() else { panic!("{asked:?}") };
    let name = format!("access_token:{}", tokens.claims()["gid"].as_str().unwrap());
    assert_eq!((&good["status"], &good["credential"]), (&json!(200), &json!(name)), "{good}");
    assert_eq!((&bad["status"], &bad["credential"]), (&json!(401), &Value::Null), "{bad}");
    for line in &asked {
        assert_eq!((&line["resource"], &line["from"]), (&json!(RESOURCE), &json!("203.0.113.7")), "{line}");
    }
    assert!(!text.contains(&tokens.access), "SEC-162: the token stands in the log");
}

/// A proxy may send the client's message along (Traefik's `forwardBody`): it is read and let go, however long, and
/// the connection stays good for the next question.
#[tokio::test]
async fn a_proxy_may_send_the_message_along() {
    let (broker, _, tokens) = signed_in().await;
    let address = broker.issuer.strip_prefix("http://").unwrap();
    let mut connection = BufReader::new(TcpStream::connect(address).await.unwrap());
    let mut question =
        format!("POST /verify HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\n", tokens.access);
    for (name, value) in NOTES {
        question.extend([name, ": ", value, "\r\n"]);
    }
    for length in [2, 100_000, 5_000_000, 0] {
        let head = format!("{question}content-length: {length}\r\n\r\n");
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(&vec![b'x'; length]).await.unwrap();
        let mut lines = String::new();
        while !lines.ends_with("\r\n\r\n") {
            assert_ne!(connection.read_line(&mut lines).await.unwrap(), 0, "{length}: {lines}");
        }
        assert!(lines.starts_with("HTTP/1.1 200"), "{length}: {lines}");
        assert!(lines.contains("content-length: 0\r\n") && !lines.contains("connection: close"), "{lines}");
    }
}

/// The request as Traefik's documentation says it (`ForwardAuth`): the same headers, and more.
#[tokio::test]
async fn sec_154_as_traefik_asks() {
    let (broker, _, tokens) = signed_in().await;
    let bearer = format!("Bearer {}", tokens.access);
    let more = [
        ("x-forwarded-method", "POST"),
        ("x-forwarded-port", "443"),
        ("x-forwarded-server", "traefik"),
        ("x-forwarded-for", "192.0.2.7"),
        ("x-real-ip", "192.0.2.7"),
    ];
    assert_eq!(ask(&broker, &[&NOTES[..], &more].concat()).await.status, 401);
    let good = [&NOTES[..], &more, &[("authorization", &bearer)]].concat();
    assert_eq!(ask(&broker, &good).await.status, 200);
}

/// The request as Envoy's documentation says it (`ext_authz`, HTTP service): the client's own method, path
/// and `Host`, below a prefix.
#[tokio::test]
async fn sec_152_as_envoy_asks() {
    let (broker, _, tokens) = signed_in().await;
    let bearer = format!("Bearer {}", tokens.access);
    let at = async |path: &str, more: &[(&str, &str)]| {
        let url = broker.url(path);
        let mut request = Browser::new().http().post(&url).header("host", "mcp.example.com");
        for (name, value) in [&[("x-forwarded-proto", "https"), ("authorization", &bearer)], more].concat() {
            request = request.header(name, value);
        }
        Page::of(&url, request.send().await.expect("an answer")).await
    };
    let page = at("/verify/mcp?x=1", &[]).await;
    assert_eq!((page.status, page.header("x-auth-email")), (200, "alice@example.com"), "{}", page.body);
    assert_eq!(at("/verify/other", &[]).await.status, 403);
    assert_eq!(at("/verify/mcp", &[("x-forwarded-uri", "/mcp")]).await.status, 400, "two targets");
    assert_eq!(at("/verify/mcp//x", &[]).await.status, 403, "SEC-153");
    assert_eq!(at("/verify/x/..%2fmcp", &[]).await.status, 403, "SEC-153");
    assert_eq!(at("/verifymcp", &[]).await.status, 421, "nothing else is there");
}

/// SEC-156: a store that cannot be asked lets nobody pass, and is not the client's fault.
#[tokio::test]
async fn sec_156_a_store_that_is_away_is_503() {
    let (broker, _, tokens) = signed_in().await;
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    broker.clock.advance(Duration::from_secs(1));
    broker.store.fail(Operation::Grant);
    let page = with_token(&broker, &tokens.access).await;
    assert_eq!((page.status, page.header("retry-after")), (503, "5"), "{}", page.body);
    assert_eq!(page.error(), "temporarily_unavailable");
    broker.store.heal();
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
}

/// SEC-151: nobody but a proxy of ours may say what was asked for.
#[tokio::test]
async fn sec_151_only_proxies_of_ours_may_ask() {
    let elsewhere = "trusted_proxies: [192.0.2.1]\nforward_auth: true\n".to_owned();
    let broker = TestBroker::with(Setup { extra: elsewhere, ..setup() }).await;
    assert_eq!(ask(&broker, &NOTES).await.status, 400);
    let off = TestBroker::start().await;
    assert_eq!(
        Browser::new().get(&off.url("/verify")).await.status,
        404,
        "it is there only where configured"
    );
}

/// SEC-152: said twice, or under another name too, is said in no way.
#[tokio::test]
async fn sec_152_the_target_is_named_once() {
    let (broker, _, tokens) = signed_in().await;
    let bearer = format!("Bearer {}", tokens.access);
    let good = [&NOTES[..], &[("authorization", bearer.as_str())]].concat();
    for more in [
        ("x-forwarded-uri", "/mcp"),
        ("X-Forwarded-Host", "mcp.example.com"),
        ("x_forwarded_uri", "/mcp"),
        ("x_auth_user", "root"),
        ("x-auth_email", "root@example.com"),
        ("x-original-url", "/mcp"),
        ("x-original-uri", "/mcp"),
        ("x-rewrite-url", "/mcp"),
    ] {
        assert_eq!(ask(&broker, &[&good[..], &[more]].concat()).await.status, 400, "{more:?}");
    }
    for (at, _) in NOTES.iter().enumerate() {
        let mut less = good.clone();
        less.remove(at);
        assert_eq!(ask(&broker, &less).await.status, 400, "without {}", NOTES[at].0);
    }
    let two = [good[0], ("x-forwarded-host", "mcp.example.com, evil.example"), good[2], good[3]];
    assert_eq!(ask(&broker, &two).await.status, 400);
}

/// SEC-153: a path that servers read differently is refused, whoever asks; so is what is not protected.
#[tokio::test]
async fn sec_153_a_path_is_read_in_one_way() {
    let (broker, _, tokens) = signed_in().await;
    let bearer = format!("Bearer {}", tokens.access);
    let at = async |host: &str, uri: &str| {
        let headers =
            [NOTES[0], ("x-forwarded-host", host), ("x-forwarded-uri", uri), ("authorization", &bearer)];
        ask(&broker, &headers).await.status
    };
    for good in ["/mcp", "/mcp/", "/mcp?x=/../y", "/mcp?a=1,2", "/mcp/sse", "/mcp/%20"] {
        assert_eq!(at("mcp.example.com", good).await, 200, "{good}");
    }
    for bad in [
        "/mcp/../x",
        "//mcp",
        "/mcp%2f..",
        "/x/..;/mcp",
        "/%2e/mcp",
        "/mcp%23",
        "/MCP",
        "/mcpx",
        "//",
        "/",
        "mcp",
    ] {
        assert_eq!(at("mcp.example.com", bad).await, 403, "{bad}");
    }
    assert_eq!(at("MCP.example.com:443", "/mcp").await, 200, "the same origin");
    assert_eq!(at("evil.example", "/mcp").await, 403);
    assert_eq!(at("mcp.example.com@evil.example", "/mcp").await, 403);
}

/// SEC-146: a token in the query counts for nothing, and beside a header it is one too many.
#[tokio::test]
async fn sec_146_one_credential_and_only_in_the_header() {
    let (broker, _, tokens) = signed_in().await;
    let uri = format!("/mcp?access_token={}", tokens.access);
    let bearer = format!("Bearer {}", tokens.access);
    let query = [NOTES[0], NOTES[1], ("x-forwarded-uri", uri.as_str())];
    assert_eq!(ask(&broker, &query).await.status, 401);
    assert_eq!(ask(&broker, &[&query[..], &[("authorization", &bearer)]].concat()).await.status, 400);
    let twice = [&NOTES[..], &[("authorization", &bearer), ("authorization", &bearer)]].concat();
    assert_eq!(ask(&broker, &twice).await.status, 400);
}

/// INT-21 to INT-23: the proxy of a server leaves its metadata to us, under the server's own name.
#[tokio::test]
async fn int_22_the_metadata_of_a_server_at_its_own_name() {
    let broker = TestBroker::with(setup()).await;
    let at = async |host: &str, path: &str| {
        let url = broker.url(path);
        let request = Browser::new().http().get(&url).header("host", host);
        Page::of(&url, request.send().await.expect("an answer")).await
    };
    for (host, resource) in
        [("mcp.example.com", RESOURCE), ("wiki.example.com", "https://wiki.example.com/mcp")]
    {
        for path in ["/.well-known/oauth-protected-resource/mcp", "/mcp/.well-known/oauth-protected-resource"]
        {
            let page = at(host, path).await;
            assert_eq!(page.status, 200, "{host}{path}: {}", page.body);
            assert_eq!(page.json()["resource"], resource, "{host}{path}");
        }
        let root = at(host, "/.well-known/oauth-protected-resource").await;
        assert_eq!(root.json()["resource"], resource, "the only one there");
        assert_eq!(at(host, "/oauth/authorize").await.status, 421, "nothing else is there");
    }
}

/// SEC-156: a preflight is a request like others: a proxy that keeps the method would let a 204 pass.
#[tokio::test]
async fn sec_156_a_preflight_is_decided_about() {
    let (broker, _, _) = signed_in().await;
    let url = broker.url("/verify");
    let mut request = Browser::new().http().request(reqwest::Method::OPTIONS, &url);
    for (name, value) in NOTES {
        request = request.header(name, value);
    }
    let page = Page::of(&url, request.send().await.expect("an answer")).await;
    assert_eq!((page.status, page.header("x-auth-user")), (401, ""));
    assert_eq!(page.header("access-control-allow-origin"), "*", "INT-69: the challenge may be read");
}

/// REL-18: what a key signed that leaked passes no more, also where it was seen before.
#[tokio::test]
async fn rel_18_a_leaked_key_ends_what_was_seen() {
    let (broker, _, tokens) = signed_in().await;
    assert_eq!(with_token(&broker, &tokens.access).await.status, 200);
    assert!(broker.parts.keys.rotate(SigningAlgorithm::Es256, Haste::Leaked).await.expect("a rotation"));
    broker.clock.advance(Duration::from_secs(30));
    let page = with_token(&broker, &tokens.access).await;
    assert_eq!(page.status, 401, "{}", page.body);
}
