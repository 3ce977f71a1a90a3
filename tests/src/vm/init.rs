//! The first process of a virtual machine: makes it a place where the lab can run, runs the checks, switches it off.

use std::ffi::CString;
use std::fs;
use std::fs::File;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::mount::MountFlags;
use rustix::system::RebootCommand;

use crate::programs;
use crate::recording;

/// File systems, each with the directory it is mounted on, in order.
const MOUNTS: [(&str, &str); 7] = [
    ("proc", "/proc"),
    ("sysfs", "/sys"),
    ("devtmpfs", "/dev"),
    ("tmpfs", "/tmp"),
    ("cgroup2", "/sys/fs/cgroup"),
    ("tracefs", "/sys/kernel/tracing"),
    ("bpf", "/sys/fs/bpf"),
];

/// The serial line that carries the results and nothing else.
const RESULTS: &str = "/dev/ttyS1";

/// Where `cargo xtask vm` packs the kernel's modules, numbered in the order to load them.
const MODULES: &str = "/lib/modules";

/// Does everything and switches the machine off, whatever happened.
pub fn run(only: &[String]) -> Result<()> {
    if !rustix::process::getpid().is_init() {
        bail!("this is the first process of a virtual machine; `cargo xtask vm` boots one");
    }
    if let Err(error) = set_up().and_then(|()| run_checks(only)) {
        eprintln!("lab: {error:#}");
    }
    rustix::system::reboot(RebootCommand::PowerOff).context("cannot switch the machine off")
}

fn set_up() -> Result<()> {
    for (kind, place) in MOUNTS {
        fs::create_dir_all(place).with_context(|| format!("cannot make {place}"))?;
        rustix::mount::mount(kind, place, kind, MountFlags::empty(), None::<&std::ffi::CStr>)
            .with_context(|| format!("cannot mount {kind} on {place}"))?;
    }
    let mut modules: Vec<_> = fs::read_dir(MODULES)?.map_while(Result::ok).map(|entry| entry.path()).collect();
    modules.sort();
    for module in modules {
        // Whoever needs a module that does not load says so better than this could.
        if let Err(error) = load(&module) {
            eprintln!("lab: {error:#}");
        }
    }
    let up = Command::new("/usr/bin/ip").args(["link", "set", "lo", "up"]).status().context("cannot run ip")?;
    if !up.success() {
        bail!("the loopback does not come up ({up})");
    }
    Ok(())
}

fn load(module: &Path) -> Result<()> {
    let file = File::open(module).with_context(|| format!("cannot open {}", module.display()))?;
    match rustix::system::finit_module(file.as_fd(), &CString::default(), 0) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot load {}", module.display())),
    }
}

fn run_checks(only: &[String]) -> Result<()> {
    let results = File::options().write(true).open(RESULTS).with_context(|| format!("cannot open {RESULTS}"))?;
    let mut checks = Command::new(programs::lab()?);
    checks.arg("kernel-checks").args(only).stdin(Stdio::null()).stdout(results);
    // What a shell would have set.
    checks.env("PATH", "/usr/bin:/usr/sbin").env("HOME", "/root").env("TMPDIR", "/tmp");
    checks.env(recording::DIRECTORY, "/tmp/recordings");
    let status = checks.status().context("cannot run the checks")?;
    if !status.success() {
        bail!("the checks ended by {status}");
    }
    Ok(())
}
