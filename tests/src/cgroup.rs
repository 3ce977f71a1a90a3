//! A cgroup (v2) named like a container's, which goes when the lab goes.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio, id};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::programs;

/// The directory that all cgroups of the lab are in, so that none of the machine's own is touched.
const PARENT: &str = "reset-observer-lab";

/// How long the programs in a cgroup may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// A cgroup and the process that removes it.
#[derive(Debug)]
pub struct Cgroup {
    dir: PathBuf,
    holder: Child,
    lifeline: Option<ChildStdin>,
}

impl Cgroup {
    /// Makes a cgroup at this path, such as `kubepods.slice/…/cri-containerd-….scope`. It is removed when all that ran
    /// in it has ended, also if the lab is killed.
    pub fn new(path: &str) -> Result<Self> {
        let dir = mount_point()?.join(PARENT).join(path);
        let mut command = Command::new(programs::lab()?);
        command.args(["hold", "--cgroup"]).arg(&dir).stdin(Stdio::piped()).stdout(Stdio::null()).process_group(0);
        let mut holder = command.spawn().context("cannot start the holder of a cgroup")?;
        let lifeline = holder.stdin.take();
        let cgroup = Self { dir, holder, lifeline };
        fs::create_dir_all(&cgroup.dir).with_context(|| format!("cannot make {}", cgroup.dir.display()))?;
        Ok(cgroup)
    }

    /// Does `work` inside: what it starts stays there.
    pub fn around<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let own = fs::read_to_string("/proc/self/cgroup")?;
        let own = own.lines().find_map(|line| line.strip_prefix("0::/")).context("no cgroups v2")?.to_owned();
        move_into(&self.dir)?;
        let done = work();
        move_into(&mount_point()?.join(own))?;
        done
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        let _ = self.holder.wait();
    }
}

fn move_into(dir: &Path) -> Result<()> {
    fs::write(dir.join("cgroup.procs"), id().to_string()).with_context(|| format!("cannot enter {}", dir.display()))
}

/// Where cgroups v2 are mounted; on a host with both versions that is not `/sys/fs/cgroup`.
fn mount_point() -> Result<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let cgroup2 = mounts.lines().find(|line| line.contains(" - cgroup2 "));
    let path = cgroup2.and_then(|line| line.split(' ').nth(4)).context("cgroups v2 are not mounted")?;
    Ok(PathBuf::from(path))
}

/// Waits until nothing runs in the cgroup, then removes it and its parents as far as they are empty.
pub(crate) fn remove_when_empty(dir: &Path) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while fs::remove_dir(dir).is_err() && dir.exists() {
        if Instant::now() > deadline {
            bail!("{} is still in use", dir.display());
        }
        // A cgroup can be awaited by polling its events file, which goes with the cgroup; this is simpler.
        thread::sleep(Duration::from_millis(10));
    }
    let parents =
        dir.ancestors().skip(1).take_while(|parent| parent.components().any(|part| part.as_os_str() == PARENT));
    for parent in parents {
        if fs::remove_dir(parent).is_err() {
            break;
        }
    }
    Ok(())
}
