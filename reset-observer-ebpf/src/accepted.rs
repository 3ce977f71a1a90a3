//! Connections that were accepted on this host, by their ends: when the other end, which this host opened, is reset, it is
//! known that its peer is here, and that a reset which the peer did not send came from somewhere in between.

use aya_ebpf::{macros::map, maps::Array};
use reset_observer_ebpf::record::{RawRecord, flag};

use crate::{
    global::has_reason,
    tuple::{self, Tuple},
};

/// By the accepting end's view, each in the one place that its hash gives it: every connection that is accepted pays for
/// this, and a map that keeps order costs ten times as much. A newer one in the same place replaces it, and then only less
/// is known.
#[map]
static ACCEPTED: Array<Tuple> = Array::with_max_entries(tuple::PLACES, 0);

/// Notes a connection that completed its handshake on a listening socket.
#[inline(always)]
pub(crate) fn note(tuple: &Tuple) {
    if let Some(place) = ACCEPTED.get_ptr_mut(tuple.place()) {
        // SAFETY: the place is as large as a tuple. Two CPUs that write it at once leave one of the two, or a mixture that
        // no connection is equal to.
        unsafe { *place = *tuple };
    }
}

/// Says in the record whether its other end is on this host. Kernels without reset reasons do not trace the resets of
/// closed sockets, so there nothing can be said.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord) {
    let peers_view =
        Tuple { remote: record.local_addr, local_port: record.remote_port, remote_port: record.local_port };
    // SAFETY: as in `note`.
    let noted = ACCEPTED.get_ptr(peers_view.place()).is_some_and(|place| unsafe { peers_view.is(&*place) });
    if has_reason() && noted {
        record.flags |= flag::PEER_ON_HOST;
    }
}
