//! What the documents say is true: their YAML loads, their links lead somewhere, their commands
//! exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gatelodge::config;
use gatelodge::domain::KnownClient;
use gatelodge::pages::{ErrorPage, Problem};
use gatelodge::protocol::ErrorCode;

/// One page for each preset.
const PRESETS: [&str; 8] = ["google", "okta", "keycloak", "clerk", "entra", "auth0", "github", "oidc"];

const PAGES: [&str; 27] = [
    "README.md",
    "docs/api-keys.md",
    "docs/architecture.md",
    "docs/clients.md",
    "docs/configuration.md",
    "docs/credentials.md",
    "docs/forward-auth.md",
    "docs/gateway.md",
    "docs/operations.md",
    "docs/performance.md",
    "docs/policy.md",
    "docs/providers.md",
    "docs/providers/auth0.md",
    "docs/providers/clerk.md",
    "docs/providers/entra.md",
    "docs/providers/github.md",
    "docs/providers/google.md",
    "docs/providers/keycloak.md",
    "docs/providers/oidc.md",
    "docs/providers/okta.md",
    "docs/reliability.md",
    "docs/servers.md",
    "docs/servers/go.md",
    "docs/servers/python.md",
    "docs/servers/rust.md",
    "docs/servers/typescript.md",
    "docs/threat-model.md",
];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn blocks(text: &str, language: &str) -> Vec<String> {
    let marker = format!("```{language}\n");
    let after = text.split(&marker).skip(1);
    after.filter_map(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned()).collect()
}

/// Each provider's lines load, once they stand in a whole file.
#[test]
fn the_readme_s_yaml_loads() {
    let blocks = blocks(&read("README.md"), "yaml");
    assert_eq!(blocks.len(), 5);
    for block in blocks {
        let _ = loaded("README.md", &block);
    }
}

/// Every preset has a page, in the index too, whose YAML is one upstream or more of that preset.
#[test]
fn every_preset_has_a_page_whose_yaml_loads() {
    assert_eq!(PRESETS, config::Preset::ALL.map(config::Preset::as_str));
    let index = read("docs/providers.md");
    for preset in PRESETS {
        assert!(
            index.contains(&format!("[`{preset}`](providers/{preset}.md)")),
            "{preset} is not in the index"
        );
        let name = format!("docs/providers/{preset}.md");
        let text = read(&name);
        let blocks = blocks(&text, "yaml");
        assert_eq!(blocks.len(), 1, "{name}");
        for upstream in loaded(&name, &blocks[0]).upstreams {
            assert_eq!(upstream.preset.as_str(), preset, "{name}");
        }
        // What a page shows in a comment loads, too.
        let shown = blocks[0].replace("\n    # ", "\n    ");
        let _ = loaded(&name, &shown);
        assert!(text.contains("/oauth/callback/"), "{name} names the redirect URI");
        assert!(text.contains("## What decides"), "{name} tells the trust rule");
    }
}

/// A block as it stands, or in the middle of a whole file.
fn loaded(name: &str, block: &str) -> config::Config {
    let rest = "issuer: https://auth.example.com\nresources:\n  - url: https://mcp.example.com/mcp\n    \
                name: Tools\n    scopes: { mcp:read: Read }\naccess: { default_scopes: [mcp:read] }\n";
    let is_whole = block.contains("issuer: https://auth.example.com");
    let text = if is_whole { block.to_owned() } else { format!("{rest}{block}") };
    let env = |name: &str| Some(format!("{name}-a-value-for-the-test"));
    config::parse(&text, name, &env).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
}

/// The servers of docs/gateway.md load, and every key that is about passing requests on is explained there.
#[test]
fn the_gateway_s_servers_load() {
    let page = read("docs/gateway.md");
    let rest = "issuer: https://auth.example.com\nstore: memory\nupstreams:\n  - { id: okta, preset: okta, issuer: 'https://acme.okta.com', client_id: x, allowed_domains: [example.com] }\n\
                access: { default_scopes: [mcp:read, mcp:write, mcp:admin, wiki:read] }\n";
    let blocks = blocks(&page, "yaml");
    assert_eq!(blocks.len(), 2);
    let of_tenants = rest.replace("[mcp:read, mcp:write, mcp:admin, wiki:read]", "[mcp:read]");
    for (rest, block) in [(rest, &blocks[0]), (&of_tenants, &blocks[1])] {
        let loaded = config::parse(&format!("{rest}{block}"), "docs/gateway.md", &|_| None);
        let loaded = loaded.unwrap_or_else(|faults| panic!("{faults}"));
        assert!(loaded.resources.iter().all(|resource| resource.forwarding.is_some()));
    }
    for key in [
        "upstream_url",
        "upstream_timeout",
        "stream_idle",
        "streams",
        "body_limit",
        "forward_credential",
        "identity",
        "identity_header",
        "tools",
        "tenants",
        "tenant_header",
    ] {
        assert!(page.contains(&format!("| `{key}` |")), "docs/gateway.md does not explain {key}");
    }
}

/// The policies of docs/policy.md load, once they stand in a whole file; and every condition and
/// effect that a rule has is explained there.
#[test]
fn the_policies_load() {
    let page = read("docs/policy.md");
    let rest = "issuer: https://auth.example.com\nstore: memory\nupstreams:\n  - { id: okta, preset: okta, issuer: 'https://acme.okta.com', client_id: x, allowed_domains: [example.com] }\n\
                resources:\n  - { url: 'https://mcp.example.com/mcp', name: T, scopes: { mcp:read: R, mcp:write: W, mcp:admin: A } }\n";
    let blocks = blocks(&page, "yaml");
    assert_eq!(blocks.len(), 4);
    for block in blocks {
        let text = format!("{rest}{block}");
        let loaded = config::parse(&text, "docs/policy.md", &|_| None);
        assert!(loaded.is_ok(), "{}", loaded.err().map(|faults| faults.to_string()).unwrap_or_default());
    }
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).expect("JSON");
    let rule = &schema["properties"]["access"]["properties"]["rules"]["items"]["properties"];
    for key in rule.as_object().expect("the keys of a rule").keys() {
        assert!(page.contains(&format!("`{key}")), "docs/policy.md does not explain {key}");
    }
}

/// The credentials of docs/credentials.md load, once they stand in a whole file; and every type has its row.
#[test]
fn the_credentials_load() {
    let page = read("docs/credentials.md");
    let rest = "issuer: https://auth.example.com\nstore: memory\nupstreams:\n  - { id: okta, preset: okta, issuer: 'https://acme.okta.com', client_id: x, allowed_domains: [example.com] }\n";
    let blocks = blocks(&page, "yaml");
    assert_eq!(blocks.len(), 1);
    let env = |name: &str| Some(format!("{name}-a-value-for-the-test"));
    let text = format!("{rest}{}", blocks[0]);
    let loaded =
        config::parse(&text, "docs/credentials.md", &env).unwrap_or_else(|faults| panic!("{faults}"));
    assert_eq!(loaded.credentials.len(), 4);
    let schema: serde_json::Value = serde_json::from_str(&config::schema()).expect("JSON");
    let credential = &schema["properties"]["credentials"]["items"]["properties"];
    for word in credential["type"]["anyOf"][0]["enum"].as_array().expect("the types") {
        let row = format!("| `{}` |", word.as_str().expect("a word"));
        assert!(page.contains(&row), "docs/credentials.md lacks {row}");
    }
}

/// The programs that docs/servers shows are those that tests/it/servers runs.
#[test]
fn the_servers_are_those_that_run() {
    for (page, language, programs) in [
        ("rust", "rust", &["examples/rmcp-server.rs"][..]),
        ("typescript", "ts", &["tests/servers/typescript/server.ts"]),
        ("python", "python", &["tests/servers/python/server.py", "tests/servers/python/fastmcp_server.py"]),
        ("go", "go", &["tests/servers/go/main.go"]),
    ] {
        let name = format!("docs/servers/{page}.md");
        let text = read(&name);
        let programs: Vec<String> = programs.iter().map(|program| read(program)).collect();
        assert!(blocks(&text, language) == programs, "{name} shows another program than the one that runs");
        for block in blocks(&text, "yaml") {
            let rest = "issuer: https://auth.example.com\nstore: memory\nupstreams:\n  - { id: okta, preset: okta, issuer: 'https://acme.okta.com', client_id: x, allowed_domains: [example.com] }\n\
                        access: { default_scopes: [mcp:read] }\n";
            let loaded = config::parse(&format!("{rest}{block}"), &name, &|_| None);
            assert!(
                loaded.is_ok(),
                "{name}: {}",
                loaded.err().map(|faults| faults.to_string()).unwrap_or_default()
            );
        }
        assert!(
            read("docs/servers.md").contains(&format!("(servers/{page}.md)")),
            "{page} is not in the index"
        );
    }
}

#[test]
fn links_between_the_pages_lead_somewhere() {
    for page in PAGES {
        let folder = Path::new(page).parent().expect("a folder");
        for link in read(page).split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if !link.starts_with("http") {
                let target = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(link);
                assert!(target.exists(), "{page} links to {link}");
            }
        }
    }
}

/// Source files that the pages name in code font are there.
#[test]
fn files_that_the_pages_name_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for page in PAGES {
        for name in read(page).split('`').skip(1).step_by(2) {
            let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let is_file =
                Path::new(name).extension().is_some_and(|ending| ending == "rs" || ending == "yaml");
            if plain && is_file && name.contains('/') {
                let found = root.join(name).exists() || root.join("src").join(name).exists();
                assert!(found, "{page} names {name}");
            }
        }
    }
}

/// The commands that the README prints are commands of the program.
#[test]
fn the_commands_exist() {
    let binary = env!("CARGO_BIN_EXE_gatelodge");
    for arguments in [
        &["serve", "--help"][..],
        &["demo", "--help"],
        &["check", "--help"],
        &["health", "--help"],
        &["keys", "list", "--help"],
        &["keys", "rotate", "--help"],
        &["revoke", "--help"],
        &["explain", "--help"],
        &["admins", "list", "--help"],
        &["admins", "unpin", "--help"],
        &["api-keys", "create", "--help"],
        &["api-keys", "list", "--help"],
        &["api-keys", "revoke", "--help"],
        &["clients", "add", "--help"],
        &["clients", "list", "--help"],
        &["clients", "rotate-secret", "--help"],
        &["clients", "remove", "--help"],
        &["clients", "approve", "--help"],
        &["clients", "refuse", "--help"],
        &["sessions", "list", "--help"],
        &["sessions", "revoke", "--help"],
        &["secret", "--help"],
        &["schema"],
    ] {
        let ran = std::process::Command::new(binary).args(arguments).output().expect("the program runs");
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
    }
}

/// Whoever meets an error finds it in the operator's table, under the words that were shown.
#[test]
fn every_error_is_explained() {
    let operations = read("docs/operations.md");
    for problem in Problem::ALL {
        let row = format!("| {} | {} |", ErrorPage::of("", problem).title, problem.status());
        assert!(operations.contains(&row), "docs/operations.md lacks: {row}");
    }
    for code in ErrorCode::ALL {
        assert!(operations.contains(&format!("`{}`", code.as_str())), "{code:?} is not explained");
    }
    for challenge in ["`invalid_token`", "`insufficient_scope`"] {
        assert!(operations.contains(challenge), "{challenge} is not explained");
    }
}

/// The applications that are known by name stand in the table, each with where its answers go.
#[test]
fn every_known_client_stands_in_the_table() {
    let page = read("docs/clients.md");
    for known in KnownClient::ALL {
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", known.name)));
        let row = row.unwrap_or_else(|| panic!("docs/clients.md lacks {}", known.name));
        for place in known.places().chain(known.documents().iter().map(ToString::to_string)) {
            assert!(row.contains(&format!("`{place}`")), "docs/clients.md lacks {place} of {}", known.name);
        }
    }
}

/// INT-16: where a client does not connect, the page says who will not talk to an issuer on a private
/// address.
#[test]
fn int_16_who_refuses_private_addresses_is_told() {
    let page = read("docs/clients.md");
    let (_, advice) = page.split_once("## When a client does not connect").expect("the section");
    let private = advice.split("\n- ").find(|line| line.contains("private address")).expect("a line");
    for client in ["claude.ai", "Gemini CLI 0.61 and newer", "Rust SDK (`rmcp`) 3"] {
        assert!(private.contains(client), "{client}: {private}");
    }
}

/// The rows of the reliability page, and those that a test is named after, are the same.
#[test]
fn every_promised_row_is_named_by_a_test() {
    let page = read("docs/reliability.md");
    let promised: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("| REL-")?.split(' ').next()).collect();
    let mut named = BTreeSet::new();
    for source in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it")) {
        let text = fs::read_to_string(source).expect("a source");
        let rows = text.split("fn rel_").skip(1).filter_map(|rest| rest.split('_').next());
        named.extend(rows.filter(|row| row.parse::<u8>().is_ok()).map(str::to_owned));
    }
    let named: BTreeSet<&str> = named.iter().map(String::as_str).collect();
    assert_eq!(promised, named);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let inner = folders.iter().flat_map(|folder| sources(folder));
    files
        .into_iter()
        .filter(|file| file.extension().is_some_and(|ending| ending == "rs"))
        .chain(inner)
        .collect()
}

/// The files of docker-compose.yml and of deploy/production load.
#[test]
fn the_deployed_configurations_load() {
    let env = |name: &str| Some(format!("{name}-a-Value-4-the-test-of-32-characters"));
    let compose =
        read("deploy/compose/gatelodge.yaml").replace("secret_file: /data/secret", "secret: ${SECRET}");
    for (name, text) in [
        ("deploy/compose/gatelodge.yaml", compose),
        ("deploy/production/gatelodge.yaml.example", read("deploy/production/gatelodge.yaml.example")),
    ] {
        let loaded = config::parse(&text, name, &env);
        assert!(loaded.is_ok(), "{}", loaded.err().map(|faults| faults.to_string()).unwrap_or_default());
    }
}
