//! When each connection is next to be looked at.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use super::{Connection, connections::Slot};
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

/// A plan that belongs before more than so many of its lane is kept apart.
const NEAR: usize = 32;

/// How many ways there are from the end of a connection to the time at which it is to be looked at.
const LANES: usize = 4;

/// When a connection is to be looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) at: KernelTime,
    /// Plans of one lane are made nearly in the order of their times.
    lane: usize,
}

impl Plan {
    /// When the connection is next to be looked at: to be judged, or once it was, to be forgotten.
    pub(super) fn of(connection: &Connection, settle: Duration) -> Self {
        let (windows, lane) = match (connection.is_judged(), connection.is_quiet()) {
            (false, false) => (1, 0),
            (false, true) => (QUIET_WINDOWS, 1),
            // Judged sooner after its end than the next.
            (true, false) => (MEMORY_WINDOWS, 2),
            (true, true) => (MEMORY_WINDOWS, 3),
        };
        Self { at: connection.waiting_since().after(settle * windows), lane }
    }
}

type Planned = (KernelTime, Slot);

/// Plans, soonest first. A plan that is changed stays and is passed over later: whoever asks says which ones stand.
///
/// They are sorted as they come: nearly all belong at the end of their lane, or a few places before it.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    lanes: [VecDeque<Planned>; LANES],
    /// What comes in no such order, so that whoever chooses the times of records cannot make the sorting dear.
    strays: BinaryHeap<Reverse<Planned>>,
    soonest: Option<Planned>,
}

impl Agenda {
    /// Adds a plan.
    pub(super) fn add(&mut self, plan: Plan, slot: Slot) {
        let planned = (plan.at, slot);
        self.soonest = Some(self.soonest.map_or(planned, |soonest| soonest.min(planned)));
        let lane = &mut self.lanes[plan.lane];
        match lane.iter().rev().take(NEAR + 1).take_while(|other| **other > planned).count() {
            0 => lane.push_back(planned),
            after if after <= NEAR => lane.insert(lane.len() - after, planned),
            _ => self.strays.push(Reverse(planned)),
        }
    }

    /// The soonest, which stands if [`Self::clear`] was called since plans were changed.
    pub(super) const fn first(&self) -> Option<Planned> {
        self.soonest
    }

    /// Passes over what does not stand, up to the first that does. `known` connections have one plan each.
    pub(super) fn clear(&mut self, known: usize, stands: impl Fn(&Planned) -> bool) {
        let Self { lanes, strays, .. } = self;
        if lanes.iter().map(VecDeque::len).sum::<usize>() + strays.len() > known * STALE_FOR_EACH + STALE_AT_LEAST {
            lanes.iter_mut().for_each(|lane| lane.retain(&stands));
            strays.retain(|Reverse(planned)| stands(planned));
        }
        self.take_while(|planned| !stands(planned), drop);
    }

    /// Takes those plans off that are not after `now`. They may not stand any more, or stand twice.
    pub(super) fn take(&mut self, now: KernelTime, taken: impl FnMut(Planned)) {
        self.take_while(|(at, _)| *at <= now, taken);
    }

    /// Takes off what comes first in each lane, in no order between them.
    fn take_while(&mut self, goes: impl Fn(&Planned) -> bool, mut taken: impl FnMut(Planned)) {
        let mut soonest: Option<Planned> = None;
        let mut note = |first: Planned| soonest = Some(soonest.map_or(first, |soonest| soonest.min(first)));
        for lane in &mut self.lanes {
            while let Some(planned) = lane.pop_front_if(|planned| goes(planned)) {
                taken(planned);
            }
            lane.front().copied().into_iter().for_each(&mut note);
        }
        while let Some(&Reverse(planned)) = self.strays.peek().filter(|Reverse(planned)| goes(planned)) {
            self.strays.pop();
            taken(planned);
        }
        self.strays.peek().into_iter().for_each(|Reverse(first)| note(*first));
        self.soonest = soonest;
    }
}

#[cfg(test)]
mod tests;
