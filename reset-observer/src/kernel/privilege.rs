//! The rights that loading needs, checked before the kernel says no more than EPERM.

use anyhow::{Result, bail};
use rustix::thread::{CapabilitySet, capabilities};

/// Checks that this process may load and attach the programs: CAP_BPF and CAP_PERFMON, or CAP_SYS_ADMIN, which holds
/// both ([source]).
///
/// # Errors
/// If one is missing: which, and how to grant it.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/capability.h#L195-L205
pub fn check() -> Result<()> {
    let effective = match capabilities(None) {
        Ok(sets) => sets.effective,
        Err(error) => bail!("cannot read this process's capabilities: {error}"),
    };
    let missing = missing(effective);
    if missing.is_empty() {
        return Ok(());
    }
    let program = std::env::current_exe().map_or_else(|_| "reset-observer".into(), |path| path.display().to_string());
    bail!(
        "{} missing: reading the kernel needs CAP_BPF and CAP_PERFMON. Run it as root (`sudo {program} ...`), or grant \
         them to the file once (`sudo setcap cap_bpf,cap_perfmon,cap_sys_ptrace,cap_dac_read_search+ep {program}`), or in \
         a container add the capabilities BPF and PERFMON",
        missing.join(" and "),
    )
}

fn missing(effective: CapabilitySet) -> Vec<&'static str> {
    if effective.contains(CapabilitySet::SYS_ADMIN) {
        return Vec::new();
    }
    [("CAP_BPF is", CapabilitySet::BPF), ("CAP_PERFMON is", CapabilitySet::PERFMON)]
        .into_iter()
        .filter(|(_, capability)| !effective.contains(*capability))
        .map(|(name, _)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_and_sys_admin_stands_for_both() {
        assert_eq!(missing(CapabilitySet::empty()), ["CAP_BPF is", "CAP_PERFMON is"]);
        assert_eq!(missing(CapabilitySet::BPF), ["CAP_PERFMON is"]);
        assert!(missing(CapabilitySet::SYS_ADMIN).is_empty());
        assert!(missing(CapabilitySet::BPF | CapabilitySet::PERFMON).is_empty());
    }
}
