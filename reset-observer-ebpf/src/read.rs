//! Reading kernel memory by offsets that are known only at load time.

use aya_ebpf::helpers::bpf_probe_read_kernel;
use reset_observer_ebpf::field::Field;

use crate::global::offset;

/// Reads `field` of the structure at `base`. `None` if this kernel has no such field or the address cannot be read.
#[inline(always)]
pub(crate) fn read<T: Copy>(base: u64, field: Field) -> Option<T> {
    at(base + offset(field)?)
}

/// Like [`read`], with the type's zero where nothing can be read: for the parts of a record that may be missing.
#[inline(always)]
pub(crate) fn read_or_zero<T: Copy + Default>(base: u64, field: Field) -> T {
    read(base, field).unwrap_or_default()
}

/// Reads what is at `address`.
#[inline(always)]
pub(crate) fn at<T: Copy>(address: u64) -> Option<T> {
    // SAFETY: bpf_probe_read_kernel checks the address and fails on one that cannot be read; `T` is plain old data
    // of our own record layout.
    unsafe { bpf_probe_read_kernel(address as *const T) }.ok()
}

/// Follows the pointer in `field`; `None` for a null pointer.
#[inline(always)]
pub(crate) fn follow(base: u64, field: Field) -> Option<u64> {
    match read::<u64>(base, field)? {
        0 => None,
        address => Some(address),
    }
}
