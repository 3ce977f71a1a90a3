//! System calls that are refused with EPERM. A list of what is forbidden, not of what is allowed: a C library, an
//! allocator or a runtime may come to use another call tomorrow, and a daemon must not die of it.

use std::{collections::BTreeMap, env::consts::ARCH};

use libc::c_long;
use rustix::process::getpid;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen::Dword, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, apply_filter,
};

use super::Outcome;

mod forbidden;

/// `bpf(2)`: looking up a counter, and what a loaded program cost ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/bpf.h#L901-L955
const BPF_MAP_LOOKUP_ELEM: u64 = 1;
const BPF_OBJ_GET_INFO_BY_FD: u64 = 15;

/// Families of sockets that it has a use for.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

type Rules = BTreeMap<i64, Vec<SeccompRule>>;
type Built<T> = Result<T, Box<dyn std::error::Error>>;

/// Forbids them for this thread and those it starts.
pub(super) fn forbid() -> Outcome {
    match install() {
        Ok(calls) => Ok(format!("{calls} system calls forbidden")),
        Err(error) => Err(format!("the kernel takes no system call filter: {error}")),
    }
}

fn install() -> Built<usize> {
    let rules = rules()?;
    let calls = rules.len();
    let refuse = |errno: i32| SeccompAction::Errno(errno.unsigned_abs());
    // The C library then starts its threads by clone(2), whose flags a filter can see.
    let no_clone3 = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    for (rules, action) in [(with_x32(rules), refuse(libc::EPERM)), (with_x32(no_clone3), refuse(libc::ENOSYS))] {
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, TargetArch::try_from(ARCH)?)?;
        apply_filter(&BpfProgram::try_from(filter)?)?;
    }
    Ok(calls)
}

/// An empty list of rules means in every case.
fn rules() -> Built<Rules> {
    let mut rules: Rules = forbidden::ALWAYS.iter().map(|call| (*call, Vec::new())).collect();
    let own = u64::from(getpid().as_raw_pid().unsigned_abs());
    let families = FAMILIES.map(|family| u64::from(family.unsigned_abs()));
    let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
    let others: [(c_long, Vec<SeccompCondition>); 5] = [
        (libc::SYS_bpf, none_of(&[BPF_MAP_LOOKUP_ELEM, BPF_OBJ_GET_INFO_BY_FD])?),
        (libc::SYS_socket, none_of(&families)?),
        (libc::SYS_kill, none_of(&[own])?),
        (libc::SYS_tgkill, none_of(&[own])?),
        // A new process, not a thread.
        (libc::SYS_clone, vec![SeccompCondition::new(0, Dword, SeccompCmpOp::MaskedEq(thread), 0)?]),
    ];
    for (call, conditions) in others {
        rules.insert(call, vec![SeccompRule::new(conditions)?]);
    }
    Ok(rules)
}

/// The first argument is none of these.
fn none_of(values: &[u64]) -> Built<Vec<SeccompCondition>> {
    let conditions = values.iter().map(|value| SeccompCondition::new(0, Dword, SeccompCmpOp::Ne, *value));
    Ok(conditions.collect::<Result<_, _>>()?)
}

/// On x86-64 each call has a second number, of the x32 ABI ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/arch/x86/include/uapi/asm/unistd.h#L15
fn with_x32(rules: Rules) -> Rules {
    if ARCH != "x86_64" {
        return rules;
    }
    const X32: i64 = 0x4000_0000;
    let own_numbers = forbidden::X32_ONLY.iter().map(|call| (X32 | call, Vec::new()));
    let mut both: Rules = rules.iter().map(|(call, rules)| (X32 | call, rules.clone())).chain(own_numbers).collect();
    both.extend(rules);
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_can_be_compiled_for_this_architecture() {
        let rules = rules().unwrap();
        assert!(rules.len() > forbidden::ALWAYS.len(), "each call is forbidden once");
        let arch = TargetArch::try_from(ARCH).unwrap();
        let filter = SeccompFilter::new(with_x32(rules), SeccompAction::Allow, SeccompAction::Errno(1), arch).unwrap();
        let program = BpfProgram::try_from(filter).unwrap();
        assert!(program.len() < 4096, "BPF_MAXINSNS, {} instructions", program.len());
    }
}
