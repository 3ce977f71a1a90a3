//! The kernel's exact counts of resets, divided among the legs.
//!
//! The kernel counts every reset by direction; on which leg one was, only its record tells. What has no record (the
//! ring buffer was full, no socket, another port) is counted on [`Leg::Other`], so that the legs sum up to the kernel's
//! count exactly.

use crate::{
    counts::{DecodeCounts, KernelCounts},
    record::{Event, Record},
    verdict::Leg,
};

/// Which way a reset went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// This host sent it.
    Sent,
    /// It arrived.
    Received,
}

impl Direction {
    /// Both directions.
    pub const ALL: [Self; 2] = [Self::Sent, Self::Received];

    /// The name in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Received => "received",
        }
    }

    /// Which way the reset went that this record tells of; `None` if it tells of none on the wire.
    #[must_use]
    pub const fn of(record: &Record) -> Option<Self> {
        match record.event {
            Event::ResetSent { .. } => Some(Self::Sent),
            Event::ResetReceived => Some(Self::Received),
            Event::FinReceived
            | Event::ExitClose
            | Event::ListenerExit
            | Event::Retransmitted
            | Event::ClosedUnacked
            | Event::Failed { .. } => None,
        }
    }
}

/// Resets of one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Share {
    upstream: u64,
    client: u64,
    backend: u64,
    other: u64,
    /// Records read whose leg is not known for good yet.
    waiting: u64,
}

impl Share {
    fn named(&self) -> u64 {
        self.upstream + self.client + self.backend
    }

    /// Gives the rest of `total` to `other`. It never shrinks: totals that are read while records are on their way
    /// are short of what is known already.
    fn divide(&mut self, total: u64) {
        self.other = self.other.max(total.saturating_sub(self.named() + self.waiting));
    }
}

/// Resets by direction and leg since the start. No number ever goes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ResetTotals {
    sent: Share,
    received: Share,
}

impl ResetTotals {
    /// Takes note of the record of one reset whose leg may still change, so that it is not counted on
    /// [`Leg::Other`] meanwhile. [`Self::on_leg`] follows.
    pub fn arrived(&mut self, direction: Direction) {
        self.share_mut(direction).waiting += 1;
    }

    /// The record was of no reset on the wire after all.
    pub fn retracted(&mut self, direction: Direction) {
        let share = self.share_mut(direction);
        share.waiting = share.waiting.saturating_sub(1);
    }

    /// Counts one reset whose leg is known for good.
    pub fn on_leg(&mut self, direction: Direction, leg: Leg) {
        let share = self.share_mut(direction);
        share.waiting = share.waiting.saturating_sub(1);
        match leg {
            Leg::Upstream => share.upstream += 1,
            Leg::Client => share.client += 1,
            Leg::Backend => share.backend += 1,
            // What remains of the kernel's count.
            Leg::Other => {}
        }
    }

    /// Takes a reading of the kernel's counters. Resets whose records are still on their way are left out until they
    /// arrive: the numbers are exact whenever the ring buffer is drained, and never above the truth.
    pub fn read(&mut self, kernel: &KernelCounts, decode: &DecodeCounts) {
        let underway = kernel.submitted.saturating_sub(decode.decoded + decode.refused);
        self.sent.divide(kernel.sent.saturating_sub(underway));
        let on_wire = kernel.received.saturating_sub(kernel.received_not_on_wire);
        self.received.divide(on_wire.saturating_sub(underway));
    }

    /// The number of one direction and leg.
    #[must_use]
    pub fn get(&self, direction: Direction, leg: Leg) -> u64 {
        let share = self.share(direction);
        match leg {
            Leg::Upstream => share.upstream,
            Leg::Client => share.client,
            Leg::Backend => share.backend,
            Leg::Other => share.other,
        }
    }

    /// The number of one direction on all legs.
    #[must_use]
    pub fn total(&self, direction: Direction) -> u64 {
        let share = self.share(direction);
        share.named() + share.other
    }

    const fn share(&self, direction: Direction) -> &Share {
        match direction {
            Direction::Sent => &self.sent,
            Direction::Received => &self.received,
        }
    }

    const fn share_mut(&mut self, direction: Direction) -> &mut Share {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(sent: u64, submitted: u64) -> KernelCounts {
        KernelCounts { sent, submitted, ..KernelCounts::default() }
    }

    fn decoded(decoded: u64) -> DecodeCounts {
        DecodeCounts { decoded, refused: 0 }
    }

    #[test]
    fn the_legs_sum_up_to_the_kernels_count_when_the_ring_is_drained() {
        let mut totals = ResetTotals::default();
        totals.on_leg(Direction::Sent, Leg::Upstream);
        totals.on_leg(Direction::Sent, Leg::Other);
        totals.read(&kernel(10, 2), &decoded(2));
        assert_eq!(totals.get(Direction::Sent, Leg::Upstream), 1);
        assert_eq!(totals.get(Direction::Sent, Leg::Other), 9);
        assert_eq!(totals.total(Direction::Sent), 10);
        assert_eq!(totals.total(Direction::Received), 0);
    }

    #[test]
    fn a_reading_while_records_are_on_their_way_is_never_above_the_truth_and_later_exact() {
        let mut totals = ResetTotals::default();
        totals.read(&kernel(10, 4), &decoded(1));
        assert_eq!(totals.total(Direction::Sent), 7);
        for _ in 0..3 {
            totals.on_leg(Direction::Sent, Leg::Upstream);
        }
        totals.read(&kernel(10, 4), &decoded(4));
        assert_eq!(totals.get(Direction::Sent, Leg::Upstream), 3);
        assert_eq!(totals.total(Direction::Sent), 10);
    }

    #[test]
    fn a_reset_that_moves_from_other_to_backend_is_counted_once() {
        let mut totals = ResetTotals::default();
        totals.arrived(Direction::Sent);
        totals.read(&kernel(1, 1), &decoded(1));
        assert_eq!(totals.total(Direction::Sent), 0);
        totals.on_leg(Direction::Sent, Leg::Backend);
        totals.read(&kernel(1, 1), &decoded(1));
        assert_eq!(totals.get(Direction::Sent, Leg::Backend), 1);
        assert_eq!(totals.total(Direction::Sent), 1);
    }

    #[test]
    fn data_after_close_is_no_reset_received() {
        let mut totals = ResetTotals::default();
        let counts = KernelCounts { received: 5, received_not_on_wire: 2, ..KernelCounts::default() };
        totals.read(&counts, &DecodeCounts::default());
        assert_eq!(totals.total(Direction::Received), 3);
    }
}
