//! Read-only globals that user space sets before loading. The kernel freezes them, so the verifier treats each as a
//! constant and removes the branches that depend on an absent field.

use core::ptr::{addr_of, read_volatile};

use reset_observer_ebpf::{
    MAX_PORTS,
    field::{ABSENT, FIELD_COUNT, Field},
};

#[unsafe(no_mangle)]
static OFFSETS: [u32; FIELD_COUNT] = [ABSENT; FIELD_COUNT];

#[unsafe(no_mangle)]
static SNAPSHOT_WINDOW: [u32; 2] = [0, 0];

#[unsafe(no_mangle)]
static PORTS: [u16; MAX_PORTS] = [0; MAX_PORTS];

#[unsafe(no_mangle)]
static HAS_REASON: u32 = 0;

#[unsafe(no_mangle)]
static VICTIM_IS_TASK: u32 = 0;

#[unsafe(no_mangle)]
static LOOKS_AT_PACKETS: u32 = 0;

/// Byte offset of a field in the running kernel, `None` if that kernel has no such field.
#[inline(always)]
pub(crate) fn offset(field: Field) -> Option<u64> {
    // SAFETY: a `Field` is an index into the table by construction. Volatile because user space rewrites the table
    // after the compiler has seen its initial value.
    let value = unsafe { read_volatile(addr_of!(OFFSETS[field as usize])) };
    if value == ABSENT { None } else { Some(value as u64) }
}

/// The first byte and the length of the part of a `tcp_sock` that holds the fields of a snapshot.
#[inline(always)]
pub(crate) fn snapshot_window() -> (u32, u32) {
    // SAFETY: both indices are within the array; volatile for the same reason as above.
    unsafe { (read_volatile(addr_of!(SNAPSHOT_WINDOW[0])), read_volatile(addr_of!(SNAPSHOT_WINDOW[1]))) }
}

/// Whether `tcp_send_reset` has its third argument.
#[inline(always)]
pub(crate) fn has_reason() -> bool {
    is_set(addr_of!(HAS_REASON))
}

/// Whether `mark_victim` hands over the task rather than its process id.
#[inline(always)]
pub(crate) fn victim_is_task() -> bool {
    is_set(addr_of!(VICTIM_IS_TASK))
}

/// Whether the cgroup program is loaded.
#[inline(always)]
pub(crate) fn looks_at_packets() -> bool {
    is_set(addr_of!(LOOKS_AT_PACKETS))
}

#[inline(always)]
fn is_set(global: *const u32) -> bool {
    // SAFETY: the callers pass statics of ours; volatile for the same reason as above.
    unsafe { read_volatile(global) != 0 }
}

/// Whether either port is one to observe; every port is, if none was named.
#[inline(always)]
pub(crate) fn is_observed(local: u16, remote: u16) -> bool {
    let mut index = 0;
    while index < MAX_PORTS {
        // SAFETY: the index is below the length; volatile for the same reason as above.
        let port = unsafe { read_volatile(addr_of!(PORTS[index])) };
        if port == 0 {
            return index == 0;
        }
        if port == local || port == remote {
            return true;
        }
        index += 1;
    }
    false
}
