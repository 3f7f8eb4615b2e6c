//! A `redis-server` that speaks TLS only, wants a client certificate, and has one ACL user, with
//! the rights that docs/operations.md names and no others.

use std::path::Path;
use std::sync::OnceLock;

use gatelodge::secret::Secret;
use gatelodge::store::redis::{Account, Servers, Shape, Tls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

use super::redis_server::{RedisServer, installed};

/// The user and its password.
const USER: &str = "gatelodge";
const PASSWORD: &str = "canary-of-the-acl-user";

/// What the user may do, as the operator's page has it.
fn rights() -> String {
    let page = include_str!("../../../docs/operations.md");
    let line =
        page.lines().find(|line| line.starts_with("user gatelodge on ")).expect("the page names the rights");
    line.replace(">PASSWORD", &format!(">{PASSWORD}")).replace("~gl:*", "~t-*")
}

/// The server and who may speak to it.
pub(crate) struct TlsRedis {
    server: RedisServer,
    authority: String,
    identity: (String, String),
}

impl TlsRedis {
    fn start() -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            // A subject that equals the issuer's would look self-signed.
            params.distinguished_name.push(DnType::CommonName, name);
            (params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
        };
        let (of_server, identity, authority) = (issue("127.0.0.1"), issue("gatelodge"), issuer.pem());
        let server = RedisServer::attempt(|port, folder| {
            let file = |name: &str, text: &str| {
                let path = format!("{folder}/{name}");
                std::fs::write(&path, text).unwrap();
                path
            };
            let port = port.to_string();
            let (certificate, key) = (file("cert.pem", &of_server.0), file("key.pem", &of_server.1));
            let authority = file("ca.pem", &authority);
            let users = file("users.acl", &format!("user default off\n{}\n", rights()));
            let words = ["--bind", "127.0.0.1", "--port", "0", "--tls-port", &port, "--dir", folder];
            let tls =
                ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &authority];
            let rest = ["--save", "", "--aclfile", &users];
            words.into_iter().chain(tls).chain(rest).map(str::to_owned).collect()
        });
        Self { server, authority, identity }
    }

    /// The same in a configuration file, with its secrets in files.
    pub(crate) fn mapping(&self, folder: &Path) -> String {
        let file = |name: &str, text: &str| {
            let path = folder.join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (ca, cert) = (file("ca", &self.authority), file("cert", &self.identity.0));
        let (key, password) = (file("key", &self.identity.1), file("password", PASSWORD));
        let url = format!("rediss://127.0.0.1:{}/0", self.server.port);
        format!(
            "{{ url: \"{url}\", username: {USER}, password_file: {password}, ca_file: {ca}, \
             cert_file: {cert}, key_file: {key} }}"
        )
    }

    /// As the user, with the certificate.
    pub(crate) fn servers(&self) -> Servers {
        let url = Secret::new(format!("rediss://127.0.0.1:{}", self.server.port));
        let (certificate, key) = self.identity.clone();
        Servers {
            shape: Shape::Single { url },
            account: Account { username: Some(USER.into()), password: Some(Secret::new(PASSWORD.into())) },
            tls: Tls {
                authorities: Some(self.authority.clone()),
                identity: Some((certificate, Secret::new(key))),
            },
        }
    }
}

/// The server that the tests of this binary share.
pub(crate) fn shared() -> Option<&'static TlsRedis> {
    static SHARED: OnceLock<TlsRedis> = OnceLock::new();
    installed().then(|| SHARED.get_or_init(TlsRedis::start))
}
