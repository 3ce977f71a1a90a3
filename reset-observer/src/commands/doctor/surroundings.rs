//! What may stand between this process and the kernel though its capabilities are there. Told only where it explains
//! something that was refused.

use std::fs;

use rustix::{
    process::{Resource, getrlimit},
    thread::CapabilitySet,
};

use crate::{
    kernel::privilege,
    sink::checks::{Check, Finding},
};

/// Inodes of the first namespaces, fixed since Linux 3.8 ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/proc_ns.h
const FIRST_USER_NAMESPACE: u64 = 0xeffffffd;
const FIRST_PID_NAMESPACE: u64 = 0xeffffffc;

/// Bytes that the programs' maps take, by and large; a limit below it can be the reason of a refusal.
const MAPS_BYTES: u64 = 16 << 20;

/// seccomp(2)'s number for "a filter decides".
const SECCOMP_FILTER: u64 = 2;

/// Everything is `None` where it could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// Mode of kernel lockdown; a kernel without lockdown has none.
    lockdown: Option<String>,
    seccomp_mode: Option<u64>,
    /// `kernel.unprivileged_bpf_disabled`.
    unprivileged_bpf_disabled: Option<u64>,
    user_namespace: Option<u64>,
    pid_namespace: Option<u64>,
    /// `RLIMIT_MEMLOCK` in bytes, where the kernel counts maps against it; `None` without a limit.
    locked_memory_limit: Option<u64>,
}

impl Surroundings {
    /// Reads them of this process. Kernels before 5.11 count maps as locked memory.
    pub(super) fn read(maps_are_locked_memory: bool) -> Self {
        let text = |path| fs::read_to_string(path).ok();
        let namespace = |path| inode(fs::read_link(path).ok()?.to_str()?);
        Self {
            lockdown: text("/sys/kernel/security/lockdown").as_deref().and_then(lockdown_mode),
            seccomp_mode: text("/proc/self/status").as_deref().and_then(seccomp_mode),
            unprivileged_bpf_disabled: text("/proc/sys/kernel/unprivileged_bpf_disabled")
                .and_then(|text| text.trim().parse().ok()),
            user_namespace: namespace("/proc/self/ns/user"),
            pid_namespace: namespace("/proc/self/ns/pid"),
            locked_memory_limit: getrlimit(Resource::Memlock).current.filter(|_| maps_are_locked_memory),
        }
    }

    /// What explains that the kernel refuses the programs.
    pub(super) fn explain_refusal(&self, effective: Option<CapabilitySet>) -> Vec<Check> {
        let lacks_rights = effective.is_some_and(|effective| !privilege::missing(effective).is_empty());
        let may_raise_limit = effective.is_some_and(|effective| effective.contains(CapabilitySet::SYS_RESOURCE));
        let explanations = [
            ("lockdown", self.lockdown()),
            ("user_namespace", self.user_namespace()),
            ("unprivileged_bpf_disabled", if lacks_rights { self.unprivileged_bpf() } else { None }),
            ("seccomp", if lacks_rights { None } else { self.seccomp() }),
            ("locked_memory", if lacks_rights || may_raise_limit { None } else { self.locked_memory() }),
        ];
        explanations.into_iter().filter_map(|(name, finding)| Some(Check::required(name, finding?))).collect()
    }

    /// What explains that no nginx is in sight.
    pub(super) fn explain_no_nginx(&self) -> Option<Check> {
        let namespace = self.pid_namespace.filter(|&namespace| namespace != FIRST_PID_NAMESPACE)?;
        let finding = Finding::missing(
            format!("this process is in a pid namespace of its own ({namespace}), and sees only the processes in it"),
            "share the host's process ids: hostPID: true in Kubernetes, --pid=host in Docker",
        );
        Some(Check::optional("pid_namespace", finding))
    }

    /// Only this mode forbids programs to read kernel memory: `LOCKDOWN_BPF_READ_KERNEL` lies above "integrity".
    fn lockdown(&self) -> Option<Finding> {
        self.lockdown.as_ref().filter(|mode| *mode == "confidentiality")?;
        Some(Finding::missing(
            "kernel lockdown is in mode confidentiality: no program may read kernel memory",
            "boot with lockdown=integrity, which keeps Secure Boot's promises",
        ))
    }

    fn user_namespace(&self) -> Option<Finding> {
        let namespace = self.user_namespace.filter(|&namespace| namespace != FIRST_USER_NAMESPACE)?;
        Some(Finding::missing(
            format!("this process is in a user namespace ({namespace}): its capabilities do not count for bpf(2)"),
            "run it outside: no rootless container, no userns-remap, hostUsers: true in Kubernetes",
        ))
    }

    fn unprivileged_bpf(&self) -> Option<Finding> {
        let value = self.unprivileged_bpf_disabled.filter(|&value| value != 0)?;
        Some(Finding::ok(format!(
            "{value}: who has no capabilities may not use bpf(2) at all, which is as it should be"
        )))
    }

    fn seccomp(&self) -> Option<Finding> {
        self.seccomp_mode.filter(|&mode| mode == SECCOMP_FILTER)?;
        Some(Finding::unknown(
            "a seccomp filter is in place, which may refuse bpf(2) and perf_event_open(2)",
            "use a profile that allows both: those of container runtimes since 2023 do if the capabilities BPF and \
             PERFMON are added, Unconfined does always; in systemd, SystemCallFilter=bpf perf_event_open",
        ))
    }

    /// Exceeding it looks like a missing right.
    fn locked_memory(&self) -> Option<Finding> {
        let limit = self.locked_memory_limit.filter(|&limit| limit < MAPS_BYTES)?;
        Some(Finding::unknown(
            format!("at most {} KiB of memory may be locked, and this kernel counts maps as such", limit / 1024),
            "raise the limit (systemd: LimitMEMLOCK=infinity, shell: ulimit -l unlimited), or grant CAP_SYS_RESOURCE",
        ))
    }
}

/// The mode in brackets of `none [integrity] confidentiality`.
fn lockdown_mode(text: &str) -> Option<String> {
    let (_, rest) = text.split_once('[')?;
    rest.split_once(']').map(|(mode, _)| mode.to_owned())
}

/// The line `Seccomp:` of `/proc/PID/status`.
fn seccomp_mode(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("Seccomp:"))?.trim().parse().ok()
}

/// The number in `user:[4026531837]`.
fn inode(link: &str) -> Option<u64> {
    link.split_once(":[")?.1.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests;
