//! The out-of-memory killer chose a process.

use aya_ebpf::programs::RawTracePointContext;
use reset_observer_ebpf::{
    field::Field,
    record::{Hook, flag},
};

use crate::{
    emit::{reserve, submit},
    global::victim_is_task,
    process,
    read::read_or_zero,
};

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let Some(mut entry) = reserve(Hook::OomVictim) else { return };
    // SAFETY: `reserve` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    if victim_is_task() {
        let task: u64 = ctx.arg(0);
        process::fill_task(record, task, read_or_zero(task, Field::TaskTgid));
    } else {
        record.current_tgid = ctx.arg(0);
        record.flags |= flag::CURRENT;
    }
    submit(entry);
}
