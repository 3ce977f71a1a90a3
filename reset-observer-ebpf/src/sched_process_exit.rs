//! A process ends that had opened observed connections: an nginx worker, as a rule. Any other exit costs one look into
//! a map.

use aya_ebpf::programs::RawTracePointContext;
use reset_observer_ebpf::{field::Field, record::Hook};

use crate::{
    emit::{reserve, submit},
    owner, process,
    read::{follow, read},
};

/// Runs for each thread, before the process's files are closed; the process is gone when no thread lives any more.
#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let task: u64 = ctx.arg(0);
    let Some(tgid) = read::<u32>(task, Field::TaskTgid) else { return };
    if !owner::has_opened(tgid) || threads_left(task) > 0 {
        return;
    }
    owner::forget_opener(tgid);
    let Some(mut entry) = reserve(Hook::ProcessExit) else { return };
    // SAFETY: `reserve` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    process::fill_task(record, task, tgid);
    process::fill_exit(record, task);
    submit(entry);
}

#[inline(always)]
fn threads_left(task: u64) -> i32 {
    follow(task, Field::TaskSignal).and_then(|signal| read(signal, Field::SignalLive)).unwrap_or_default()
}
