//! The ground that a test builds on which is no scenario: a namespace on its own, addresses in it, and room for files.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::backend::{Backend, Kind};
use crate::boxed::BoxedNginx;
use crate::client::Client;
use crate::namespace::Namespace;
use crate::nginx::{Nginx, Settings};
use crate::stage::{BACKEND_PORT, FRONT_PORT};
use crate::topology::{Family, Shape, Topology};

/// A namespace with a loopback over which all of IPv4 goes. What runs on it must be dropped before it: in a struct, it is
/// the last field.
#[derive(Debug)]
pub struct Ground {
    net: Topology,
    scratch: TempDir,
}

impl Ground {
    /// Makes the namespace and the directory.
    pub fn new() -> Result<Self> {
        let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
        let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
        Ok(Self { net, scratch })
    }

    /// The namespace.
    pub fn net(&self) -> &Namespace {
        self.net.proxy()
    }

    /// Where the backend listens.
    pub fn server(&self) -> SocketAddr {
        SocketAddr::new(self.net.backend_address(), BACKEND_PORT)
    }

    /// Where nginx listens.
    pub fn front(&self) -> SocketAddr {
        SocketAddr::new(self.net.front_address(), FRONT_PORT)
    }

    /// Room for files.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// nginx's own files.
    pub fn nginx_dir(&self) -> PathBuf {
        self.scratch().join("nginx")
    }

    /// Starts the fault backend with these flags, at [`Ground::server`].
    pub fn backend(&self, flags: &'static [&'static str]) -> Result<Backend> {
        let backend = Backend::start(&Kind::Fault(flags), self.net.backend(), self.server(), self.scratch())?;
        backend.context("the lab itself: no backend")
    }

    /// Starts this Debian's nginx in front of [`Ground::server`].
    pub fn nginx(&self, settings: &Settings) -> Result<Nginx> {
        Nginx::start(self.net(), &self.nginx_dir(), settings, self.front(), &[self.server()])
    }

    /// Starts another nginx than this Debian's, or one of another name, in front of [`Ground::server`].
    pub fn nginx_of(&self, program: &Path, settings: &Settings) -> Result<Nginx> {
        Nginx::start_program(program, self.net(), &self.nginx_dir(), settings, self.front(), &[self.server()])
    }

    /// Starts this Debian's nginx in pid and mount namespaces of its own, in front of [`Ground::server`].
    pub fn boxed_nginx(&self, settings: &Settings) -> Result<BoxedNginx> {
        BoxedNginx::start(self.net(), &self.nginx_dir(), settings, self.front(), &[self.server()])
    }

    /// A new connection to nginx.
    pub fn client(&self) -> Result<Client> {
        Client::inside(self.net(), self.front())
    }
}
