//! A stage: the namespaces, nginx and the backend of one scenario, ready to be acted on.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::backend::{Backend, Kind};
use crate::client::Client;
use crate::counters::Counters;
use crate::interrupt;
use crate::nginx::{Nginx, Settings};
use crate::topology::{Family, Shape, Topology};
use crate::truth::Truth;

/// The port that every backend listens at, and that the observer is asked to watch.
pub const BACKEND_PORT: u16 = 3000;

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
    _scratch: TempDir,
    before: (Counters, Counters),
}

impl Stage {
    /// Sets everything up; when this returns, nginx and the backend serve.
    pub fn set_up(plan: &Plan) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let dir = scratch.path();
        let net = Topology::build(plan.shape, plan.family, dir)?;
        let server = SocketAddr::new(net.backend_address(), BACKEND_PORT);
        let front = SocketAddr::new(net.front_address(), FRONT_PORT);
        let backend = Backend::start(&plan.backend, net.backend(), server, dir)?;
        let nginx = Nginx::start(net.proxy(), &dir.join("nginx"), &plan.nginx, front, &[server])?;
        let before = (Counters::of(net.proxy())?, Counters::of(net.backend())?);
        Ok(Self { nginx, backend, net, server, _scratch: scratch, before })
    }

    /// A new connection to nginx.
    pub fn client(&self) -> Result<Client> {
        Client::inside(self.net.proxy(), SocketAddr::new(self.net.front_address(), FRONT_PORT))
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
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let grown = self.backend_growth(counter)?;
            if grown >= growth || Instant::now() > deadline {
                return Ok(grown);
            }
            interrupt::check()?;
            // Counters have no events.
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// By how much a kernel counter of the proxy's namespace has grown since the stage was set up.
    pub fn proxy_growth(&self, counter: &str) -> Result<u64> {
        Ok(Counters::of(self.net.proxy())?.growth(&self.before.0, counter))
    }

    /// Fails as "the lab itself" unless nginx's error log holds exactly these texts, one line each, in order.
    pub fn check_error_log(&self, texts: &[&str]) -> Result<()> {
        let log = self.nginx.error_log();
        let matches = log.len() == texts.len() && log.iter().zip(texts).all(|(line, text)| line.contains(text));
        ensure!(matches, "the lab itself: nginx's error log should say {texts:?} but says {log:#?}");
        Ok(())
    }

    /// Completes a truth with what nginx logged and what the client got.
    pub fn complete(&self, mut truth: Truth, statuses: &[u16]) -> Truth {
        truth.error_log = self.nginx.error_log();
        truth.statuses = statuses.to_vec();
        truth
    }
}
