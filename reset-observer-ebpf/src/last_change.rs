//! What happened to a socket just before, on this CPU. Two events need it:
//!
//! * An active reset comes after the change to CLOSE, so the state before is only in that change.
//! * Data after close fires `tcp_receive_reset` though no reset was on the wire, and right after it `tcp_send_reset`
//!   for the same socket.
//!
//! Each has one slot per CPU. They are two because on one host the second comes between the halves of the first: the
//! kernel tells of an active reset only after it was sent ([`tcp_send_active_reset`]), and on the loopback the peer has
//! received it by then. Should a third socket come in between (preemption), the answer is "unknown", never a wrong one.
//!
//! The kernel hands a freed socket's address to the next one at once, so the ports are compared too.
//!
//! State 0 stands for "not known", which no socket is in: the verifier of older kernels refuses to copy the empty half of
//! an `Option`.
//!
//! [`tcp_send_active_reset`]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_output.c

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::PerCpuArray};
use reset_observer_ebpf::field::Field;

use crate::read::read_or_zero;

/// Longer than an overloaded or emulated machine takes from one half to the other.
const FRESH_NS: u64 = 1_000_000_000;

/// A socket and the state that it was in.
#[derive(Clone, Copy)]
#[repr(C)]
struct Change {
    socket: u64,
    time_ns: u64,
    ports: u32,
    state: u32,
}

#[map]
static CLOSED: PerCpuArray<Change> = PerCpuArray::with_max_entries(1, 0);

#[map]
static RESET_RECEIVED: PerCpuArray<Change> = PerCpuArray::with_max_entries(1, 0);

/// Notes that `tcp_receive_reset` fired while the socket was in `state`.
#[inline(always)]
pub(crate) fn note_reset_received(socket: u64, state: u8) {
    note(&RESET_RECEIVED, socket, state);
}

/// Notes that the socket went from `state` to CLOSE. Not for a reset that it has received: it will send none.
#[inline(always)]
pub(crate) fn note_closed(socket: u64, state: u8) {
    note(&CLOSED, socket, state);
}

/// The state from which `socket` went to CLOSE just now; 0 if not known.
#[inline(always)]
pub(crate) fn closed_from(socket: u64) -> u8 {
    fresh(&CLOSED, socket)
}

/// The state in which `tcp_receive_reset` fired for `socket` just now; 0 if it did not.
#[inline(always)]
pub(crate) fn reset_received_in(socket: u64) -> u8 {
    fresh(&RESET_RECEIVED, socket)
}

#[inline(always)]
fn fresh(slot: &PerCpuArray<Change>, socket: u64) -> u8 {
    let Some(last) = slot.get_ptr(0) else { return 0 };
    // SAFETY: the slot belongs to this CPU and is initialised (the kernel zeroes maps).
    let last = unsafe { &*last };
    // The clock costs as much as two reads of a socket, and this is asked at the end of every connection.
    if last.socket != socket {
        return 0;
    }
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if now - last.time_ns <= FRESH_NS && last.ports == ports(socket) { last.state as u8 } else { 0 }
}

#[inline(always)]
fn note(slot: &PerCpuArray<Change>, socket: u64, state: u8) {
    let Some(last) = slot.get_ptr_mut(0) else { return };
    // SAFETY: the slot belongs to this CPU; the helper has no arguments.
    unsafe { *last = Change { socket, time_ns: bpf_ktime_get_ns(), ports: ports(socket), state: state as u32 } }
}

/// Both ports as they outlast the change to CLOSE.
#[inline(always)]
fn ports(socket: u64) -> u32 {
    let local: u16 = read_or_zero(socket, Field::SourcePort);
    let remote: u16 = read_or_zero(socket, Field::RemotePort);
    (local as u32) << 16 | remote as u32
}
