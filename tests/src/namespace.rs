//! A network namespace without a name: it lives as long as one holder process, and that as long as the lab.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::{enter, programs};

/// A network namespace and the process that keeps it.
#[derive(Debug)]
pub struct Namespace {
    name: &'static str,
    holder: Child,
    lifeline: Option<ChildStdin>,
}

impl Namespace {
    /// A new namespace; `name` is only for messages. The holder removes `scratch` if the lab dies without doing so.
    pub fn new(name: &'static str, scratch: &Path) -> Result<Self> {
        let mut command = Command::new("unshare");
        command.arg("--net").arg(programs::lab()?).arg("hold").arg("--remove").arg(scratch);
        // Its own process group: Ctrl-C reaches the lab alone, which then lets go in order.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut holder = command.spawn().context("cannot run unshare (package util-linux)")?;
        let lifeline = holder.stdin.take();
        let mut first = String::new();
        let stdout = holder.stdout.take().context("the holder has no output")?;
        BufReader::new(stdout).read_line(&mut first).context("the holder of a namespace does not answer")?;
        if first.trim() != "up" {
            bail!("cannot make a network namespace; it needs root");
        }
        Ok(Self { name, holder, lifeline })
    }

    /// What the lab calls this namespace.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The process whose `/proc/PID/ns/net` is this namespace.
    pub fn pid(&self) -> u32 {
        self.holder.id()
    }

    /// Runs `work` on a thread inside this namespace. Sockets that it opens stay here, wherever they are used later.
    pub fn inside<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let holder = self.pid();
        let task = move || enter::move_into(holder).and_then(|()| work());
        thread::scope(|scope| scope.spawn(task).join()).map_err(|_| anyhow!("a thread in {} panicked", self.name))?
    }

    /// Runs a short-lived program in this namespace and gives its standard output; `input` goes to its standard input.
    pub fn run(&self, program: &str, args: &[&str], input: &str) -> Result<String> {
        self.inside(|| run_here(program, args, input))
            .with_context(|| format!("in namespace {}: {program} {}", self.name, args.join(" ")))
    }

    /// Sets kernel parameters of this namespace, given as paths below `/proc/sys/net` with their values.
    pub fn sysctl(&self, settings: &[(&str, &str)]) -> Result<()> {
        self.inside(|| {
            settings.iter().try_for_each(|(path, value)| {
                fs::write(Path::new("/proc/sys/net").join(path), value).with_context(|| format!("net/{path} = {value}"))
            })
        })
    }

    /// Connects from inside this namespace.
    pub fn connect(&self, to: SocketAddr) -> Result<TcpStream> {
        self.inside(|| {
            TcpStream::connect_timeout(&to, Duration::from_secs(2)).with_context(|| format!("cannot connect to {to}"))
        })
    }

    /// Whether a process in this namespace listens at `port`.
    pub fn listens(&self, port: u16) -> Result<bool> {
        // The kernel's own table, because a connection attempt would itself be answered with a reset.
        Ok(self.sockets()?.iter().any(|socket| socket.local_port == port && socket.state == Socket::LISTENS))
    }

    /// The local ports of the connections from this namespace to port `port` that nobody here has closed yet.
    pub fn connections_to(&self, port: u16) -> Result<Vec<u16>> {
        let mut sockets = self.sockets()?;
        sockets.retain(|socket| socket.remote_port == port && socket.is_open());
        Ok(sockets.iter().map(|socket| socket.local_port).collect())
    }

    /// Each TCP socket in this namespace.
    pub fn sockets(&self) -> Result<Vec<Socket>> {
        let table = |file: &str| fs::read_to_string(format!("/proc/{}/net/{file}", self.pid()));
        let tables = table("tcp")? + &table("tcp6")?;
        Ok(tables.lines().filter_map(Socket::read).collect())
    }
}

/// One TCP socket, as far as the kernel's table `/proc/net/tcp` tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// The port of its own end.
    pub local_port: u16,
    /// The port of the other end; 0 if it listens.
    pub remote_port: u16,
    /// The number of its state, as `include/net/tcp_states.h` of the kernel has it.
    state: u8,
}

impl Socket {
    const ESTABLISHED: u8 = 1;
    const CLOSE_WAIT: u8 = 8;
    const LISTENS: u8 = 10;

    /// Nobody here has closed it.
    pub fn is_open(&self) -> bool {
        self.state == Self::ESTABLISHED || self.has_fin()
    }

    /// The other end has closed it, and nobody here.
    pub fn has_fin(&self) -> bool {
        self.state == Self::CLOSE_WAIT
    }

    fn read(row: &str) -> Option<Self> {
        let mut columns = row.split_whitespace().skip(1);
        let mut port = || u16::from_str_radix(columns.next()?.rsplit(':').next()?, 16).ok();
        let (local_port, remote_port) = (port()?, port()?);
        let state = u8::from_str_radix(columns.next()?, 16).ok()?;
        Some(Self { local_port, remote_port, state })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The holder ends by itself; waiting for it here keeps the next stage from seeing this one.
        let _ = self.holder.wait();
    }
}

fn run_here(program: &str, args: &[&str], input: &str) -> Result<String> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot run {program}; run `cargo xtask setup`"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    if !output.status.success() {
        bail!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_the_kernels_table_is_a_socket_and_its_head_is_none() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(Socket::read(head), None);
        let row = "   1: 0100007F:0BB8 0100007F:B2C4 08 00000000:00000001 00:00000000 00000000     0        0 1 1";
        let socket = Socket::read(row).unwrap();
        assert_eq!(socket, Socket { local_port: 3000, remote_port: 0xB2C4, state: 8 });
        assert!(socket.is_open() && socket.has_fin());
    }
}
