//! One abort can make this host answer dozens of packets with a reset each. The first is detailed, those of the same
//! connection within the next second are only counted.

use aya_ebpf::{helpers::bpf_ktime_get_ns, macros::map, maps::LruHashMap};
use reset_observer_ebpf::{counter, record::RawRecord};

use crate::{emit::count, rst_packet::Tuple};

/// For how long.
const WINDOW_NS: u64 = 1_000_000_000;

#[map]
static DETAILED: LruHashMap<Tuple, u64> = LruHashMap::with_max_entries(4096, 0);

/// Whether a reset of this record's connection was detailed within the last second; counted if so.
#[inline(always)]
pub(crate) fn is_repeated(record: &RawRecord) -> bool {
    let tuple = Tuple { remote: record.remote_addr, local_port: record.local_port, remote_port: record.remote_port };
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    if let Some(last) = DETAILED.get_ptr(tuple) {
        // SAFETY: the entry was just found, and a `u64` is read whole.
        if now - unsafe { *last } < WINDOW_NS {
            count(counter::REPEATED_NOT_DETAILED);
            return true;
        }
    }
    _ = DETAILED.insert(tuple, now, 0);
    false
}
