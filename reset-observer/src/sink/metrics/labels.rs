//! The labels of each metric. All but upstream, server and worker are closed sets.

use prometheus_client::encoding::EncodeLabelSet;

use crate::{
    resets::Direction,
    sandbox::Measure,
    sink::{losses::Stage, servers::ServerKey},
    verdict::{Cause, Impact, Leg, VerdictId},
};

/// Whose idle timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The backend's, as learned from its closes.
    Backend,
    /// nginx's, as configured.
    Nginx,
}

/// Which file of settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConfigFile {
    /// The daemon's own.
    Config,
    /// That of the HTTP server, certificates included.
    Web,
}

/// What the program was built from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BuildInfo {
    /// Version of the program.
    pub version: String,
    /// Processor architecture.
    pub arch: String,
}

impl BuildInfo {
    /// Of the program that runs.
    #[must_use]
    pub fn of_this_program() -> Self {
        Self { version: env!("CARGO_PKG_VERSION").to_owned(), arch: std::env::consts::ARCH.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReset {
    direction: &'static str,
    leg: &'static str,
}

impl ByReset {
    pub(super) fn new(direction: Direction, leg: Leg) -> Self {
        Self { direction: direction.as_str(), leg: leg.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByVerdict {
    cause: &'static str,
    impact: &'static str,
    leg: &'static str,
    upstream: String,
    server: String,
}

impl ByVerdict {
    pub(super) fn new(cause: Cause, impact: Impact, leg: Leg, server: ServerKey) -> Self {
        let ServerKey { upstream, server } = server;
        Self { cause: cause.as_str(), impact: impact.as_str(), leg: leg.as_str(), upstream, server }
    }
}

/// Of an exemplar.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByVerdictId {
    verdict_id: String,
}

impl ByVerdictId {
    pub(super) fn new(id: VerdictId) -> Self {
        Self { verdict_id: id.to_string() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByFile {
    file: &'static str,
}

impl ByFile {
    pub(super) fn new(file: ConfigFile) -> Self {
        let file = match file {
            ConfigFile::Config => "config",
            ConfigFile::Web => "web",
        };
        Self { file }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByWorker {
    worker: String,
    cause: &'static str,
}

impl ByWorker {
    /// Verdicts of a worker that died before anyone looked have no position.
    pub(super) fn new(worker: Option<u32>, cause: Cause) -> Self {
        let worker = worker.map_or_else(|| "unknown".to_owned(), |ordinal| ordinal.to_string());
        Self { worker, cause: cause.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByEpisode {
    cause: &'static str,
    upstream: String,
    server: String,
}

impl ByEpisode {
    pub(super) fn new(cause: Cause, server: ServerKey) -> Self {
        let ServerKey { upstream, server } = server;
        Self { cause: cause.as_str(), upstream, server }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByCause {
    cause: &'static str,
}

impl ByCause {
    pub(super) fn new(cause: Cause) -> Self {
        Self { cause: cause.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByServerSide {
    upstream: String,
    server: String,
    side: &'static str,
}

impl ByServerSide {
    pub(super) fn new(server: ServerKey, side: Side) -> Self {
        let ServerKey { upstream, server } = server;
        let side = match side {
            Side::Backend => "backend",
            Side::Nginx => "nginx",
        };
        Self { upstream, server, side }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByServer {
    upstream: String,
    server: String,
}

impl ByServer {
    pub(super) fn new(server: ServerKey) -> Self {
        let ServerKey { upstream, server } = server;
        Self { upstream, server }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByReason {
    reason: String,
}

impl ByReason {
    /// Reasons are the kernel's own closed enum.
    pub(super) fn new(reason: &str) -> Self {
        Self { reason: reason.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByStage {
    stage: &'static str,
}

impl ByStage {
    pub(super) fn new(stage: Stage) -> Self {
        Self { stage: stage.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByFeature {
    feature: String,
}

impl ByFeature {
    pub(super) fn new(feature: &str) -> Self {
        Self { feature: feature.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByProgram {
    program: String,
}

impl ByProgram {
    pub(super) fn new(program: &str) -> Self {
        Self { program: program.to_owned() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ByMeasure {
    measure: &'static str,
}

impl ByMeasure {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure: measure.as_str() }
    }
}
