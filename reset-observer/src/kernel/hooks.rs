//! The optional hooks: what each is for, and attaching them. One that cannot be attached switches its feature off; the
//! rest goes on.

use std::{fs::File, path::PathBuf};

use anyhow::{Context as _, Result, bail};
use aya::{
    Btf, Ebpf,
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, FEntry, RawTracePoint},
};

use super::btf;

/// How a hook is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A raw tracepoint.
    Tracepoint,
    /// The entry of a kernel function.
    Function,
    /// Packets that arrive at sockets of the root cgroup; runs per packet, so it must be asked for.
    CgroupIngress,
}

/// One optional hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Name of the program, which is that of the tracepoint or function too.
    pub name: &'static str,
    /// How it is attached.
    pub place: Place,
    /// Public name of the feature that depends on it.
    pub feature: &'static str,
    /// What is known only with it.
    pub purpose: &'static str,
    /// What brings it where it is absent.
    pub remedy: &'static str,
}

const FENTRY_REMEDY: &str = "a kernel that allows fentry (CONFIG_FUNCTION_TRACER, BPF trampolines), or --rst-packets=cgroup at a cost per packet";

/// Two hooks give it: one of them is enough.
const RST_PACKET: &str = "rst_packet";
const RST_PACKET_PURPOSE: &str = "the reset packet itself: its flags, TTL and window, which tell who can have sent it";

/// Every optional hook.
pub const HOOKS: [Hook; 7] = [
    Hook {
        name: "sched_process_exit",
        place: Place::Tracepoint,
        feature: "process_exit",
        purpose: "how an nginx worker on this host ended",
        remedy: "a kernel with this tracepoint (CONFIG_TRACEPOINTS)",
    },
    Hook {
        name: "mark_victim",
        place: Place::Tracepoint,
        feature: "oom_victim",
        purpose: "that the out-of-memory killer chose a process",
        remedy: "a kernel with this tracepoint (CONFIG_TRACEPOINTS)",
    },
    Hook {
        name: "inet_sk_error_report",
        place: Place::Tracepoint,
        feature: "socket_error",
        purpose: "connections that end by a timeout or an ICMP error, without any reset",
        remedy: "Linux 5.14 or later",
    },
    Hook {
        name: "tcp_retransmit_skb",
        place: Place::Tracepoint,
        feature: "idle_retransmit",
        purpose: "requests that nobody answers after an idle time, while they are still waited for",
        remedy: "a kernel with this tracepoint (CONFIG_TRACEPOINTS)",
    },
    Hook {
        name: "tcp_reset",
        place: Place::Function,
        feature: RST_PACKET,
        purpose: RST_PACKET_PURPOSE,
        remedy: FENTRY_REMEDY,
    },
    Hook {
        name: "tcp_finish_connect",
        place: Place::Function,
        feature: "syn_ack_ttl",
        purpose: "the TTL of the backend's own packets, to compare a reset's with",
        remedy: FENTRY_REMEDY,
    },
    Hook {
        name: "cgroup_ingress",
        place: Place::CgroupIngress,
        feature: RST_PACKET,
        purpose: RST_PACKET_PURPOSE,
        remedy: FENTRY_REMEDY,
    },
];

/// What became of a hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The hook.
    pub hook: Hook,
    /// Why it is not attached; `None` if it is.
    pub refused: Option<String>,
}

/// Attaches every optional hook that was asked for and that the kernel has.
pub(super) fn attach_all(ebpf: &mut Ebpf, types: &btf::Btf, with_cgroup: bool) -> Vec<Outcome> {
    HOOKS
        .into_iter()
        .map(|hook| {
            let attached = match hook.place {
                Place::Tracepoint => attach_tracepoint(ebpf, types, hook.name),
                Place::Function => attach_function(ebpf, types, hook.name),
                Place::CgroupIngress if with_cgroup => attach_cgroup(ebpf, hook.name),
                Place::CgroupIngress => Err(anyhow::anyhow!("not asked for")),
            };
            Outcome { hook, refused: attached.err().map(|error| format!("{error:#}")) }
        })
        .collect()
}

fn attach_tracepoint(ebpf: &mut Ebpf, types: &btf::Btf, name: &str) -> Result<()> {
    if types.tracepoint_arity(name)?.is_none() {
        bail!("this kernel has no tracepoint {name}");
    }
    let program: &mut RawTracePoint = program(ebpf, name)?.try_into()?;
    program.load().context("the kernel refused the program")?;
    program.attach(name).context("cannot attach")?;
    Ok(())
}

/// aya reads the types once more here; it needs the function's id, which only its own reader gives in its form.
fn attach_function(ebpf: &mut Ebpf, types: &btf::Btf, name: &str) -> Result<()> {
    if !types.has_function(name, 2)? {
        bail!("this kernel has no function {name} with two arguments");
    }
    let types = Btf::from_sys_fs().context("cannot read the kernel's types")?;
    let program: &mut FEntry = program(ebpf, name)?.try_into()?;
    program.load(name, &types).context("the kernel refused the program")?;
    program.attach().context("cannot attach to the function's entry")?;
    Ok(())
}

fn attach_cgroup(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let root = cgroup_root()?;
    let root = File::open(&root).with_context(|| format!("cannot open the cgroup {}", root.display()))?;
    let program: &mut CgroupSkb = program(ebpf, name)?.try_into()?;
    program.load().context("the kernel refused the program")?;
    // "Single" stands for no flags: links always share a cgroup with others.
    program
        .attach(root, CgroupSkbAttachType::Ingress, CgroupAttachMode::Single)
        .context("cannot attach to the root cgroup")?;
    Ok(())
}

/// Where the cgroup hierarchy of version 2 is mounted.
fn cgroup_root() -> Result<PathBuf> {
    let mounts = procfs::process::Process::myself()
        .and_then(|process| process.mountinfo())
        .context("cannot read which file systems are mounted")?;
    let mount = mounts.into_iter().find(|mount| mount.fs_type == "cgroup2");
    Ok(mount
        .context("no cgroup hierarchy of version 2 is mounted: `mount -t cgroup2 none /sys/fs/cgroup`")?
        .mount_point)
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut aya::programs::Program> {
    ebpf.program_mut(name).with_context(|| format!("the eBPF object has no program {name}: build it again"))
}
