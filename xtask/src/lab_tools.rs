//! What the lab runs besides itself: nginx, backends, load, and the tools that make namespaces, routers and wires.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{
    apt,
    missing::Missing,
    program::find,
    unpacked::{HAPROXY, NGINX},
};

/// The programs whose paths the lab is told.
pub(crate) struct LabTools {
    pub(crate) nginx: PathBuf,
    pub(crate) node: PathBuf,
    pub(crate) haproxy: PathBuf,
}

impl LabTools {
    /// Tells a command where the lab's programs are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env("LAB_NGINX", &self.nginx).env("LAB_NODE", &self.node).env("LAB_HAPROXY", &self.haproxy);
    }
}

/// A program that the lab calls, and the Debian package that it comes in. None of them starts a service: of Apache it is
/// the package of the program alone.
const TOOLS: [(&str, &str); 14] = [
    ("node", "nodejs"),
    ("gunicorn", "gunicorn"),
    ("uvicorn", "uvicorn"),
    ("apache2", "apache2-bin"),
    ("openssl", "openssl"),
    ("wrk", "wrk"),
    ("ip", "iproute2"),
    ("unshare", "util-linux"),
    ("nft", "nftables"),
    ("iptables", "iptables"),
    ("ip6tables", "iptables"),
    ("conntrack", "conntrack"),
    ("setpriv", "util-linux"),
    ("socat", "socat"),
];

/// A library that a backend of the lab's is made of, and its package.
const LIBRARIES: [(&str, &str); 1] = [("/usr/lib/python3/dist-packages/grpc", "python3-grpcio")];

/// Finds what the lab needs, or installs it.
pub(crate) fn ensure() -> Result<LabTools> {
    let packages = missing_packages(is_here);
    if !packages.is_empty() {
        let why = format!("installing what the lab runs: {}", packages.join(", "));
        if !apt::is_here() {
            return Err(Missing::error(
                format!(
                    "the lab needs the programs of {}; your system's package manager has them",
                    packages.join(", ")
                ),
                [],
            ));
        }
        apt::install(&why, &packages)?;
    }
    tools(NGINX.ensure()?, HAPROXY.ensure()?)
}

/// Says what `ensure` would find, installing nothing.
pub(crate) fn check() -> Result<LabTools> {
    let packages = missing_packages(is_here);
    if !packages.is_empty() {
        let what = format!("the lab lacks {}; `cargo xtask setup` installs them, or", packages.join(", "));
        return Err(Missing::error(what, apt::by_hand(&packages)));
    }
    tools(NGINX.check()?, HAPROXY.check()?)
}

fn tools(nginx: PathBuf, haproxy: PathBuf) -> Result<LabTools> {
    match find("node") {
        Some(node) => Ok(LabTools { nginx, node, haproxy }),
        None => Err(Missing::error("nodejs is installed, but there is no `node` in PATH", [])),
    }
}

/// A program by its name, a library by its path.
fn is_here(needed: &str) -> bool {
    if needed.starts_with('/') { Path::new(needed).exists() } else { find(needed).is_some() }
}

fn missing_packages(is_here: impl Fn(&str) -> bool) -> Vec<String> {
    let needed = TOOLS.iter().chain(&LIBRARIES);
    let mut packages: Vec<_> =
        needed.filter(|(needed, _)| !is_here(needed)).map(|(_, package)| (*package).to_owned()).collect();
    packages.sort();
    packages.dedup();
    packages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_asked_for_once() {
        assert_eq!(missing_packages(|program| !program.ends_with("tables")), ["iptables"]);
        assert!(missing_packages(|_| true).is_empty());
    }

    #[test]
    fn a_library_is_found_by_its_path() {
        assert_eq!(missing_packages(|needed| !needed.starts_with('/')), ["python3-grpcio"]);
        assert!(is_here("/usr") && !is_here("/no/such/library"));
    }
}
