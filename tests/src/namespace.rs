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
        let port = format!(":{port:04X}");
        Ok(self.sockets()?.iter().any(|(local, _, state)| local.ends_with(&port) && state == "0A"))
    }

    /// How many connections from this namespace to port `port` nobody here has closed yet.
    pub fn connections_to(&self, port: u16) -> Result<usize> {
        let port = format!(":{port:04X}");
        let open = |state: &str| state == "01" || state == "08";
        Ok(self.sockets()?.iter().filter(|(_, remote, state)| remote.ends_with(&port) && open(state)).count())
    }

    /// Local end, remote end and state of each TCP socket, as the kernel's table writes them.
    fn sockets(&self) -> Result<Vec<(String, String, String)>> {
        let table = |file: &str| fs::read_to_string(format!("/proc/{}/net/{file}", self.pid()));
        let tables = table("tcp")? + &table("tcp6")?;
        let socket = |row: &str| {
            let mut columns = row.split_whitespace().skip(1).map(str::to_owned);
            Some((columns.next()?, columns.next()?, columns.next()?))
        };
        Ok(tables.lines().filter_map(socket).collect())
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
