//! Finding a proxy's processes by their kinship, without a look at any other process of the host.

use std::collections::BTreeMap;

use super::{FoundProcess, MAX_KNOWN, ProcessName, ProcessSource, recognise::profile};

/// Generations from a newcomer up to its first ancestor that is no proxy.
const MAX_ANCESTORS: usize = 16;

/// All proxies' processes: those of `alive` that still are, the newcomer with its ancestors, and the descendants of all
/// of them. `None` if the source does not list children.
pub(super) fn find(
    source: &dyn ProcessSource,
    names: &[ProcessName],
    alive: &[u32],
    newcomer: Option<FoundProcess>,
) -> Option<Vec<FoundProcess>> {
    let proxy = |pid: u32| source.one(pid).filter(|process| profile(process, names).is_some());
    let mut found: BTreeMap<u32, FoundProcess> = alive.iter().filter_map(|pid| Some((*pid, proxy(*pid)?))).collect();
    let mut next = newcomer;
    for _ in 0..MAX_ANCESTORS {
        let Some(process) = next else { break };
        next = if found.contains_key(&process.parent) { None } else { proxy(process.parent) };
        found.insert(process.pid, process);
    }
    let mut to_visit: Vec<u32> = found.keys().copied().collect();
    while let Some(parent) = to_visit.pop() {
        for child in source.children(parent)? {
            if found.len() < MAX_KNOWN
                && !found.contains_key(&child)
                && let Some(process) = proxy(child)
            {
                found.insert(child, process);
                to_visit.push(child);
            }
        }
    }
    Some(found.into_values().collect())
}
