//! Processes as `/proc` shows them.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use procfs::process::Process;

use crate::nginx::processes::{FoundProcess, Namespaces, ProcessName, ProcessSource, recognise::profile};

/// Linux appends this to the link of an executable whose file was replaced or removed, as in a binary upgrade
/// (proc_pid_exe(5)).
const DELETED: &str = " (deleted)";

/// Processes of this host.
pub(in crate::nginx) struct ProcFs {
    names: Vec<ProcessName>,
    /// The kernel lists the children of a process (`CONFIG_PROC_CHILDREN`).
    lists_children: bool,
}

impl ProcFs {
    /// nginx's processes, and those of programs with these names.
    pub(in crate::nginx) fn new(names: Vec<ProcessName>) -> Self {
        Self { names, lists_children: Path::new("/proc/thread-self/children").exists() }
    }
}

impl ProcessSource for ProcFs {
    fn all(&self) -> Vec<FoundProcess> {
        match procfs::process::all_processes() {
            Ok(processes) => processes.filter_map(|process| proxy(&process.ok()?, &self.names)).collect(),
            Err(error) => {
                log::warn!("cannot list processes, so nginx is recognised by name alone: mount /proc ({error})");
                Vec::new()
            }
        }
    }

    fn one(&self, pid: u32) -> Option<FoundProcess> {
        let process = Process::new(i32::try_from(pid).ok()?).ok()?;
        let found = look_at(&process)?;
        Some(if profile(&found, &self.names).is_some() { with_context(found, &process) } else { found })
    }

    fn children(&self, pid: u32) -> Option<Vec<u32>> {
        if !self.lists_children {
            return None;
        }
        let list = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        Some(list.split_whitespace().filter_map(|child| child.parse().ok()).collect())
    }
}

fn proxy(process: &Process, names: &[ProcessName]) -> Option<FoundProcess> {
    let found = look_at(process)?;
    profile(&found, names)?;
    Some(with_context(found, process))
}

/// What it takes to recognise a process.
fn look_at(process: &Process) -> Option<FoundProcess> {
    // An empty command line is a kernel thread or a zombie.
    let title = process.cmdline().ok()?.join(" ");
    if title.is_empty() {
        return None;
    }
    let stat = process.stat().ok()?;
    Some(FoundProcess {
        pid: u32::try_from(stat.pid).ok()?,
        parent: u32::try_from(stat.ppid).ok()?,
        comm: stat.comm,
        title: title.trim_end().to_owned(),
        exe: process.exe().ok().and_then(|path| base_name(&path)),
        started: stat.starttime,
        ..FoundProcess::default()
    })
}

fn base_name(exe: &Path) -> Option<String> {
    let name = exe.file_name()?.to_string_lossy();
    Some(name.strip_suffix(DELETED).unwrap_or(&name).to_owned())
}

/// Adds what is of interest in a proxy only.
fn with_context(found: FoundProcess, process: &Process) -> FoundProcess {
    let inner = process.status().ok().and_then(|status| status.nspid?.last().copied());
    let namespace = |kind: &str| {
        let inode = fs::metadata(format!("/proc/{}/ns/{kind}", found.pid)).ok()?.ino();
        u32::try_from(inode).ok()
    };
    let namespaces = Namespaces { net: namespace("net"), mount: namespace("mnt"), pid: namespace("pid") };
    FoundProcess { inner_pid: inner.and_then(|pid| u32::try_from(pid).ok()), namespaces, ..found }
}

#[cfg(test)]
mod tests;
