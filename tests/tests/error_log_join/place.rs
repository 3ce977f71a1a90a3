//! An nginx with four workers in front of servers that fail requests as their paths ask: at one address a few servers,
//! so that failures are alike, at another many, so that they are not.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use lab::backend::{Backend, Kind};
use lab::child::signal_process;
use lab::client::Client;
use lab::nginx::{Nginx, Settings, configure};
use lab::stage::{BACKEND_PORT, FRONT_PORT};
use lab::topology::{Family, Shape, Topology};

/// Every failure of a request is one of a try: no server is left alone, and each request may have two of them. nginx closes
/// none of its idle connections: of ends of responses the kernel side details only so many a second, theirs among them.
const SETTINGS: Settings = Settings {
    workers: 4,
    keepalive: 128,
    keepalive_timeout: "60s",
    timeout: "3s",
    tls: false,
    server: "max_fails=0",
    location: "proxy_next_upstream_tries 2;",
};

/// Servers that fail requests in each block: one answers whatever it is asked for beside them.
const FEW: u32 = 3;
const MANY: u32 = 16;

/// The stage. Its parts go in the order of the fields.
pub(crate) struct Place {
    pub(crate) nginx: Nginx,
    /// The servers that fail requests.
    pub(crate) failing: Vec<(SocketAddr, Backend)>,
    _obliging: [Backend; 2],
    net: Topology,
    front: SocketAddr,
    scratch: TempDir,
}

impl Place {
    pub(crate) fn set_up() -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
        let (mut failing, more, few) = servers(&net, scratch.path(), FEW, 0)?;
        let (many, another, apart) = servers(&net, scratch.path(), MANY, FEW + 1)?;
        failing.extend(many);
        let front = SocketAddr::new(net.front_address(), FRONT_PORT);
        // Whoever may read nothing but what is everybody's, or root's own, may not read this log.
        let dir = scratch.path().join("nginx");
        fs::create_dir(&dir)?;
        fs::write(dir.join("error.log"), "")?;
        let nginx = Nginx::start(net.proxy(), &dir, &SETTINGS, front, &few)?;
        let place = Self { nginx, failing, _obliging: [more, another], net, front, scratch };
        place.add_block(&apart)?;
        Ok(place)
    }

    /// Has nginx pass on to these servers what comes to the next port.
    fn add_block(&self, servers: &[SocketAddr]) -> Result<()> {
        let file = self.scratch.path().join("nginx/nginx.conf");
        let block = configure(&SETTINGS, &self.scratch.path().join("nginx"), self.front_apart(), servers)?;
        let from = block.find("  upstream backend").context("the lab itself: no upstream block")?;
        let block = block[from..].replace("upstream backend", "upstream apart").replace("://backend", "://apart");
        let text = fs::read_to_string(&file)?;
        let whole = text.trim_end().strip_suffix('}').context("the lab itself: no end of http")?;
        fs::write(&file, format!("{whole}{block}"))?;
        self.nginx.reload()?;
        let started = Instant::now();
        while !self.net.proxy().listens(self.front_apart().port())? {
            ensure!(started.elapsed() < Duration::from_secs(5), "the lab itself: {:?}", self.nginx.error_log());
            // The kernel's table has no events.
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn front_apart(&self) -> SocketAddr {
        SocketAddr::new(self.front.ip(), self.front.port() + 1)
    }

    /// A client of the few servers, or of the many.
    pub(crate) fn client(&self, apart: bool) -> Result<Client> {
        Client::inside(self.net.proxy(), if apart { self.front_apart() } else { self.front })
    }

    fn log(&self, name: &str) -> PathBuf {
        self.scratch.path().join("nginx").join(name)
    }

    /// Gives the log to somebody else: root without CAP_DAC_READ_SEARCH may not read it, and nginx has it open.
    pub(crate) fn hide_log(&self) -> Result<()> {
        std::os::unix::fs::chown(self.log("error.log"), Some(65_534), Some(65_534))?;
        let secret = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        Ok(fs::set_permissions(self.log("error.log"), secret)?)
    }

    /// Renames the log and has nginx open a new one, as logrotate does.
    pub(crate) fn rotate_by_rename(&self) -> Result<()> {
        fs::rename(self.log("error.log"), self.log("error.log.1"))?;
        signal_process(self.nginx.master(), Signal::USR1)?;
        let started = Instant::now();
        while !self.log("error.log").exists() {
            ensure!(started.elapsed() < Duration::from_secs(5), "the lab itself: nginx opens no new log");
            // A new file has no events without inotify.
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    /// Copies the log and cuts it in place. Whatever is written between the two is lost to any reader, so that nothing
    /// may be under way.
    pub(crate) fn rotate_by_copy(&self) -> Result<()> {
        let so_far = fs::read(self.log("error.log"))?;
        OpenOptions::new().create(true).append(true).open(self.log("error.log.1"))?.write_all(&so_far)?;
        Ok(OpenOptions::new().write(true).open(self.log("error.log"))?.set_len(0)?)
    }

    /// Writes into the log what nginx never would.
    pub(crate) fn scribble(&self, bytes: &[u8]) -> Result<()> {
        Ok(OpenOptions::new().append(true).open(self.log("error.log"))?.write_all(bytes)?)
    }

    /// All that nginx logged, before a rotation and after it.
    pub(crate) fn logged(&self) -> Result<Vec<String>> {
        let mut bytes = fs::read(self.log("error.log.1")).unwrap_or_default();
        bytes.extend(fs::read(self.log("error.log"))?);
        Ok(String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect())
    }
}

/// Servers that fail requests, one that does not, and the addresses of all.
type Servers = (Vec<(SocketAddr, Backend)>, Backend, Vec<SocketAddr>);

/// Starts as many servers as shall fail requests and one that does not, so far behind the first address.
fn servers(net: &Topology, dir: &Path, failing: u32, skip: u32) -> Result<Servers> {
    let IpAddr::V4(first) = net.backend_address() else { anyhow::bail!("no IPv4") };
    let address = |more: u32| SocketAddr::new(IpAddr::V4((u32::from(first) + more).into()), BACKEND_PORT);
    let servers: Vec<SocketAddr> = (skip..=skip + failing).map(address).collect();
    let start = |kind: &Kind, server: &SocketAddr| {
        Backend::start(kind, net.backend(), *server, dir)?.context("the lab itself: no backend")
    };
    let (obliging, others) = servers.split_last().context("the lab itself: no servers")?;
    let failing: Result<Vec<_>> =
        others.iter().map(|server| Ok((*server, start(&Kind::Fault(&[]), server)?))).collect();
    let obliging = start(&Kind::Fault(&["--obliging"]), obliging)?;
    Ok((failing?, obliging, servers))
}
