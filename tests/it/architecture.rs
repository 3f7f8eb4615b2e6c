//! The order of the house: a module imports only from rows above its own, modules on one row
//! never import each other, axum stands only where HTTP is spoken, and files stay short.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rows of `docs/architecture.md`, top first.
const ROWS: [&[&str]; 14] = [
    &["clock", "cors", "gathering", "secret", "single_flight", "telemetry"],
    &["protocol", "rate"],
    &["bearer", "domain"],
    &["policy", "outbound", "config"],
    &["store", "upstream", "tokens"],
    &["clients", "keyring", "people"],
    &["login", "grants", "access"],
    &["gateway", "resource_server"],
    &["broker", "pages"],
    &["http"],
    &["app"],
    &["demo"],
    &["cli"],
    &["main"],
];

/// Only these see the configuration; every service gets the narrow values that it needs.
const SEE_CONFIG: [&str; 5] = ["config", "app", "demo", "cli", "main"];

/// Only these speak HTTP as a server.
const SEE_AXUM: [&str; 4] = ["http", "gateway", "app", "demo"];

/// About 400 lines a file.
const LONGEST: usize = 420;

fn row_of(module: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&module))
}

/// Every source file with the top-level module that it belongs to.
fn sources() -> Vec<(PathBuf, String)> {
    fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    let module = |path: &Path| {
        let below = path.strip_prefix(&root).expect("below src");
        let first = below.components().next().expect("a name").as_os_str().to_string_lossy().into_owned();
        first.trim_end_matches(".rs").to_owned()
    };
    files
        .into_iter()
        .map(|path| (path.clone(), module(&path)))
        .filter(|(_, module)| module != "lib")
        .collect()
}

/// The crate's modules that a source text names: `crate::x`, `crate::{x, y}`, `gatelodge::x`.
/// Comments count too: documentation that points downwards is an import in spirit — but not
/// intra-doc links, which are allowed to point anywhere.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = code.collect::<Vec<_>>().join("\n");
    for marker in ["crate::", "gatelodge::"] {
        for (at, _) in code.match_indices(marker) {
            let rest = &code[at + marker.len()..];
            if let Some(group) = rest.strip_prefix('{') {
                let group = group.split_once("};").map_or(group, |(inside, _)| inside);
                let mut depth = 0;
                let mut name = String::new();
                for c in group.chars().chain([',']) {
                    match c {
                        '{' => depth += 1,
                        '}' => depth -= 1,
                        ',' if depth == 0 => {
                            let first = name.trim().split("::").next().unwrap_or_default();
                            found.insert(first.to_owned());
                            name.clear();
                        }
                        _ if depth == 0 => name.push(c),
                        _ => {}
                    }
                }
            } else {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                found.insert(rest[..end].to_owned());
            }
        }
    }
    found.retain(|name| row_of(name).is_some());
    found
}

#[test]
fn a_module_imports_only_from_rows_above_its_own() {
    let mut faults = Vec::new();
    for (path, module) in sources() {
        let own = row_of(&module).unwrap_or_else(|| panic!("{module} stands on no row"));
        for import in imports(&fs::read_to_string(&path).expect("a text")) {
            let upward = row_of(&import).is_some_and(|row| row < own);
            if import != module && !upward {
                faults.push(format!("{} imports {import}", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn only_those_who_wire_see_the_configuration_and_only_servers_see_axum() {
    let mut faults = Vec::new();
    for (path, module) in sources() {
        let text = fs::read_to_string(&path).expect("a text");
        if imports(&text).contains("config") && !SEE_CONFIG.contains(&module.as_str()) {
            faults.push(format!("{} sees the configuration", path.display()));
        }
        if text.contains("axum::") && !SEE_AXUM.contains(&module.as_str()) {
            faults.push(format!("{} sees axum", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn files_have_one_subject_and_stay_short() {
    let lines = |path: &Path| fs::read_to_string(path).expect("a text").lines().count();
    let long: Vec<_> = sources().into_iter().filter(|(path, _)| lines(path) > LONGEST).collect();
    assert!(long.is_empty(), "over {LONGEST} lines: {long:?}");
}

/// The reader itself: it must see what it is there to see.
#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::store::Store;\nuse crate::{\n    domain::{Grant, Client},\n    policy,\n};\n// crate::cli\nlet x = crate::http::router();";
    let found: Vec<_> = imports(text).into_iter().collect();
    assert_eq!(found, ["domain", "http", "policy", "store"]);
}
