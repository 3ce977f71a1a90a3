//! The only writer: counters first, then the record, and what finds no room is counted too.

use core::mem::size_of;

use aya_ebpf::{
    helpers::{bpf_jiffies64, bpf_ktime_get_ns},
    macros::map,
    maps::{PerCpuArray, RingBuf, ring_buf::RingBufEntry},
};
use reset_observer_ebpf::{
    SOCKETLESS_DETAIL_PER_SECOND, counter,
    record::{Hook, RECORD_VERSION, RawRecord},
};

/// Records for user space. The size is the default; user space may set another.
#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(1 << 20, 0);

#[map]
static COUNTERS: PerCpuArray<[u64; counter::SLOTS as usize]> = PerCpuArray::with_max_entries(1, 0);

/// One second of details of resets without a socket, per CPU.
#[derive(Clone, Copy)]
#[repr(C)]
struct Allowance {
    second: u64,
    used: u64,
}

#[map]
static SOCKETLESS: PerCpuArray<Allowance> = PerCpuArray::with_max_entries(1, 0);

/// Adds one to a counter.
#[inline(always)]
pub(crate) fn count(slot: u32) {
    if let Some(counters) = COUNTERS.get_ptr_mut(0) {
        // SAFETY: the counters belong to this CPU, and a program is not interrupted by itself on one CPU.
        if let Some(counter) = unsafe { (*counters).get_mut(slot as usize) } {
            *counter += 1;
        }
    }
}

/// Room for one record, zeroed and stamped with time and hook. `None`, and counted, if the ring is full.
#[inline(always)]
pub(crate) fn reserve(hook: Hook) -> Option<RingBufEntry<RawRecord>> {
    let Some(mut entry) = RECORDS.reserve::<RawRecord>(0) else {
        count(counter::RING_FULL);
        return None;
    };
    // SAFETY: the entry is ours until it is submitted and as large as a record; zero is a valid record.
    let record = unsafe {
        // By words and volatile: as `memset` it would be a loop of single bytes, which the verifier walks each time.
        let words = entry.as_mut_ptr().cast::<u64>();
        let mut index = 0;
        while index < size_of::<RawRecord>() / size_of::<u64>() {
            words.add(index).write_volatile(0);
            index += 1;
        }
        entry.assume_init_mut()
    };
    record.version = RECORD_VERSION;
    record.hook = hook as u8;
    record.reason = u32::MAX;
    // SAFETY: helpers without arguments.
    (record.time_ns, record.jiffies) = unsafe { (bpf_ktime_get_ns(), bpf_jiffies64()) };
    Some(entry)
}

/// Hands a filled record to user space.
#[inline(always)]
pub(crate) fn submit(entry: RingBufEntry<RawRecord>) {
    count(counter::SUBMITTED);
    entry.submit(0);
}

/// Whether one more reset without a socket may be detailed in this second; counted if not.
#[inline(always)]
pub(crate) fn socketless_allowed() -> bool {
    let Some(allowance) = SOCKETLESS.get_ptr_mut(0) else { return false };
    // SAFETY: the slot belongs to this CPU, and a program is not interrupted by itself on one CPU.
    let allowance = unsafe { &mut *allowance };
    // SAFETY: a helper without arguments.
    let second = unsafe { bpf_ktime_get_ns() } / 1_000_000_000;
    if allowance.second != second {
        *allowance = Allowance { second, used: 0 };
    }
    if allowance.used >= SOCKETLESS_DETAIL_PER_SECOND {
        count(counter::SOCKETLESS_NOT_DETAILED);
        return false;
    }
    allowance.used += 1;
    true
}
