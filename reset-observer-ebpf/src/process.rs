//! The current process, for hooks that run in its context: elsewhere `current` is whoever was interrupted.

use aya_ebpf::helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task};
use reset_observer_ebpf::{
    field::Field,
    record::{RawRecord, flag},
};

use crate::read::{read, read_or_zero};

/// `PF_EXITING` ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/sched.h#L1674
const PF_EXITING: u32 = 0x4;

/// The current task, if it is exiting.
#[inline(always)]
pub(crate) fn exiting_task() -> Option<u64> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() };
    let flags: u32 = read(task, Field::TaskFlags)?;
    if flags & PF_EXITING != 0 { Some(task) } else { None }
}

/// Fills in the current process, and how it is ending if it is.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord) {
    record.current_tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    record.current_comm = bpf_get_current_comm().unwrap_or_default();
    record.flags |= flag::CURRENT;
    if let Some(task) = exiting_task() {
        fill_exit(record, task);
    }
}

/// Fills in a task that is not necessarily the current one.
#[inline(always)]
pub(crate) fn fill_task(record: &mut RawRecord, task: u64, tgid: u32) {
    record.current_tgid = tgid;
    record.current_comm = read_or_zero(task, Field::TaskComm);
    record.flags |= flag::CURRENT;
}

/// Fills in how a task that is exiting ends.
///
/// `exit_code` is set in `do_exit` before the files are closed ([source]), so it is there when a dying process closes
/// its connections.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/kernel/exit.c#L887-L950
#[inline(always)]
pub(crate) fn fill_exit(record: &mut RawRecord, task: u64) {
    if let Some(code) = read(task, Field::TaskExitCode) {
        record.exit_code = code;
        record.flags |= flag::EXITING;
    }
}
