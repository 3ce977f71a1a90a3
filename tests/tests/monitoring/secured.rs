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
        let observer = run(&files, address, arguments, start)?;
        Ok(Self { observer, address, arguments: arguments.to_vec(), files })
    }

    /// Ends it and starts another at the same address.
    pub(crate) fn replace(&mut self) -> Result<()> {
        self.end()?;
        self.observer = run(&self.files, self.address, &self.arguments, start)?;
        Ok(())
    }

    /// Ends it and starts another at the same address, on a kernel of whose types one has this name instead of that.
    pub(crate) fn replace_on_a_kernel_with(&mut self, name: &str, instead_of: &str) -> Result<()> {
        ensure!(name.len() == instead_of.len(), "the lab itself: {name} does not fit in the place of {instead_of}");
        let mut types = fs::read("/sys/kernel/btf/vmlinux").context("the lab itself: no types of the kernel")?;
        let (old, new) = (format!("\0{instead_of}\0"), format!("\0{name}\0"));
        let place = types.windows(old.len()).position(|part| part == old.as_bytes());
        let place = place.with_context(|| format!("the lab itself: this kernel has no {instead_of}"))?;
        types[place..place + old.len()].copy_from_slice(new.as_bytes());
        let file = self.files.path().join("types");
        fs::write(&file, types)?;
        self.end()?;
        self.observer = run(&self.files, self.address, &self.arguments, |all| Observer::start_seeing(&file, all))?;
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

fn start(arguments: &[&str]) -> Result<Observer> {
    Observer::start(arguments, |_| ())
}

/// Starts it with what every daemon here is told, and these arguments.
fn run(
    files: &TempDir,
    address: SocketAddr,
    arguments: &[&str],
    start: impl FnOnce(&[&str]) -> Result<Observer>,
) -> Result<Observer> {
    let (address, web) = (address.to_string(), files.path().join("web.yml"));
    let web = web.to_str().context("the lab itself: an odd path")?;
    let usual = ["daemon", "--state-file", "none", "--web.listen-address", &address, "--web.config.file", web];
    start(&[&usual, arguments].concat())
}
