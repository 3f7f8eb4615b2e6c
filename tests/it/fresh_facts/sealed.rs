//! An upstream's refresh token is the person's key to that upstream: it stands in the sealed record and
//! nowhere else (SEC-058, SEC-162, SEC-166).

use gatelodge::telemetry::LogStyle;

use crate::harness::broker::Setup;
use crate::harness::provider::TokenAnswer;
use crate::harness::redis_server::{self, fresh_prefix};
use crate::harness::temp_dir::TempDir;
use crate::logs::Capture;

use super::{MINUTE, assert_dead, bob, refreshed, signed_in_with};

fn assert_nowhere(secrets: &[String], bytes: &[u8], place: &str) {
    assert!(secrets.iter().any(|secret| secret.starts_with("upstream-refresh-")), "{secrets:?}");
    for secret in secrets {
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "{place} holds {secret}");
    }
}

/// SEC-058, SEC-162, SEC-166: every way that a renewal can go leaves no token in the log at its most
/// talkative, in no answer, and in no byte of the file; also where the provider's error repeats it.
#[tokio::test]
async fn sec_162_upstream_tokens_are_in_no_log_no_answer_and_no_file() {
    for style in [LogStyle::Json, LogStyle::Text] {
        let capture = Capture::begin(style);
        let folder = TempDir::new();
        let path = folder.path().join("store.db");
        let store = format!("store: {}\n", path.display());
        let (broker, client, tokens) = signed_in_with(Setup { store, ..Setup::default() }).await;
        let mut tokens = refreshed(&broker, &client, &tokens).await;
        for answer in [TokenAnswer::ServerError, TokenAnswer::NoIdToken, TokenAnswer::Tokens] {
            broker.provider.misbehave(|m| m.token = answer);
            tokens = refreshed(&broker, &client, &tokens).await;
        }
        broker.provider.change(bob(&[]));
        let tokens = refreshed(&broker, &client, &tokens).await;
        let current =
            broker.provider.given_out().into_iter().rfind(|text| text.starts_with("upstream-refresh-"));
        let said = format!("the token {} is not known", current.unwrap());
        broker.provider.misbehave(|m| m.token = TokenAnswer::Error(said));
        broker.clock.advance(MINUTE);
        assert_dead(&client.refresh(&broker, &tokens.refresh).await);
        let given = broker.provider.given_out();
        let answers: String =
            broker.exchanges.all().iter().map(crate::harness::recorder::Exchange::answer).collect();
        broker.stop().await;
        let log = capture.text();
        assert!(log.contains("no longer vouches"), "the search can find: {log}");
        assert_nowhere(&given, log.as_bytes(), "the log");
        assert_nowhere(&given, answers.as_bytes(), "an answer");
        assert_nowhere(&given, &std::fs::read(&path).unwrap(), "the file");
    }
}

/// SEC-166: Redis has it sealed.
#[tokio::test]
async fn sec_166_upstream_tokens_are_not_in_a_dump_of_redis() {
    let Some(redis) = redis_server::shared() else { return };
    let prefix = fresh_prefix();
    let store = format!("store: {}\nstore_prefix: \"{prefix}\"\n", redis.url().expose());
    let (broker, client, tokens) = signed_in_with(Setup { store, ..Setup::default() }).await;
    refreshed(&broker, &client, &tokens).await;
    let mut raw = redis::Client::open(redis.url().expose()).unwrap().get_connection().unwrap();
    let keys: Vec<Vec<u8>> = redis::Cmd::new().arg("KEYS").arg(format!("{prefix}*")).query(&mut raw).unwrap();
    let mut bytes = Vec::new();
    for key in keys {
        bytes.extend(redis::Cmd::new().arg("DUMP").arg(&key).query::<Vec<u8>>(&mut raw).unwrap());
        bytes.extend(key);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    assert!(text.contains("1:upstream:{"), "the record is there");
    assert_nowhere(&broker.provider.given_out(), &bytes, "Redis");
}
