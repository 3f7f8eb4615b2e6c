//! A failover can bring a code back that was used: Redis is given the record as it was before.

use std::time::Duration;

use redis::{Cmd, Connection, FromRedisValue};

use crate::harness::broker::{Setup, TestBroker};
use crate::harness::browser::Page;
use crate::harness::client::{TestClient, Tokens};
use crate::harness::extent::{extent, figure};
use crate::harness::redis_server::{fresh_prefix, shared};

fn ask<T: FromRedisValue>(raw: &mut Connection, words: &[&[u8]]) -> T {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    command.query(raw).unwrap()
}

fn refused(page: &Page) -> bool {
    page.status == 400 && ["invalid_grant", "invalid_request"].contains(&page.error().as_str())
}

/// REL-03: such a code is good for nobody but its client with its verifier, and not after its
/// minute. Who redeems it gets the tokens of the first redemption: there is one grant, and it ends
/// with the next replay.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rel_03_a_code_that_comes_back_makes_no_second_grant() {
    let Some(server) = shared() else { return };
    let (codes, prefix) = (extent(4, 200), fresh_prefix());
    let store = format!("store: {}\nstore_prefix: \"{prefix}\"\n", server.url().expose());
    let broker = TestBroker::with(Setup { store, ..Setup::default() }).await;
    let (client, other) = (TestClient::register(&broker).await, TestClient::register(&broker).await);
    let mut raw = server.connection();
    let (mut again, mut over) = (0, 0);
    for number in 0..codes {
        let code = client.code(&broker).await;
        let grants: Vec<Vec<u8>> = ask(&mut raw, &[b"KEYS", format!("{prefix}1:person:*").as_bytes()]);
        let [key] = &grants[..] else { panic!("one person: {grants:?}") };
        let before: Vec<u8> = ask(&mut raw, &[b"DUMP", key]);
        let first = Tokens::of(&client.redeem(&broker, &code).await);
        let _: String = ask(&mut raw, &[b"RESTORE", key, b"60000", &before, b"REPLACE"]);

        assert!(refused(&other.redeem(&broker, &code).await), "another client");
        let wrong = "wrong-wrong-wrong-wrong-wrong-wrong-wrong-wrong";
        for verifier in ["", wrong] {
            let page = client.redeem_with(&broker, &code, &[("code_verifier", verifier)]).await;
            assert!(refused(&page), "{verifier}: {}", page.body);
        }
        if number % 2 == 0 {
            broker.clock.advance(Duration::from_secs(59));
            let second = Tokens::of(&client.redeem(&broker, &code).await);
            assert_eq!(second.refresh, first.refresh, "one grant, and one family of tokens");
            assert!(refused(&client.redeem(&broker, &code).await), "it is used again");
            assert!(refused(&client.refresh(&broker, &first.refresh).await), "a replay ends it");
            again += 1;
        } else {
            broker.clock.advance(Duration::from_secs(60));
            assert!(refused(&client.redeem(&broker, &code).await), "its minute is over");
            over += 1;
        }
        let _: i64 = ask(&mut raw, &[b"DEL", key]);
    }
    let seen = format!(
        "{codes} codes, refused to another client and without the verifier; {again} redeemed again within \
         their minute, to the same tokens; {over} refused after it"
    );
    figure("REL-03", "a used code comes back in a failover", &seen);
}
