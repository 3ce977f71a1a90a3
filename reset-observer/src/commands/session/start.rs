//! The start of a session: what is needed is checked, nginx found, the programs loaded and attached, rights given up.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Instant,
};

use anyhow::{Context as _, Result};
use log::{Level, log_enabled};

use super::{Core, Session};
use crate::{
    attribute::Attributor,
    cli::{RstPackets, WatchArgs},
    commands::{Failure, confine::confine, error_logs::ErrorLogs, recorder::Recorder, storm::Storm},
    container::Containers,
    decode::Decoder,
    kernel::{
        self,
        btf::Btf,
        cost::Cost,
        counters::Counters,
        features::Features,
        log::ProgramLog,
        privilege,
        programs::{Options, Programs},
        ring::Ring,
    },
    nginx::{configurations::Configurations, processes::NginxProcesses, sockets::NginxSockets},
    pipeline::Pipeline,
    sink::NginxFound,
};

/// aya-log's number for its level "debug".
const PROGRAM_LOG_DEBUG: u8 = 4;

impl Session {
    /// Checks what is needed, finds nginx, then loads and attaches the programs. The command writes `writes` later; with
    /// `keep_cost`, the kernel is asked to keep statistics of what the programs cost.
    pub(in crate::commands) fn start(
        watch: &WatchArgs,
        keep_cost: bool,
        mut recorder: Option<Recorder>,
        writes: &[PathBuf],
    ) -> Result<Self, Failure> {
        privilege::check().map_err(Failure::Prerequisite)?;
        let (types, mut features) = detect().map_err(Failure::Prerequisite)?;
        let log_level = if log_enabled!(Level::Trace) { PROGRAM_LOG_DEBUG } else { 0 };
        let options = Options {
            ports: &watch.ports,
            ring_bytes: watch.ring_size,
            max_owners: watch.max_owners,
            log_level,
            rst_packets_by_cgroup: watch.rst_packets == RstPackets::Cgroup,
        };
        let mut programs = Programs::load(&types, &mut features, &options).map_err(Failure::Prerequisite)?;
        drop(types);
        // nginx is looked for once records are kept: what it opens meanwhile is known by its owner.
        let (attributor, nginx) = find_nginx(watch);
        let mut pipeline = Pipeline::new(Decoder::new(&features.reset_reasons), attributor, watch.settle);
        if let Some(recorder) = &mut recorder {
            recorder.begin(&mut pipeline, watch.settle, &features.reset_reasons).map_err(Failure::Prerequisite)?;
        }
        let wire = |programs: &mut Programs| -> Result<_> {
            let log = if log_level == 0 { ProgramLog::off() } else { ProgramLog::open(programs)? };
            Ok((Ring::new(programs)?, Counters::new(programs, watch.max_owners, &features.reset_reasons)?, log))
        };
        let (ring, counters, log) = wire(&mut programs).map_err(Failure::Prerequisite)?;
        let programs = Arc::new(programs);
        let cost = Cost::new(Arc::clone(&programs), keep_cost).map_err(Failure::Prerequisite)?;
        // Before the first thread that outlives its work, because rights are those of a thread.
        let sandbox = confine(watch, writes, &counters);
        let core = Arc::new(Mutex::new(Core { pipeline, counters, cost }));
        let attached = features.attached().map(String::from).collect();
        let features = features.list();
        let error_logs = ErrorLogs::new();
        let mut session = Self {
            core,
            ring,
            log,
            error_logs,
            recorder,
            ring_full: 0,
            storm: Storm::default(),
            features,
            programs: attached,
            nginx,
            sandbox,
            _programs: programs,
        };
        session.follow_logs();
        kernel::memory::give_back();
        Ok(session)
    }
}

/// nginx's processes, sockets and configurations.
fn find_nginx(watch: &WatchArgs) -> (Attributor, NginxFound) {
    let started = Instant::now();
    let processes = NginxProcesses::scan_for(watch.processes.clone());
    let sockets = NginxSockets::scan(&processes);
    let nginx =
        NginxFound { masters: processes.masters(), workers: processes.workers(), listening: sockets.listening() };
    let configurations = Configurations::of_host(&processes);
    log::debug!("found nginx, its sockets and what it was told in {:.1?}", started.elapsed());
    let attributor = Attributor::new(processes, sockets)
        .with_containers(Containers::of_host(&watch.pod_logs))
        .with_configurations(configurations);
    (attributor, nginx)
}

/// What the running kernel offers.
fn detect() -> Result<(Btf, Features)> {
    let started = Instant::now();
    let btf = Btf::load(kernel::btf_path())?;
    let features = Features::detect(&btf).context("this kernel cannot be observed")?;
    log::debug!("looked every field up among {} types in {:.1?}", btf.len(), started.elapsed());
    Ok((btf, features))
}
