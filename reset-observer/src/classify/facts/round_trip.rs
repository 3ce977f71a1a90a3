//! Whether an answer can have come from the backend, by the time that its packets take.

use std::time::Duration;

use super::Facts;

/// Timestamps of the kernel and of the wire differ by scheduling; an answer must beat the fastest round trip by this
/// factor to be called too soon.
const SOONER_FACTOR: f64 = 0.9;

/// The same where much else speaks against it.
const MUCH_SOONER_FACTOR: f64 = 0.5;

/// Round trips below this are within one host: the comparison says nothing.
const SHORTEST_TELLING_RTT: Duration = Duration::from_micros(500);

impl Facts<'_> {
    /// The answer came sooner than anything from the backend ever did.
    pub(in crate::classify) fn sooner_than_rtt_min(&self) -> bool {
        self.part_of_rtt_min().is_some_and(|part| part < SOONER_FACTOR)
    }

    /// The same by so much that the fastest round trip so far cannot have been a slow one.
    pub(in crate::classify) fn much_sooner_than_rtt_min(&self) -> bool {
        self.part_of_rtt_min().is_some_and(|part| part < MUCH_SOONER_FACTOR)
    }

    /// The time to the answer, as a part of the fastest round trip; `None` where the comparison says nothing.
    fn part_of_rtt_min(&self) -> Option<f64> {
        let snapshot = self.snapshot.filter(|snapshot| snapshot.retransmits == 0)?;
        let (sent, rtt_min) = snapshot.first_transmit_at.zip(snapshot.rtt_min)?;
        let answered = snapshot.clock.since(sent).as_secs_f64();
        (rtt_min >= SHORTEST_TELLING_RTT).then_some(answered / rtt_min.as_secs_f64())
    }
}
