//! What is known of upstream servers as a whole: their names, what was learned of them, and both sides of the idle connections
//! to them.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use super::{Pipeline, places::Places};
use crate::{
    correlate::{IdleGaps, IdleTimeout, MAX_SERVERS, learned::Learned},
    mismatch::{News, Sides},
    nginx::upstream_settings::UpstreamSettings,
    record::KernelTime,
    recording::{entry::Context, tape::Name},
    verdict::UpstreamLabel,
};

impl Pipeline {
    /// What was learned of each server's idle timeout.
    pub fn idle_timeouts(&self) -> impl Iterator<Item = (SocketAddr, IdleTimeout)> + '_ {
        self.correlator.idle_timeouts()
    }

    /// All that was learned of each server, and how long before `now` it was last heard of.
    pub fn learned(&self, now: KernelTime) -> impl Iterator<Item = (SocketAddr, &Learned, Duration)> + '_ {
        self.correlator.learned(now)
    }

    /// Takes what was learned of a server before, last heard of `age` before `now`. What is known already stands.
    pub fn recall(&mut self, server: SocketAddr, learned: Learned, age: Duration, now: KernelTime) {
        self.tape.iter_mut().for_each(|tape| tape.recall(server, &learned, age, now));
        self.correlator.recall(server, learned, age, now);
        self.look_at(server);
    }

    /// Grows whenever anything is learned.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.correlator.revision()
    }

    /// Servers of which something had been learned that were forgotten for want of room.
    #[must_use]
    pub fn servers_forgotten(&self) -> u64 {
        self.correlator.servers_forgotten()
    }

    /// The name of a server as verdicts give it, and what counts for it, where the instances of nginx agree.
    pub fn name_server(&mut self, remote: SocketAddr) -> (Arc<UpstreamLabel>, Option<Arc<UpstreamSettings>>) {
        let (label, settings) = self.places.name_server(remote);
        if let Some(tape) = &mut self.tape {
            tape.named(None, remote, &(Some(Arc::clone(&label)), settings.clone()));
        }
        (label, settings)
    }

    /// Takes what a server is called, from a recording: by the worker that was asked about, or by all of nginx.
    pub fn learn_name(&mut self, worker: Option<u32>, remote: SocketAddr, name: Name) {
        if let Places::Recorded(names) = &mut self.places {
            names.learn(worker, remote, name);
        }
    }

    /// Takes the revision of the configurations, from a recording.
    pub const fn learn_revision(&mut self, revision: Option<u64>) {
        if let Places::Recorded(names) = &mut self.places {
            names.revision = revision;
        }
    }

    /// Both sides of the idle connections to each server whose timeout was learned, by address.
    pub fn upstreams(&mut self, now: KernelTime) -> Vec<Sides> {
        let mut servers: Vec<SocketAddr> = self.idle_timeouts().map(|(server, _)| server).collect();
        servers.sort_unstable();
        servers.into_iter().filter_map(|server| self.sides(server, now)).collect()
    }

    /// What is new about them since the last call.
    pub fn upstream_news(&mut self, now: KernelTime) -> Vec<News> {
        let configurations = self.places.revision();
        if configurations != std::mem::replace(&mut self.seen_configurations, configurations) {
            self.to_look_at.extend(self.correlator.idle_timeouts().map(|(server, _)| server));
            self.to_look_at.sort_unstable();
            self.to_look_at.dedup();
        }
        if self.to_look_at.is_empty() {
            return Vec::new();
        }
        let looked_at = std::mem::take(&mut self.to_look_at).into_iter();
        let news = looked_at
            .filter_map(|server| {
                let sides = self.sides_as_told(server, now)?;
                self.watch.look(server, sides, || self.correlator.expected_races(&server, now))
            })
            .collect();
        if self.watch.len() > MAX_SERVERS {
            self.watch.retain(|server| self.correlator.learned_of(server).is_some());
        }
        let revision = self.seen_configurations;
        self.tape.iter_mut().for_each(|tape| tape.context(Context::News { at: now, revision }));
        news
    }

    /// Something may be new about this server.
    pub(super) fn look_at(&mut self, server: SocketAddr) {
        if let Err(place) = self.to_look_at.binary_search(&server) {
            self.to_look_at.insert(place, server);
        }
    }

    /// How long connections to a server had lain idle in this session; `None` if it is not known.
    #[must_use]
    pub fn idle_gaps(&self, server: &SocketAddr) -> Option<&IdleGaps> {
        self.correlator.idle_gaps(server)
    }

    fn sides(&mut self, server: SocketAddr, now: KernelTime) -> Option<Sides> {
        let sides = self.sides_as_told(server, now)?;
        Some(Sides { expected: self.correlator.expected_races(&server, now), ..sides })
    }

    /// The same without what is to be expected of it.
    fn sides_as_told(&mut self, server: SocketAddr, now: KernelTime) -> Option<Sides> {
        let learned = self.correlator.learned_of(&server)?;
        let (backend, round_trip) = (learned.idle_timeout()?, learned.round_trip(now).map(|time| time.median));
        let (upstream, settings) = self.name_server(server);
        Some(Sides { upstream, backend, round_trip, expected: None, settings })
    }
}
