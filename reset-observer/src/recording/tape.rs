//! Writes down what a pipeline is told, and what it was answered.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use foldhash::HashMap;

use super::{
    Placing, Redactor, block,
    entry::{self, Context, Entry, MAX_PLACINGS, RECORD_BYTES},
};
use crate::{
    attribute::Attributed,
    correlate::learned::Learned,
    nginx::{
        error_log::{
            join::{LogId, Written},
            line::Line,
        },
        processes::InstanceId,
        upstream_settings::UpstreamSettings,
    },
    record::KernelTime,
    verdict::UpstreamLabel,
};

/// What a server is called: its label, and what counts for it.
pub type Name = (Option<Arc<UpstreamLabel>>, Option<Arc<UpstreamSettings>>);

/// Names that are known at a time; beyond them all are told anew.
pub const MAX_NAMES: usize = 16_384;

/// Names by the worker that was asked about, if one was, and the address. The tape and the player forget alike.
#[derive(Debug, Default)]
pub struct Names(HashMap<(Option<u32>, SocketAddr), Name>);

impl Names {
    /// Takes a name, and says whether it is another than before.
    pub fn learn(&mut self, worker: Option<u32>, remote: SocketAddr, name: Name) -> bool {
        let key = (worker, remote);
        if self.0.get(&key) == Some(&name) {
            return false;
        }
        if self.0.len() >= MAX_NAMES && !self.0.contains_key(&key) {
            self.0.clear();
        }
        self.0.insert(key, name);
        true
    }

    /// What was said last.
    #[must_use]
    pub fn get(&self, worker: Option<u32>, remote: SocketAddr) -> Option<&Name> {
        self.0.get(&(worker, remote))
    }
}

/// The entries of a session that are not in a file yet.
#[derive(Debug, Default)]
pub struct Tape {
    entries: Vec<u8>,
    placings: Vec<Arc<Placing>>,
    /// By process, address and instance of the last placing: where to look for the same first.
    likely: HashMap<(Option<u32>, SocketAddr), usize>,
    names: Names,
    redactor: Option<Redactor>,
}

impl Tape {
    /// A tape with nothing on it. With a redactor, what it says about hosts, people and paths is replaced.
    #[must_use]
    pub fn new(redactor: Option<Redactor>) -> Self {
        Self { redactor, ..Self::default() }
    }

    /// Whether what it says about hosts, people and paths is replaced.
    #[must_use]
    pub const fn is_redacted(&self) -> bool {
        self.redactor.is_some()
    }

    /// Whether there is enough for a block.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= block::FULL_BYTES
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes the entries off.
    #[must_use]
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.entries)
    }

    /// Puts any entry on, as it is but for what is to be replaced.
    pub fn put(&mut self, entry: Entry<'_>) {
        let written = match &mut self.redactor {
            Some(redactor) => redactor.write(entry, &mut self.entries),
            None => entry::write(&entry, &mut self.entries),
        };
        if let Err(error) = written {
            log::error!("an entry of the recording was left out, so that its replay will differ: {error:#}");
        }
    }

    /// A context that comes from outside of the pipeline.
    pub fn context(&mut self, context: Context) {
        self.put(Entry::Context(Box::new(context)));
    }

    /// A record of a connection, with its answer.
    pub fn record(&mut self, bytes: &[u8], event: &Attributed) {
        let Ok(bytes) = <&[u8; RECORD_BYTES]>::try_from(bytes) else { return };
        let placing = self.placing(event);
        self.put(Entry::Record(bytes, placing));
    }

    fn placing(&mut self, event: &Attributed) -> u32 {
        let key = (event.placing.process.as_ref().map(|process| process.pid), event.record.remote);
        let likely = self.likely.get(&key).copied();
        let mut known = likely.into_iter().chain(0..self.placings.len());
        let found = known.find(|index| self.placings.get(*index).is_some_and(|placing| placing.is_of(event)));
        let index = found.unwrap_or_else(|| self.new_placing(event));
        if likely != Some(index) {
            if self.likely.len() >= MAX_PLACINGS {
                self.likely.clear();
            }
            self.likely.insert(key, index);
        }
        u32::try_from(index).unwrap_or(u32::MAX)
    }

    fn new_placing(&mut self, event: &Attributed) -> usize {
        if self.placings.len() >= MAX_PLACINGS {
            self.placings.clear();
            self.likely.clear();
        }
        self.put(Entry::Placing(Box::new((*event.placing).clone())));
        self.placings.push(Arc::clone(&event.placing));
        self.placings.len() - 1
    }

    /// A record without a place.
    pub fn loose(&mut self, bytes: &[u8]) {
        self.put(Entry::Loose(bytes));
    }

    /// Verdicts are asked for. What was answered meanwhile is told before.
    pub fn due(&mut self, now: KernelTime) {
        self.put(Entry::Due(now));
    }

    /// A name that was asked for.
    pub fn named(&mut self, worker: Option<u32>, remote: SocketAddr, name: &Name) {
        if self.names.learn(worker, remote, name.clone()) {
            let (upstream, settings) = name.clone();
            let settings = settings.map(|settings| Box::new((*settings).clone()));
            self.context(Context::Named { worker, remote, upstream, settings });
        }
    }

    /// A line of an error log.
    pub fn line(&mut self, log: LogId, line: &Line, written: Written) {
        self.context(Context::Line { log, written, line: Box::new(line.clone()) });
    }

    /// The instances whose logs are read.
    pub fn follow(&mut self, instances: &HashSet<InstanceId>) {
        let mut instances: Vec<InstanceId> = instances.iter().copied().collect();
        instances.sort_unstable();
        self.context(Context::Follow { instances });
    }

    /// What had been learned before.
    pub fn recall(&mut self, server: SocketAddr, learned: &Learned, age: Duration, at: KernelTime) {
        let age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
        self.context(Context::Recall { server, age_ms, at, learned: learned.save(at) });
    }
}

#[cfg(test)]
mod tests;
