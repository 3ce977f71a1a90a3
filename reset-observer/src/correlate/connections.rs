//! The connections that are known, by their ends.

use std::net::SocketAddr;

use foldhash::HashMap;
use smallvec::SmallVec;

use super::{Connection, Ends};

/// Connections by their addresses: this end's, then the other's. The same addresses may be in use in several network
/// namespaces, in whose order they stand.
///
/// Who connects chooses some of what is hashed, so the hash has a seed of its own in each process, and the correlator a bound
/// on their number.
#[derive(Debug, Default)]
pub(super) struct Connections {
    known: HashMap<(SocketAddr, SocketAddr), SmallVec<[Box<Connection>; 1]>>,
    len: usize,
}

impl Connections {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get(&self, ends: &Ends) -> Option<&Connection> {
        self.between(ends.local, ends.remote).find(|known| known.ends().netns == ends.netns)
    }

    pub(super) fn get_mut(&mut self, ends: &Ends) -> Option<&mut Connection> {
        let known = self.known.get_mut(&(ends.local, ends.remote))?;
        known.iter_mut().find(|known| known.ends().netns == ends.netns).map(Box::as_mut)
    }

    /// The connections between these addresses, in the order of their network namespaces.
    pub(super) fn between(&self, local: SocketAddr, remote: SocketAddr) -> impl Iterator<Item = &Connection> {
        self.known.get(&(local, remote)).into_iter().flatten().map(Box::as_ref)
    }

    /// Adds a connection whose ends are none of those known.
    pub(super) fn insert(&mut self, new: Connection) {
        let Ends { local, remote, netns } = new.ends();
        let same = self.known.entry((local, remote)).or_default();
        let place = same.partition_point(|known| known.ends().netns < netns);
        same.insert(place, Box::new(new));
        self.len += 1;
    }

    pub(super) fn remove(&mut self, ends: &Ends) -> Option<Box<Connection>> {
        let addresses = (ends.local, ends.remote);
        let same = self.known.get_mut(&addresses)?;
        let place = same.iter().position(|known| known.ends().netns == ends.netns)?;
        let removed = same.remove(place);
        if same.is_empty() {
            self.known.remove(&addresses);
        }
        self.len -= 1;
        Some(removed)
    }
}

#[cfg(test)]
mod tests;
