//! Answers that need no body read it all the same: a connection with half a request on it is
//! closed, and a client that sends head and body apart (Python's do) finds it reset at its next
//! request, often the one after the first 401.

use http::Request;
use tower::ServiceExt as _;

use crate::harness::body::noticed;
use crate::harness::broker::https_router;

#[tokio::test]
async fn refusals_of_the_broker_leave_the_connection_usable() {
    let router = https_router().await;
    for (path, status) in [("/nothing-here", 404), ("/oauth/jwks", 405), ("/oauth/token", 415)] {
        let (body, noticed) = noticed("{}");
        let request = Request::post(path).header("host", "auth.example.com").body(body).expect("a request");
        let response = router.clone().oneshot(request).await.expect("an answer");
        assert_eq!(response.status(), status, "{path}");
        assert!(noticed.was_read(), "{path} was answered before its body was read");
    }
}

/// SEC-161: nobody is made to read what is too long.
#[tokio::test]
async fn a_body_without_end_is_not_waited_for() {
    let router = https_router().await;
    let endless = futures::stream::repeat_with(|| Ok::<_, std::convert::Infallible>("x".repeat(1024)));
    for (path, status) in [("/nothing-here", 404), ("/oauth/register", 413)] {
        let body = axum::body::Body::from_stream(endless.clone());
        let request = Request::post(path).header("host", "auth.example.com");
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        assert_eq!(router.clone().oneshot(request).await.expect("an answer").status(), status, "{path}");
    }
}

/// Nor is anybody made to wait for what never comes.
#[tokio::test(start_paused = true)]
async fn a_body_that_never_comes_is_given_up() {
    let router = https_router().await;
    for (path, status) in [("/nothing-here", 404), ("/oauth/register", 413)] {
        let never = futures::stream::pending::<Result<Vec<u8>, std::convert::Infallible>>();
        let request = Request::post(path).header("host", "auth.example.com");
        let body = axum::body::Body::from_stream(never);
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        assert_eq!(router.clone().oneshot(request).await.expect("an answer").status(), status, "{path}");
    }
}
