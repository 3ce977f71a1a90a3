//! Who says whose a record is, and what servers are called: nginx's processes on this host, or a recording.

use std::{net::SocketAddr, sync::Arc};

use foldhash::HashMap;

use crate::{
    attribute::{Attributed, Attributor},
    nginx::{configurations::Configurations, upstream_settings::UpstreamSettings},
    record::{KernelTime, ProcessEvent, Record},
    recording::{
        Placing,
        tape::{MAX_NAMES, Name, Names},
    },
    verdict::UpstreamLabel,
};

/// Where the answers come from.
pub(super) enum Places {
    /// This host, as it is.
    Live(Box<Attributor>),
    /// What a recording said last.
    Recorded(RecordedNames),
}

/// What a recording said of servers.
#[derive(Debug, Default)]
pub(super) struct RecordedNames {
    names: Names,
    /// Labels of servers that it said nothing of, which are asked for again and again.
    unnamed: HashMap<SocketAddr, Arc<UpstreamLabel>>,
    /// Of the configurations.
    pub(super) revision: Option<u64>,
}

impl RecordedNames {
    pub(super) fn learn(&mut self, worker: Option<u32>, remote: SocketAddr, name: Name) {
        self.names.learn(worker, remote, name);
    }

    /// What was not asked in the session, because the program that recorded had other questions, is answered by what
    /// all of nginx said of the server.
    fn get(&self, worker: Option<u32>, remote: SocketAddr) -> Option<&Name> {
        self.names.get(worker, remote).or_else(|| self.names.get(None, remote))
    }

    fn unnamed(&mut self, remote: SocketAddr) -> Arc<UpstreamLabel> {
        if self.unnamed.len() >= MAX_NAMES {
            self.unnamed.clear();
        }
        Arc::clone(self.unnamed.entry(remote).or_insert_with(|| Arc::new(unnamed(remote))))
    }
}

impl Places {
    pub(super) fn attribute(&mut self, record: Arc<Record>) -> Attributed {
        match self {
            Self::Live(attributor) => attributor.attribute(record),
            Self::Recorded(_) => Attributed { record, placing: Arc::new(Placing::of_nobody()) },
        }
    }

    pub(super) fn note(&mut self, event: &ProcessEvent) {
        match self {
            Self::Live(attributor) => attributor.note(event),
            Self::Recorded(_) => {}
        }
    }

    pub(super) fn refresh_due(&mut self, now: KernelTime) {
        match self {
            Self::Live(attributor) => attributor.refresh_due(now),
            Self::Recorded(_) => {}
        }
    }

    pub(super) fn next_look(&self) -> Option<KernelTime> {
        match self {
            Self::Live(attributor) => attributor.next_look(),
            Self::Recorded(_) => None,
        }
    }

    /// Workers of nginx as known by now; none of a recording.
    pub(super) fn workers(&self) -> usize {
        match self {
            Self::Live(attributor) => attributor.processes().workers(),
            Self::Recorded(_) => 0,
        }
    }

    /// Reloads of nginx as seen by now; none of a recording, in which they are marks.
    pub(super) fn reloads(&self) -> u64 {
        match self {
            Self::Live(attributor) => attributor.processes().reloads(),
            Self::Recorded(_) => 0,
        }
    }

    pub(super) fn configurations(&self) -> Option<&Configurations> {
        match self {
            Self::Live(attributor) => attributor.configurations(),
            Self::Recorded(_) => None,
        }
    }

    /// Of the configurations, where these are read.
    pub(super) fn revision(&self) -> Option<u64> {
        match self {
            Self::Live(attributor) => attributor.configurations().map(Configurations::revision),
            Self::Recorded(names) => names.revision,
        }
    }

    pub(super) fn upstream(&mut self, worker: u32, remote: SocketAddr) -> Name {
        match self {
            Self::Live(attributor) => attributor.upstream(worker, remote),
            Self::Recorded(names) => {
                names.get(Some(worker), remote).cloned().unwrap_or_else(|| (Some(names.unnamed(remote)), None))
            }
        }
    }

    pub(super) fn name_server(&mut self, remote: SocketAddr) -> (Arc<UpstreamLabel>, Option<Arc<UpstreamSettings>>) {
        match self {
            Self::Live(attributor) => attributor.name_server(remote),
            Self::Recorded(names) => {
                let (label, settings) = names.get(None, remote).cloned().unwrap_or_default();
                (label.unwrap_or_else(|| names.unnamed(remote)), settings)
            }
        }
    }
}

fn unnamed(remote: SocketAddr) -> UpstreamLabel {
    UpstreamLabel { name: None, server: remote.to_string() }
}
