//! nginx as it runs in a container: in pid, mount and network namespaces of its own, daemonised, so that its binary can
//! be upgraded (nginx ignores SIGUSR2 while its first parent lives).

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::child::{Child, Launch, children_of, signal_process};
use crate::namespace::Namespace;
use crate::nginx::{Settings, configure};
use crate::programs;

/// How long nginx may take for anything.
const PATIENCE: Duration = Duration::from_secs(5);

/// The first process of the pid namespace: lays the box's own files over those of the host, starts nginx, then keeps the
/// namespace.
const INIT: &str = "mount --bind \"$1\" \"$2\" && shift 2 && \"$@\" && exec sleep infinity";

/// Where the files of a box are.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// Where they lie on the host.
    pub outside: &'a Path,
    /// Where the box shows them; on the host, other files may be there.
    pub inside: &'a Path,
    /// The configuration file that nginx is told, a path in the box.
    pub configuration: &'a Path,
}

/// A running nginx in a box. If the lab ends, `unshare` is killed, with it the first process of the pid namespace, and
/// with that everything in it.
#[derive(Debug)]
pub struct BoxedNginx {
    unshare: Child,
    dir: PathBuf,
    workers: usize,
}

impl BoxedNginx {
    /// Starts nginx inside `net`, listening at `listen`, in front of `servers`; its files go to `dir`.
    pub fn start(
        net: &Namespace,
        dir: &Path,
        settings: &Settings,
        listen: SocketAddr,
        servers: &[SocketAddr],
    ) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let configuration = dir.join("nginx.conf");
        let text = configure(settings, dir, listen, servers)?.replace("daemon off;", "daemon on;");
        fs::write(&configuration, text)?;
        let files = Files { outside: dir, inside: dir, configuration: &configuration };
        Self::start_with(net, &files, settings.workers as usize)
    }

    /// Starts nginx inside `net` with a configuration that is there already, and waits for so many workers.
    pub fn start_with(net: &Namespace, files: &Files<'_>, workers: usize) -> Result<Self> {
        let launch = Launch::new("nginx in a box", "unshare").inside(net);
        let launch =
            launch.args(["--pid", "--mount", "--mount-proc", "--fork", "--kill-child", "sh", "-c", INIT, "init"]);
        let launch = launch.arg(files.outside).arg(files.inside).arg(programs::nginx()?);
        let launch = launch.arg("-p").arg(files.inside).arg("-e").arg(files.inside.join("error.log"));
        let unshare = launch.arg("-c").arg(files.configuration).start()?;
        let nginx = Self { unshare, dir: files.outside.to_owned(), workers };
        nginx.wait_until("come up", || nginx.masters().len() == 1 && nginx.all_serve())?;
        Ok(nginx)
    }

    /// The masters, old before new; ids outside of the box.
    pub fn masters(&self) -> Vec<u32> {
        let mut masters: Vec<u32> = children_of(self.init().unwrap_or_default()).unwrap_or_default();
        masters.retain(|pid| is_master(*pid));
        let new: Vec<u32> = masters.iter().flat_map(|pid| children_of(*pid).unwrap_or_default()).collect();
        masters.extend(new.into_iter().filter(|pid| is_master(*pid)));
        masters
    }

    /// The workers of a master; ids outside of the box.
    pub fn workers(&self, master: u32) -> Vec<u32> {
        let children = children_of(master).unwrap_or_default();
        children.into_iter().filter(|pid| title(*pid).starts_with("nginx: worker process")).collect()
    }

    /// Starts the same binary again as a new one (SIGUSR2); returns when old and new workers serve side by side. Gives
    /// the new master.
    pub fn upgrade(&self) -> Result<u32> {
        let [old] = self.masters()[..] else { bail!("the lab itself: an upgrade needs one master") };
        signal_process(old, Signal::USR2)?;
        self.wait_until("start its new binary", || self.masters().len() == 2 && self.all_serve())?;
        self.masters().into_iter().find(|pid| *pid != old).context("the new master is gone")
    }

    /// Lets the workers of the old master end (SIGWINCH), and waits until they have.
    pub fn retire_workers(&self, old: u32) -> Result<()> {
        signal_process(old, Signal::WINCH)?;
        self.wait_until("end its old workers", || self.workers(old).is_empty())
    }

    /// Ends the old master (SIGQUIT).
    pub fn retire(&self, old: u32) -> Result<()> {
        signal_process(old, Signal::QUIT)?;
        self.wait_until("end its old master", || !self.masters().contains(&old) && self.masters().len() == 1)
    }

    /// The error log so far, line by line.
    pub fn error_log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("error.log")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn init(&self) -> Option<u32> {
        children_of(self.unshare.pid()).ok()?.first().copied()
    }

    fn all_serve(&self) -> bool {
        self.masters().iter().all(|master| self.workers(*master).len() == self.workers)
    }

    fn wait_until(&self, deed: &str, done: impl Fn() -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done() {
            if Instant::now() > deadline {
                bail!(
                    "nginx did not {deed} within {PATIENCE:?}: {:?} {:?}",
                    self.error_log(),
                    self.unshare.stderr.all()
                );
            }
            // `/proc` has no events.
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// The last of a process' ids, which is the one in its own pid namespace.
pub fn inner_pid(pid: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    ids.split_whitespace().last()?.parse().ok()
}

/// A fresh worker bears its master's title for a moment, but has no children.
fn is_master(pid: u32) -> bool {
    title(pid).starts_with("nginx: master process") && children_of(pid).is_ok_and(|children| !children.is_empty())
}

fn title(pid: u32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}
