//! Finding the other end of a connection on this host.

use std::{cmp::Ordering, collections::BTreeSet, net::SocketAddr};

use crate::record::{Record, SequenceNumbers};

/// What identifies a connection on this host. Ordered by ports first, because a port is soon compared and seldom the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// This end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Inode of the network namespace, where known.
    pub netns: Option<u32>,
}

impl Ends {
    /// The ends that a record names.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self { local: record.local, remote: record.remote, netns: record.netns }
    }
}

impl Ord for Ends {
    fn cmp(&self, other: &Self) -> Ordering {
        let ports = |ends: &Self| (ends.local.port(), ends.remote.port());
        let all = |ends: &Self| (ends.local, ends.remote, ends.netns);
        ports(self).cmp(&ports(other)).then_with(|| all(self).cmp(&all(other)))
    }
}

impl PartialOrd for Ends {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Connections by what they expect to receive next. Under address translation (a Kubernetes service, a published port of
/// a container) the two ends of a connection know different addresses, and the same sequence numbers.
#[derive(Debug, Default)]
pub(super) struct BySequence {
    expecting: BTreeSet<(u32, Ends)>,
}

impl BySequence {
    pub(super) fn insert(&mut self, ends: Ends, sequence: SequenceNumbers) {
        self.expecting.insert((sequence.received, ends));
    }

    pub(super) fn remove(&mut self, ends: Ends, sequence: SequenceNumbers) {
        self.expecting.remove(&(sequence.received, ends));
    }

    /// All that may be the other end of a connection that stands at `sequence`. To be checked the other way round.
    pub(super) fn expecting(&self, sequence: SequenceNumbers) -> impl Iterator<Item = Ends> + '_ {
        let (first, width) = sequence.expectable();
        let last = first.wrapping_add(width);
        let wraps = last < first;
        let upper = self.expecting.range((first, Ends::FIRST)..).take_while(move |(at, _)| wraps || *at <= last);
        let lower = self.expecting.range(..(first, Ends::FIRST)).take_while(move |(at, _)| wraps && *at <= last);
        upper.chain(lower).map(|(_, ends)| *ends)
    }
}

impl Ends {
    /// No other is before it.
    const FIRST: Self = {
        let none = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED), 0);
        Self { local: none, remote: none, netns: None }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_found_by_what_they_expect_also_where_the_numbers_wrap() {
        let ends = |port| Ends { local: SocketAddr::from(([10, 0, 0, 1], port)), ..Ends::FIRST };
        let at = |received| SequenceNumbers { received, ..SequenceNumbers::default() };
        let mut index = BySequence::default();
        for (port, received) in [(1, u32::MAX - 5), (2, 7), (3, 0x8000_0000)] {
            index.insert(ends(port), at(received));
        }
        let here = SequenceNumbers { unacknowledged: u32::MAX - 5, next: 7, received: 0 };
        let found: Vec<u16> = index.expecting(here).map(|ends| ends.local.port()).collect();
        assert_eq!(found, [1, 2]);
        index.remove(ends(1), at(u32::MAX - 5));
        assert_eq!(index.expecting(here).count(), 1);
    }
}
