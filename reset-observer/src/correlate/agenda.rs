//! When each connection is next to be looked at.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::connections::Slot;
use crate::record::KernelTime;

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
