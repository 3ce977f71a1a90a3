//! The servers that people run behind nginx, each with an idle timeout of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::node::Node;
use super::{apache, grpc, gunicorn, haproxy, uvicorn};
use crate::child::Launch;

/// Which server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Node's `http` and `https`, by `keepAliveTimeout`; Node 20 closes a second later than it says.
    Node,
    /// Node's `http2`, as @grpc/grpc-js has it; it closes its idle sessions by GOAWAY, and at once.
    NodeHttp2,
    /// gRPC's own library, as Python has it. Without TLS here.
    Grpc,
    /// gunicorn with a `gthread` worker: whole seconds; it looks each second, so that it closes up to one later.
    Gunicorn,
    /// uvicorn: whole seconds.
    Uvicorn,
    /// Apache httpd with its event MPM: it looks each 100 ms. It knows no path but `/ok`.
    Apache,
    /// haproxy in TCP mode before a Node that keeps connections for longer: what closes is not the server.
    Haproxy,
}

/// A real server.
///
/// It answers `/ok` and any other path shortly, and `/drip` by the beginning of a long response; Node, gunicorn and uvicorn
/// also `/size/N` by N bytes and `/slow/N` after N ms. Of what is slow all but Apache tell as the event `request`; Node
/// tells of its connections too. Those of HTTP/2 have the methods `Echo`, `Drip` and `Sleep` of the gRPC service
/// `lab.Lab`, and gRPC's own has nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Real {
    /// Which.
    pub server: Server,
    /// Its idle timeout, as it is configured.
    pub idle: Duration,
    /// Whether it speaks TLS, for [`crate::nginx::Settings::tls`].
    pub tls: bool,
}

/// How long the server behind a proxy keeps connections.
const LONG: Duration = Duration::from_secs(600);

impl Server {
    /// Its name in messages and of its upstream block.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::NodeHttp2 => "node_http2",
            Self::Grpc => "grpcio",
            Self::Gunicorn => "gunicorn",
            Self::Uvicorn => "uvicorn",
            Self::Apache => "apache",
            Self::Haproxy => "haproxy",
        }
    }

    /// An idle timeout that the lab need not wait for long.
    pub const fn brisk(self) -> Duration {
        match self {
            Self::Node => Duration::from_millis(500),
            Self::Apache | Self::Haproxy => Duration::from_millis(700),
            Self::NodeHttp2 | Self::Grpc | Self::Gunicorn | Self::Uvicorn => Duration::from_secs(1),
        }
    }
}

impl Real {
    /// The ports at which somebody listens then.
    pub(super) fn ports(&self, listen: SocketAddr) -> Vec<u16> {
        let behind = (self.server == Server::Haproxy).then(|| behind(listen).port());
        [listen.port()].into_iter().chain(behind).collect()
    }

    /// How to start it, and what stands behind it.
    pub(super) fn launch(&self, listen: SocketAddr, dir: &Path) -> Result<(Launch, Option<Launch>)> {
        let Self { server, idle, tls } = *self;
        let node = Node { idle, tls, ..Node::default() };
        let launch = match server {
            Server::Node => node.launch(listen, dir)?,
            Server::NodeHttp2 => Node { http2: true, ..node }.launch(listen, dir)?,
            Server::Grpc => grpc::launch(listen, idle, tls, dir)?,
            Server::Gunicorn => gunicorn::launch(listen, idle, tls, dir)?,
            Server::Uvicorn => uvicorn::launch(listen, idle, tls, dir)?,
            Server::Apache => apache::launch(listen, idle, tls, dir)?,
            Server::Haproxy => {
                let at = behind(listen);
                let behind = Node { idle: LONG, ..node }.launch(at, dir)?;
                return Ok((haproxy::launch(listen, idle, at, dir)?, Some(behind)));
            }
        };
        Ok((launch, None))
    }
}

/// Where the server behind a proxy listens.
fn behind(listen: SocketAddr) -> SocketAddr {
    SocketAddr::new(listen.ip(), listen.port() + 1000)
}

pub(super) fn write_application(dir: &Path) -> Result<()> {
    Ok(fs::write(dir.join("application.py"), include_str!("application.py"))?)
}

pub(super) fn whole_seconds(idle: Duration) -> Result<String> {
    ensure!(idle.subsec_nanos() == 0, "the lab itself: this server knows whole seconds only, not {idle:?}");
    Ok(idle.as_secs().to_string())
}
