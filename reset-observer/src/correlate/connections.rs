//! The connections that are known, by their ends.

use std::{hash::BuildHasher as _, sync::Arc};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::{Connection, Ends, agenda::Plan, ends::Addresses};
use crate::record::KernelTime;

/// Where a connection is kept while it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

impl Slot {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// The hash of the addresses of a connection, the same from either of its ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hashed(u64);

#[derive(Debug)]
struct Kept {
    /// Shared with the cases that were made of it.
    connection: Arc<Connection>,
    hashed: Hashed,
    /// When it is to be looked at. Earlier plans of it do not stand any more.
    planned: KernelTime,
}

/// Connections by their addresses. The same addresses may be in use in several network namespaces.
///
/// Who connects chooses some of what is hashed, so the hash has a seed of its own in each process, and the correlator a bound
/// on their number. Each connection is hashed once.
#[derive(Debug, Default)]
pub(super) struct Connections {
    seed: RandomState,
    known: HashTable<Slot>,
    kept: Vec<Option<Kept>>,
    free: Vec<Slot>,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// For [`Self::find`] and [`Self::insert`].
    pub(super) fn hash(&self, ends: &Ends) -> Hashed {
        Hashed(self.seed.hash_one(Addresses::of(ends).either_way()))
    }

    /// Where the connection with these ends is kept.
    pub(super) fn find(&self, ends: &Ends, hashed: Hashed) -> Option<Slot> {
        let same = |slot: &Slot| self.kept_as(*slot, hashed).is_some_and(|known| known.is_of(ends));
        self.known.find(hashed.0, same).copied()
    }

    fn kept_as(&self, slot: Slot, hashed: Hashed) -> Option<&Arc<Connection>> {
        self.kept(slot).filter(|kept| kept.hashed == hashed).map(|kept| &kept.connection)
    }

    fn kept(&self, slot: Slot) -> Option<&Kept> {
        self.kept.get(slot.index())?.as_ref()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Arc<Connection>> {
        self.kept(slot).map(|kept| &kept.connection)
    }

    /// The connection, to be changed. A case that was made of it keeps what it was.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.kept.get_mut(slot.index())?.as_mut().map(|kept| Arc::make_mut(&mut kept.connection))
    }

    /// Whether the connection in this place is to be looked at at this time.
    pub(super) fn stands(&self, (at, slot): &(KernelTime, Slot)) -> bool {
        self.kept(*slot).is_some_and(|kept| kept.planned == *at)
    }

    /// Plans the next look at a connection; false if that is planned for this time anyway.
    pub(super) fn plan(&mut self, slot: Slot, at: KernelTime) -> bool {
        let kept = self.kept.get_mut(slot.index()).and_then(Option::as_mut);
        kept.is_some_and(|kept| std::mem::replace(&mut kept.planned, at) != at)
    }

    /// The first connection the other way round between the same addresses that `is_it`, in the order of their network
    /// namespaces.
    pub(super) fn peer(&self, slot: Slot, is_it: impl Fn(&Connection) -> bool) -> Option<&Arc<Connection>> {
        let this = self.kept(slot)?;
        let back = Addresses::of(&this.connection.ends()).reversed();
        let near = self.known.iter_hash(this.hashed.0).filter_map(|slot| self.kept_as(*slot, this.hashed));
        let peers = near.filter(|known| known.is_between(&back) && is_it(known));
        peers.min_by_key(|peer| peer.ends().netns)
    }

    /// Adds a connection whose ends are none of those known.
    pub(super) fn insert(&mut self, new: Arc<Connection>, hashed: Hashed, plan: Plan) -> Slot {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            Slot(u32::try_from(self.kept.len() - 1).expect("there are at most some thousand connections"))
        });
        self.kept[slot.index()] = Some(Kept { connection: new, hashed, planned: plan.at });
        let kept = &self.kept;
        let hash = |slot: &Slot| kept[slot.index()].as_ref().map_or(0, |kept| kept.hashed.0);
        self.known.insert_unique(hashed.0, slot, hash);
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Arc<Connection>> {
        let removed = self.kept.get_mut(slot.index())?.take()?;
        self.free.push(slot);
        if let Ok(known) = self.known.find_entry(removed.hashed.0, |known| *known == slot) {
            known.remove();
        }
        Some(removed.connection)
    }
}

#[cfg(test)]
mod tests;
