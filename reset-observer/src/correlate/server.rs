//! What is known of one upstream server: when it refused, when its processes ended, how long it keeps idle connections.

use std::{collections::VecDeque, time::Duration};

use super::Ends;
use crate::record::{Exit, KernelTime};

/// Events of a server are kept this many at most, the newest.
const KEPT: usize = 16;

/// A refused connection this long before a cut still speaks of the same outage.
const REFUSED_BEFORE: Duration = Duration::from_secs(1);

/// Cuts this close to each other belong together: one process closes its sockets within microseconds, and jitter of
/// the network adds milliseconds.
const TOGETHER: Duration = Duration::from_millis(50);

/// Fewer samples than this are no learned timeout: one clean close may have had other reasons.
const ENOUGH_SAMPLES: usize = 3;

/// Cuts of this many other connections at once are the server's doing, not the connection's.
const MANY: usize = 2;

/// One upstream server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    refused: VecDeque<KernelTime>,
    exits: VecDeque<(KernelTime, Exit)>,
    idle: VecDeque<Duration>,
    /// Upstream connections that its end cut, each once.
    cuts: VecDeque<(KernelTime, Ends)>,
    last_seen: KernelTime,
}

/// A learned idle timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeout {
    /// The median of the newest samples.
    pub value: Duration,
    /// Largest minus smallest of them.
    pub spread: Duration,
    /// How many samples there are, at most 16.
    pub samples: usize,
}

impl IdleTimeout {
    /// Whether a connection that had been idle for `gap` was at its timeout: within a tenth, the spread of the
    /// samples, or 20 ms.
    #[must_use]
    pub fn matches(&self, gap: Duration) -> bool {
        let tolerance = (self.value / 10).max(self.spread).max(Duration::from_millis(20));
        gap.abs_diff(self.value) <= tolerance
    }

    /// Whether a connection that had been idle for `gap` was well short of its timeout.
    #[must_use]
    pub fn is_far_above(&self, gap: Duration) -> bool {
        gap < self.value.mul_f64(0.8)
    }
}

/// What the server was doing around one cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerFacts {
    /// It refused a connection.
    pub refused: bool,
    /// A process of it on this host ended.
    pub exit: Option<Exit>,
    /// Other connections to it that were cut at once, at most 16.
    pub cut_together: usize,
    /// What was learned of its idle timeout.
    pub idle_timeout: Option<IdleTimeout>,
}

impl ServerFacts {
    /// Something happened to the server as a whole, not to one connection.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        self.refused || self.exit.is_some() || self.cut_together >= MANY
    }

    /// Several connections were cut at once.
    #[must_use]
    pub fn cut_many(&self) -> bool {
        self.cut_together >= MANY
    }
}

impl Server {
    pub(super) fn refused(&mut self, at: KernelTime) {
        keep(&mut self.refused, at);
        self.last_seen = at;
    }

    pub(super) fn exited(&mut self, at: KernelTime, exit: Exit) {
        keep(&mut self.exits, (at, exit));
        self.last_seen = at;
    }

    pub(super) fn cut(&mut self, at: KernelTime, ends: Ends) {
        if !self.cuts.iter().any(|(_, known)| *known == ends) {
            keep(&mut self.cuts, (at, ends));
        }
        self.last_seen = at;
    }

    pub(super) fn learn(&mut self, idle: Duration, at: KernelTime) {
        keep(&mut self.idle, idle);
        self.last_seen = at;
    }

    /// Whether nothing was learned of the server and nothing happened to it since `before`.
    pub(super) fn is_forgettable(&self, before: KernelTime) -> bool {
        self.idle.is_empty() && self.last_seen < before
    }

    /// What the server was doing around the cut of `ends` at `at`, as known once `settle` has passed.
    pub(super) fn facts(&self, at: KernelTime, ends: &Ends, settle: Duration) -> ServerFacts {
        let others = self.cuts.iter().filter(|(_, other)| other != ends);
        let exit = self.exits.iter().rev().find(|(exit_at, _)| exit_at.distance(at) <= settle);
        ServerFacts {
            refused: self.refused.iter().any(|&refused_at| refused_at >= at.before(REFUSED_BEFORE)),
            exit: exit.map(|(_, exit)| *exit),
            cut_together: others.filter(|(cut_at, _)| cut_at.distance(at) <= TOGETHER).count(),
            idle_timeout: self.idle_timeout(),
        }
    }

    /// The idle timeout, once there are enough samples.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<IdleTimeout> {
        let mut samples: Vec<Duration> = self.idle.iter().copied().collect();
        samples.sort_unstable();
        let (first, last) = (samples.first()?, samples.last()?);
        (samples.len() >= ENOUGH_SAMPLES).then(|| IdleTimeout {
            value: samples[samples.len() / 2],
            spread: *last - *first,
            samples: samples.len(),
        })
    }
}

fn keep<T>(events: &mut VecDeque<T>, event: T) {
    if events.len() == KEPT {
        events.pop_front();
    }
    events.push_back(event);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(samples: &[u64]) -> Option<IdleTimeout> {
        let mut server = Server::default();
        for &sample in samples {
            server.learn(Duration::from_millis(sample), KernelTime(1));
        }
        server.idle_timeout()
    }

    #[test]
    fn an_idle_timeout_is_learned_from_three_clean_closes() {
        assert_eq!(learned(&[5000, 5004]), None);
        let timeout = learned(&[5000, 5004, 4996]).unwrap();
        assert_eq!((timeout.value, timeout.samples), (Duration::from_secs(5), 3));
        assert!(timeout.matches(Duration::from_millis(5200)) && !timeout.matches(Duration::from_millis(5600)));
        assert!(timeout.is_far_above(Duration::from_millis(3900)) && !timeout.is_far_above(Duration::from_secs(5)));
    }

    #[test]
    fn the_newest_samples_win_when_the_timeout_was_changed() {
        let samples: Vec<u64> = [60_000; 16].into_iter().chain([5000; 16]).collect();
        assert_eq!(learned(&samples).unwrap().value, Duration::from_secs(5));
    }
}
