//! What each instance of nginx was told, read again after each reload.
//!
//! The first reading is done at once, so that the first verdict has names. Later ones are done by a thread of their own: a
//! large configuration takes a second, and records wait for nobody.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::SocketAddr,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use anyhow::Result;

use super::{
    config::running::Running,
    processes::{Instance, InstanceId, NginxProcesses, Profile},
    upstream_settings::{Keeps, UpstreamSettings},
};
use crate::{record::KernelTime, verdict::UpstreamLabel};

/// Reads what the master with this process id was told: from `/proc`, or from a test.
pub type ConfigurationSource = Arc<dyn Fn(u32) -> Result<Running> + Send + Sync>;

/// How often to look whether a reading is done.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// Addresses whose servers are remembered per instance. Beyond it all are looked up anew.
const MAX_REMEMBERED: usize = 4096;

/// A server at the other end of a connection, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredServer {
    /// The upstream block and the address.
    pub label: UpstreamLabel,
    /// What counts for connections to it.
    pub settings: Arc<UpstreamSettings>,
}

/// Configurations kept of one instance: old workers go by older ones, until they end.
const MAX_GENERATIONS: usize = 8;

/// The configurations of one instance.
#[derive(Debug)]
struct Loaded {
    generation: u32,
    master: u32,
    /// By generation, the newest last.
    told: BTreeMap<u32, Told>,
}

/// One configuration.
#[derive(Debug)]
struct Told {
    running: Running,
    servers: HashMap<SocketAddr, Option<ConfiguredServer>>,
}

struct Reading {
    instance: InstanceId,
    generation: u32,
    master: u32,
    result: Result<Running>,
}

/// What the instances of nginx were told.
pub struct Configurations {
    source: ConfigurationSource,
    loaded: HashMap<InstanceId, Loaded>,
    seen_revision: Option<u64>,
    revision: u64,
    under_way: usize,
    next_look: Option<KernelTime>,
    done: (mpsc::Sender<Reading>, mpsc::Receiver<Reading>),
}

impl Configurations {
    /// Reads the configurations of these processes through `/proc`.
    #[must_use]
    pub fn of_host(processes: &NginxProcesses) -> Self {
        Self::from_source(Arc::new(Running::read), processes)
    }

    /// The same from another source.
    #[must_use]
    pub fn from_source(source: ConfigurationSource, processes: &NginxProcesses) -> Self {
        let (loaded, revision) = (HashMap::new(), 0);
        let mut all = Self {
            source,
            loaded,
            seen_revision: None,
            revision,
            under_way: 0,
            next_look: None,
            done: mpsc::channel(),
        };
        for (instance, master) in all.outdated(processes) {
            let result = (all.source)(master);
            all.take(Reading { instance: instance.id, generation: instance.generation, master, result });
        }
        all
    }

    /// Begins to read what a reload, an upgrade or a new instance may have changed.
    pub fn refresh(&mut self, processes: &NginxProcesses, now: KernelTime) {
        for (instance, master) in self.outdated(processes) {
            let (source, done) = (Arc::clone(&self.source), self.done.0.clone());
            let (instance, generation) = (instance.id, instance.generation);
            let read = move || {
                // Nobody waits for it any more if this fails.
                let _ = done.send(Reading { instance, generation, master, result: source(master) });
            };
            match thread::Builder::new().name("configuration".into()).spawn(read) {
                Ok(_) => {
                    self.under_way += 1;
                    self.next_look.get_or_insert(now.after(LOOK_INTERVAL));
                }
                Err(error) => log::warn!("cannot read the configuration of nginx {master}: {error}"),
            }
        }
    }

    /// Takes what was read by `now`.
    pub fn collect(&mut self, now: KernelTime) {
        while let Ok(reading) = self.done.1.try_recv() {
            self.under_way -= 1;
            self.take(reading);
        }
        self.next_look = (self.under_way > 0).then(|| now.after(LOOK_INTERVAL));
    }

    /// When to [`Self::collect`], if anything is being read.
    #[must_use]
    pub fn next_look(&self) -> Option<KernelTime> {
        self.next_look
    }

    /// Grows whenever a configuration was read.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// What an instance was told last, if that could be read.
    #[must_use]
    pub fn of(&self, instance: InstanceId) -> Option<&Running> {
        Some(&self.loaded.get(&instance)?.told.values().next_back()?.running)
    }

    /// All that any worker goes by, with the process id of the newest master each.
    pub fn all(&self) -> impl Iterator<Item = (InstanceId, u32, &Running)> {
        self.loaded.iter().flat_map(|(id, loaded)| loaded.told.values().map(|told| (*id, loaded.master, &told.running)))
    }

    /// The server that the workers of this generation of an instance know under this address.
    pub fn server(&mut self, instance: InstanceId, generation: u32, remote: SocketAddr) -> Option<ConfiguredServer> {
        self.loaded.get_mut(&instance)?.told.get_mut(&generation)?.server(remote)
    }

    /// The server that any instance knows under this address, if they agree on its name: with the settings of the one that
    /// keeps idle connections for longest, which is the first to lose a race.
    pub fn server_of_any(&mut self, remote: SocketAddr) -> Option<ConfiguredServer> {
        let newest = self.loaded.values_mut().filter_map(|loaded| loaded.told.values_mut().next_back());
        let mut found = newest.filter_map(|told| told.server(remote));
        let first = found.next()?;
        found.try_fold(first, |longest, other| {
            let agreed = other.label == longest.label;
            let longer = Keeps::of(&other.settings) > Keeps::of(&longest.settings);
            agreed.then_some(if longer { other } else { longest })
        })
    }

    /// Instances whose configuration is to be read, with the master to read it from. Each is told once.
    fn outdated(&mut self, processes: &NginxProcesses) -> Vec<(Instance, u32)> {
        if self.seen_revision.replace(processes.revision()) == Some(processes.revision()) {
            return Vec::new();
        }
        let instances: Vec<Instance> =
            processes.instances().filter(|instance| instance.profile == Profile::Nginx).collect();
        self.loaded.retain(|id, _| instances.iter().any(|instance| instance.id == *id));
        let mut outdated = Vec::new();
        for instance in instances {
            let Some(master) = instance.masters.last().or(instance.workers.first()).copied() else { continue };
            let new = || Loaded { generation: u32::MAX, master: 0, told: BTreeMap::new() };
            let known = self.loaded.entry(instance.id).or_insert_with(new);
            if known.forget_all_but(&processes.generations(instance.id)) {
                self.revision += 1;
            }
            // Another master of the same generation has told its workers nothing else.
            let is_read = known.told.contains_key(&instance.generation);
            let is_asked = (known.generation, known.master) == (instance.generation, master);
            (known.generation, known.master) = (instance.generation, master);
            if !is_read && !is_asked {
                outdated.push((instance, master));
            }
        }
        outdated
    }

    fn take(&mut self, reading: Reading) {
        let Some(loaded) = self.loaded.get_mut(&reading.instance) else { return };
        if (loaded.generation, loaded.master) != (reading.generation, reading.master) {
            // It was reloaded meanwhile, and is being read again.
            return;
        }
        match reading.result {
            Ok(mut running) => {
                // What was read because of a reload is what nginx read, though its old workers may serve for a moment.
                running.stale = running.stale.filter(|_| loaded.told.is_empty());
                tell_problems(&running);
                loaded.told.insert(reading.generation, Told { running, servers: HashMap::new() });
                while loaded.told.len() > MAX_GENERATIONS {
                    loaded.told.pop_first();
                }
                self.revision += 1;
            }
            Err(error) => log::warn!(
                "what nginx {} was told cannot be read, so upstreams have no names: {error:#}",
                reading.master
            ),
        }
    }
}

impl Loaded {
    /// Drops what no worker goes by any more. Returns whether there was any.
    fn forget_all_but(&mut self, generations: &BTreeSet<u32>) -> bool {
        let (before, newest) = (self.told.len(), self.told.keys().next_back().copied());
        self.told.retain(|generation, _| Some(*generation) == newest || generations.contains(generation));
        self.told.len() < before
    }
}

impl Told {
    fn server(&mut self, remote: SocketAddr) -> Option<ConfiguredServer> {
        if self.servers.len() >= MAX_REMEMBERED && !self.servers.contains_key(&remote) {
            self.servers.clear();
        }
        self.servers.entry(remote).or_insert_with(|| look_up(&self.running, remote)).clone()
    }
}

fn tell_problems(running: &Running) {
    for problem in &running.configuration.problems {
        log::warn!("{problem}");
    }
    if let Some(stale) = &running.stale {
        log::warn!("{stale}");
    }
}

fn look_up(running: &Running, remote: SocketAddr) -> Option<ConfiguredServer> {
    let found = running.index.label(remote)?;
    let label = UpstreamLabel { name: found.name(), server: remote.to_string() };
    Some(ConfiguredServer { label, settings: Arc::new(UpstreamSettings::of(running, &found)) })
}

#[cfg(test)]
mod tests;
