//! The program itself, as a process.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};

/// A configuration that serves on a port of the kernel's choice, with the embedded store.
pub(crate) const GOOD: &str = "issuer: http://127.0.0.1:9\nlisten: 127.0.0.1:0\nupstreams:\n  - id: idp\n    preset: oidc\n    \
     issuer: https://idp.example\n    client_id: x\n    allowed_domains: [example.com]\nresources:\n  \
     - { url: https://mcp.example.com/mcp, name: T, scopes: { mcp:read: R } }\n\
     access: { default_scopes: [mcp:read] }\nallowed_hosts: [any.example]\nlogs: { format: text }\n";

/// The host that [`GOOD`] accepts besides the issuer's.
pub(crate) const HOST: &str = "any.example";

/// The program, in this folder.
pub(crate) fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatelodge"));
    command.current_dir(folder).env_remove("GATELODGE_CONFIG");
    command
}

/// A started program that is ended with the test.
pub(crate) struct Started(pub(crate) Child);

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `gatelodge serve`, and where it listens.
pub(crate) struct Serving {
    process: Started,
    /// Address and port.
    pub(crate) address: String,
}

impl Serving {
    /// Serves [`GOOD`] in this folder, and returns once it listens.
    pub(crate) fn start(folder: &Path) -> Self {
        Self::start_as(folder, GOOD)
    }

    /// The same with another configuration.
    pub(crate) fn start_as(folder: &Path, config: &str) -> Self {
        fs::write(folder.join("g.yaml"), config).expect("a file");
        let mut command = program(folder);
        command.args(["serve", "--config", "g.yaml"]).stderr(Stdio::piped());
        let mut process = Started(command.spawn().expect("the program starts"));
        let log = BufReader::new(process.0.stderr.take().expect("a log"));
        let mut lines = log.lines().map_while(Result::ok);
        let line = lines.find(|line| line.contains("gatelodge serves")).expect("it serves");
        // A pipe that nobody empties would stop the program.
        std::thread::spawn(move || lines.for_each(drop));
        let address = line.split("Some(").nth(1).and_then(|rest| rest.split(')').next());
        Self { process, address: address.expect("an address").to_owned() }
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let pid = self.process.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs").success());
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.process.0.kill().expect("it runs");
        self.process.0.wait().expect("it ends");
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.0.wait().expect("it ends")
    }
}
