//! A socket read at once: each small read through the kernel's checked copy costs 25 ns, and a record needs more than
//! thirty of them.

use core::mem::size_of;

use aya_ebpf::{helpers::generated::bpf_probe_read_kernel, macros::map, maps::PerCpuArray};
use reset_observer_ebpf::{COMMON_LEN, SNAPSHOT_MAX_LEN, field::Field};

use crate::{
    global::{offset, snapshot_window},
    read::read_or_zero,
};

/// Programs that may be under way on one CPU at once: one in process context, one in an interrupt, and one to spare.
const DEPTHS: u32 = 3;

const COMMON_WORDS: usize = COMMON_LEN / 8;
const WORDS: usize = COMMON_WORDS + SNAPSHOT_MAX_LEN / 8;

#[map]
static COPIES: PerCpuArray<[u64; WORDS]> = PerCpuArray::with_max_entries(DEPTHS, 0);

/// How many copies are in use on this CPU.
#[map]
static COPIES_IN_USE: PerCpuArray<u32> = PerCpuArray::with_max_entries(1, 0);

/// A socket, and the copy of it. Whoever made it gives it back; an interrupt in between takes the next one, and gives
/// that back before it ends.
pub(crate) struct Copied {
    socket: u64,
    copy: *mut u64,
    in_use: *mut u32,
}

impl Copied {
    /// Copies what sockets of all kinds begin with. `None` if all copies are in use, which would take more interrupts
    /// within each other than a processor has levels for.
    #[inline(always)]
    pub(crate) fn of(socket: u64) -> Option<Self> {
        let in_use = COPIES_IN_USE.get_ptr_mut(0)?;
        // SAFETY: the number belongs to this CPU, and whoever interrupts us leaves it as it was.
        let index = unsafe { *in_use };
        let copy = COPIES.get_ptr_mut(index)?.cast::<u64>();
        // SAFETY: as above.
        unsafe { *in_use = index + 1 };
        // SAFETY: the helper checks the address it reads, and writes no more than the room at the start of the copy; zeros
        // if it can't read.
        unsafe { bpf_probe_read_kernel(copy.cast(), COMMON_LEN as u32, socket as *const _) };
        Some(Self { socket, copy, in_use })
    }

    /// Copies the rest of a full socket, as far as a snapshot needs it.
    #[inline(always)]
    pub(crate) fn add_snapshot(&self) {
        let (start, length) = snapshot_window();
        if length as usize <= SNAPSHOT_MAX_LEN {
            let from = (self.socket + start as u64) as *const _;
            // SAFETY: as above; the room behind the common part is `SNAPSHOT_MAX_LEN` long.
            unsafe { bpf_probe_read_kernel(self.copy.add(COMMON_WORDS).cast(), length, from) };
        }
    }

    /// A field of the common part, with the type's zero where it can't be read.
    #[inline(always)]
    pub(crate) fn common<T: Copy + Default>(&self, field: Field) -> T {
        match offset(field) {
            Some(at) if at as usize + size_of::<T>() <= COMMON_LEN => self.at(at as usize),
            _ => read_or_zero(self.socket, field),
        }
    }

    /// A field of a snapshot, after [`Self::add_snapshot`]; the type's zero where it can't be read.
    #[inline(always)]
    pub(crate) fn snapshot<T: Copy + Default>(&self, field: Field) -> T {
        let (start, length) = snapshot_window();
        match offset(field) {
            Some(at)
                if length as usize <= SNAPSHOT_MAX_LEN
                    && at >= start as u64
                    && at + size_of::<T>() as u64 <= start as u64 + length as u64 =>
            {
                self.at(COMMON_LEN + (at - start as u64) as usize)
            }
            _ => read_or_zero(self.socket, field),
        }
    }

    /// To be called when all was read.
    #[inline(always)]
    pub(crate) fn give_back(self) {
        // SAFETY: the number belongs to this CPU; it was raised by one when this copy was taken.
        unsafe { *self.in_use -= 1 };
    }

    #[inline(always)]
    fn at<T: Copy>(&self, position: usize) -> T {
        // SAFETY: the callers stay within the copy, as the verifier checks too; unaligned, for addresses of IPv6.
        unsafe { self.copy.cast::<u8>().add(position).cast::<T>().read_unaligned() }
    }
}
