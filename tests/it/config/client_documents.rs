//! Clients whose identifier is the URL of their metadata.

use super::{good, only_fault, plus};

/// Everyone's documents are taken where nothing is said.
#[test]
fn documents_are_taken_by_default() {
    let documents = good(&plus("")).client_documents;
    assert!(documents.enabled && documents.allowed_hosts.is_empty() && documents.pinned.is_empty());
    let narrow = good(&plus("client_documents: { allowed_hosts: [claude.ai], private_hosts: [a.corp] }\n"));
    assert_eq!(narrow.client_documents.allowed_hosts[0].as_str(), "claude.ai");
    assert_eq!(narrow.client_documents.private_hosts[0].as_str(), "a.corp");
}

/// What is wrong has its line, and nothing stands there without effect.
#[test]
fn faults_of_documents() {
    let path = |key: &str| format!("client_documents.{key}");
    for (text, key, problem) in [
        ("{ allowed_hosts: ['*.claude.ai'] }", "allowed_hosts[0]", "not a domain name"),
        ("{ enabled: maybe }", "enabled", ""),
        ("{ enabled: false, denied_hosts: [a.example] }", "denied_hosts", "no effect"),
        ("{ pinned: [{ client_id: 'https://a.example/c' }] }", "pinned[0]", "needs either"),
        (
            "{ pinned: [{ client_id: 'http://a.example/c', document: '{}' }] }",
            "pinned[0].client_id",
            "https://",
        ),
        (
            "{ pinned: [{ client_id: 'https://a.example/c', document: '{}' }] }",
            "pinned[0].document",
            "client_id",
        ),
        (
            "{ pinned: [{ client_id: 'https://a.example/c', file: /nowhere }] }",
            "pinned[0].file",
            "cannot be read",
        ),
    ] {
        only_fault(&plus(&format!("client_documents: {text}\n")), 18, &path(key), problem);
    }
}
