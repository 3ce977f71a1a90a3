//! The configuration of an nginx that runs.

use std::{fs, path::Path};

use anyhow::{Context as _, Result};

use super::{
    Configuration, directive::Problem, error_log::LogTarget, hosts::Hosts, index::UpstreamIndex, locate::Invocation,
    source::Root,
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
        Ok(Self { version: build.version, configuration, index, first_log })
    }
}

#[cfg(test)]
mod tests;
