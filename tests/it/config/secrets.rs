//! Secrets: where they come from, and that nothing ever shows them.

use std::path::PathBuf;

use gatelodge::config::{SecretSource, parse};

use super::{env, good, only_fault, plus, with};

/// A file in a directory of the test's own, removed at the end.
struct File(PathBuf);

impl File {
    fn with(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("gatelodge-config-{}-{name}", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

const CANARY: &str = "c4n4ry";

/// SEC-168: short, example and guessable secrets do not start, whoever they belong to.
#[test]
fn sec_168_weak_secrets_are_refused() {
    only_fault(&plus("secret: ${SHORT}\n"), 18, "secret", "is shorter than 32 characters");
    only_fault(
        &plus("secret: change-me-change-me-change-me-1234567\n"),
        18,
        "secret",
        "is an example or is guessable",
    );
    only_fault(&plus("secret: ''\n"), 18, "secret", "is empty");
    let client =
        "clients:\n  - { id: a, name: A, redirect_uris: 'https://a.example/cb', secret: '${SHORT}' }\n";
    only_fault(&plus(client), 19, "clients[0].secret", "is shorter than 32 characters");
}

/// A secret in a file: the trailing newline is not part of it.
#[test]
fn secrets_come_from_files() {
    let file = File::with("good", "c4n4ry-0a1b2c3d4e5f6g7h8i9j-k1l2m3n4\n");
    let config = good(&plus(&format!("secret_file: {}\n", file.name())));
    let SecretSource::Given(secret) = config.secret else { panic!("{:?}", config.secret) };
    assert_eq!(secret.expose(), env("SECRET").unwrap());
    let upstream = with("client_secret: from-okta", &format!("client_secret_file: {}", file.name()));
    assert_eq!(good(&upstream).upstreams[0].client_secret.as_ref().unwrap().expose(), secret.expose());
}

/// A file that is missing, empty, or given beside the value.
#[test]
fn secret_file_faults() {
    only_fault(&plus("secret_file: /nonexistent\n"), 18, "secret_file", "cannot be read");
    let empty = File::with("empty", "\n");
    only_fault(&plus(&format!("secret_file: {}\n", empty.name())), 18, "secret_file", "is empty");
    let both = plus("secret: ${SECRET}\nsecret_file: /nonexistent\n");
    only_fault(&both, 19, "secret_file", "`secret` and `secret_file` are both given");
    let both = with("    client_secret: from-okta", "    client_secret: a\n    client_secret_file: b");
    only_fault(&both, 9, "upstreams[0].client_secret_file", "both given");
    let file = File::with("short", CANARY);
    let told = super::bad(&plus(&format!("secret_file: {}\n", file.name()))).to_string();
    assert!(told.contains("is shorter") && !told.contains(CANARY), "{told}");
}

/// Secrets on their way in or out: a list or a file, each as strong as the secret itself, and
/// none of them the secret.
#[test]
fn previous_secrets_are_secrets() {
    const OLD: &str = "0ld-0a1b2c3d4e5f6g7h8i9j-k1l2m3n4o5p6";
    let secret = "secret: ${SECRET}\n";
    let list = good(&plus(&format!("{secret}previous_secrets: [{OLD}, '{OLD}2']\n")));
    assert_eq!(list.previous_secrets.len(), 2);
    assert!(!format!("{list:?}").contains("0ld"));
    let file = File::with("previous", &format!("{OLD}\n\n{OLD}2\n"));
    let listed = good(&plus(&format!("{secret}previous_secrets_file: {}\n", file.name())));
    let exposed: Vec<_> = listed.previous_secrets.iter().map(|one| one.expose().to_owned()).collect();
    assert_eq!(exposed, [OLD.to_owned(), format!("{OLD}2")]);
    // The secret beside the embedded store may change, too.
    let beside = with("store: memory", "store: ./x.db") + &format!("previous_secrets: {OLD}\n");
    assert_eq!(good(&beside).previous_secrets.len(), 1);

    let told = |text: &str, line, path, problem| only_fault(&plus(text), line, path, problem);
    let both = format!("{secret}previous_secrets: {OLD}\nprevious_secrets_file: {}\n", file.name());
    told(&both, 20, "previous_secrets_file", "both given");
    told(&format!("previous_secrets: {OLD}\n"), 18, "previous_secrets", "has no effect");
    let same = format!("{secret}previous_secrets: ['{OLD}', '${{SECRET}}']\n");
    told(&same, 19, "previous_secrets[1]", "is the current secret");
    let weak = format!("{secret}previous_secrets: ['{OLD}', '${{SHORT}}']\n");
    told(&weak, 19, "previous_secrets[1]", "is shorter than 32 characters");
    told(&format!("{secret}previous_secrets: []\n"), 19, "previous_secrets", "is an empty list");
    let empty = File::with("previous-empty", "\n");
    let text = format!("{secret}previous_secrets_file: {}\n", empty.name());
    told(&text, 19, "previous_secrets_file", "is empty");
}

/// No secret is in the `Debug` of a configuration.
#[test]
fn sec_168_debug_shows_no_secret() {
    let text = with("store: memory", "store: redis://u:${SHORT}@h:6379\nsecret: ${SECRET}")
        .replace("from-okta", CANARY)
        + "clients:\n  - { id: a, name: A, redirect_uris: 'https://a.example/cb', secret: '${SECRET}' }\n";
    let shown = format!("{:?}", good(&text));
    assert!(!shown.contains(CANARY), "{shown}");
}

/// No fault shows a secret, whatever is wrong on its line, nor a value from the environment.
#[test]
fn sec_168_faults_show_no_secret() {
    let secret = env("SECRET").unwrap();
    for text in [
        // Literal secrets, in a file that is no YAML, or twice, or of the wrong kind.
        format!("secret: \"{secret}\nissuer: x\n"),
        format!("secret: {secret}: x\n"),
        format!("previous_secrets: [{secret}, {CANARY}]\n"),
        plus(&format!("secret: ${{SECRET}}\nprevious_secrets: [{CANARY}]\n")),
        format!("secret: @{secret}\n"),
        format!("secret: !{secret} x\n"),
        format!("secret: *{secret}\n"),
        format!("secret: \"\\q{secret}\"\n"),
        format!("secret: [{secret}]\n"),
        format!("secret: {{ a: {secret} }}\n"),
        format!("secret: a\nsecret: {secret}\n"),
        format!("secret: !!int {secret}\n"),
        format!("secret: !!binary {secret}\n"),
        format!("  secret: {secret}\n issuer: x\n"),
        // Literal secrets that are refused.
        plus(&format!("secret: {CANARY}\n")),
        with("store: memory", &format!("store: redis://u:{secret}@h:6379/name")),
        with("store: memory", &format!("store: redis:u:{secret}@h")),
        // Variables in places where they do not belong.
        with("https://auth.example.com", "${SECRET}"),
        with("https://auth.example.com", "https://${SECRET}.EXAMPLE.com/"),
        plus(
            "listen: ${SECRET}\nallowed_hosts: ['${SECRET} x']\nlogs: { level: '${SECRET}', format: '${SECRET}' }\n",
        ),
        plus(
            "tokens: { code_lifetime: '${SECRET}' }\nsigning: { algorithm: '${SECRET}', key_file: '${SECRET}' }\n",
        ),
        with("id: okta", "id: ${SECRET}/").replace("preset: okta", "preset: ${SECRET}"),
        with("https://acme.okta.com", "${SECRET}").replace("[example.com]", "['${SECRET}']"),
        with("url: https://mcp.example.com/mcp", "url: ${SECRET}").replace("mcp:read: R", "'${SECRET} ': R"),
        with("  default_scopes: [mcp:read]", "  default_scopes: ['${SECRET}']\n  admin_users: ['${SECRET}']"),
        with(
            "  default_scopes: [mcp:read]",
            "  rules: [{ upstreams: '${SECRET}', resources: '${SECRET}', domains: '${SECRET}', scopes: '${SECRET}' }]",
        ),
        plus(
            "clients: [{ id: 'p_${SECRET}', name: A, redirect_uris: '${SECRET}', secret: '${SHORT}', auth: '${SECRET}' }]\n",
        ),
        with("  default_scopes: [mcp:read]", "  rules: [{ domains: '${SHORT}.example', scopes: mcp:read }]"),
    ] {
        match parse(&text, "test.yaml", &env) {
            Ok(_) => panic!("no fault in {text}"),
            Err(faults) => {
                let shown = format!("{faults}\n{faults:?}");
                assert!(!shown.contains(CANARY), "in {text}\nfound {shown}");
            }
        }
    }
}
