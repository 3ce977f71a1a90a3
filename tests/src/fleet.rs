//! Many real servers behind one nginx, side by side: each in an upstream block of its own, with a port of its own in
//! front.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::backend::{Backend, Probe, Real, Server};
use crate::client::Client;
use crate::interrupt;
use crate::nginx::{Nginx, frame};
use crate::programs;
use crate::stage::{BACKEND_PORT, FRONT_PORT};
use crate::topology::{Family, Shape, Topology};

/// How long a server may take to close.
const PATIENCE: Duration = Duration::from_secs(15);

/// The parts go in the order of the fields: programs first, then namespaces, then files.
#[derive(Debug)]
pub struct Fleet {
    nginx: Nginx,
    ships: Vec<Ship>,
    net: Topology,
    scratch: TempDir,
}

/// One server and the way to it.
#[derive(Debug)]
pub struct Ship {
    /// What it is.
    pub real: Real,
    /// Where it listens.
    pub server: SocketAddr,
    /// The name of its upstream block.
    pub name: String,
    front: SocketAddr,
    backend: Backend,
    dir: PathBuf,
}

impl Fleet {
    /// Starts all of them, and an nginx with one worker that keeps idle connections for `keepalive_timeout`.
    pub fn set_up(shape: Shape, reals: &[Real], keepalive_timeout: &str) -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let net = Topology::build(shape, Family::V4, scratch.path())?;
        let launch = |(index, real)| Ship::launch(&net, real, index, scratch.path());
        let ships: Vec<Ship> = (0..).zip(reals.iter().copied()).map(launch).collect::<Result<_>>()?;
        for ship in &ships {
            ship.backend.wait_until_it_listens(&ship.real, net.backend(), ship.server)?;
        }
        let dir = scratch.path().join("nginx");
        let text = configure(&ships, keepalive_timeout, &dir)?;
        let front = ships.first().context("the lab itself: a fleet of nothing")?.front;
        let nginx = Nginx::start_written(&programs::nginx()?, net.proxy(), &dir, &text, front, 1)?;
        Ok(Self { nginx, ships, net, scratch })
    }

    /// Its servers, in the order in which they were asked for.
    pub fn ships(&self) -> &[Ship] {
        &self.ships
    }

    /// The nginx.
    pub fn nginx(&self) -> &Nginx {
        &self.nginx
    }

    /// The namespaces.
    pub fn net(&self) -> &Topology {
        &self.net
    }

    /// Starts a client without nginx that finds how long this server keeps connections.
    pub fn probe(&self, ship: &Ship, times: usize) -> Result<Probe> {
        Probe::start(self.net.proxy(), ship.real, ship.server, times, &ship.dir)
    }

    /// A new connection to nginx, for this server.
    pub fn client(&self, ship: &Ship) -> Result<Client> {
        Client::inside(self.net.proxy(), ship.front)
    }

    /// Waits until nginx has no connection to this server.
    pub fn wait_until_closed(&self, ship: &Ship) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !self.net.proxy().connections_to(ship.server.port())?.is_empty() {
            interrupt::check()?;
            ensure!(Instant::now() < deadline, "the lab itself: {} keeps its connections", ship.name);
            // The kernel's table has no events.
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Ends a server by SIGTERM, which closes all that is idle, and starts it again with another idle timeout.
    pub fn replace(&mut self, index: usize, idle: Duration) -> Result<()> {
        let ship = self.ships.get_mut(index).context("the lab itself: no such ship")?;
        ship.real.idle = idle;
        ship.backend.terminate()?;
        ship.backend.wait()?;
        ship.backend = Backend::launch(&ship.real, self.net.backend(), ship.server, &ship.dir)?;
        ship.backend.wait_until_it_listens(&ship.real, self.net.backend(), ship.server)
    }

    /// Where its files lie.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }
}

impl Ship {
    fn launch(net: &Topology, real: Real, index: u16, dir: &Path) -> Result<Self> {
        let server = SocketAddr::new(net.backend_address(), BACKEND_PORT + index);
        let front = SocketAddr::new(net.front_address(), FRONT_PORT + index);
        let name = format!("{}{}_{index}", real.server.name(), if real.tls { "_tls" } else { "" });
        let dir = dir.join(&name);
        let backend = Backend::launch(&real, net.backend(), server, &dir)?;
        Ok(Self { real, server, name, front, backend, dir })
    }

    /// Its process.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }
}

fn configure(ships: &[Ship], keepalive_timeout: &str, dir: &Path) -> Result<String> {
    let mut http = String::from("  access_log off;\n");
    for Ship { real, server, name, front, .. } in ships {
        let passing = match (real.server, real.tls) {
            (Server::NodeHttp2 | Server::Grpc, false) => format!("grpc_pass grpc://{name};"),
            (Server::NodeHttp2 | Server::Grpc, true) => format!("grpc_pass grpcs://{name};"),
            (_, false) => format!("proxy_pass http://{name};"),
            (_, true) => format!("proxy_pass https://{name};"),
        };
        writeln!(
            http,
            "  upstream {name} {{\n    server {server};\n    keepalive 32;\n    keepalive_timeout {keepalive_timeout};\n  }}\n\
             \x20 server {{\n    listen {front};\n    location / {{\n      {passing}\n      proxy_http_version 1.1;\n\
             \x20     proxy_set_header Connection \"\";\n    }}\n  }}"
        )?;
    }
    frame(1, dir, &http)
}
