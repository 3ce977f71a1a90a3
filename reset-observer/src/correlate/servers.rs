//! The servers that are known, and a bound on their number.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use foldhash::HashMap;

use super::{
    Correlator, ExpectedRaces, IdleGaps,
    ends::Address,
    learned::{IdleTimeout, Learned, Stamp},
    server::Server,
};
use crate::{nginx::upstream_settings::UpstreamSettings, record::KernelTime};

/// How many servers are known at a time; each takes about 2 KB.
pub const MAX_SERVERS: usize = 4096;

/// So many are forgotten at once when there is no more room, so that finding them costs little for each.
const FORGOTTEN_AT_ONCE: usize = MAX_SERVERS / 8;

/// To look at every server each time that anything happens would cost more than to keep some a little longer.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The servers by address. Two of one address in different network namespaces are one here.
#[derive(Debug, Default)]
pub(super) struct Servers {
    known: HashMap<Address, Box<Server>>,
    forgotten: u64,
    forgotten_before: KernelTime,
    /// Grows with everything learned.
    revision: u64,
}

impl Servers {
    pub(super) fn get(&self, address: &SocketAddr) -> Option<&Server> {
        self.known.get(&Address(*address)).map(Box::as_ref)
    }

    pub(super) fn get_mut(&mut self, address: &SocketAddr) -> Option<&mut Server> {
        self.known.get_mut(&Address(*address)).map(Box::as_mut)
    }

    /// The server, to tell it what happened. Where there is no room, those that nothing was learned of are forgotten first,
    /// then those not heard of for longest.
    pub(super) fn entry(&mut self, address: SocketAddr) -> &mut Server {
        let address = Address(address);
        if self.known.len() >= MAX_SERVERS && !self.known.contains_key(&address) {
            self.forget_some();
        }
        self.known.entry(address).or_default()
    }

    fn forget_some(&mut self) {
        let order = |server: &Server| (!server.learned().is_empty(), server.last_seen().order());
        let mut oldest: Vec<_> = self.known.iter().map(|(address, server)| (order(server), *address)).collect();
        oldest.sort_unstable();
        for ((learned, _), address) in oldest.into_iter().take(FORGOTTEN_AT_ONCE) {
            self.known.remove(&address);
            self.forgotten += u64::from(learned);
        }
    }

    /// Forgets servers that nothing was learned of and that were not heard of since `before`.
    pub(super) fn forget_before(&mut self, before: KernelTime) {
        if before < self.forgotten_before.after(LOOK_EVERY) {
            return;
        }
        self.forgotten_before = before;
        self.known.retain(|_, server| !server.is_forgettable(before));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &Server)> {
        self.known.iter().map(|(address, server)| (address.0, server.as_ref()))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn has_learned(&mut self) {
        self.revision += 1;
    }

    pub(super) fn revision(&self) -> u64 {
        self.revision
    }

    /// How many of which something had been learned were forgotten for want of room.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Takes what was learned before, last heard of `age` before `now`. What is known already stands.
    pub(super) fn recall(&mut self, address: SocketAddr, learned: Learned, age: Duration, now: KernelTime) {
        let server = self.entry(address);
        if server.learned().is_empty() {
            server.recall(learned, Stamp::of_age(age, now));
        }
    }
}

impl Correlator {
    /// What was learned of each server's idle timeout.
    pub fn idle_timeouts(&self) -> impl Iterator<Item = (SocketAddr, IdleTimeout)> + '_ {
        self.servers.iter().filter_map(|(address, server)| Some((address, server.learned().idle_timeout()?)))
    }

    /// Takes what nginx was told for a server, if that is known here.
    pub fn note_settings(&mut self, server: &SocketAddr, settings: &Arc<UpstreamSettings>) {
        if let Some(server) = self.servers.get_mut(server) {
            server.note_settings(settings);
        }
    }

    /// How long connections to a server had lain idle in this session; `None` if it is not known.
    #[must_use]
    pub fn idle_gaps(&self, server: &SocketAddr) -> Option<&IdleGaps> {
        self.servers.get(server).map(Server::gaps)
    }

    /// All that was learned of each server, and how long before `now` it was last heard of.
    pub fn learned(&self, now: KernelTime) -> impl Iterator<Item = (SocketAddr, &Learned, Duration)> + '_ {
        let learned = self.servers.iter().filter(|(_, server)| !server.learned().is_empty());
        learned.map(move |(address, server)| (address, server.learned(), server.last_seen().age(now)))
    }

    /// What was learned of one server; `None` if it is not known.
    #[must_use]
    pub fn learned_of(&self, server: &SocketAddr) -> Option<&Learned> {
        self.servers.get(server).map(Server::learned)
    }

    /// How many races with a server are to be expected at the traffic up to `now`; `None` if there is too little to say.
    #[must_use]
    pub fn expected_races(&self, server: &SocketAddr, now: KernelTime) -> Option<ExpectedRaces> {
        self.servers.get(server)?.expected_races(now)
    }

    /// Takes what was learned of a server before, last heard of `age` before `now`. What is known already stands.
    pub fn recall(&mut self, server: SocketAddr, learned: Learned, age: Duration, now: KernelTime) {
        self.servers.recall(server, learned, age, now);
    }

    /// Grows whenever anything is learned.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.servers.revision()
    }

    /// Servers of which something had been learned that were forgotten for want of room.
    #[must_use]
    pub fn servers_forgotten(&self) -> u64 {
        self.servers.forgotten()
    }
}

#[cfg(test)]
mod tests;
