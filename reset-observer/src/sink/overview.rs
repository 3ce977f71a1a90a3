//! What the page shows: the state of the observer and of what it watches, as of one moment.

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    counts::ProgramRuns,
    episode::Episode,
    own_process::OwnProcess,
    record::KernelTime,
    sink::{
        clock::WallClock,
        history::{Bucket, CauseCounts, History, Span},
        losses::Stage,
        servers::ServerKey,
        upstream::Upstream,
    },
    verdict::Verdict,
};

/// The state as of one moment.
#[derive(Clone, Debug)]
pub struct Overview {
    /// Name of the host, or of the node of a cluster.
    pub node: String,
    /// How kernel time becomes time on the wall.
    pub clock: WallClock,
    /// The moment.
    pub now: KernelTime,
    /// Since when the programs have been attached.
    pub started: KernelTime,
    /// What is being waited for, if anything is.
    pub ready: Result<(), String>,
    /// How far back [`Self::buckets`] go.
    pub span: Span,
    /// Verdicts by cause and time.
    pub buckets: Vec<Bucket>,
    /// Verdicts since the start.
    pub totals: CauseCounts,
    /// What is known of each server.
    pub servers: Vec<Server>,
    /// The newest crashes and restarts that are over.
    pub episodes: Vec<Arc<Episode>>,
    /// The newest verdicts.
    pub verdicts: Vec<Arc<Verdict>>,
    /// What the observer is and costs.
    pub own: Own,
}

/// What is known of one server.
#[derive(Clone, Debug)]
pub struct Server {
    /// Upstream block and address.
    pub key: ServerKey,
    /// Verdicts since the start.
    pub counts: CauseCounts,
    /// How long both sides keep idle connections, once that was learned.
    pub timeouts: Option<Upstream>,
}

/// What the observer is and costs.
#[derive(Clone, Debug, Default)]
pub struct Own {
    /// Resets that this host sent.
    pub resets_sent: u64,
    /// Resets that it received.
    pub resets_received: u64,
    /// What was lost, by stage.
    pub lost: Vec<(Stage, u64)>,
    /// The kernel programs that are attached.
    pub programs: Vec<String>,
    /// What they cost, if the kernel keeps statistics.
    pub runs: Vec<ProgramRuns>,
    /// Optional features of the kernel.
    pub features: Vec<(String, bool)>,
    /// Workers of nginx, as known by now.
    pub workers: usize,
    /// What the process uses.
    pub process: Option<OwnProcess>,
}

impl Server {
    /// Whether a race is a matter of time.
    #[must_use]
    pub fn is_mismatched(&self) -> bool {
        self.timeouts.as_ref().is_some_and(|timeouts| timeouts.mismatch == Some(true))
    }

    /// All servers of which anything is known: first those with a mismatch, then those with most verdicts.
    #[must_use]
    pub fn all(history: &History, upstreams: Vec<Upstream>) -> Vec<Self> {
        let mut servers: BTreeMap<ServerKey, Self> = BTreeMap::new();
        for (key, counts) in history.servers() {
            servers.insert(key.clone(), Self { key: key.clone(), counts: *counts, timeouts: None });
        }
        for upstream in upstreams {
            let key = ServerKey::from(&upstream.upstream);
            let server = Self { key: key.clone(), counts: CauseCounts::default(), timeouts: None };
            servers.entry(key).or_insert(server).timeouts = Some(upstream);
        }
        let mut servers: Vec<Self> = servers.into_values().collect();
        servers.sort_by_key(|server| std::cmp::Reverse((server.is_mismatched(), server.counts.harmful())));
        servers
    }
}
