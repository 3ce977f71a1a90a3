//! The configuration of an nginx that runs.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use procfs::process::Process;

use super::{
    Configuration,
    directive::Problem,
    error_log::LogTarget,
    hosts::Hosts,
    index::UpstreamIndex,
    locate::Invocation,
    source::Root,
    stale::{Stale, stale, started_at},
};
use crate::nginx::version::{Build, Version};

/// What a running nginx was told, as far as its files still show it.
#[derive(Debug)]
pub struct Running {
    /// Its version; `None` if its binary does not say.
    pub version: Option<Version>,
    /// Its configuration; problems of finding it included.
    pub configuration: Configuration,
    /// Its servers by address.
    pub index: UpstreamIndex,
    /// The error log that counts where the configuration names none outside all blocks.
    pub first_log: LogTarget,
    /// A file that is newer than what nginx loaded.
    pub stale: Option<Stale>,
}

impl Running {
    /// Reads what the master with this process id was told, through its root directory.
    ///
    /// # Errors
    ///
    /// The process is gone, or may not be looked into. Whatever else can't be read is among the problems.
    pub fn read(master: u32) -> Result<Self> {
        let path = format!("/proc/{master}/cmdline");
        let cmdline = fs::read(&path).with_context(|| format!("cannot read {path}: process {master} is gone"))?;
        let root = Root::of_process(master)?;
        let (build, unread) = match Build::of_process(master) {
            Ok(build) => (build, None),
            Err(error) => (Build::default(), Some(Problem { place: None, says: format!("{error:#}") })),
        };
        let directory = fs::read_link(format!("/proc/{master}/cwd")).unwrap_or_else(|_| Path::new("/").into());
        let invocation = Invocation::parse(&cmdline);
        let origin = invocation.origin(&build, &directory);
        let mut configuration = Configuration::read(&root, &origin);
        configuration.problems.extend(unread);
        let hosts = Hosts::read(&root);
        let index = UpstreamIndex::new(&configuration, &|name| hosts.addresses(name).to_vec());
        let first_log = invocation.first_log(&build, &origin.prefix);
        let stale = loaded_at(master).and_then(|loaded| stale(&configuration, loaded));
        Ok(Self { version: build.version, configuration, index, first_log, stale })
    }
}

/// When the configuration was loaded: nginx starts its workers right after it, and their master itself if it has none.
fn loaded_at(master: u32) -> Option<SystemTime> {
    let process = Process::new(master.cast_signed()).ok()?;
    let workers = process.task_main_thread().and_then(|thread| thread.children()).unwrap_or_default();
    let serving = workers.into_iter().filter_map(|worker| Process::new(worker.cast_signed()).ok());
    let serving =
        serving.filter(|worker| !is_shutting_down(worker)).filter_map(|worker| Some(worker.stat().ok()?.starttime));
    let started = serving.min().or_else(|| Some(process.stat().ok()?.starttime))?;
    let booted = SystemTime::UNIX_EPOCH + Duration::from_secs(procfs::boot_time_secs().ok()?);
    started_at(started, procfs::ticks_per_second(), booted)
}

fn is_shutting_down(worker: &Process) -> bool {
    worker.cmdline().is_ok_and(|title| title.join(" ").contains("is shutting down"))
}

#[cfg(test)]
mod tests;
