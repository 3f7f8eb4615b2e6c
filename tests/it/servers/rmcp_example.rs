//! docs/servers/rust.md: the example runs, in front of a real broker.

use tokio::net::TcpListener;

use crate::harness::broker::RESOURCE;

use super::stand::{Stand, challenge, whoami};

#[path = "../../../examples/rmcp-server.rs"]
#[expect(dead_code, reason = "its main serves at an address of its own")]
mod example;

/// SEC-140, SEC-141, SEC-143, SEC-145: good, expired, for another server, of another kind, not enough.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_141_the_rmcp_example_guards_itself() {
    let stand = Stand::start().await;
    let router = example::router(RESOURCE, &stand.broker.issuer).expect("a router");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let origin = format!("http://{}", listener.local_addr().expect("an address"));
    tokio::spawn(axum::serve(listener, router).into_future());
    stand.holds_at(&origin).await;

    // INT-24, INT-25: what the challenges ask for.
    let mcp = format!("{origin}/mcp");
    assert!(challenge(&whoami(&mcp, None).await).ends_with(", scope=\"mcp:read mcp:write\""));
    let elsewhere = whoami(&format!("{origin}/elsewhere"), Some(&stand.good.access)).await;
    assert_eq!(elsewhere.status, 404, "{}", elsewhere.body);
}
