//! What the running kernel offers, asked of the kernel itself and never derived from its version.

use anyhow::{Result, ensure};

use super::{
    btf::Btf,
    hooks::{HOOKS, Hook, Outcome},
    offsets::{self, Offsets},
    programs::PROGRAMS,
};

/// The tracepoints without which there is nothing to observe, with the fewest arguments that the programs need.
pub const TRACEPOINTS: [(&str, usize); 3] =
    [("tcp_receive_reset", 1), ("tcp_send_reset", 2), ("inet_sock_set_state", 3)];

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Features {
    /// Where the fields are.
    pub offsets: Offsets,
    /// Names of `sk_rst_reason`, by value; empty on kernels that give no reason (before 6.10).
    pub reset_reasons: Vec<(String, u32)>,
    /// Whether `mark_victim` hands over the task; before Linux 6.9 and its backports it was the process id.
    pub victim_is_task: bool,
    /// What became of the optional hooks; empty until the programs were loaded.
    pub hooks: Vec<Outcome>,
}

/// One optional feature and whether it is there: an entry of `ready`, a line of `doctor`, and a series of
/// `reset_observer_kernel_feature`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feature {
    /// Public name.
    pub name: &'static str,
    /// Whether the kernel has it and it is used.
    pub present: bool,
    /// What is known only with it, as a phrase: "the kernel's own reason for each reset it sends".
    pub purpose: &'static str,
    /// What brings it where it is absent.
    pub remedy: &'static str,
}

impl Features {
    /// Asks the kernel.
    ///
    /// # Errors
    /// If a tracepoint or a required field is missing.
    pub fn detect(btf: &Btf) -> Result<Self> {
        let (offsets, refused) = Offsets::survey(btf);
        offsets::require(&refused)?;
        for (name, arguments) in TRACEPOINTS {
            let found = btf.tracepoint_arity(name)?;
            ensure!(
                found.is_some(),
                "this kernel has no tracepoint {name}: Linux 5.10 or later with CONFIG_TRACEPOINTS is needed"
            );
            ensure!(
                found >= Some(arguments),
                "tracepoint {name} has {} arguments on this kernel, at least {arguments} are needed: update reset-observer",
                found.unwrap_or_default()
            );
        }
        Self::optional(btf, offsets)
    }

    /// What is optional, whether or not what is required is there.
    ///
    /// # Errors
    /// If the type information is damaged.
    pub fn optional(btf: &Btf, offsets: Offsets) -> Result<Self> {
        let with_reason = btf.tracepoint_arity("tcp_send_reset")? >= Some(3);
        let reasons = if with_reason { btf.enum_values("sk_rst_reason")?.unwrap_or_default() } else { Vec::new() };
        let victim_is_task = btf.tracepoint_arity("mark_victim")? >= Some(2);
        Ok(Self { offsets, reset_reasons: reasons, victim_is_task, hooks: Vec::new() })
    }

    /// Whether `tcp_send_reset` carries a reason.
    #[must_use]
    pub fn has_reset_reason(&self) -> bool {
        !self.reset_reasons.is_empty()
    }

    /// Names of the programs that are attached, once they were loaded.
    pub fn attached(&self) -> impl Iterator<Item = &'static str> + '_ {
        let optional = self.hooks.iter().filter(|outcome| outcome.refused.is_none()).map(|outcome| outcome.hook.name);
        PROGRAMS.into_iter().chain(optional)
    }

    /// Every optional feature, present or not.
    #[must_use]
    pub fn list(&self) -> Vec<Feature> {
        let has = |structure: &str| !self.offsets.missing.iter().any(|line| line.starts_with(structure));
        let fields = [
            Feature {
                name: "reset_reason",
                present: self.has_reset_reason(),
                purpose: "the kernel's own reason for each reset it sends",
                remedy: "Linux 6.10 or later",
            },
            Feature {
                name: "ipv6",
                present: has("sock.__sk_common.skc_v6"),
                purpose: "connections over IPv6",
                remedy: "a kernel with CONFIG_IPV6, if connections over IPv6 are used",
            },
            Feature {
                name: "cgroup_id",
                present: has("sock.sk_cgrp_data") && has("cgroup.") && has("kernfs_node."),
                purpose: "the container that a socket belongs to",
                remedy: "a kernel with CONFIG_SOCK_CGROUP_DATA",
            },
            Feature {
                name: "process_exit_code",
                present: has("task_struct."),
                purpose: "how a backend on this host died: signal or exit code",
                remedy: "update reset-observer: this kernel has tasks of another layout",
            },
            Feature {
                name: "socket_cookie",
                present: has("sock.__sk_common.skc_cookie"),
                purpose: "telling connections apart that use the same addresses one after the other",
                remedy: "update reset-observer: this kernel has sockets of another layout",
            },
        ];
        fields.into_iter().chain(self.of_hooks()).collect()
    }

    /// Features that hooks give. Where several give the same one, it is there with the first of them.
    fn of_hooks(&self) -> Vec<Feature> {
        let is_attached = |hook: &Hook| {
            self.hooks.iter().any(|outcome| outcome.hook.feature == hook.feature && outcome.refused.is_none())
        };
        let mut features: Vec<Feature> = Vec::new();
        for hook in &HOOKS {
            if !features.iter().any(|known| known.name == hook.feature) {
                let (name, purpose, remedy) = (hook.feature, hook.purpose, hook.remedy);
                features.push(Feature { name, present: is_attached(hook), purpose, remedy });
            }
        }
        features
    }
}
