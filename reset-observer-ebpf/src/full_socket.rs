//! A record of a full socket: who it is, who opened it, and all that it knows.

use aya_ebpf::maps::ring_buf::RingBufEntry;
use reset_observer_ebpf::record::{Hook, RawRecord};

use crate::{copy::Copied, emit::reserve, global::is_observed, owner, socket};

/// A record of a full socket in `state`, with all that the socket knows. `None` if its ports are not observed, or there
/// is no room.
#[inline(always)]
pub(crate) fn reserve_for(hook: Hook, sk: u64, state: u8) -> Option<RingBufEntry<RawRecord>> {
    let copy = Copied::of(sk)?;
    let entry = reserve_copied(hook, sk, state, &copy);
    copy.give_back();
    entry
}

#[inline(always)]
fn reserve_copied(hook: Hook, sk: u64, state: u8, copy: &Copied) -> Option<RingBufEntry<RawRecord>> {
    let (local_port, remote_port) = socket::copied_ports(sk, copy);
    if !is_observed(local_port, remote_port) {
        return None;
    }
    let mut entry = reserve(hook)?;
    // SAFETY: `reserve` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    record.state_before = state;
    record.socket_kind = socket::kind(state) as u8;
    socket::fill_identity(record, sk, copy);
    socket::fill_cgroup(record, sk);
    socket::fill_snapshot(record, copy);
    owner::fill(record, sk);
    Some(entry)
}
