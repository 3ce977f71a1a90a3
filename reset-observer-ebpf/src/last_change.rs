//! What happened to a socket just before, on this CPU. Two events need it:
//!
//! * An active reset comes after the change to CLOSE, so the state before is only in that change.
//! * Data after close fires `tcp_receive_reset` though no reset was on the wire, and right after it `tcp_send_reset`
//!   for the same socket.
//!
//! The pairs follow each other within one function of the kernel, so one slot per CPU is enough; should another socket
//! come in between (preemption), the answer is "unknown", never a wrong one.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::PerCpuArray};

/// The pairs are at most microseconds apart; a socket address that is used again is not.
const FRESH_NS: u64 = 1_000_000;

/// The last change that this CPU saw.
#[derive(Clone, Copy)]
#[repr(C)]
struct LastChange {
    socket: u64,
    time_ns: u64,
    state: u32,
    reset_received: u32,
}

#[map]
static LAST_CHANGE: PerCpuArray<LastChange> = PerCpuArray::with_max_entries(1, 0);

/// What is known of the instant before.
pub(crate) struct Before {
    /// State before the change.
    pub(crate) state: u8,
    /// `tcp_receive_reset` fired for the socket.
    pub(crate) reset_received: bool,
}

/// Notes that `tcp_receive_reset` fired while the socket was in `state`.
#[inline(always)]
pub(crate) fn note_reset_received(socket: u64, state: u8) {
    note(socket, state, 1);
}

/// Notes that the socket went from `state` to CLOSE.
#[inline(always)]
pub(crate) fn note_closed(socket: u64, state: u8) {
    let reset_received = before(socket).is_some_and(|before| before.reset_received);
    note(socket, state, reset_received as u32);
}

/// What happened to `socket` within the last millisecond on this CPU.
#[inline(always)]
pub(crate) fn before(socket: u64) -> Option<Before> {
    let last = LAST_CHANGE.get_ptr(0)?;
    // SAFETY: the slot belongs to this CPU and is initialised (the kernel zeroes maps).
    let last = unsafe { &*last };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if last.socket != socket || now - last.time_ns > FRESH_NS {
        return None;
    }
    Some(Before { state: last.state as u8, reset_received: last.reset_received != 0 })
}

#[inline(always)]
fn note(socket: u64, state: u8, reset_received: u32) {
    let Some(last) = LAST_CHANGE.get_ptr_mut(0) else { return };
    // SAFETY: the slot belongs to this CPU; the helper has no arguments.
    unsafe { *last = LastChange { socket, time_ns: bpf_ktime_get_ns(), state: state as u32, reset_received } }
}
