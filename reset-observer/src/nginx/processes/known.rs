//! A process that is known, alive or not.

use super::{FoundProcess, InstanceId, recognise};
use crate::{
    record::KernelTime,
    verdict::{ProcessLabel, Role},
};

/// Names of threads to remember of one process: envoy's differ by number, one for each CPU.
const MAX_ALIASES: usize = 256;

/// A proxy's process, alive or ended less than a minute ago.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) label: ProcessLabel,
    pub(super) found: FoundProcess,
    /// `None` for a process that no look ever found.
    pub(super) instance: Option<InstanceId>,
    /// The generation of its instance that a worker began to serve in; `None` until that was looked at, and for one that
    /// was shutting down already.
    pub(super) generation: Option<u32>,
    /// Names that threads of it bore.
    pub(super) aliases: Vec<String>,
    /// Since when it is missing, or when it ended.
    pub(super) ended_at: Option<KernelTime>,
    /// The kernel told of its end. One that is only missing may have been looked at while it became another program.
    pub(super) is_gone: bool,
    /// It did not end in good order.
    pub(super) died: bool,
}

impl Known {
    /// A process that is gone before it was ever found.
    pub(super) fn unseen(label: ProcessLabel, now: KernelTime) -> Self {
        let found = FoundProcess { pid: label.pid, comm: label.name.clone(), ..FoundProcess::default() };
        Self {
            label,
            found,
            instance: None,
            generation: None,
            aliases: Vec::new(),
            ended_at: Some(now),
            is_gone: false,
            died: false,
        }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.ended_at.is_none()
    }

    /// A worker that takes new connections.
    pub(super) fn is_serving(&self) -> bool {
        self.is_alive() && self.label.role == Role::Worker && !recognise::is_shutting_down(&self.found)
    }

    /// Whether a process with this id and this name is this one: ids are used again.
    pub(super) fn goes_by(&self, comm: &str) -> bool {
        self.label.name == comm || self.aliases.iter().any(|alias| alias == comm)
    }

    pub(super) fn add_alias(&mut self, comm: &str) {
        if self.aliases.len() < MAX_ALIASES {
            self.aliases.push(comm.to_owned());
        }
    }

    /// Whether both are workers that some master left behind in the same place: of the same one, as far as can be told.
    pub(super) fn is_fellow_orphan(&self, other: &FoundProcess) -> bool {
        let is_orphan = |process: &FoundProcess| process.title.contains(": worker process");
        self.label.master.is_none()
            && is_orphan(&self.found)
            && is_orphan(other)
            && (self.found.parent, self.found.namespaces, &self.found.exe)
                == (other.parent, other.namespaces, &other.exe)
    }

    pub(super) fn looks_like(&self, other: &Self) -> bool {
        self.label == other.label && self.is_serving() == other.is_serving()
    }
}
