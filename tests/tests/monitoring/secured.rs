//! The daemon as it should be deployed: behind TLS and a password.

use std::fs;
use std::io::Write as _;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use lab::observer::Observer;

/// Who may scrape.
pub(crate) const USER: &str = "prometheus";
/// By which password.
pub(crate) const PASSWORD: &str = "a password of the lab's";

const CERTIFICATE: &str = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.crt \
                           -subj /CN=localhost -addext subjectAltName=DNS:localhost -days 2";

/// A daemon that runs.
pub(crate) struct Secured {
    observer: Observer,
    address: SocketAddr,
    arguments: Vec<&'static str>,
    files: TempDir,
}

impl Secured {
    /// Starts it at a free port of the loopback. When it answers a scrape, it is ready.
    pub(crate) fn start(arguments: &[&'static str]) -> Result<Self> {
        let files = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let made = Command::new("openssl").args(CERTIFICATE.split_whitespace()).current_dir(files.path()).output()?;
        ensure!(made.status.success(), "the lab itself: {}", String::from_utf8_lossy(&made.stderr));
        let hash = bcrypt::hash(PASSWORD, 8).context("the lab itself: no hash of a password")?;
        let web = format!(
            "tls_server_config: {{ cert_file: server.crt, key_file: server.key }}\n\
             basic_auth_users: {{ {USER}: {hash} }}\n"
        );
        fs::write(files.path().join("web.yml"), web)?;
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let observer = run(&files, address, arguments)?;
        Ok(Self { observer, address, arguments: arguments.to_vec(), files })
    }

    /// Ends it and starts another at the same address.
    pub(crate) fn replace(&mut self) -> Result<()> {
        self.end()?;
        self.observer = run(&self.files, self.address, &self.arguments)?;
        Ok(())
    }

    /// Ends it.
    pub(crate) fn end(&mut self) -> Result<()> {
        ensure!(self.observer.finish()?.0.success(), "{:#?}", self.observer.complaints());
        Ok(())
    }

    /// Makes a mistake in its web configuration, which the next scrape finds.
    pub(crate) fn spoil(&self) -> Result<()> {
        let mut file = fs::OpenOptions::new().append(true).open(self.files.path().join("web.yml"))?;
        Ok(file.write_all(b"tls_server_confg: {}\n")?)
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        self.observer.signal(signal)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The certificate that it shows, which is its own authority, for `localhost`.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.files.path().join("server.crt")
    }
}

fn run(files: &TempDir, address: SocketAddr, arguments: &[&str]) -> Result<Observer> {
    let (address, web) = (address.to_string(), files.path().join("web.yml"));
    let web = web.to_str().context("the lab itself: an odd path")?;
    let usual = ["daemon", "--state-file", "none", "--web.listen-address", &address, "--web.config.file", web];
    Observer::start(&[&usual, arguments].concat(), |_| ())
}
