//! What the thread gives up that answers HTTP, beyond [`super::enter`]: it looks at no process, so that Landlock can keep
//! it from what nobody but an attacker would have it do.

use anyhow::{Context as _, Result};
use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _, RulesetStatus,
    Scope,
};
use rustix::thread::CapabilitySet;

use super::{Outcome, capabilities};

/// To read certificates and passwords again that only root may read; and its own counters, where [`super::enter`] had to
/// keep the right to.
const KEPT: CapabilitySet = CapabilitySet::DAC_READ_SEARCH.union(CapabilitySet::BPF);

/// The newest that is asked for (Linux 6.12); of an older kernel, what it has.
const NEWEST: ABI = ABI::V6;

/// Gives up looking at other processes, writing to any file, executing any, and opening connections. For the calling
/// thread and those it starts; what it has open already it can go on writing to.
pub fn enter() -> Outcome {
    let kept = capabilities::keep(KEPT)?;
    let walls = build_walls().map_err(|error| format!("Landlock is not in force: {error:#}"))?;
    Ok(format!("{kept}; {walls}"))
}

/// No rule allows anything of what is handled.
fn build_walls() -> Result<&'static str> {
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::BestEffort);
    let ruleset = ruleset.handle_access(AccessFs::from_write(NEWEST) | AccessFs::Execute)?;
    let ruleset = ruleset.handle_access(AccessNet::from_all(NEWEST))?.scope(Scope::from_all(NEWEST))?;
    let status = ruleset.create()?.restrict_self().context("the kernel refuses it")?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok("Landlock: no file written, no connection opened, no process looked at"),
        RulesetStatus::PartiallyEnforced => Ok("Landlock, as far as this kernel has it: no file written"),
        RulesetStatus::NotEnforced => anyhow::bail!("this kernel has no Landlock, or it was not switched on at boot"),
    }
}
