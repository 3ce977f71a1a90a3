//! Giving up rights once everything is attached.

use std::{fs, path::PathBuf};

use rustix::thread::CapabilitySet;

use crate::{
    cli::{StatePlace, WatchArgs},
    kernel::{counters::Counters, privilege},
    sandbox::{self, Needs, Sandbox, works_without},
};

/// Keeps what the observer needs while it runs: to read of processes of other users, its counters, and to write the state
/// file and `writes`.
pub(super) fn confine(watch: &WatchArgs, writes: &[PathBuf], counters: &Counters) -> Sandbox {
    if watch.no_sandbox {
        log::warn!("--no-sandbox: this process keeps all its rights");
        return Sandbox::none("--no-sandbox was given");
    }
    let others = fs::read_dir("/proc/self/task").map_or(1, Iterator::count).saturating_sub(1);
    if others > 0 {
        log::warn!("{others} threads were started too early and keep their rights, please report this");
    }
    let sandbox = sandbox::enter(&needs(watch, writes, counters));
    log::debug!("gave up rights: {}", sandbox.in_force());
    for (_, reason) in sandbox.shortfalls() {
        log::info!("not all rights could be given up: {reason}");
    }
    sandbox
}

fn needs(watch: &WatchArgs, writes: &[PathBuf], counters: &Counters) -> Needs {
    let mut capabilities = privilege::kept();
    // Where `kernel.unprivileged_bpf_disabled` is set, kernels before 5.19 want it for each look at a map.
    if !works_without(capabilities, || counters.read().is_ok()) {
        capabilities |= CapabilitySet::BPF;
    }
    let state = StatePlace::or_usual(watch.state_file.as_ref());
    let state = state.map(|file| file.path().to_owned());
    Needs { capabilities, writes: state.into_iter().chain(writes.iter().cloned()).collect() }
}
