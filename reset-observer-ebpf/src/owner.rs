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
    MAX_OWNERS, counter,
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
    /// TTL of the SYN-ACK; 0 if it was not seen.
    syn_ack_ttl: u32,
    /// First transmission of the flight whose retransmission was told of; 0 if none was.
    told_us: u64,
}

/// Least recently used entries make room: an entry whose end was missed costs a slot, never growth.
#[map]
static OWNERS: LruHashMap<u64, Owner> = LruHashMap::with_max_entries(MAX_OWNERS, 0);

/// Processes that opened observed connections, so that their end is told and that of all others costs nothing.
#[map]
static OPENERS: LruHashMap<u32, u32> = LruHashMap::with_max_entries(1024, 0);

/// Remembers the current process as the one that opened the connection of `socket`.
#[inline(always)]
pub(crate) fn remember(socket: u64) {
    let owner = Owner {
        // SAFETY: a helper without arguments.
        opened_ns: unsafe { bpf_ktime_get_ns() },
        comm: bpf_get_current_comm().unwrap_or_default(),
        tgid: (bpf_get_current_pid_tgid() >> 32) as u32,
        syn_ack_ttl: 0,
        told_us: 0,
    };
    if let Some(known) = OWNERS.get_ptr_mut(socket) {
        // The end of the socket that had this address was not seen.
        // SAFETY: as in `note_syn_ack`.
        unsafe { *known = owner };
    } else if !insert(socket, owner) {
        return;
    }
    if OPENERS.get_ptr(owner.tgid).is_none() {
        _ = OPENERS.insert(owner.tgid, 1, 0);
    }
}

#[inline(always)]
fn insert(socket: u64, owner: Owner) -> bool {
    if OWNERS.insert(socket, owner, 0).is_err() {
        count(counter::OWNER_NOT_REMEMBERED);
        return false;
    }
    count(counter::OWNER_REMEMBERED);
    true
}

/// Whether the process opened an observed connection.
#[inline(always)]
pub(crate) fn has_opened(tgid: u32) -> bool {
    OPENERS.get_ptr(tgid).is_some()
}

/// Forgets a process that ended.
#[inline(always)]
pub(crate) fn forget_opener(tgid: u32) {
    _ = OPENERS.remove(tgid);
}

/// Notes the TTL of the SYN-ACK that completed the handshake.
#[inline(always)]
pub(crate) fn note_syn_ack(socket: u64, ttl: u8) {
    if let Some(owner) = OWNERS.get_ptr_mut(socket) {
        // SAFETY: the entry was just found; an eviction meanwhile leaves its memory with the map.
        unsafe { (*owner).syn_ack_ttl = ttl as u32 }
    }
}

/// TTL of the SYN-ACK; 0 if it was not seen.
#[inline(always)]
pub(crate) fn syn_ack_ttl(socket: u64) -> u8 {
    // SAFETY: as above.
    OWNERS.get_ptr(socket).map_or(0, |owner| unsafe { (*owner).syn_ack_ttl as u8 })
}

/// Whether the connection has an owner and this flight's retransmission was not told of yet. It counts as told then.
#[inline(always)]
pub(crate) fn is_news(socket: u64, first_transmit_us: u64) -> bool {
    let Some(owner) = OWNERS.get_ptr_mut(socket) else { return false };
    // SAFETY: as above.
    let told = unsafe { &mut (*owner).told_us };
    let news = *told != first_transmit_us;
    *told = first_transmit_us;
    news
}

/// Whether it is known who opened the connection.
#[inline(always)]
pub(crate) fn is_known(socket: u64) -> bool {
    OWNERS.get_ptr(socket).is_some()
}

/// Whether the current process is the one that opened the connection.
#[inline(always)]
pub(crate) fn is_current(socket: u64) -> bool {
    // SAFETY: the value is read at once.
    let Some(owner) = (unsafe { OWNERS.get(socket) }) else { return false };
    owner.tgid == (bpf_get_current_pid_tgid() >> 32) as u32
}

/// Forgets a connection that ended, or a socket address that came into other hands.
#[inline(always)]
pub(crate) fn forget(socket: u64) {
    // An unknown socket is the usual case here: most connections were not opened by anyone on this host. To look takes no
    // lock, to remove does.
    if is_known(socket) && OWNERS.remove(socket).is_ok() {
        count(counter::OWNER_FORGOTTEN);
    }
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
