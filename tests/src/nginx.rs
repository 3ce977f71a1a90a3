//! A real nginx with a configuration of the lab's choosing.

use std::fmt::Write as _;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::child::{self, Child, Launch};
use crate::interrupt;
use crate::namespace::Namespace;
use crate::programs;

/// How long nginx may take to come up, to reload or to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the configuration says, as far as scenarios differ in it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `worker_processes`.
    pub workers: u32,
    /// `keepalive` of the upstream block: idle connections kept per worker; 0 leaves it out.
    pub keepalive: u32,
    /// `keepalive_timeout` of the upstream block.
    pub keepalive_timeout: &'static str,
    /// `proxy_read_timeout` (and connect and send timeout).
    pub timeout: &'static str,
    /// Whether it speaks TLS to the backends.
    pub tls: bool,
    /// Further parameters of each server of the upstream block.
    pub server: &'static str,
    /// Further directives for the location.
    pub location: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            workers: 1,
            keepalive: 16,
            keepalive_timeout: "60s",
            timeout: "3s",
            tls: false,
            server: "",
            location: "",
        }
    }
}

/// A running nginx: the master is our child.
#[derive(Debug)]
pub struct Nginx {
    master: Child,
    dir: PathBuf,
}

impl Nginx {
    /// Starts nginx inside `net`, listening at `listen`, in front of `servers`; its files go to `dir`.
    pub fn start(
        net: &Namespace,
        dir: &Path,
        settings: &Settings,
        listen: SocketAddr,
        servers: &[SocketAddr],
    ) -> Result<Self> {
        Self::start_program(&programs::nginx()?, net, dir, settings, listen, servers)
    }

    /// The same with another binary, such as one of another name.
    pub fn start_program(
        program: &Path,
        net: &Namespace,
        dir: &Path,
        settings: &Settings,
        listen: SocketAddr,
        servers: &[SocketAddr],
    ) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let text = configure(settings, dir, listen, servers)?;
        Self::start_written(program, net, dir, &text, listen, settings.workers as usize)
    }

    /// Starts nginx with this text as its configuration, which lets so many workers listen at `listen`.
    pub fn start_written(
        program: &Path,
        net: &Namespace,
        dir: &Path,
        text: &str,
        listen: SocketAddr,
        workers: usize,
    ) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let configuration = dir.join("nginx.conf");
        fs::write(&configuration, text)?;
        let launch = Launch::new("nginx", program).inside(net).gently();
        let launch = launch.arg("-p").arg(dir).arg("-e").arg(dir.join("error.log")).arg("-c").arg(&configuration);
        let nginx = Self { master: launch.start()?, dir: dir.to_owned() };
        let up = || Ok(net.listens(listen.port())? && nginx.workers()?.len() == workers);
        nginx.wait_until("come up", up)?;
        Ok(nginx)
    }

    /// The process id of the master.
    pub fn master(&self) -> u32 {
        self.master.pid()
    }

    /// The process ids of the workers that the master has now.
    pub fn workers(&self) -> Result<Vec<u32>> {
        child::children_of(self.master.pid()).context("the nginx master is gone")
    }

    /// Ends a worker by SIGKILL, and waits until the master has replaced it.
    pub fn kill_worker(&self, worker: u32) -> Result<()> {
        self.end_worker(worker, Signal::KILL)
    }

    /// The same by another deadly signal.
    pub fn end_worker(&self, worker: u32, signal: Signal) -> Result<()> {
        let before = self.workers()?.len();
        child::signal_process(worker, signal)?;
        self.wait_until("replace a worker", || {
            let now = self.workers()?;
            Ok(now.len() == before && !now.contains(&worker))
        })
    }

    /// Reloads, and waits until the old workers have been replaced.
    pub fn reload(&self) -> Result<()> {
        let old = self.workers()?;
        self.master.signal(Signal::HUP)?;
        self.wait_until("reload", || {
            let now = self.workers()?;
            Ok(now.len() == old.len() && !now.iter().any(|pid| old.contains(pid)))
        })
    }

    /// Asks it to reload (SIGHUP), and does not wait.
    pub fn begin_reload(&self) -> Result<()> {
        self.master.signal(Signal::HUP)
    }

    /// Stops all workers where they stand, until [`Nginx::go_on`].
    pub fn hold_still(&self) -> Result<()> {
        let workers = self.workers()?;
        workers.iter().try_for_each(|pid| child::signal_process(*pid, Signal::STOP))?;
        self.wait_until("stand still", || Ok(workers.iter().all(|pid| is_stopped(*pid))))
    }

    /// Lets held workers go on.
    pub fn go_on(&self) -> Result<()> {
        self.workers()?.iter().try_for_each(|pid| child::signal_process(*pid, Signal::CONT))
    }

    /// The error log so far, line by line.
    pub fn error_log(&self) -> Vec<String> {
        self.log("error.log")
    }

    /// The access log so far, line by line.
    pub fn access_log(&self) -> Vec<String> {
        self.log("access.log")
    }

    /// Waits until nginx has logged `count` requests: it does so only after it is done with one.
    pub fn wait_for_requests(&self, count: usize) -> Result<()> {
        self.wait_until("log its requests", || Ok(self.access_log().len() >= count))
    }

    fn log(&self, file: &str) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn wait_until(&self, deed: &str, done: impl Fn() -> Result<bool>) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done().with_context(|| format!("nginx did not {deed}: {:?}", self.master.stderr.all()))? {
            interrupt::check()?;
            if Instant::now() > deadline {
                bail!("nginx did not {deed} within {PATIENCE:?}: {:?}", self.error_log());
            }
            // `/proc` has no events.
            thread::sleep(Duration::from_millis(2));
        }
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // A held worker cannot obey its master.
        let _ = self.go_on();
        let workers = self.workers().unwrap_or_default();
        let ended = self.master.signal(Signal::TERM).and_then(|()| self.master.wait(PATIENCE));
        if ended.is_err() {
            // The master ends its workers; if it could not, they are ended by their ids.
            workers.iter().for_each(|pid| drop(child::signal_process(*pid, Signal::KILL)));
        }
    }
}

fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the command name, which is in parentheses and may hold anything.
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
}

/// The text of a configuration whose files lie in `dir`, as nginx sees it. Its upstream block is called `backend`.
pub fn configure(settings: &Settings, dir: &Path, listen: SocketAddr, servers: &[SocketAddr]) -> Result<String> {
    let Settings { workers, keepalive, keepalive_timeout, timeout, tls, server: parameters, location } = settings;
    let scheme = if *tls { "https" } else { "http" };
    let mut upstream = String::new();
    for server in servers {
        writeln!(upstream, "    server {server} {parameters};")?;
    }
    if *keepalive > 0 {
        writeln!(upstream, "    keepalive {keepalive};\n    keepalive_timeout {keepalive_timeout};")?;
    }
    let http = format!(
        "  access_log {}/access.log;\n\
         \x20 upstream backend {{\n{upstream}  }}\n\
         \x20 server {{\n    listen {listen};\n    location / {{\n      proxy_pass {scheme}://backend;\n\
         \x20     proxy_http_version 1.1;\n      proxy_set_header Connection \"\";\n\
         \x20     proxy_connect_timeout {timeout};\n      proxy_send_timeout {timeout};\n      proxy_read_timeout {timeout};\n\
         \x20     {location}\n    }}\n  }}\n",
        dir.display()
    );
    frame(*workers, dir, &http)
}

/// The text of a configuration with this in its `http` block, whose files lie in `dir`.
pub fn frame(workers: u32, dir: &Path, http: &str) -> Result<String> {
    let dir = dir.display();
    let mut temporary = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        writeln!(temporary, "  {kind}_temp_path {dir}/{kind};")?;
    }
    // The workers stay root because the scratch directory is closed to others.
    Ok(format!(
        "daemon off;\nuser root;\nworker_processes {workers};\npid {dir}/nginx.pid;\nerror_log {dir}/error.log error;\n\
         events {{ worker_connections 512; }}\n\
         http {{\n{temporary}{http}}}\n"
    ))
}
