//! A stage: the namespaces, nginx and the backend of one scenario, ready to be acted on.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::backend::{Backend, Kind, Real};
use crate::cell::{Cell, Speech, View};
use crate::client::Client;
use crate::counters::Counters;
use crate::interrupt;
use crate::nginx::{Nginx, Settings};
use crate::topology::{Family, Shape, Topology};
use crate::truth::Truth;

mod pool;

/// The port that every backend listens at, and that the observer is asked to watch.
pub const BACKEND_PORT: u16 = 3000;

/// The port that a backend listens at whose host is out of sight; who connects to [`BACKEND_PORT`] gets there.
const HIDDEN_PORT: u16 = 4000;

/// The port that nginx listens at.
pub const FRONT_PORT: u16 = 8080;

/// What a stage is made of.
#[derive(Debug)]
pub struct Plan {
    /// IPv4 or IPv6.
    pub family: Family,
    /// The road between proxy and backend.
    pub shape: Shape,
    /// nginx's configuration.
    pub nginx: Settings,
    /// The backend.
    pub backend: Kind,
}

/// A stage that stands. Its parts go in the order of the fields: programs first, then namespaces, then files.
#[derive(Debug)]
pub struct Stage {
    nginx: Nginx,
    backend: Option<Backend>,
    net: Topology,
    server: SocketAddr,
    cell: Cell,
    _scratch: TempDir,
    before: (Counters, Counters),
}

impl Stage {
    /// Sets everything up; when this returns, nginx and the backend serve.
    pub fn set_up(plan: &Plan) -> Result<Self> {
        Self::set_up_in(plan, Cell::simple(plan.family))
    }

    /// The same under the circumstances of a cell, which must be of the plan's family.
    pub fn set_up_in(plan: &Plan, cell: Cell) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let dir = scratch.path();
        let net = Topology::build(cell.shape(plan.shape), plan.family, dir)?;
        let server = SocketAddr::new(net.backend_address(), BACKEND_PORT);
        let front = SocketAddr::new(net.front_address(), FRONT_PORT);
        let listen = if cell.view == View::Proxy { hide(&net, server)? } else { server };
        let backend = Backend::start(&in_the_manner_of(cell, &plan.backend), net.backend(), listen, dir)?;
        let settings = cell.speech.settings(plan.nginx.clone());
        let nginx = Nginx::start(net.proxy(), &dir.join("nginx"), &settings, front, &[server])?;
        let before = (Counters::of(net.proxy())?, Counters::of(net.backend())?);
        Ok(Self { nginx, backend, net, server, cell, _scratch: scratch, before })
    }

    /// The circumstances.
    pub fn cell(&self) -> Cell {
        self.cell
    }

    /// A new connection to nginx.
    pub fn client(&self) -> Result<Client> {
        let client = Client::inside(self.net.proxy(), SocketAddr::new(self.net.front_address(), FRONT_PORT))?;
        Ok(client.with_least_body(self.cell.speech.least_body()))
    }

    /// The nginx.
    pub fn nginx(&self) -> &Nginx {
        &self.nginx
    }

    /// The backend.
    pub fn backend(&self) -> Result<&Backend> {
        self.backend.as_ref().context("the lab itself: this stage has no backend")
    }

    /// The backend, to wait for its end.
    pub fn backend_mut(&mut self) -> Result<&mut Backend> {
        self.backend.as_mut().context("the lab itself: this stage has no backend")
    }

    /// The namespaces.
    pub fn net(&self) -> &Topology {
        &self.net
    }

    /// The upstream server, as the proxy reaches it.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// By how much a kernel counter of the backend's namespace has grown since the stage was set up.
    pub fn backend_growth(&self, counter: &str) -> Result<u64> {
        Ok(Counters::of(self.net.backend())?.growth(&self.before.1, counter))
    }

    /// Waits until a kernel counter of the backend's namespace has grown to `growth` since the stage was set up, and
    /// gives what it has grown to.
    pub fn wait_for_backend_growth(&self, counter: &str, growth: u64) -> Result<u64> {
        wait_for_growth(growth, || self.backend_growth(counter))
    }

    /// The same in the proxy's namespace.
    pub fn wait_for_proxy_growth(&self, counter: &str, growth: u64) -> Result<u64> {
        wait_for_growth(growth, || self.proxy_growth(counter))
    }

    /// By how much a kernel counter of the proxy's namespace has grown since the stage was set up.
    pub fn proxy_growth(&self, counter: &str) -> Result<u64> {
        Ok(Counters::of(self.net.proxy())?.growth(&self.before.0, counter))
    }

    /// Fails as "the lab itself" unless nginx's error log holds exactly these texts, one line each, in order. How nginx
    /// words an error in another speech is its own affair: there it must only have complained or not.
    pub fn check_error_log(&self, texts: &[&str]) -> Result<()> {
        let log = self.nginx.error_log();
        let matches = match self.cell.speech {
            Speech::Plain => log.len() == texts.len() && log.iter().zip(texts).all(|(line, text)| line.contains(text)),
            Speech::Tls | Speech::Close | Speech::Chunked | Speech::Up | Speech::Down | Speech::Grpc => {
                log.is_empty() == texts.is_empty()
            }
        };
        ensure!(matches, "the lab itself: nginx's error log should say {texts:?} but says {log:#?}");
        Ok(())
    }

    /// Where the backend's host is out of sight, only a refused connection tells that the server is gone: asks once more,
    /// now that it is, and gives the status.
    pub fn knock(&self) -> Result<Option<u16>> {
        if self.cell.view == View::Both {
            return Ok(None);
        }
        let status = self.client()?.get("/ok")?.status;
        ensure!(status == 502, "the lab itself: nobody should answer, but the client got {status}");
        Ok(Some(status))
    }

    /// Completes a truth with what nginx logged and what the client got.
    pub fn complete(&self, mut truth: Truth, statuses: &[u16]) -> Truth {
        truth.error_log = self.nginx.error_log();
        truth.statuses = statuses.to_vec();
        truth
    }
}

fn in_the_manner_of(cell: Cell, kind: &Kind) -> Kind {
    if let Some(server) = cell.server {
        return Kind::Real(Real { server, idle: server.brisk(), tls: cell.speech == Speech::Tls });
    }
    match kind {
        Kind::Fault(flags) => Kind::FaultIn(flags, cell.speech),
        Kind::FaultIn(..) | Kind::Node(_) | Kind::NodeTls(_) | Kind::Real(_) | Kind::Nobody => kind.clone(),
    }
}

/// Puts the backend's end out of the observer's sight: it will listen at another port than the one that is watched.
fn hide(net: &Topology, server: SocketAddr) -> Result<SocketAddr> {
    let hidden = SocketAddr::new(server.ip(), HIDDEN_PORT);
    let ip = if server.is_ipv4() { "ip" } else { "ip6" };
    let chain = |hook: &str| {
        format!(
            "chain {hook} {{ type nat hook {hook} priority -100;\n\
             {ip} daddr {} tcp dport {BACKEND_PORT} dnat {ip} to {hidden}\n}}\n",
            server.ip()
        )
    };
    let rules = format!("table inet hiding {{\n{}{}}}\n", chain("prerouting"), chain("output"));
    net.backend().run("nft", &["-f", "-"], &rules)?;
    // Translation must not judge what passes: an odd segment would arrive from an address that nobody knows.
    net.backend().sysctl(&[("netfilter/nf_conntrack_tcp_be_liberal", "1")])?;
    Ok(hidden)
}

fn wait_for_growth(growth: u64, grown: impl Fn() -> Result<u64>) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(2);
    loop {
        let now = grown()?;
        if now >= growth || Instant::now() > deadline {
            return Ok(now);
        }
        interrupt::check()?;
        // Counters have no events.
        thread::sleep(Duration::from_millis(2));
    }
}
