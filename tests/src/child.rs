//! A long-lived child process: bound to the life of the lab, heard line by line, ended by its id.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::process::CommandExt;
use std::process::{self, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal};

use crate::lines::Lines;
use crate::namespace::Namespace;
use crate::programs;

/// How to start a child.
#[derive(Debug)]
pub struct Launch {
    name: &'static str,
    net: Option<u32>,
    gently: bool,
    variables: Vec<(&'static str, &'static str)>,
    command: Vec<OsString>,
}

impl Launch {
    /// A child called `name` in messages, to run `program` in the host's namespaces.
    pub fn new(name: &'static str, program: impl AsRef<OsStr>) -> Self {
        let command = vec![program.as_ref().to_owned()];
        Self { name, net: None, gently: false, variables: Vec::new(), command }
    }

    /// Another argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.push(arg.as_ref().to_owned());
        self
    }

    /// More arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// With these environment variables on top of the lab's own.
    pub fn variables(mut self, variables: &[(&'static str, &'static str)]) -> Self {
        self.variables.extend(variables);
        self
    }

    /// Run inside `net`.
    pub fn inside(mut self, net: &Namespace) -> Self {
        self.net = Some(net.pid());
        self
    }

    /// If the lab dies, let it end by SIGTERM: for a program that must end children of its own.
    pub fn gently(mut self) -> Self {
        self.gently = true;
        self
    }

    /// Starts the child.
    pub fn start(self) -> Result<Child> {
        self.start_showing(|_| ())
    }

    /// Starts the child; `on_line` sees each line of its standard output as it comes.
    pub fn start_showing(self, on_line: impl Fn(&str) + Send + 'static) -> Result<Child> {
        let mut launcher = Command::new(programs::lab()?);
        launcher.arg("enter").arg("--parent").arg(process::id().to_string());
        launcher.args(self.net.map(|holder| format!("--net={holder}")));
        launcher.args(self.gently.then_some("--gently")).arg("--").args(&self.command);
        launcher
            .envs(self.variables)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut inner = launcher.spawn().with_context(|| format!("cannot start {}", self.name))?;
        let stdout = Lines::collect(inner.stdout.take().context("no stdout")?, on_line);
        let stderr = Lines::collect(inner.stderr.take().context("no stderr")?, |_| ());
        Ok(Child { name: self.name, inner, stdout, stderr })
    }
}

/// A running child. Dropped, it is killed and reaped.
#[derive(Debug)]
pub struct Child {
    name: &'static str,
    inner: process::Child,
    /// What it writes to standard output.
    pub stdout: Lines,
    /// What it writes to standard error.
    pub stderr: Lines,
}

impl Child {
    /// Its process id; the launcher becomes the program, so it is the program's own.
    pub fn pid(&self) -> u32 {
        self.inner.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        signal_process(self.pid(), signal).with_context(|| format!("cannot signal {}", self.name))
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        // Its output ends when it and all its children have ended.
        if !self.stdout.wait_for_end(patience)? || !self.stderr.wait_for_end(patience)? {
            bail!("{} still runs after {patience:?}", self.name);
        }
        Ok(self.inner.wait()?)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.inner.kill();
        let _ = self.inner.wait();
    }
}

/// Sends `signal` to the process `pid`.
pub fn signal_process(pid: u32, signal: Signal) -> Result<()> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("not a process id")?;
    rustix::process::kill_process(pid, signal)
        .with_context(|| format!("cannot signal process {}", pid.as_raw_nonzero()))
}

/// The process ids of the children of `pid`.
pub fn children_of(pid: u32) -> Result<Vec<u32>> {
    let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let list = list.with_context(|| format!("process {pid} is gone"))?;
    Ok(list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}
