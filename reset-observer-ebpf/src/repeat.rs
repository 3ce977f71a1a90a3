//! One abort can make this host answer dozens of packets with a reset each. The first is detailed, those of the same
//! connection within the next second are only counted.

use aya_ebpf::{macros::map, maps::Array};
use reset_observer_ebpf::{counter, record::RawRecord};

use crate::{
    emit::count,
    tuple::{PLACES, Tuple},
};

/// For how long.
const WINDOW_NS: u64 = 1_000_000_000;

/// A connection whose reset was detailed.
#[derive(Clone, Copy)]
#[repr(C)]
struct Detailed {
    tuple: Tuple,
    time_ns: u64,
}

/// Each in the one place that its hash gives it. One that another replaces is detailed again, which does no harm.
#[map]
static DETAILED: Array<Detailed> = Array::with_max_entries(PLACES, 0);

/// Whether a reset of this record's connection was detailed within the last second; counted if so.
#[inline(always)]
pub(crate) fn is_repeated(record: &RawRecord) -> bool {
    let tuple = Tuple { remote: record.remote_addr, local_port: record.local_port, remote_port: record.remote_port };
    let Some(place) = DETAILED.get_ptr_mut(tuple.place()) else { return false };
    // SAFETY: two CPUs that write a place at once leave one of the two connections, or a mixture that no connection is
    // equal to.
    let last = unsafe { &mut *place };
    if last.tuple.is(&tuple) && record.time_ns.wrapping_sub(last.time_ns) < WINDOW_NS {
        count(counter::REPEATED_NOT_DETAILED);
        return true;
    }
    *last = Detailed { tuple, time_ns: record.time_ns };
    false
}
