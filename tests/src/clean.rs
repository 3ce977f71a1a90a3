//! Clean traffic at full load: everything that happens on a proxy host whose services are well.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::backend::{Backend, Real, Server};
use crate::client::Client;
use crate::interrupt;
use crate::nginx::{Nginx, frame};
use crate::programs;
use crate::stage::{BACKEND_PORT, FRONT_PORT};
use crate::topology::{Family, Shape, Topology};

/// How the front nginx reaches its servers: the path, and what is said there beside `proxy_pass`.
const WAYS: [(&str, &str); 6] = [
    ("kept", "proxy_pass http://node/; proxy_set_header Connection \"\";"),
    ("tls", "proxy_pass https://node_tls/; proxy_set_header Connection \"\";"),
    ("closing", "proxy_pass http://node/; proxy_set_header Connection close;"),
    ("closing_tls", "proxy_pass https://node_closing/; proxy_set_header Connection close;"),
    ("old", "proxy_pass http://node/; proxy_http_version 1.0;"),
    ("inner", "proxy_pass http://inner/; proxy_set_header Connection \"\";"),
];

/// How long Node keeps idle connections beyond its own second; nginx in front closes after [`NGINX_KEEPS`].
const NODE_KEEPS: Duration = Duration::from_secs(4);

/// Shorter than any server's timeout: there is nothing to warn of.
const NGINX_KEEPS: &str = "2s";

/// Servers, an nginx before them, another nginx before all. Programs go first, then namespaces, then files.
#[derive(Debug)]
pub struct Host {
    front: Nginx,
    inner: Nginx,
    servers: Vec<(Real, SocketAddr, Backend)>,
    net: Topology,
    scratch: TempDir,
}

/// What was done while the load ran.
#[derive(Debug, Default, Clone, Copy)]
pub struct Deeds {
    /// Reloads of either nginx.
    pub reloads: usize,
    /// Restarts of a server that drains: what is idle is closed, the rest is answered before.
    pub deploys: usize,
    /// Clients that left after the response.
    pub leavers: usize,
    /// Requests that wrk had answered.
    pub requests: u64,
    /// Answers that were no success.
    pub failures: u64,
}

impl Host {
    /// Sets everything up.
    pub fn set_up() -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
        let at = |port| SocketAddr::new(net.backend_address(), port);
        let real = |tls| Real { server: Server::Node, idle: NODE_KEEPS, tls };
        let mut servers = Vec::new();
        for (port, real) in (BACKEND_PORT..).zip([real(false), real(true), real(true)]) {
            let backend = Backend::launch(&real, net.backend(), at(port), &scratch.path().join(port.to_string()))?;
            backend.wait_until_it_listens(&real, net.backend(), at(port))?;
            servers.push((real, at(port), backend));
        }
        let behind = at(BACKEND_PORT + 3);
        let program = programs::nginx()?;
        let dir = scratch.path().join("inner");
        let inner = Nginx::start_written(&program, net.proxy(), &dir, &inner_text(&dir, behind)?, behind, 2)?;
        let (dir, listen) = (scratch.path().join("front"), SocketAddr::new(net.front_address(), FRONT_PORT));
        let text = front_text(&dir, listen, &servers, behind)?;
        let front = Nginx::start_written(&program, net.proxy(), &dir, &text, listen, 2)?;
        Ok(Self { front, inner, servers, net, scratch })
    }

    /// Runs the load for so long, with reloads, deploys and leaving clients beside it.
    pub fn run(&mut self, time: Duration) -> Result<Deeds> {
        let until = Instant::now() + time;
        let mut deeds = Deeds::default();
        while Instant::now() < until {
            interrupt::check()?;
            let left = until.saturating_duration_since(Instant::now()).min(Duration::from_secs(60));
            self.spell(left.as_secs().max(5), &mut deeds)?;
        }
        Ok(deeds)
    }

    /// One run of wrk on each way, with the deeds beside it, and a pause that lets idle connections end.
    fn spell(&mut self, seconds: u64, deeds: &mut Deeds) -> Result<()> {
        let Self { front, inner, servers, net, scratch } = self;
        let net = &*net;
        let end = Instant::now() + Duration::from_secs(seconds);
        thread::scope(|scope| {
            let loads: Vec<_> = WAYS.iter().map(|(way, _)| scope.spawn(move || load(net, way, seconds))).collect();
            let mut turn = 0;
            while Instant::now() < end {
                interrupt::check()?;
                leave_after_the_response(net, deeds)?;
                if turn % 4 == 1 {
                    front.reload()?;
                    deeds.reloads += 1;
                }
                turn += 1;
                thread::sleep(Duration::from_millis(500));
            }
            for load in loads {
                let (requests, failures) = load.join().unwrap_or_else(|_| anyhow::bail!("a panic"))?;
                deeds.requests += requests;
                deeds.failures += failures;
            }
            anyhow::Ok(())
        })?;
        // Idle connections of nginx end by its own timeout, or by a server that is replaced in good order.
        // A server that closes connections under load races with its clients, so that its load ends first.
        inner.reload()?;
        deeds.reloads += 1;
        for (real, at, backend) in servers.iter_mut() {
            backend.terminate()?;
            backend.wait()?;
            *backend = Backend::launch(real, net.backend(), *at, &scratch.path().join(at.port().to_string()))?;
            backend.wait_until_it_listens(real, net.backend(), *at)?;
            deeds.deploys += 1;
        }
        Ok(())
    }

    /// Where nginx takes the clients that leave when they have their response. Those of wrk leave when its time is over,
    /// whatever is under way.
    pub const LEAVERS_PORT: u16 = FRONT_PORT + 1;

    /// What either nginx logged as an error.
    pub fn errors(&self) -> Vec<String> {
        [&self.front, &self.inner].iter().flat_map(|nginx| nginx.error_log()).collect()
    }
}

/// wrk on one way; how many requests were answered, and how many failed.
fn load(net: &Topology, way: &str, seconds: u64) -> Result<(u64, u64)> {
    let url = format!("http://{}:{FRONT_PORT}/{way}/ok", net.front_address());
    let said = net.proxy().run("wrk", &["-t", "1", "-c", "4", "-d", &format!("{seconds}s"), &url], "")?;
    let after = |start: &str| said.lines().find_map(|line| line.trim().split_once(start));
    let (requests, _) = after(" requests in ").with_context(|| format!("wrk did not tell: {said}"))?;
    // A client whose connection the reloaded nginx closes may have sent a request into it: that is the client's race.
    let failures = after("Non-2xx or 3xx responses: ").map_or(Ok(0), |(_, count)| count.trim().parse())?;
    Ok((requests.trim().parse()?, failures))
}

fn leave_after_the_response(net: &Topology, deeds: &mut Deeds) -> Result<()> {
    for (way, _) in WAYS {
        let mut client = Client::inside(net.proxy(), SocketAddr::new(net.front_address(), Host::LEAVERS_PORT))?;
        let status = client.get(&format!("/{way}/size/20000"))?.status;
        ensure!(status == 200, "the lab itself: a client got {status} from {way}");
        deeds.leavers += 1;
    }
    Ok(())
}

fn inner_text(dir: &Path, listen: SocketAddr) -> Result<String> {
    let http = format!(
        "  access_log off;\n  keepalive_timeout 20s;\n  keepalive_requests 1000000;\n  server {{\n    listen {listen};\n\
         \x20   location / {{\n      return 200 ok;\n    }}\n  }}\n"
    );
    frame(2, dir, &http)
}

fn front_text(
    dir: &Path,
    listen: SocketAddr,
    servers: &[(Real, SocketAddr, Backend)],
    inner: SocketAddr,
) -> Result<String> {
    let mut http = String::from("  access_log off;\n");
    let server = |at: usize| servers.get(at).map(|(_, at, _)| *at).context("the lab itself: a server is missing");
    for (name, at) in [("node", server(0)?), ("node_tls", server(1)?), ("node_closing", server(2)?), ("inner", inner)] {
        writeln!(
            http,
            "  upstream {name} {{\n    server {at} max_fails=0;\n    keepalive 16;\n    keepalive_timeout {NGINX_KEEPS};\n  }}"
        )?;
    }
    let leavers = SocketAddr::new(listen.ip(), Host::LEAVERS_PORT);
    // What wrk leaves under way at its end is answered all the same: no request on this leg is cut.
    writeln!(
        http,
        "  server {{\n    listen {listen};\n    listen {leavers};\n    proxy_http_version 1.1;\n\
         \x20   proxy_ignore_client_abort on;"
    )?;
    for (way, said) in WAYS {
        writeln!(http, "    location /{way}/ {{ {said} }}")?;
    }
    frame(2, dir, &(http + "  }\n"))
}
