//! Who sits at the client: the scripted browser, and the loopback listener where it ends.

use std::collections::HashMap;

use axum::Router;
use axum::response::Html;
use axum::routing::get;
use http::Uri;
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::sync::mpsc;
use url::Url;

use crate::{Outcome, require};

const BROWSER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/browser-cli.mjs");
const BACK: &str = "<!doctype html><html lang=en><link rel=icon href=data:,><title>Back at the client</title>\
                    <h1>Back at the client</h1>";

/// One person, with a callback on a port that the kernel chose.
pub(crate) struct Person {
    name: &'static str,
    screenshots: Option<String>,
    redirect_uri: String,
    arrivals: mpsc::UnboundedReceiver<Uri>,
    visits: usize,
}

impl Person {
    pub(crate) async fn open(name: &'static str, screenshots: Option<String>) -> Outcome<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let redirect_uri = format!("http://{}/callback", listener.local_addr()?);
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let back = async move |uri: Uri| {
            // Nobody listens any more at the end of the program.
            let _ = arrived.send(uri);
            Html(BACK)
        };
        let callback = Router::new().route("/callback", get(back));
        tokio::spawn(axum::serve(listener, callback).into_future());
        Ok(Self { name, screenshots, redirect_uri, arrivals, visits: 0 })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// Walks consent and sign-in; answers the whole URL at which the browser arrived.
    pub(crate) async fn approve(&mut self, url: &str) -> Outcome<String> {
        self.visits += 1;
        let mut browser = Command::new("node");
        let name = format!("rmcp-{}-{}", self.name, self.visits);
        browser.args([BROWSER, url, "--person", self.name, "--name", &name]).kill_on_drop(true);
        if let Some(directory) = &self.screenshots {
            browser.args(["--screenshots", directory]);
        }
        let walked = browser.output().await?;
        let said = String::from_utf8_lossy(&walked.stderr).into_owned();
        require(walked.status.success(), || format!("the browser did not return: {said}"))?;
        let arrived = self.arrivals.recv().await.ok_or("no callback")?;
        Ok(Url::parse(&self.redirect_uri)?.join(&arrived.to_string())?.into())
    }
}

/// The parameters of a URL.
pub(crate) fn query(url: &str) -> Outcome<HashMap<String, String>> {
    Ok(Url::parse(url)?.query_pairs().into_owned().collect())
}
