//! The connections that are known, by their ends.

use std::{net::SocketAddr, sync::Arc};

use foldhash::HashMap;
use smallvec::SmallVec;

use super::{Connection, Ends, ends::Addresses};

/// Where a connection is kept while it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(u32);

impl Slot {
    const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Connections by their addresses: this end's, then the other's. The same addresses may be in use in several network
/// namespaces, in whose order they stand.
///
/// Who connects chooses some of what is hashed, so the hash has a seed of its own in each process, and the correlator a bound
/// on their number.
#[derive(Debug, Default)]
pub(super) struct Connections {
    known: HashMap<Addresses, SmallVec<[Slot; 1]>>,
    /// Shared with the cases that were made of them.
    kept: Vec<Option<Arc<Connection>>>,
    free: Vec<Slot>,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.kept.len() - self.free.len()
    }

    /// Where the connection with these ends is kept.
    pub(super) fn find(&self, ends: &Ends) -> Option<Slot> {
        let same = self.known.get(&Addresses::of(ends))?;
        same.iter().copied().find(|slot| self.get(*slot).is_some_and(|known| known.ends().netns == ends.netns))
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Arc<Connection>> {
        self.kept.get(slot.index())?.as_ref()
    }

    /// The connection, to be changed. A case that was made of it keeps what it was.
    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut Connection> {
        self.kept.get_mut(slot.index())?.as_mut().map(Arc::make_mut)
    }

    /// The connections between these addresses, in the order of their network namespaces.
    pub(super) fn between(&self, local: SocketAddr, remote: SocketAddr) -> impl Iterator<Item = &Arc<Connection>> {
        let slots = self.known.get(&Addresses { local, remote }).into_iter().flatten();
        slots.filter_map(|slot| self.get(*slot))
    }

    /// Adds a connection whose ends are none of those known.
    pub(super) fn insert(&mut self, new: Connection) -> Slot {
        let ends = new.ends();
        let slot = self.free.pop().unwrap_or_else(|| {
            self.kept.push(None);
            Slot(u32::try_from(self.kept.len() - 1).expect("there are at most some thousand connections"))
        });
        let kept = &self.kept;
        let netns = |slot: &Slot| kept[slot.index()].as_ref().and_then(|known| known.ends().netns);
        let same = self.known.entry(Addresses::of(&ends)).or_default();
        let place = same.partition_point(|known| netns(known) < ends.netns);
        same.insert(place, slot);
        self.kept[slot.index()] = Some(Arc::new(new));
        slot
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<Arc<Connection>> {
        let removed = self.kept.get_mut(slot.index())?.take()?;
        self.free.push(slot);
        let addresses = Addresses::of(&removed.ends());
        if let Some(same) = self.known.get_mut(&addresses) {
            same.retain(|known| *known != slot);
            if same.is_empty() {
                self.known.remove(&addresses);
            }
        }
        Some(removed)
    }
}

#[cfg(test)]
mod tests;
