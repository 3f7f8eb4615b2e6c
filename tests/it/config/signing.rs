//! How tokens are signed.

use std::time::Duration;

use gatelodge::config::SigningAlgorithm;

use super::{good, only_fault, plus};

/// What holds where nothing is said, and what may be said.
#[test]
fn rotation_is_a_time_or_never() {
    let days = |days: u64| Some(Duration::from_secs(days * 24 * 3600));
    let signing = good(&plus("")).signing;
    assert_eq!((signing.algorithm, signing.rotate_every), (SigningAlgorithm::Es256, days(90)));
    assert!(signing.key_files.is_empty());
    for (text, every) in [("2d", days(2)), ("3650d", days(3650)), ("48h", days(2)), ("never", None)] {
        let config = good(&plus(&format!("signing: {{ rotate_every: {text} }}\n")));
        assert_eq!(config.signing.rotate_every, every, "{text}");
    }
    for text in ["1d", "47h", "3651d", "0s", "always", "90"] {
        let text = plus(&format!("signing: {{ rotate_every: \"{text}\" }}\n"));
        only_fault(&text, 18, "signing.rotate_every", "is not a time to sign for");
    }
}

/// The operator's own keys: one or several, each a private key; and then no rotation of ours.
#[test]
fn own_keys_are_a_file_or_several() {
    let path = std::env::temp_dir().join(format!("gatelodge-signing-{}.pem", std::process::id()));
    std::fs::write(&path, "-----BEGIN PRIVATE KEY-----\n").unwrap();
    let file = path.display();
    let one = good(&plus(&format!("signing: {{ key_file: {file} }}\n")));
    assert_eq!(one.signing.key_files, std::slice::from_ref(&path));
    let two = good(&plus(&format!("signing: {{ key_file: [{file}, {file}] }}\n")));
    assert_eq!(two.signing.key_files.len(), 2);
    let both = plus(&format!("signing: {{ key_file: {file}, rotate_every: 30d }}\n"));
    only_fault(&both, 18, "signing.rotate_every", "has no effect");
    let missing = plus(&format!("signing:\n  key_file: [{file}, /nonexistent]\n"));
    only_fault(&missing, 19, "signing.key_file[1]", "cannot be read");
    std::fs::write(&path, "-----BEGIN PUBLIC KEY-----\n").unwrap();
    let public = plus(&format!("signing:\n  key_file: {file}\n"));
    only_fault(&public, 19, "signing.key_file", "holds no private key");
    std::fs::remove_file(&path).unwrap();
}
