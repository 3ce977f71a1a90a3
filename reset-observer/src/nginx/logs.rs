//! Which error logs an instance of nginx writes, and what of them can be followed.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

use super::{
    config::{error_log::LogTarget, running::Running, source::Root},
    error_log::{
        follow::{Opener, Target, Unavailable},
        zone::Zone,
    },
};

/// The logs of one instance.
pub struct InstanceLogs {
    /// Files to follow, by their paths as nginx sees them, each once.
    pub files: Vec<PathBuf>,
    /// Opens them as nginx would.
    pub open: Opener,
    /// The local time of nginx.
    pub zone: Zone,
    /// What cannot be followed.
    pub unavailable: Vec<Unavailable>,
}

impl InstanceLogs {
    /// The logs of the instance with this master.
    ///
    /// # Errors
    /// The process is gone, or may not be looked into.
    pub fn of(master: u32, running: &Running) -> anyhow::Result<Self> {
        let root = Arc::new(Root::of_process(master)?);
        let open: Opener = Arc::new(move |path| root.open_file(path));
        let (mut files, mut unavailable) = (BTreeSet::new(), Vec::new());
        for target in targets(running) {
            match target {
                Target::File(path) => {
                    files.insert(path);
                }
                Target::Unavailable(why) => unavailable.push(why),
                Target::Nowhere => {}
            }
        }
        let zone = Zone::of_process(variable(master, "TZ").as_deref(), |path| open(path));
        Ok(Self { files: files.into_iter().collect(), open, zone, unavailable })
    }
}

/// Where failed requests are told of: every log that takes errors, and the first log where nothing else is said outside
/// all blocks.
fn targets(running: &Running) -> impl Iterator<Item = Target> {
    let logs = &running.configuration.error_logs;
    let names_main = logs.iter().any(|log| log.block == "main");
    let first = (!names_main).then_some(&running.first_log);
    let named = logs.iter().filter(|log| log.takes_errors()).map(|log| &log.target);
    named.chain(first).map(target)
}

fn target(target: &LogTarget) -> Target {
    match target {
        LogTarget::File(path) => Target::of(&path.to_string_lossy()),
        LogTarget::Stderr => Target::of("stderr"),
        LogTarget::Syslog(server) => Target::of(&format!("syslog:{server}")),
        LogTarget::Memory => Target::of("memory:"),
    }
}

/// A variable of a process's environment as it was started.
fn variable(pid: u32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    let prefix = format!("{name}=");
    let found = environment.split(|byte| *byte == 0).find_map(|pair| pair.strip_prefix(prefix.as_bytes()));
    found.map(|value| String::from_utf8_lossy(value).into_owned())
}

#[cfg(test)]
mod tests;
