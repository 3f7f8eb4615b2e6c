//! Which clients there may be, and what each may have.

use gatelodge::config::ClientAuth;
use gatelodge::domain::KnownClient;
use gatelodge::protocol::client_document::ClientKeys;

use crate::harness::keys::TestKey;
use crate::harness::temp_dir::TempDir;

use super::{bad, good, only_fault, plus};

/// A list is what it was; a mapping also says which others there may be.
#[test]
fn clients_are_a_list_or_a_mapping() {
    let silent = good(&plus("")).client_policy;
    assert!(silent.allow.is_none() && !silent.require_approval);
    let list = good(&plus("clients: [{ id: a, name: A, redirect_uris: 'https://a.example/cb' }]\n"));
    assert!(list.client_policy.allow.is_none() && list.clients.len() == 1);
    let mapping = "clients:\n  allow: [claude, vscode]\n  require_approval: true\n  named:\n    \
                   - { id: a, name: A, redirect_uris: 'https://a.example/cb' }\n";
    let config = good(&plus(mapping));
    let allow: Vec<_> = config.client_policy.allow.unwrap().into_iter().map(|known| known.name).collect();
    assert_eq!((allow, config.clients.len()), (vec!["claude", "vscode"], 1));
    assert!(config.client_policy.require_approval);
    assert_eq!(good(&plus("clients: { allow: cursor }\n")).client_policy.allow.unwrap()[0].label, "Cursor");
}

/// SEC-168: what is wrong has its line; an unknown name is answered with those that are known.
#[test]
fn sec_168_faults_of_the_policy() {
    for (text, path, problem) in [
        ("{ allow: [claud] }", "clients.allow[0]", "`claud` is not known"),
        ("{ allow: [] }", "clients.allow", "is an empty list"),
        ("{ allow: [zed, zed] }", "clients.allow[1]", "given twice"),
        ("{ require_approval: maybe }", "clients.require_approval", ""),
        ("{ permit: [zed] }", "clients.permit", "there is no such key"),
        ("claude", "clients", "is a single value"),
        ("{ named: [{ id: a, name: A }] }", "clients.named[0].redirect_uris", "is missing"),
    ] {
        only_fault(&plus(&format!("clients: {text}\n")), 18, path, problem);
    }
    let told = bad(&plus("clients: { allow: [claud] }\n")).to_string();
    assert!(told.contains("did you mean `claude`?"), "{told}");
    for known in KnownClient::ALL {
        assert!(told.contains(known.name), "{}: {told}", known.name);
    }
}

fn client(rest: &str) -> String {
    plus(&format!("clients:\n  - {{ id: a, name: A, redirect_uris: 'https://a.example/cb', {rest} }}\n"))
}

/// Keys from a file or a URL, with the method said or not.
#[test]
fn a_client_signs_with_its_keys() {
    let folder = TempDir::new();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let public = serde_json::json!({"keys": [TestKey::es256("k").jwk()]}).to_string();
    let jwks = file("jwks.json", &public);
    for more in [format!("jwks_file: '{jwks}'"), format!("jwks_file: '{jwks}', auth: private_key_jwt")] {
        let auth = good(&client(&more)).clients[0].auth.clone();
        assert!(matches!(auth, ClientAuth::PrivateKeyJwt(ClientKeys::Jwks(_))));
    }
    let by_url = good(&client("jwks_uri: 'https://a.example/keys'")).clients[0].auth.clone();
    assert!(matches!(by_url, ClientAuth::PrivateKeyJwt(ClientKeys::JwksUri(_))));
    let private = file("private.json", r#"{"keys":[{"kty":"EC","crv":"P-256","x":"x","y":"y","d":"d"}]}"#);
    let [empty, nonsense] = [file("empty.json", r#"{"keys":[]}"#), file("no.json", "x")];
    for (more, key, problem) in [
        (format!("jwks_file: '{private}'"), "jwks_file", "private or symmetric key"),
        (format!("jwks_file: '{empty}'"), "jwks_file", "no key in it that can be used"),
        (format!("jwks_file: '{nonsense}'"), "jwks_file", "not JSON"),
        ("jwks_file: /nowhere".into(), "jwks_file", "cannot be read"),
        ("jwks_uri: 'http://a.example/keys'".into(), "jwks_uri", "not an https URL"),
        ("jwks_uri: 'https://10.0.0.1/keys'".into(), "jwks_uri", "not an https URL"),
        (format!("jwks_file: '{jwks}', jwks_uri: 'https://a.example/keys'"), "jwks_uri", "both given"),
        ("auth: private_key_jwt".into(), "auth", "needs the client's public keys"),
        (format!("jwks_file: '{jwks}', auth: client_secret_basic"), "auth", "without a secret"),
        (format!("jwks_file: '{jwks}', auth: none"), "auth", "leaves the keys without effect"),
        ("secret: '${SECRET}', auth: private_key_jwt".into(), "auth", "leaves the secret without effect"),
    ] {
        only_fault(&client(&more), 19, &format!("clients[0].{key}"), problem);
    }
    let both = client(&format!("jwks_file: '{jwks}', secret: '${{SECRET}}'"));
    only_fault(&both, 19, "clients[0]", "both a secret and keys");
}

/// A client asks within its scopes, servers and grants, which exist.
#[test]
fn a_client_has_limits() {
    let none = good(&client("secret: '${SECRET}'")).clients[0].clone();
    assert!(none.limits.are_none() && none.may_refresh);
    let text =
        "scopes: [mcp:read], resources: 'https://mcp.example.com/mcp', grant_types: authorization_code";
    let limited = good(&client(text)).clients[0].clone();
    assert_eq!(limited.limits.scopes.unwrap().to_string(), "mcp:read");
    assert_eq!(limited.limits.resources.unwrap()[0].as_str(), "https://mcp.example.com/mcp");
    assert!(!limited.may_refresh);
    for (more, key, problem) in [
        ("scopes: [mcp:other]", "scopes[0]", "no server has the scope"),
        ("resources: ['https://other.example/']", "resources[0]", "there is no resource"),
        ("grant_types: [refresh_token]", "grant_types", "lacks authorization_code"),
        ("grant_types: [password]", "grant_types[0]", "not known"),
    ] {
        only_fault(&client(more), 19, &format!("clients[0].{key}"), problem);
    }
}

/// A rule may name a client that is added by command, also where nobody can register.
#[test]
fn a_rule_may_name_a_client_by_command() {
    let rule = plus("  rules: [{ clients: glo_1, scopes: mcp:write }]\nregistration: { open: false }\n");
    assert_eq!(good(&rule).access.rules.len(), 1);
}
