//! Finding the other end of a connection on this host.

use std::{
    cmp::Ordering,
    hash::{BuildHasher as _, Hash, Hasher},
    net::{IpAddr, SocketAddr},
};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::connections::Slot;
use crate::record::{Record, SequenceNumbers};

/// What identifies a connection on this host. Ordered by ports first, because a port is soon compared and seldom the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The addresses of both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Addresses {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

impl Addresses {
    pub(super) fn of(ends: &Ends) -> Self {
        Self { local: ends.local, remote: ends.remote }
    }

    /// As the other end names them.
    pub(super) fn reversed(self) -> Self {
        Self { local: self.remote, remote: self.local }
    }

    /// The same for both ends.
    pub(super) fn either_way(self) -> Self {
        if self.local.port() < self.remote.port() || self.local.port() == self.remote.port() && self.local < self.remote
        {
            self
        } else {
            self.reversed()
        }
    }
}

impl Hash for Addresses {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Address(self.local).hash(state);
        Address(self.remote).hash(state);
    }
}

/// One address. Hashed several times for each record, so in as few pieces as hold all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Address(pub(super) SocketAddr);

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let port = self.0.port();
        match self.0.ip() {
            IpAddr::V4(ip) => state.write_u64(u64::from(ip.to_bits()) << 16 | u64::from(port)),
            IpAddr::V6(ip) => {
                state.write_u128(ip.to_bits());
                state.write_u16(port);
            }
        }
    }
}

impl Hash for Ends {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Addresses::of(self).hash(state);
        self.netns.hash(state);
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

/// Numbers that have all but so many of their last bits in common are kept together.
const BITS_TOGETHER: u32 = 18;
const LAST_TOGETHER: u32 = u32::MAX >> BITS_TOGETHER;

/// Connections by what they expect to receive next. Under address translation (a Kubernetes service, a published port of
/// a container) the two ends of a connection know different addresses, and the same sequence numbers.
#[derive(Debug, Default)]
pub(super) struct BySequence {
    seed: RandomState,
    /// What each expects next.
    expecting: HashTable<(u32, Slot)>,
}

impl BySequence {
    pub(super) fn insert(&mut self, slot: Slot, sequence: SequenceNumbers) {
        let expecting = (sequence.received, slot);
        let hash = |(at, _): &(u32, Slot)| hash(&self.seed, at >> BITS_TOGETHER);
        self.expecting.insert_unique(hash(&expecting), expecting, hash);
    }

    pub(super) fn remove(&mut self, slot: Slot, sequence: SequenceNumbers) {
        let hash = hash(&self.seed, sequence.received >> BITS_TOGETHER);
        if let Ok(known) = self.expecting.find_entry(hash, |known| *known == (sequence.received, slot)) {
            known.remove();
        }
    }

    /// All that may be the other end of a connection that stands at `sequence`, in any order. To be checked the other way
    /// round.
    pub(super) fn expecting(&self, sequence: SequenceNumbers) -> impl Iterator<Item = Slot> + '_ {
        let (first, width) = sequence.expectable();
        let near = (first >> BITS_TOGETHER, ((u64::from(first) + u64::from(width)) >> BITS_TOGETHER));
        let count = usize::try_from(near.1 - u64::from(near.0)).unwrap_or(usize::MAX).saturating_add(1);
        // All of them, where that is less to look at, or some would be looked at twice.
        let few = count <= self.expecting.len().clamp(2, LAST_TOGETHER as usize);
        let some = (0..if few { count } else { 0 }).flat_map(move |further| {
            let near = u32::try_from(further).ok().map(|further| near.0.wrapping_add(further) & LAST_TOGETHER);
            near.into_iter().flat_map(|near| self.together(near))
        });
        let all = self.expecting.iter().take(if few { 0 } else { usize::MAX });
        let found = some.chain(all);
        found.filter(move |(at, _)| at.wrapping_sub(first) <= width).map(|(_, slot)| *slot)
    }

    fn together(&self, near: u32) -> impl Iterator<Item = &(u32, Slot)> {
        let found = self.expecting.iter_hash(hash(&self.seed, near));
        found.filter(move |(at, _)| at >> BITS_TOGETHER == near)
    }
}

fn hash(seed: &RandomState, near: u32) -> u64 {
    seed.hash_one(near)
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::*;
    use crate::{
        correlate::{Connection, agenda::Plan, connections::Connections},
        resets::ResetTotals,
        sample,
    };

    #[test]
    fn connections_are_found_by_what_they_expect_also_where_the_numbers_wrap() {
        let mut connections = Connections::default();
        let mut slot = |port| {
            let event = sample::from_port(port, sample::fin(1000, sample::idle(sample::RESPONSE_TIME)));
            let new = Connection::new(event, &mut ResetTotals::default());
            let (hashed, plan) = (connections.hash(&new.ends()), Plan::of(&new, Duration::from_secs(1)));
            connections.insert(Arc::new(new), hashed, plan)
        };
        let slots = [slot(1), slot(2), slot(3)];
        let at = |received| SequenceNumbers { received, ..SequenceNumbers::default() };
        let mut index = BySequence::default();
        for (slot, received) in slots.into_iter().zip([u32::MAX - 5, 7, 0x8000_0000]) {
            index.insert(slot, at(received));
        }
        let here = SequenceNumbers { unacknowledged: u32::MAX - 5, next: 7, received: 0 };
        let found: Vec<Slot> = index.expecting(here).collect();
        assert_eq!(found, slots[..2]);
        index.remove(slots[0], at(u32::MAX - 5));
        assert_eq!(index.expecting(here).count(), 1);
    }
}
