//! The launcher and the holder: small programs that the lab runs of itself, so that neither outlives it.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use rustix::thread::LinkNameSpaceType;

use crate::cgroup;

/// Which program to become, where, and what happens to it when the lab dies.
#[derive(Debug, clap::Args)]
pub struct EnterArgs {
    /// The process whose network namespace to enter; the lab's own if left out
    #[arg(long)]
    net: Option<u32>,
    /// The lab; if it is gone already, nothing is started
    #[arg(long)]
    parent: i32,
    /// End by SIGTERM rather than SIGKILL when the lab dies, for programs that have children of their own
    #[arg(long)]
    gently: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    command: Vec<std::ffi::OsString>,
}

/// Becomes the program asked for, in the namespace asked for, bound to the life of the lab.
pub fn enter(args: &EnterArgs) -> Result<()> {
    let signal = if args.gently { Signal::TERM } else { Signal::KILL };
    rustix::process::set_parent_process_death_signal(Some(signal)).context("cannot set the parent-death signal")?;
    // The lab may have died between fork and the line above, and then no signal would ever come.
    if rustix::process::getppid().map(Pid::as_raw_pid) != Some(args.parent) {
        bail!("the lab is gone");
    }
    // A backend that crashes on purpose must not leave a core file behind.
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    rustix::process::setrlimit(Resource::Core, none).context("cannot switch core files off")?;
    if let Some(holder) = args.net {
        move_into(holder)?;
    }
    let (program, rest) = args.command.split_first().context("no program given")?;
    let failure = Command::new(program).args(rest).exec();
    Err(failure).with_context(|| format!("cannot start {}", program.display()))
}

/// Moves the calling thread into the network namespace of the process `holder`.
pub fn move_into(holder: u32) -> Result<()> {
    let namespace = fs::File::open(format!("/proc/{holder}/ns/net")).context("the namespace is gone")?;
    let kind = Some(LinkNameSpaceType::Network);
    rustix::thread::move_into_link_name_space(std::os::fd::AsFd::as_fd(&namespace), kind)
        .context("cannot enter the network namespace")
}

/// Keeps a namespace alive until the lab is gone, then removes the lab's scratch directory and its cgroup.
pub fn hold(remove: Option<PathBuf>, cgroup: Option<&Path>) -> Result<()> {
    println!("up");
    io::stdout().flush()?;
    // The lab holds the other end of standard input: it closes when the lab ends, in whatever way.
    io::stdin().read_to_end(&mut Vec::new()).context("cannot wait for the lab")?;
    if let Some(dir) = cgroup {
        cgroup::remove_when_empty(dir)?;
    }
    match remove.map(fs::remove_dir_all) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        Some(_) | None => Ok(()),
    }
}
