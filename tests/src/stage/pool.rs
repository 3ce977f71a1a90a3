//! What the kernel's tables tell of nginx's connections to the server, whoever that is.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

use super::{BACKEND_PORT, Stage};
use crate::child;
use crate::interrupt;
use crate::namespace::Socket;

/// How long a server may take to close what is idle.
const PATIENCE: Duration = Duration::from_secs(10);

impl Stage {
    /// The port of nginx's end of its one connection to the server.
    pub fn pooled(&self) -> Result<u16> {
        let open = self.net.proxy().connections_to(BACKEND_PORT)?;
        ensure!(open.len() == 1, "the lab itself: nginx has connections from {open:?}, not one");
        open.first().copied().context("the lab itself: no connection")
    }

    /// Waits until the server has closed the connection from nginx's port `port`, and gives whether nginx's kernel has
    /// not heard of that yet.
    pub fn wait_until_server_closed(&self, port: u16) -> Result<bool> {
        let is_open = |socket: &Socket| socket.remote_port == port && socket.is_open();
        wait_until("close its connection", || Ok(!self.net.backend().sockets()?.iter().any(is_open)))?;
        Ok(self.net.proxy().sockets()?.iter().any(|socket| socket.local_port == port && !socket.has_fin()))
    }

    /// Waits until nginx has no connection to the server, and gives how many it had.
    pub fn wait_until_pool_is_empty(&self) -> Result<usize> {
        let pooled = self.net.proxy().connections_to(BACKEND_PORT)?.len();
        wait_until("close its connections", || Ok(self.net.proxy().connections_to(BACKEND_PORT)?.is_empty()))?;
        Ok(pooled)
    }

    /// Kills (SIGKILL) the processes that serve, and gives whether the server is gone by that: the parent of those that
    /// have one lives on.
    pub fn kill_servants(&mut self) -> Result<bool> {
        let backend = self.backend_mut()?;
        let (server, servants) = (backend.pid(), backend.servants()?);
        servants.iter().try_for_each(|pid| child::signal_process(*pid, Signal::KILL))?;
        let is_gone = servants.contains(&server);
        if is_gone {
            backend.wait()?;
        }
        Ok(is_gone)
    }
}

fn wait_until(deed: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        interrupt::check()?;
        ensure!(Instant::now() < deadline, "the lab itself: the server did not {deed} within {PATIENCE:?}");
        // The kernel's tables have no events.
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
