//! Puts together what belongs to one connection, waits for what may still come, and adds what is known of its server.
//!
//! Pure: events and the time come in, cases and the next deadline go out. The same events give the same cases, live
//! or from a recording, and the order in which corroboration arrives does not matter within the settle window.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use foldhash::HashMap;

mod agenda;
mod connection;
mod connections;
mod departures;
mod ends;
mod gaps;
mod judging;
pub mod learned;
mod logged;
mod note;
mod reuse;
mod server;
mod servers;

use agenda::{Agenda, MEMORY_WINDOWS, Plan};
pub use connection::Connection;
pub(crate) use connection::LONG_DUE;
use connections::{Connections, Hashed, Slot};
use departures::Departures;
use ends::BySequence;
pub use ends::Ends;
pub use gaps::{Gaps, IdleGaps};
pub use learned::IdleTimeout;
pub use logged::{LogDesk, Logged};
pub use reuse::ExpectedRaces;
pub use server::{Server, ServerFacts};
pub use servers::MAX_SERVERS;
use servers::Servers;

use crate::{
    attribute::Attributed,
    counts::{DecodeCounts, KernelCounts},
    record::{Event, Fate, KernelTime, ProcessEvent},
    resets::ResetTotals,
};

/// A process that the out-of-memory killer chose may take this long to die.
const OOM_WITHIN: Duration = Duration::from_secs(30);

/// Connections that are known at a time, some 20 MiB. Beyond it those that wait longest are judged, or forgotten if they
/// were judged, before their time.
const MAX_CONNECTIONS: usize = 16_384;

/// What decides nothing any more is looked for this often.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// A server of which nothing was learned is forgotten after this time.
const SERVER_MEMORY: Duration = Duration::from_secs(60);

/// Everything known about one connection at the time of its verdict.
#[derive(Clone, Debug)]
pub struct Case {
    /// What this end recorded.
    pub connection: Arc<Connection>,
    /// What the other end recorded, if it is on this host.
    pub peer: Option<Arc<Connection>>,
    /// What is known of the server around that time.
    pub server: ServerFacts,
    /// A client in the same network namespace left just before, with its answer due.
    pub client_left: bool,
    /// The out-of-memory killer chose the process behind the other end.
    pub oom_killed: bool,
    /// What nginx's error log says.
    pub logged: Logged,
    /// Without a line of that log there is nothing to say of it.
    pub if_logged: bool,
}

impl Case {
    /// Whether there is anything to say of it.
    #[must_use]
    pub const fn is_worth_a_verdict(&self) -> bool {
        !self.if_logged || matches!(self.logged, Logged::Line(_))
    }
}

/// Correlates events of all connections.
#[derive(Debug)]
pub struct Correlator {
    settle: Duration,
    connections: Connections,
    by_sequence: BySequence,
    agenda: Agenda,
    /// Cases that had to be judged before their time, for the next poll.
    overtaken: Vec<Case>,
    servers: Servers,
    departures: Departures,
    oom_victims: HashMap<u32, KernelTime>,
    next_forgetting: KernelTime,
    resets: ResetTotals,
}

impl Correlator {
    /// A correlator that waits `settle` for corroboration.
    #[must_use]
    pub fn new(settle: Duration) -> Self {
        Self {
            settle,
            connections: Connections::default(),
            by_sequence: BySequence::default(),
            agenda: Agenda::default(),
            overtaken: Vec::new(),
            servers: Servers::default(),
            departures: Departures::default(),
            oom_victims: HashMap::default(),
            next_forgetting: KernelTime(0),
            resets: ResetTotals::default(),
        }
    }

    /// Takes one event. Events come in the order in which the kernel wrote them.
    pub fn handle(&mut self, event: Attributed) {
        if event.record.was_not_on_wire() {
            return;
        }
        self.note_servers(&event);
        self.note_client(&event);
        // Neither is the end of a connection. A dying process closes its connections one by one, which tell of it; and
        // what is sent again may still be answered, and if not, the end says so.
        if matches!(event.record.event, Event::ListenerExit | Event::Retransmitted) {
            return;
        }
        let ends = Ends::of(&event.record);
        let hashed = self.connections.hash(&ends);
        let mut known = self.connections.find(&ends, hashed);
        let another = |known: &Arc<Connection>| known.is_another(&event.record);
        if let Some(slot) = known.filter(|slot| self.connections.get(*slot).is_some_and(another)) {
            // Its addresses are in use again: what it waited for cannot come any more.
            self.overtake(slot);
            known = None;
        }
        if self.connections.len() >= MAX_CONNECTIONS {
            self.make_room();
            // It may not be known any more.
            known = self.connections.find(&ends, hashed);
        }
        match known {
            Some(slot) => self.add(event, slot),
            None => self.begin(event, hashed),
        }
    }

    fn add(&mut self, event: Attributed, slot: Slot) {
        let Some(known) = self.connections.get_mut(slot) else { return };
        known.add(event, &mut self.resets);
        let plan = Plan::of(known, self.settle);
        if self.connections.plan(slot, plan.at) {
            self.agenda.add(plan, slot);
            self.clear_agenda();
        }
    }

    fn begin(&mut self, event: Attributed, hashed: Hashed) {
        let new = Arc::new(Connection::new(event, &mut self.resets));
        let (sequence, plan) = (new.sequence(), Plan::of(&new, self.settle));
        let slot = self.connections.insert(new, hashed, plan);
        if let Some(sequence) = sequence {
            self.by_sequence.insert(slot, sequence);
        }
        self.agenda.add(plan, slot);
    }

    fn make_room(&mut self) {
        while self.connections.len() >= MAX_CONNECTIONS {
            let Some((_, next)) = self.agenda.first() else { return };
            self.overtake(next);
        }
    }

    /// Judges a connection before its time and forgets it.
    fn overtake(&mut self, slot: Slot) {
        let overtaken = self.judge(slot);
        self.overtaken.extend(overtaken);
        self.retire(slot);
        self.clear_agenda();
    }

    fn clear_agenda(&mut self) {
        self.agenda.clear(self.connections.len(), |planned| self.connections.stands(planned));
    }

    /// Takes what happened to a process.
    pub fn handle_process(&mut self, event: &ProcessEvent) {
        if event.fate == Fate::OomVictim {
            self.oom_victims.insert(event.process.tgid, event.at);
        }
    }

    fn server(&mut self, address: SocketAddr) -> &mut Server {
        self.servers.entry(address)
    }

    /// How many connections are known, at most some sixteen thousand.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// The instant at which [`Self::poll`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        self.agenda.first().map(|(deadline, _)| deadline)
    }

    /// The connections whose time to be judged has come by `now`, oldest first.
    pub fn poll(&mut self, now: KernelTime) -> Vec<Case> {
        let mut cases = std::mem::take(&mut self.overtaken);
        if self.next_deadline().is_some_and(|next| next <= now) {
            let due = self.due(now);
            cases.extend(due.iter().filter_map(|slot| self.judge(*slot)));
            due.into_iter().for_each(|slot| self.look_later(slot, now));
            self.clear_agenda();
        }
        self.forget(now);
        cases
    }

    /// Plans the next look at a connection, or forgets it if its time is over.
    fn look_later(&mut self, slot: Slot, now: KernelTime) {
        let Some(plan) = self.connections.get(slot).map(|known| Plan::of(known, self.settle)) else { return };
        if plan.at <= now {
            self.retire(slot);
        } else {
            self.connections.plan(slot, plan.at);
            self.agenda.add(plan, slot);
        }
    }

    /// Lets go of what decides nothing any more.
    fn forget(&mut self, now: KernelTime) {
        if now < self.next_forgetting {
            return;
        }
        self.next_forgetting = now.after(FORGET_EVERY);
        self.oom_victims.retain(|_, chosen| *chosen >= now.before(OOM_WITHIN));
        self.servers.forget_before(now.before(SERVER_MEMORY));
        self.departures.forget_before(now.before(SERVER_MEMORY.max(self.settle * MEMORY_WINDOWS)));
    }

    /// All that is left, without waiting: the end of a session.
    pub fn flush(&mut self) -> Vec<Case> {
        self.poll(KernelTime(u64::MAX))
    }

    /// Takes the connections that are to be looked at by `now`, in the order in which they began to end.
    fn due(&mut self, now: KernelTime) -> Vec<Slot> {
        let connections = &self.connections;
        let first_at = |slot| connections.get(slot).map(|known| known.first_at());
        let mut due = Vec::new();
        self.agenda.take(now, |planned @ (at, slot)| {
            if connections.stands(&planned) {
                due.push((first_at(slot), at, slot));
            }
        });
        let ends = |slot| connections.get(slot).map(|known| known.ends());
        due.sort_unstable_by(|(first_at, at, slot), (other_first_at, other_at, other)| {
            let times = (first_at, at).cmp(&(other_first_at, other_at));
            times.then_with(|| (ends(*slot), slot).cmp(&(ends(*other), other)))
        });
        due.dedup();
        due.into_iter().map(|(.., slot)| slot).collect()
    }

    fn retire(&mut self, slot: Slot) {
        if let Some(mut connection) = self.connections.remove(slot) {
            if let Some(sequence) = connection.sequence() {
                self.by_sequence.remove(slot, sequence);
            }
            if connection.has_uncounted() {
                Arc::make_mut(&mut connection).count(&mut self.resets);
            }
        }
    }

    /// Resets by leg, brought up to date with the kernel's counters.
    pub fn resets(&mut self, kernel: &KernelCounts, decode: &DecodeCounts) -> ResetTotals {
        self.resets.read(kernel, decode);
        self.resets
    }
}

#[cfg(test)]
mod tests;
