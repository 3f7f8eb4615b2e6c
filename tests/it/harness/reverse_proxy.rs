//! A real proxy with a configuration of `deploy/`, between a client and two servers.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::eventually::eventually;
use super::program::Started;
use super::temp_dir::TempDir;

/// Longest wait for one to listen, or to give up.
const START: Duration = Duration::from_secs(20);

/// Which program.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    Nginx,
    Caddy,
    Traefik,
    Envoy,
}

/// A running proxy; it ends with the test.
pub(crate) struct ReverseProxy {
    _process: Started,
    _folder: TempDir,
}

impl Kind {
    #[expect(clippy::print_stdout, reason = "whoever runs the tests must see what was skipped")]
    /// Can it be run here? Where the run must be whole, it has to be.
    pub(crate) fn is_installed(self) -> bool {
        let (name, word) = match self {
            Self::Nginx => ("nginx", "-v"),
            Self::Caddy => ("caddy", "version"),
            Self::Traefik => ("traefik", "version"),
            Self::Envoy => ("envoy", "--version"),
        };
        let asked = Command::new(name).arg(word).stdout(Stdio::null()).stderr(Stdio::null()).status();
        let installed = asked.is_ok_and(|status| status.success());
        if !installed {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{name} is not installed");
            println!("SKIPPED: {name} is not installed");
        }
        installed
    }

    /// The file of `deploy/forward-auth`, with the places that an operator fills in.
    fn config(self, port: u16, broker: &str, server: SocketAddr) -> String {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy/forward-auth");
        let at =
            |place: &str| (place.to_owned(), place.replace("mcp.example.com", &format!("127.0.0.1:{port}")));
        let port_of = |address: &str| {
            let (_, port) = address.rsplit_once(':').expect("a port");
            format!("port_value: {port} }}")
        };
        let server = server.to_string();
        let servers =
            [("127.0.0.1:9400".to_owned(), broker.to_owned()), ("127.0.0.1:8000".to_owned(), server.clone())];
        let (file, places) = match self {
            Self::Nginx => {
                let listen = ("listen 80;".to_owned(), format!("listen 127.0.0.1:{port};"));
                ("nginx.conf", vec![listen, at("set $public_host mcp.example.com;")])
            }
            Self::Caddy => {
                let site = ("\nmcp.example.com {".to_owned(), format!("\nhttp://127.0.0.1:{port} {{"));
                let version = Command::new("caddy").arg("version").output().expect("its version");
                let buffers = ["request_buffers 4MiB".to_owned(), "buffer_requests".to_owned()];
                let is_old = String::from_utf8_lossy(&version.stdout).contains("2.6.2");
                ("Caddyfile", if is_old { vec![site, buffers.into()] } else { vec![site] })
            }
            Self::Traefik => {
                let host = ("Host(`mcp.example.com`)".to_owned(), "Host(`127.0.0.1`)".to_owned());
                ("traefik.yaml", vec![host, ("      tls: {}\n".to_owned(), String::new())])
            }
            Self::Envoy => {
                let listen = "address: 0.0.0.0, port_value: 80 }".to_owned();
                let places = vec![
                    (listen, format!("address: 127.0.0.1, port_value: {port} }}")),
                    ("[mcp.example.com]".to_owned(), format!("[\"127.0.0.1:{port}\"]")),
                    ("port_value: 9400 }".to_owned(), port_of(broker)),
                    ("port_value: 8000 }".to_owned(), port_of(&server)),
                ];
                ("envoy.yaml", places)
            }
        };
        let mut filled = std::fs::read_to_string(folder.join(file)).expect("a file of deploy/");
        for (place, with) in places.into_iter().chain(servers) {
            assert!(filled.contains(&place), "{file} has no {place}");
            filled = filled.replace(&place, &with);
        }
        filled
    }

    /// Starts it; none if somebody else took the port.
    pub(crate) fn start(self, port: u16, broker: &str, server: SocketAddr) -> Option<ReverseProxy> {
        let folder = TempDir::new();
        let path = folder.path().to_str().expect("a path");
        let config = self.config(port, broker, server);
        let mut command = match self {
            Self::Nginx => {
                let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
                let temporary = temporary.map(|kind| format!("{kind}_temp_path {path}/{kind};")).join("\n");
                let whole = format!(
                    "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log {path}/log;\n\
                     events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{config}\n}}\n"
                );
                std::fs::write(folder.path().join("nginx.conf"), whole).expect("a file");
                let mut command = Command::new("nginx");
                command.args(["-p", path, "-c", &format!("{path}/nginx.conf")]);
                command
            }
            Self::Caddy => {
                std::fs::write(folder.path().join("Caddyfile"), format!("{{\n\tadmin off\n}}\n{config}"))
                    .expect("a file");
                let mut command = Command::new("caddy");
                command.args(["run", "--adapter", "caddyfile", "--config", &format!("{path}/Caddyfile")]);
                command.env("HOME", path).env("XDG_DATA_HOME", path).env("XDG_CONFIG_HOME", path);
                command
            }
            Self::Traefik => {
                let file = folder.path().join("traefik.yaml");
                std::fs::write(&file, config).expect("a file");
                let mut command = Command::new("traefik");
                command.arg(format!("--entryPoints.web.address=127.0.0.1:{port}"));
                command.arg(format!("--providers.file.filename={}", file.display()));
                command.args(["--global.checkNewVersion=false", "--global.sendAnonymousUsage=false"]);
                command
            }
            Self::Envoy => {
                let file = folder.path().join("envoy.yaml");
                std::fs::write(&file, config).expect("a file");
                let mut command = Command::new("envoy");
                command.arg("-c").arg(file).args(["--use-dynamic-base-id", "--concurrency", "1"]);
                command
            }
        };
        let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut process = Started(quiet.spawn().expect("it starts"));
        let mut ended = false;
        eventually("the proxy passes requests on", START, || {
            ended = process.0.try_wait().expect("a process").is_some();
            ended || passes_on(port)
        });
        (!ended).then_some(ReverseProxy { _process: process, _folder: folder })
    }
}

/// Does the server's metadata come through? A proxy may listen before it knows what to do: Traefik then says 404.
fn passes_on(port: u16) -> bool {
    let Ok(mut connection) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let question = format!(
        "GET /.well-known/oauth-protected-resource/mcp HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n\
         connection: close\r\n\r\n"
    );
    let mut answer = String::new();
    connection.write_all(question.as_bytes()).is_ok()
        && connection.read_to_string(&mut answer).is_ok()
        && answer.starts_with("HTTP/1.1 200")
}
