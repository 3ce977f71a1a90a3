//! Who opened a connection: remembered at CLOSE to SYN_SENT, the one moment when the kernel runs in the context of the
//! process that called connect(2). Later events come from interrupts, where `current` is anyone.
//!
//! The key is the socket's address: at that moment the connection has no local port yet, and raw tracepoints have
//! neither socket storage nor cookies.

use aya_ebpf::{
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns},
    macros::map,
    maps::LruHashMap,
};
use reset_observer_ebpf::{
    counter,
    record::{RawRecord, flag},
};

use crate::emit::count;

/// The process that opened a connection.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Owner {
    opened_ns: u64,
    comm: [u8; 16],
    tgid: u32,
    /// Zero: the map's bytes are compared and copied whole.
    reserved: u32,
}

/// Least recently used entries make room: an entry whose end was missed costs a slot, never growth.
#[map]
static OWNERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(65_536, 0);

/// Remembers the current process as the one that opened the connection of `socket`.
#[inline(always)]
pub(crate) fn remember(socket: u64) {
    let owner = Owner {
        // SAFETY: a helper without arguments.
        opened_ns: unsafe { bpf_ktime_get_ns() },
        comm: bpf_get_current_comm().unwrap_or_default(),
        tgid: (bpf_get_current_pid_tgid() >> 32) as u32,
        reserved: 0,
    };
    if OWNERS.insert(socket, owner, 0).is_err() {
        count(counter::OWNER_NOT_REMEMBERED);
    }
}

/// Forgets a connection that ended, or a socket address that came into other hands.
#[inline(always)]
pub(crate) fn forget(socket: u64) {
    // An unknown socket is the usual case here: most connections were not opened by anyone on this host.
    let _ = OWNERS.remove(socket);
}

/// Fills in who opened the connection of `socket`, if that is known.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord, socket: u64) {
    // SAFETY: the value is copied out at once; another CPU can only replace it whole for a new connection.
    let Some(owner) = (unsafe { OWNERS.get(socket) }) else { return };
    record.owner_tgid = owner.tgid;
    record.owner_comm = owner.comm;
    record.opened_ns = owner.opened_ns;
    record.flags |= flag::OWNER;
}
