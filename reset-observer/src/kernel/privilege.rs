//! The rights that loading needs, checked before the kernel says no more than EPERM.

use anyhow::{Context as _, Result, bail};
use rustix::thread::{CapabilitySet, capabilities};

/// A capability without which the observer runs and knows less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionalCapability {
    /// Its name, as setcap(8) prints it.
    pub name: &'static str,
    /// The capability itself.
    pub set: CapabilitySet,
    /// What it is for, as a phrase.
    pub purpose: &'static str,
    /// When the lack of it shows, as the beginning of a sentence that `purpose` ends.
    pub lack: &'static str,
    /// Whether it is needed for as long as the observer runs, not only at its start.
    pub is_kept: bool,
}

/// For what may only be read of processes of one's own user.
const OTHER_USERS: &str = "where nginx runs as another user, not known";

/// The capabilities beyond those of [`check`].
pub const OPTIONAL: [OptionalCapability; 3] = [
    OptionalCapability {
        name: "CAP_SYS_PTRACE",
        set: CapabilitySet::SYS_PTRACE,
        purpose: "which network namespace each nginx process is in, and its files",
        lack: OTHER_USERS,
        is_kept: true,
    },
    OptionalCapability {
        name: "CAP_DAC_READ_SEARCH",
        set: CapabilitySet::DAC_READ_SEARCH,
        purpose: "which sockets nginx holds: its listening addresses, and connections older than the observer",
        lack: OTHER_USERS,
        is_kept: true,
    },
    OptionalCapability {
        name: "CAP_SYS_ADMIN",
        set: CapabilitySet::SYS_ADMIN,
        purpose: "the sockets of other network namespaces at the start in half the time, and --kernel.program-stats",
        lack: "done without",
        is_kept: false,
    },
];

/// The capabilities that the observer has a use for.
const KNOWN: [(&str, CapabilitySet); 5] = [
    ("CAP_BPF", CapabilitySet::BPF),
    ("CAP_PERFMON", CapabilitySet::PERFMON),
    ("CAP_SYS_PTRACE", CapabilitySet::SYS_PTRACE),
    ("CAP_DAC_READ_SEARCH", CapabilitySet::DAC_READ_SEARCH),
    ("CAP_SYS_ADMIN", CapabilitySet::SYS_ADMIN),
];

/// What is needed for as long as the observer runs, to learn of new workers, reloads and logs.
#[must_use]
pub fn kept() -> CapabilitySet {
    OPTIONAL.iter().filter(|one| one.is_kept).fold(CapabilitySet::empty(), |all, one| all | one.set)
}

/// The names of those that the observer knows.
#[must_use]
pub fn names(set: CapabilitySet) -> Vec<&'static str> {
    KNOWN.into_iter().filter(|(_, one)| set.contains(*one)).map(|(name, _)| name).collect()
}

/// The capabilities that count for this process now.
///
/// # Errors
/// If the kernel does not tell.
pub fn effective() -> Result<CapabilitySet> {
    Ok(capabilities(None).context("cannot read this process's capabilities")?.effective)
}

/// Checks that this process may load and attach the programs: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, which holds
/// both ([source]).
///
/// # Errors
/// If one is missing: which, and how to grant it.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/capability.h#L195-L205
pub fn check() -> Result<()> {
    let missing = missing(effective()?);
    if missing.is_empty() {
        return Ok(());
    }
    let verb = if missing.len() == 1 { "is" } else { "are" };
    bail!(
        "{} {verb} missing: reading the kernel needs CAP_BPF and CAP_PERFMON; {}",
        missing.join(" and "),
        how_to_grant()
    )
}

/// Says how to grant this program every capability it has a use for.
#[must_use]
pub fn how_to_grant() -> String {
    let program = std::env::current_exe().map_or_else(|_| "reset-observer".into(), |path| path.display().to_string());
    format!(
        "run it as root (`sudo {program} ...`), or grant them to the file once (`sudo setcap \
         cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep {program}`), or in a container add the capabilities \
         BPF and PERFMON"
    )
}

/// The required capabilities that are not in `effective`.
#[must_use]
pub fn missing(effective: CapabilitySet) -> Vec<&'static str> {
    if effective.contains(CapabilitySet::SYS_ADMIN) {
        return Vec::new();
    }
    [("CAP_BPF", CapabilitySet::BPF), ("CAP_PERFMON", CapabilitySet::PERFMON)]
        .into_iter()
        .filter(|(_, capability)| !effective.contains(*capability))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_capability_that_stands_for_all_is_not_kept() {
        assert_eq!(names(kept()), ["CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"]);
    }

    #[test]
    fn what_is_missing_is_named_and_sys_admin_stands_for_both() {
        assert_eq!(missing(CapabilitySet::empty()), ["CAP_BPF", "CAP_PERFMON"]);
        assert_eq!(missing(CapabilitySet::BPF), ["CAP_PERFMON"]);
        assert!(missing(CapabilitySet::SYS_ADMIN).is_empty());
        assert!(missing(CapabilitySet::BPF | CapabilitySet::PERFMON).is_empty());
    }
}
