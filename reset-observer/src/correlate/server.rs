//! What is known of one upstream server: when it refused, when its processes ended, and what was learned of it.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use smallvec::SmallVec;

use super::{
    Connection, Ends,
    gaps::IdleGaps,
    learned::{IdleTimeout, Learned, Lesson, Stamp, cut_size},
    reuse::{ExpectedRaces, Reuse},
};
use crate::{
    nginx::upstream_settings::UpstreamSettings,
    record::{Exit, KernelTime},
};

/// Events of a server are kept this many at most, the newest.
const KEPT: usize = 16;

/// A refused connection this long before a cut still speaks of the same outage.
const REFUSED_BEFORE: Duration = Duration::from_secs(1);

/// Cuts this close to each other belong together: one process closes its sockets within microseconds, and jitter of
/// the network adds milliseconds.
const TOGETHER: Duration = Duration::from_millis(50);

/// Refusals and service that take turns do so within this time.
const IN_TURNS: Duration = Duration::from_secs(1);

/// A server that leaves handshakes unanswered is found out when nginx gives up, after `proxy_connect_timeout`: 60 s unless
/// set, and hardly ever more than 75 s ([documentation]).
///
/// [documentation]: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_connect_timeout
const SILENT_WITHIN: Duration = Duration::from_secs(75);

/// Cuts of this many other connections at once are the server's doing, not the connection's.
const MANY: usize = 2;

/// A size at which this many other responses were cut is a limit.
const REPEATS: usize = 2;

/// One upstream server.
#[derive(Clone, Debug, Default)]
pub struct Server {
    refused: VecDeque<KernelTime>,
    /// When connections were opened that it served.
    served: VecDeque<KernelTime>,
    /// When handshakes were given up that it had not answered.
    silent: VecDeque<KernelTime>,
    exits: VecDeque<(KernelTime, Exit)>,
    /// Upstream connections that its end cut, each once.
    cuts: VecDeque<Cut>,
    reuse: Reuse,
    gaps: IdleGaps,
    learned: Learned,
    last_seen: Stamp,
}

/// An upstream connection that the server's end cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// When.
    pub(super) at: KernelTime,
    /// Which.
    pub(super) ends: Ends,
    /// When it was opened, if that was seen.
    pub(super) opened: Option<KernelTime>,
    /// With a reset and no FIN before it.
    pub(super) by_reset: bool,
}

/// What the server was doing around one cut.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerFacts {
    /// It refused a connection.
    pub refused: bool,
    /// It served a connection that was opened between two that it refused, within a second.
    pub accepts_between: bool,
    /// It left a handshake unanswered.
    pub silent: bool,
    /// A process of it on this host ended.
    pub exit: Option<Exit>,
    /// Other connections to it that were cut at once, at most 16.
    pub cut_together: usize,
    /// What cut them lived on.
    pub cuts_outlived: bool,
    /// What was learned of its idle timeout.
    pub idle_timeout: Option<IdleTimeout>,
    /// The TTL or hop limit of all of its newest SYN-ACKs, if they are alike and enough.
    pub syn_ack_ttl: Option<u8>,
    /// How many of its responses were cut by a reset after as many bytes before, of the newest 16.
    pub cuts_at_this_size: usize,
}

impl ServerFacts {
    /// This response was cut after as many bytes as two others at least: a limit on its size, most likely.
    #[must_use]
    pub fn size_repeats(&self) -> bool {
        self.cuts_at_this_size >= REPEATS
    }

    /// Something happened to the server as a whole, not to one connection.
    #[must_use]
    pub fn unsettled(&self) -> bool {
        self.refused || self.exit.is_some() || self.cut_together >= MANY
    }

    /// Several connections were cut at once, as by the end of a process.
    #[must_use]
    pub fn cut_many(&self) -> bool {
        self.cut_together >= MANY && !self.cuts_outlived
    }
}

impl Server {
    pub(super) fn refused(&mut self, at: KernelTime) {
        keep(&mut self.refused, at);
        self.last_seen = Stamp::at(at);
    }

    /// A connection opened at `opened` was served.
    pub(super) fn served(&mut self, opened: KernelTime) {
        if !self.served.contains(&opened) {
            keep(&mut self.served, opened);
        }
    }

    /// A handshake was given up at `at` without an answer.
    pub(super) fn silent(&mut self, at: KernelTime) {
        keep(&mut self.silent, at);
        self.last_seen = Stamp::at(at);
    }

    /// Whether refusals and service took turns around `at`: what refuses is a limit then, not the want of a listener.
    fn accepts_between(&self, at: KernelTime) -> bool {
        let near = |time: &&KernelTime| time.distance(at) <= IN_TURNS;
        let refused = || self.refused.iter().filter(near);
        let Some((first, last)) = refused().min().zip(refused().max()) else { return false };
        self.served.iter().filter(near).any(|opened| opened > first && opened < last)
    }

    pub(super) fn exited(&mut self, at: KernelTime, exit: Exit) {
        keep(&mut self.exits, (at, exit));
        self.last_seen = Stamp::at(at);
    }

    pub(super) fn cut(&mut self, cut: Cut) {
        if !self.cuts.iter().any(|known| known.ends == cut.ends) {
            keep(&mut self.cuts, cut);
        }
        self.last_seen = Stamp::at(cut.at);
    }

    /// Takes what the end of a connection teaches, beside what the server was doing then.
    pub(super) fn learn(&mut self, lesson: &Lesson, at: KernelTime, facts: &ServerFacts) {
        self.learned.take(lesson, at, facts.refused || facts.exit.is_some());
        self.gaps.take(lesson);
        self.last_seen = Stamp::at(at);
    }

    /// Takes what nginx was told for it.
    pub(super) fn note_settings(&mut self, settings: &Arc<UpstreamSettings>) {
        if !self.gaps.settings.as_ref().is_some_and(|known| Arc::ptr_eq(known, settings)) {
            self.gaps.settings = Some(Arc::clone(settings));
        }
    }

    /// It closed a connection for idleness that was opened `age` before.
    pub(super) fn closed_for_idleness(&mut self, at: KernelTime, age: Duration) {
        self.reuse.closed(at, age);
    }

    /// How many races are to be expected at the traffic up to `now`, if nginx keeps idle connections for longer.
    pub(super) fn expected_races(&self, now: KernelTime) -> Option<ExpectedRaces> {
        let round_trip = self.learned.round_trip(now).map(|time| time.median);
        self.reuse.expected(self.learned.idle_timeout()?.value, round_trip, now)
    }

    /// Takes what was learned before.
    pub(super) fn recall(&mut self, learned: Learned, last_seen: Stamp) {
        self.learned = learned;
        self.last_seen = last_seen;
    }

    /// What was learned of it.
    #[must_use]
    pub fn learned(&self) -> &Learned {
        &self.learned
    }

    /// How long connections to it had lain idle.
    pub(super) fn gaps(&self) -> &IdleGaps {
        &self.gaps
    }

    pub(super) fn last_seen(&self) -> Stamp {
        self.last_seen
    }

    /// Whether nothing was learned of the server and nothing happened to it since `before`.
    pub(super) fn is_forgettable(&self, before: KernelTime) -> bool {
        self.last_seen.clock() < before && self.learned.is_empty()
    }

    /// What the server was doing around the end of `connection`, as known once `settle` has passed, and what was learned
    /// of it before.
    pub(super) fn facts(&self, connection: &Connection, settle: Duration) -> ServerFacts {
        let (at, ends) = (connection.first_at(), connection.ends());
        let together: SmallVec<[&Cut; KEPT]> = self.cuts.iter().filter(|cut| cut.at.distance(at) <= TOGETHER).collect();
        let exit = self.exits.iter().rev().find(|(exit_at, _)| exit_at.distance(at) <= settle);
        ServerFacts {
            refused: self.refused.iter().any(|&refused_at| refused_at >= at.before(REFUSED_BEFORE)),
            accepts_between: self.accepts_between(at),
            silent: self.silent.iter().any(|&given_up| given_up.distance(at) <= SILENT_WITHIN),
            exit: exit.map(|(_, exit)| *exit),
            cut_together: together.iter().filter(|cut| cut.ends != ends).count(),
            cuts_outlived: outlived(&together),
            idle_timeout: self.learned.idle_timeout(),
            syn_ack_ttl: self.learned.ttl_baseline(),
            cuts_at_this_size: cut_size(connection).map_or(0, |bytes| self.learned.cuts_at(bytes)),
        }
    }
}

/// Whether these cuts were not the end of a process. One was opened after another was cut; or all were reset, while a
/// dying process sends a FIN on each connection on which it has read everything: on those that it was at work on.
fn outlived(cuts: &[&Cut]) -> bool {
    let (last_opened, first_cut) =
        (cuts.iter().filter_map(|cut| cut.opened).max(), cuts.iter().map(|cut| cut.at).min());
    let opened_after = last_opened.zip(first_cut).is_some_and(|(opened, cut)| opened > cut);
    opened_after || cuts.iter().all(|cut| cut.by_reset)
}

fn keep<T>(events: &mut VecDeque<T>, event: T) {
    if events.len() == KEPT {
        events.pop_front();
    }
    events.push_back(event);
}
