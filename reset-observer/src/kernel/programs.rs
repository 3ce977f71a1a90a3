//! Loading the eBPF object and attaching its programs. Everything is held by this process: when it ends, however it
//! ends, the kernel detaches the programs and frees the maps.

use anyhow::{Context as _, Result, ensure};
use aya::{
    Ebpf, EbpfLoader,
    maps::{Map, MapData},
    programs::{Program, RawTracePoint},
};
use reset_observer_ebpf::{MAX_PORTS, symbol};

use super::{btf::Btf, features::Features, hooks};

/// Built by `build.rs`; empty if that was told to skip it.
static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/reset-observer-programs"));

/// Size of the built-in object in bytes; 0 if user space was built without it.
#[must_use]
pub fn object_len() -> usize {
    OBJECT.len()
}

/// The programs, each named after its tracepoint. State changes come first, so that a connection that opens while we
/// attach is not known by its reset alone.
pub const PROGRAMS: [&str; 3] = ["inet_sock_set_state", "tcp_receive_reset", "tcp_send_reset"];

/// What to observe, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// Ports of either end; all if empty. At most [`MAX_PORTS`].
    pub ports: &'a [u16],
    /// Size of the ring buffer in bytes, a power of two and a multiple of the page size.
    pub ring_bytes: u32,
    /// Connections whose opener is remembered at a time.
    pub max_owners: u32,
    /// Level of the programs' own log: 0 is off, 1 error to 5 trace, as in aya-log.
    pub log_level: u8,
    /// Look at every packet that arrives at a socket, where fentry is refused.
    pub rst_packets_by_cgroup: bool,
}

/// The loaded programs. Dropping it detaches them.
#[derive(Debug)]
pub struct Programs {
    ebpf: Ebpf,
}

impl Programs {
    /// Loads and attaches everything. What became of the optional hooks is noted in `features`.
    ///
    /// # Errors
    /// If the object is empty, the kernel refuses a program (the verifier's last words are in the message), or more
    /// than [`MAX_PORTS`] ports are given.
    pub fn load(types: &Btf, features: &mut Features, options: &Options<'_>) -> Result<Self> {
        ensure!(
            !OBJECT.is_empty(),
            "this program was built without its eBPF part (AYA_BUILD_SKIP was set): run `cargo xtask setup` and build again"
        );
        ensure!(options.ports.len() <= MAX_PORTS, "at most {MAX_PORTS} ports can be observed at once");
        let mut ebpf = Self::load_object(features, options)?;
        for name in PROGRAMS {
            attach(&mut ebpf, name).map_err(explain)?;
        }
        features.hooks = hooks::attach_all(&mut ebpf, types, options.rst_packets_by_cgroup);
        for outcome in &features.hooks {
            if let Some(reason) = &outcome.refused {
                log::debug!("without {}: {reason}", outcome.hook.name);
            }
        }
        Ok(Self { ebpf })
    }

    fn load_object(features: &Features, options: &Options<'_>) -> Result<Ebpf> {
        let mut ports = [0_u16; MAX_PORTS];
        ports[..options.ports.len()].copy_from_slice(options.ports);
        let window = features.offsets.snapshot_window();
        let has_reason = u32::from(features.has_reset_reason());
        let victim_is_task = u32::from(features.victim_is_task);
        let looks_at_packets = u32::from(options.rst_packets_by_cgroup);
        EbpfLoader::new()
            // The object has no relocations against the kernel's types, so aya need not read them (20 MiB).
            .btf(None)
            .override_global(symbol::OFFSETS, &features.offsets.table[..], true)
            .override_global(symbol::SNAPSHOT_WINDOW, &window[..], true)
            .override_global(symbol::PORTS, &ports[..], true)
            .override_global(symbol::HAS_REASON, &has_reason, true)
            .override_global(symbol::LOOKS_AT_PACKETS, &looks_at_packets, true)
            .override_global(symbol::VICTIM_IS_TASK, &victim_is_task, true)
            .override_global(aya_log::LEVEL, &options.log_level, true)
            .map_max_entries(symbol::RECORDS, options.ring_bytes)
            .map_max_entries(symbol::OWNERS, options.max_owners)
            .load(OBJECT)
            .context("the kernel did not take the eBPF object")
            .map_err(explain)
    }

    /// Takes a map out of the object, to be wrapped and kept by its reader.
    ///
    /// # Errors
    /// If there is no such map: a defect of the build.
    pub fn take_map(&mut self, name: &str) -> Result<Map> {
        self.ebpf.take_map(name).with_context(|| format!("the eBPF object has no map {name}: build it again"))
    }

    /// Every program of the object by its name, loaded or not.
    pub(super) fn all(&self) -> impl Iterator<Item = (&str, &Program)> {
        self.ebpf.programs()
    }

    /// The programs' own log, to be drained into the `log` crate. Only useful if the level is above 0.
    ///
    /// # Errors
    /// If the object was built without log messages.
    pub fn logger(&mut self) -> Result<aya_log::EbpfLogger<&'static dyn log::Log>> {
        aya_log::EbpfLogger::init(&mut self.ebpf).context("the programs' own log cannot be read")
    }
}

fn attach(ebpf: &mut Ebpf, name: &str) -> Result<()> {
    let program = ebpf.program_mut(name).with_context(|| format!("the eBPF object has no program {name}"))?;
    let program: &mut RawTracePoint = program.try_into()?;
    program.load().with_context(|| format!("the kernel refused program {name}"))?;
    program.attach(name).with_context(|| format!("cannot attach to tracepoint {name}"))?;
    Ok(())
}

/// EPERM with the capabilities at hand has other reasons than capabilities; name them.
fn explain(error: anyhow::Error) -> anyhow::Error {
    let refused = error.chain().any(|cause| {
        cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
    });
    if !refused {
        return error;
    }
    error.context(
        "the kernel refused although the capabilities are there: a seccomp profile that blocks bpf(2) (older container \
         runtimes), kernel lockdown (see /sys/kernel/security/lockdown) or a user namespace is the likely reason; \
         `reset-observer doctor` says which",
    )
}

/// A map's data, for the readers next door.
pub(super) type Data = MapData;
