//! Where the two directions of a connection stand, which both of its ends agree on whatever their addresses are.

use serde::{Deserialize, Serialize};

/// By how much the two ends' views may differ beyond what is on its way: both were recorded within moments, not at once.
const SLACK: u32 = 64 << 10;

/// Sequence numbers of one end, as in RFC 9293, section 3.3.1. They wrap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceNumbers {
    /// The first that the peer did not acknowledge (SND.UNA).
    pub unacknowledged: u32,
    /// The next to be sent (SND.NXT).
    pub next: u32,
    /// The next expected from the peer (RCV.NXT).
    pub received: u32,
}

impl SequenceNumbers {
    /// Whether these can be the two ends of one connection. Both directions start at random numbers, so that two
    /// connections pass for one with a probability of about one in a thousand million.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        self.covers(other.received) && other.covers(self.received)
    }

    /// The numbers that the other end may expect next: the first, and how many there are from it on.
    #[must_use]
    pub fn expectable(&self) -> (u32, u32) {
        let width = self.next.wrapping_sub(self.unacknowledged).saturating_add(2 * SLACK);
        (self.unacknowledged.wrapping_sub(SLACK), width)
    }

    fn covers(&self, received: u32) -> bool {
        let (first, width) = self.expectable();
        received.wrapping_sub(first) <= width
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ends_meet_whatever_is_on_its_way_and_others_do_not() {
        let proxy = SequenceNumbers { unacknowledged: u32::MAX - 10, next: 62, received: 5000 };
        let backend = SequenceNumbers { unacknowledged: 4000, next: 5000, received: u32::MAX - 10 };
        assert!(proxy.meets(&backend) && backend.meets(&proxy), "73 bytes on their way, across the wrap");
        let later = SequenceNumbers { received: 62, ..backend };
        assert!(proxy.meets(&later), "the request has arrived");
        let other = SequenceNumbers { received: 0x4000_0000, ..backend };
        assert!(!proxy.meets(&other) && !other.meets(&proxy));
        let half = SequenceNumbers { unacknowledged: 0x5000_0000, next: 0x5000_0000, received: 0 };
        assert!(!proxy.meets(&half), "one direction alone proves nothing");
    }
}
