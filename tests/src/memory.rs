//! A limit on a process' memory, by a cgroup of either version, that goes with the process.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// The directory that all limits of the lab are in.
const PARENT: &str = "reset-observer-lab-memory";

/// A cgroup with a limit on memory, and one process in it.
#[derive(Debug)]
pub struct MemoryLimit {
    dir: PathBuf,
    version: Version,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
}

static NEXT: AtomicU32 = AtomicU32::new(0);

impl MemoryLimit {
    /// Gives the process `pid` so many bytes of memory and no more.
    pub fn of(pid: u32, bytes: u64) -> Result<Self> {
        let (root, version) = controller()?;
        let parent = root.join(PARENT);
        fs::create_dir_all(&parent).with_context(|| format!("cannot make {}", parent.display()))?;
        if version == Version::Two {
            fs::write(parent.join("cgroup.subtree_control"), "+memory").context("no memory controller")?;
        }
        let name = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let limit = Self { dir: parent.join(name), version };
        fs::create_dir_all(&limit.dir)?;
        let file = if version == Version::Two { "memory.max" } else { "memory.limit_in_bytes" };
        limit.write(file, &bytes.to_string())?;
        limit.write("cgroup.procs", &pid.to_string())?;
        Ok(limit)
    }

    /// How many processes the kernel has killed for this limit.
    pub fn kills(&self) -> Result<u64> {
        let file = if self.version == Version::Two { "memory.events" } else { "memory.oom_control" };
        let text = fs::read_to_string(self.dir.join(file))?;
        let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
        count.and_then(|count| count.parse().ok()).with_context(|| format!("no oom_kill in {text:?}"))
    }

    fn write(&self, file: &str, value: &str) -> Result<()> {
        fs::write(self.dir.join(file), value).with_context(|| format!("cannot write {}", self.dir.join(file).display()))
    }
}

impl Drop for MemoryLimit {
    fn drop(&mut self) {
        // The process is gone as soon as it is reaped, its cgroup is empty a moment later.
        let deadline = Instant::now() + Duration::from_secs(2);
        while fs::remove_dir(&self.dir).is_err() && self.dir.exists() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        // Another limit may still be there.
        let _ = self.dir.parent().map(fs::remove_dir);
    }
}

/// Where the controller of memory is mounted.
fn controller() -> Result<(PathBuf, Version)> {
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    for mount in mounts.lines() {
        let Some((before, after)) = mount.split_once(" - ") else { continue };
        let Some(path) = before.split(' ').nth(4).map(Path::new) else { continue };
        let mut after = after.split(' ');
        let kind = after.next().unwrap_or_default();
        let options = after.nth(1).unwrap_or_default();
        if kind == "cgroup" && options.split(',').any(|option| option == "memory") {
            return Ok((path.to_owned(), Version::One));
        }
        let offers = || fs::read_to_string(path.join("cgroup.controllers")).unwrap_or_default();
        if kind == "cgroup2" && offers().split_whitespace().any(|name| name == "memory") {
            return Ok((path.to_owned(), Version::Two));
        }
    }
    bail!("this machine has no cgroup that limits memory")
}
