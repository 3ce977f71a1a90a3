//! Connections that were accepted on this host, by their ends: when the other end, which this host opened, is reset, it is
//! known that its peer is here, and that a reset which the peer did not send came from somewhere in between.

use aya_ebpf::{macros::map, maps::LruHashMap};
use reset_observer_ebpf::record::{RawRecord, flag};

use crate::{global::has_reason, rst_packet::Tuple};

/// By the accepting end's view. Full, it forgets what was used least recently, and then only knows less.
#[map]
static ACCEPTED: LruHashMap<Tuple, u32> = LruHashMap::with_max_entries(32_768, 0);

/// Notes a connection that completed its handshake on a listening socket.
#[inline(always)]
pub(crate) fn note(tuple: &Tuple) {
    _ = ACCEPTED.insert(tuple, 1, 0);
}

/// Says in the record whether its other end is on this host. Kernels without reset reasons do not trace the resets of
/// closed sockets, so there nothing can be said.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord) {
    let peers_view =
        Tuple { remote: record.local_addr, local_port: record.remote_port, remote_port: record.local_port };
    if has_reason() && ACCEPTED.get_ptr(peers_view).is_some() {
        record.flags |= flag::PEER_ON_HOST;
    }
}
