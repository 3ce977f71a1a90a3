//! What happened between start and end, for the last line of JSON and for the terminal at Ctrl-C.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::Serialize;

use crate::{
    episode::Episode,
    mismatch::Sides,
    record::KernelTime,
    resets::{Direction, ResetTotals},
    sink::{
        losses::Stage,
        servers::{SeenServers, ServerKey},
        upstream::Upstream,
        words,
    },
    verdict::{Cause, Impact, UpstreamLabel, Verdict},
};

/// Episodes that are told of one by one.
const MAX_EPISODES: usize = 100;

/// Verdicts by impact.
pub type ByImpact = BTreeMap<Impact, u64>;

/// What happened between start and end.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    #[serde(skip)]
    started_at: KernelTime,
    #[serde(skip)]
    ended_at: KernelTime,
    /// How long the observer watched, seconds.
    pub duration_s: f64,
    /// All verdicts, harmless ones included.
    pub verdicts: u64,
    /// Verdicts by cause and impact; only those that occurred.
    pub causes: BTreeMap<Cause, ByImpact>,
    /// Verdicts on the upstream leg by server; at most [`crate::sink::servers::MAX_SERVERS`], the rest together.
    pub servers: Vec<ServerSummary>,
    /// Crashes and restarts of servers; at most 100, the first.
    pub episodes: Vec<Episode>,
    /// All of them.
    pub episodes_total: u64,
    /// Resets that this host sent on all legs and ports, exactly.
    pub resets_sent: u64,
    /// Resets that this host received on all legs and ports, exactly.
    pub resets_received: u64,
    /// Records lost by stage; only stages that lost any.
    pub lost: BTreeMap<Stage, u64>,
    /// Idle timeouts of upstream servers as learned from their clean closes.
    pub idle_timeouts: Vec<IdleTimeout>,
    /// Servers whose idle connections nginx keeps for longer than they do, as it is at the end.
    pub mismatches: Vec<Upstream>,
    #[serde(skip)]
    seen: SeenServers,
}

/// Verdicts of one upstream server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ServerSummary {
    /// Name of the upstream block; empty where not known.
    pub upstream: String,
    /// Address of the server.
    pub server: String,
    /// Verdicts by cause.
    pub causes: BTreeMap<Cause, u64>,
}

/// How long a server keeps an idle connection, as learned.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IdleTimeout {
    /// Address of the server.
    pub server: String,
    /// The timeout, milliseconds.
    pub idle_timeout_ms: f64,
    /// From how many closes it was learned.
    pub samples: u64,
}

impl From<&Sides> for IdleTimeout {
    fn from(sides: &Sides) -> Self {
        Self {
            server: sides.upstream.server.clone(),
            idle_timeout_ms: sides.backend.value.as_secs_f64() * 1e3,
            samples: u64::try_from(sides.backend.samples).unwrap_or(u64::MAX),
        }
    }
}

impl Summary {
    /// An empty summary of an observation that starts at this instant.
    #[must_use]
    pub fn start(at: KernelTime) -> Self {
        Self {
            started_at: at,
            ended_at: at,
            duration_s: 0.0,
            verdicts: 0,
            causes: BTreeMap::new(),
            servers: Vec::new(),
            episodes: Vec::new(),
            episodes_total: 0,
            resets_sent: 0,
            resets_received: 0,
            lost: BTreeMap::new(),
            idle_timeouts: Vec::new(),
            mismatches: Vec::new(),
            seen: SeenServers::default(),
        }
    }

    /// Counts a verdict.
    pub fn add(&mut self, verdict: &Verdict) {
        self.verdicts += 1;
        *self.causes.entry(verdict.cause).or_default().entry(verdict.impact).or_default() += 1;
        if let Some(upstream) = &verdict.upstream {
            *self.server_mut(upstream).causes.entry(verdict.cause).or_default() += 1;
        }
    }

    /// Counts an episode.
    pub fn add_episode(&mut self, episode: &Episode) {
        self.episodes_total += 1;
        if self.episodes.len() < MAX_EPISODES {
            self.episodes.push(episode.clone());
        }
    }

    /// Takes the exact counts of resets.
    pub fn set_resets(&mut self, totals: &ResetTotals) {
        self.resets_sent = totals.total(Direction::Sent);
        self.resets_received = totals.total(Direction::Received);
    }

    /// Takes how many records were lost at a stage since the start.
    pub fn set_lost(&mut self, stage: Stage, total: u64) {
        if total > 0 {
            self.lost.insert(stage, total);
        }
    }

    /// Takes both sides of the idle connections to all servers whose timeout was learned.
    pub fn set_upstreams(&mut self, upstreams: &[Sides]) {
        self.idle_timeouts = upstreams.iter().map(IdleTimeout::from).collect();
        let mismatched = upstreams.iter().filter(|sides| sides.mismatch() == Some(true));
        self.mismatches = mismatched.map(Upstream::from).collect();
    }

    /// The observation ended at this instant.
    pub fn end(&mut self, at: KernelTime) {
        self.ended_at = at;
        self.duration_s = at.since(self.started_at).as_secs_f64();
    }

    /// When the observation ended; its start while it has not.
    #[must_use]
    pub fn ended_at(&self) -> KernelTime {
        self.ended_at
    }

    fn server_mut(&mut self, label: &UpstreamLabel) -> &mut ServerSummary {
        let is = |server: &ServerSummary, upstream: &str, address: &str| {
            server.server == address && server.upstream == upstream
        };
        let name = label.name.as_deref().unwrap_or_default();
        let known = self.servers.iter().position(|server| is(server, name, &label.server));
        let index = known.unwrap_or_else(|| {
            let key = self.seen.admit(label);
            let known = self.servers.iter().position(|server| is(server, &key.upstream, &key.server));
            known.unwrap_or_else(|| self.add_server(key))
        });
        &mut self.servers[index]
    }

    fn add_server(&mut self, ServerKey { upstream, server }: ServerKey) -> usize {
        self.servers.push(ServerSummary { upstream, server, causes: BTreeMap::new() });
        self.servers.len() - 1
    }

    fn write_causes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (cause, impacts) in &self.causes {
            let total: u64 = impacts.values().sum();
            let parts: Vec<String> =
                impacts.iter().map(|(impact, count)| format!("{count} {}", words::impact(*impact))).collect();
            writeln!(f, "  {cause:<19} {total:>6}   {}", parts.join(", "))?;
        }
        Ok(())
    }

    fn write_servers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.servers.iter().map(|server| server.server.len()).max().unwrap_or_default();
        for server in &self.servers {
            let parts: Vec<String> = server.causes.iter().map(|(cause, count)| format!("{count} {cause}")).collect();
            writeln!(f, "  {:<width$}   {}", server.server, parts.join(", "))?;
        }
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let duration = words::duration(Duration::try_from_secs_f64(self.duration_s).unwrap_or_default());
        match self.verdicts {
            0 => writeln!(f, "Watched for {duration}: no connection ended in a way worth a verdict.")?,
            1 => writeln!(f, "Watched for {duration}: 1 verdict.")?,
            count => writeln!(f, "Watched for {duration}: {count} verdicts.")?,
        }
        self.write_causes(f)?;
        if !self.servers.is_empty() {
            writeln!(f, "By upstream server:")?;
            self.write_servers(f)?;
        }
        for episode in &self.episodes {
            writeln!(f, "{episode}")?;
        }
        if !self.idle_timeouts.is_empty() {
            writeln!(f, "Idle timeouts learned from clean closes:")?;
        }
        for IdleTimeout { server, idle_timeout_ms, samples } in &self.idle_timeouts {
            writeln!(f, "  {server}   {} (closes seen: {samples})", words::milliseconds(*idle_timeout_ms))?;
        }
        for mismatch in &self.mismatches {
            writeln!(f, "{mismatch}")?;
        }
        writeln!(f, "Resets on this host: {} sent, {} received.", self.resets_sent, self.resets_received)?;
        for (stage, count) in &self.lost {
            writeln!(f, "Not all was seen: {count} {}.", stage.words())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
