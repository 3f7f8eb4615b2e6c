//! `gatelodge check`.

use std::process::ExitCode;

use super::ConfigFile;

pub(super) fn run(file: &ConfigFile) -> ExitCode {
    match file.load() {
        Ok(config) => {
            println!(
                "{}: ok — issuer {}, {} identity provider(s), {} protected server(s)",
                file.config.display(),
                config.issuer,
                config.upstreams.len(),
                config.resources.len()
            );
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}
