//! When each connection is next to be looked at.

use std::{cmp::Reverse, collections::BinaryHeap, time::Duration};

use super::{
    Connection,
    connections::{Connections, Slot},
};
use crate::record::KernelTime;

/// A harmless-looking end waits this many settle windows: a worker that was held up may still write a request into
/// the closed connection, and then it was a race.
const QUIET_WINDOWS: u32 = 5;

/// A connection that was judged is remembered for this many settle windows more, as the other end of another one, and
/// so that what follows on it does not count as a new one.
pub(super) const MEMORY_WINDOWS: u32 = 10;

/// Plans that were changed are cleared out once there are so many for each that stands, and this many more.
const STALE_FOR_EACH: usize = 4;
const STALE_AT_LEAST: usize = 1024;

/// Plans, soonest first. A plan that is changed stays and is passed over later: whoever asks says which ones stand.
#[derive(Debug, Default)]
pub(super) struct Agenda(BinaryHeap<Reverse<(KernelTime, Slot)>>);

impl Agenda {
    /// Adds a plan.
    pub(super) fn add(&mut self, at: KernelTime, slot: Slot) {
        self.0.push(Reverse((at, slot)));
    }

    /// The soonest, which stands if [`Self::clear`] was called since plans were changed.
    pub(super) fn first(&self) -> Option<(KernelTime, Slot)> {
        self.0.peek().map(|Reverse(plan)| *plan)
    }

    /// Passes over what does not stand, up to the first that does. `known` connections have one plan each.
    pub(super) fn clear(&mut self, known: usize, stands: impl Fn(KernelTime, Slot) -> bool) {
        if self.0.len() > known * STALE_FOR_EACH + STALE_AT_LEAST {
            self.0.retain(|Reverse((at, slot))| stands(*at, *slot));
        }
        while self.first().is_some_and(|(at, slot)| !stands(at, slot)) {
            self.0.pop();
        }
    }

    /// Takes the soonest plan off if it is not after `now`. It may not stand any more, or stand twice.
    pub(super) fn take(&mut self, now: KernelTime) -> Option<(KernelTime, Slot)> {
        self.first().filter(|(at, _)| *at <= now)?;
        self.0.pop().map(|Reverse(plan)| plan)
    }
}

/// Whether the connection in this place is to be looked at at this time.
pub(super) fn stands(connections: &Connections, settle: Duration, at: KernelTime, slot: Slot) -> bool {
    connections.get(slot).is_some_and(|known| deadline(known, settle) == at)
}

/// When a connection is next to be looked at: to be judged, or once it was, to be forgotten.
pub(super) fn deadline(connection: &Connection, settle: Duration) -> KernelTime {
    let windows = match (connection.is_judged(), connection.is_quiet()) {
        (true, _) => MEMORY_WINDOWS,
        (false, true) => QUIET_WINDOWS,
        (false, false) => 1,
    };
    connection.waiting_since().after(settle * windows)
}
