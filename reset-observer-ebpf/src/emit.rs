//! The only writer: counters first, then the record, and what finds no room is counted too.

use core::mem::size_of;

use aya_ebpf::{
    bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, BPF_RB_RING_SIZE},
    helpers::{bpf_jiffies64, bpf_ktime_get_ns},
    macros::map,
    maps::{PerCpuArray, RingBuf, ring_buf::RingBufEntry},
};
use reset_observer_ebpf::{
    DEFAULT_RING_BYTES, Rate, WAKE_INTERVAL_NS, counter,
    record::{Hook, RECORD_VERSION, RawRecord},
};

/// Records for user space. The size is the default; user space may set another.
#[map]
static RECORDS: RingBuf = RingBuf::with_byte_size(DEFAULT_RING_BYTES, 0);

#[map]
static COUNTERS: PerCpuArray<[u64; counter::SLOTS as usize]> = PerCpuArray::with_max_entries(1, 0);

/// Details of one kind that were given and not yet earned back, per CPU.
#[derive(Clone, Copy)]
#[repr(C)]
struct Allowance {
    second: u64,
    used: u64,
}

/// Kinds of events that are detailed up to a rate.
#[derive(Clone, Copy)]
pub(crate) enum Rated {
    /// Resets without a socket.
    Socketless = 0,
    /// FINs right after a response.
    OrdinaryFin = 1,
}

#[map]
static ALLOWANCES: PerCpuArray<Allowance> = PerCpuArray::with_max_entries(2, 0);

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

/// What a record takes in the ring: the kernel puts eight bytes before each.
const RECORD_IN_RING: u64 = size_of::<RawRecord>() as u64 + 8;

/// When this CPU last woke the reader, or found it busy.
#[map]
static WOKEN: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// Hands a filled record to user space.
#[inline(always)]
pub(crate) fn submit(mut entry: RingBufEntry<RawRecord>) {
    count(counter::SUBMITTED);
    // SAFETY: `reserve` initialised the record.
    let now = unsafe { entry.assume_init_mut() }.time_ns;
    entry.submit(wake_flag(now));
}

/// To wake the reader is an interrupt to ourselves, which costs a virtual machine more than all the rest of a record. So
/// it is woken once in a while, and looks again by itself after that; and whenever another quarter of the ring is full.
#[inline(always)]
fn wake_flag(now: u64) -> u64 {
    let Some(woken) = WOKEN.get_ptr_mut(0) else { return 0 };
    // SAFETY: the slot belongs to this CPU, and a program is not interrupted by itself on one CPU.
    let woken = unsafe { &mut *woken };
    if now.wrapping_sub(*woken) >= WAKE_INTERVAL_NS {
        *woken = now;
        return 0;
    }
    let unread = RECORDS.query(BPF_RB_AVAIL_DATA as u64);
    let quarter = RECORDS.query(BPF_RB_RING_SIZE as u64) / 4;
    // The ring's size is a power of two.
    if unread >= quarter && unread & (quarter - 1) < RECORD_IN_RING {
        BPF_RB_FORCE_WAKEUP as u64
    } else {
        BPF_RB_NO_WAKEUP as u64
    }
}

/// Whether one more event of this kind may be detailed; counted under `left_out` if not.
#[inline(always)]
pub(crate) fn is_allowed(kind: Rated, rate: Rate, left_out: u32) -> bool {
    let Some(allowance) = ALLOWANCES.get_ptr_mut(kind as u32) else { return false };
    // SAFETY: the slot belongs to this CPU, and a program is not interrupted by itself on one CPU.
    let allowance = unsafe { &mut *allowance };
    // SAFETY: a helper without arguments.
    let second = unsafe { bpf_ktime_get_ns() } / 1_000_000_000;
    if allowance.second != second {
        let earned = second.wrapping_sub(allowance.second).saturating_mul(rate.per_second);
        *allowance = Allowance { second, used: allowance.used.saturating_sub(earned) };
    }
    if allowance.used >= rate.burst {
        count(left_out);
        return false;
    }
    allowance.used += 1;
    true
}
