//! Capabilities: what is held from now on, and what works without.

use std::thread;

use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
    set_capabilities,
};

use super::Outcome;
use crate::kernel::privilege;

/// Whether `attempt` succeeds on a thread that has none of the capabilities but `kept`. Asks the kernel what it needs,
/// because that differs by version and by sysctl.
pub fn works_without(kept: CapabilitySet, attempt: impl FnOnce() -> bool + Send) -> bool {
    let task = || keep(kept).is_ok() && attempt();
    thread::scope(|scope| scope.spawn(task).join()).unwrap_or(false)
}

/// Keeps these, as far as they are there, and gives up all others.
pub(super) fn keep(kept: CapabilitySet) -> Outcome {
    let why = |error: rustix::io::Errno| format!("the kernel keeps the capabilities as they are: {error}");
    let held = capabilities(None).map_err(why)?;
    let kept = held.permitted & kept;
    // What a program that is executed could get; refused without CAP_SETPCAP, and then no program is executed anyway.
    for capability in (CapabilitySet::all() - kept).iter() {
        let _ = remove_capability_from_bounding_set(capability);
    }
    let _ = clear_ambient_capability_set();
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(why)?;
    Ok(phrase(kept))
}

fn phrase(kept: CapabilitySet) -> String {
    let names: Vec<&str> = privilege::names(kept);
    if names.is_empty() { "no capability".to_owned() } else { format!("no capability but {}", names.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_named() {
        assert_eq!(phrase(CapabilitySet::empty()), "no capability");
        let kept = CapabilitySet::SYS_PTRACE | CapabilitySet::DAC_READ_SEARCH;
        assert_eq!(phrase(kept), "no capability but CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH");
    }

    #[test]
    fn an_attempt_is_made_without_the_capabilities_and_leaves_the_caller_as_it_was() {
        let before = capabilities(None).unwrap();
        let has_none = || capabilities(None).is_ok_and(|sets| sets.permitted.is_empty());
        assert!(works_without(CapabilitySet::empty(), has_none));
        assert!(!works_without(CapabilitySet::empty(), || false));
        assert_eq!(capabilities(None).unwrap(), before);
    }
}
