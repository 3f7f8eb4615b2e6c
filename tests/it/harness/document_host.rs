//! A web server with a name of its own, for documents that clients publish; and a resolver that says
//! where names lead. Both may misbehave.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use gatelodge::outbound::documents::{Documents, Lookup, PATIENCE};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// The host's name.
pub(crate) const HOST: &str = "app.example";

/// What a path answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// Head lines without the status line's `HTTP/1.1 `, and a body.
    Said(String, Vec<u8>),
    /// A head that promises chunks, and chunks without end.
    Endless,
    /// This JSON, byte by byte, with a pause before each.
    Drip(Vec<u8>, Duration),
    /// Nothing at all.
    Silence,
}

impl Answer {
    /// 200, JSON.
    pub(crate) fn json(document: &Value) -> Self {
        Self::json_with("", document)
    }

    /// The same with more header lines, each ended by CRLF.
    pub(crate) fn json_with(headers: &str, document: &Value) -> Self {
        Self::Said(
            format!("200 OK\r\nContent-Type: application/json\r\n{headers}"),
            document.to_string().into(),
        )
    }

    /// A status without a document.
    pub(crate) fn status(line: &str) -> Self {
        Self::Said(format!("{line}\r\nContent-Type: application/json\r\n"), b"{}".to_vec())
    }
}

/// Says where names lead. A list of lists: one for each look-up, the last one for all that follow.
#[derive(Debug, Default)]
pub(crate) struct TestLookup {
    names: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl TestLookup {
    pub(crate) fn leads(&self, name: &str, turns: &[&[&str]]) {
        let address = |text: &&str| text.parse().expect("an address");
        let turns = turns.iter().map(|turn| turn.iter().map(address).collect()).collect();
        self.names.lock().unwrap().insert(name.to_owned(), turns);
    }

    /// Every name that was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Lookup for TestLookup {
    async fn addresses(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.lock().unwrap().push(host.to_owned());
        let mut names = self.names.lock().unwrap();
        let turns = names.get_mut(host).ok_or_else(|| io::Error::other("no such host"))?;
        Ok(if turns.len() > 1 { turns.remove(0) } else { turns[0].clone() })
    }
}

/// The server.
#[derive(Debug)]
pub(crate) struct DocumentHost {
    port: u16,
    authority: String,
    /// Where names lead; [`HOST`] leads to the server.
    pub(crate) lookup: Arc<TestLookup>,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl DocumentHost {
    pub(crate) async fn start() -> Self {
        gatelodge::app::install_crypto();
        let (authority, config) = certificates();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (answers, requests) = (Arc::<Mutex<HashMap<_, _>>>::default(), Arc::<Mutex<Vec<_>>>::default());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (known, heard) = (Arc::clone(&answers), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, known, heard) = (acceptor.clone(), Arc::clone(&known), Arc::clone(&heard));
                tokio::spawn(async move { serve(stream, acceptor, known, heard).await });
            }
        });
        let lookup = Arc::new(TestLookup::default());
        lookup.leads(HOST, &[&["127.0.0.1"]]);
        Self { port, authority, lookup, answers, requests }
    }

    /// A fetcher that knows this resolver and trusts this server; `private_hosts` may be on loopback.
    pub(crate) fn fetcher(&self, private_hosts: &[&str]) -> Documents {
        self.fetcher_within(private_hosts, PATIENCE)
    }

    /// The same with another patience.
    pub(crate) fn fetcher_within(&self, private_hosts: &[&str], patience: Duration) -> Documents {
        let root = reqwest::Certificate::from_pem(self.authority.as_bytes()).expect("a certificate");
        let lookup = Arc::clone(&self.lookup) as Arc<dyn Lookup>;
        let private_hosts = private_hosts.iter().map(ToString::to_string).collect();
        Documents::new(lookup, private_hosts, vec![root], patience).expect("a client")
    }

    /// The URL of a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://{HOST}:{}{path}", self.port)
    }

    /// The same under another name.
    pub(crate) fn url_of(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.port)
    }

    /// Forgets what was asked so far.
    pub(crate) fn forget(&self) {
        self.requests.lock().unwrap().clear();
        self.lookup.asked.lock().unwrap().clear();
    }

    /// What a path answers from now on; one that ends in `/` stands for all below it.
    pub(crate) fn answers(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    /// A document of a client at this path; its URL.
    pub(crate) fn publishes(&self, path: &str, more: &Value) -> String {
        let url = self.url(path);
        self.answers(path, Answer::json(&document(&url, more)));
        url
    }

    /// The heads of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// A client's document, with members added or (`null`) taken away.
pub(crate) fn document(url: &str, more: &Value) -> Value {
    let usual = json!({
        "client_id": url, "client_name": "Document App",
        "redirect_uris": [super::client::REDIRECT], "token_endpoint_auth_method": "none",
    });
    Value::Object(super::keys::patched(super::keys::object(usual), &super::keys::object(more.clone())))
}

/// An authority, and what the server proves itself with: under its own name and under others.
fn certificates() -> (String, ServerConfig) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = [HOST, "other.example", "rebound.example", "sub.app.example"].map(str::to_owned).to_vec();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, HOST);
    let certificate = params.signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate");
    (issuer.pem(), config)
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    answers: Arc<Mutex<HashMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    let mut stream = acceptor.accept(stream).await.ok()?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(head);
    let folder = path.rfind('/').map_or("", |end| &path[..=end]);
    let answer = {
        let answers = answers.lock().unwrap();
        answers.get(&path).or_else(|| answers.get(folder)).cloned()
    };
    match answer.unwrap_or_else(|| Answer::status("404 Not Found")) {
        Answer::Said(head, body) => {
            let head = format!("HTTP/1.1 {head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
            stream.shutdown().await.ok()
        }
        Answer::Endless => {
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
            stream.write_all(head.as_bytes()).await.ok()?;
            // Until the other side goes away.
            loop {
                stream.write_all(b"400\r\n").await.ok()?;
                stream.write_all(&[b' '; 1024]).await.ok()?;
                stream.write_all(b"\r\n").await.ok()?;
            }
        }
        Answer::Drip(body, pause) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
            let head = format!("{head}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.ok()?;
            let mut beat = tokio::time::interval(pause);
            for byte in body {
                beat.tick().await;
                stream.write_all(&[byte]).await.ok()?;
                stream.flush().await.ok()?;
            }
            stream.shutdown().await.ok()
        }
        Answer::Silence => {
            // Until the other side goes away.
            let _ = stream.read_u8().await;
            None
        }
    }
}
