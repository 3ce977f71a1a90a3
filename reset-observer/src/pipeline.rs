//! Joins the rooms in order: decode, attribute, correlate, classify, advise. The same for live records and for a
//! recording: bytes and the time come in, verdicts go out.

use std::{
    collections::{BTreeSet, HashSet},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use crate::{
    advise::advise,
    attribute::Attributor,
    classify::{classify, conclude},
    correlate::{Case, Correlator, IdleTimeout, LogDesk, MAX_SERVERS, learned::Learned},
    counts::{DecodeCounts, KernelCounts},
    decode::Decoder,
    episode::{Episode, Episodes},
    mismatch::{News, Sides, Watch},
    nginx::{
        configurations::Configurations,
        error_log::{
            join::{JoinCounts, LogId, Written},
            line::Line,
        },
        processes::{InstanceId, NginxProcesses},
        upstream_settings::UpstreamSettings,
    },
    record::{KernelTime, Message},
    resets::ResetTotals,
    verdict::{Leg, UpstreamLabel, Verdict},
};

/// From records to verdicts.
pub struct Pipeline {
    decoder: Decoder,
    counts: DecodeCounts,
    attributor: Attributor,
    correlator: Correlator,
    logs: LogDesk,
    episodes: Episodes,
    watch: Watch,
    /// Servers of which something may be new since the last look.
    to_look_at: BTreeSet<SocketAddr>,
    /// Of the configurations that the last look rested on.
    seen_configurations: Option<u64>,
}

impl Pipeline {
    /// A pipeline that waits `settle` for corroboration before each verdict.
    #[must_use]
    pub fn new(decoder: Decoder, attributor: Attributor, settle: Duration) -> Self {
        let (correlator, logs) = (Correlator::new(settle), LogDesk::new(settle));
        Self {
            decoder,
            counts: DecodeCounts::default(),
            attributor,
            correlator,
            logs,
            episodes: Episodes::new(settle),
            watch: Watch::default(),
            to_look_at: BTreeSet::new(),
            seen_configurations: None,
        }
    }

    /// Takes one record as the kernel wrote it. What cannot be read is counted and left out.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.decoder.decode(bytes) {
            Ok(message) => {
                self.counts.decoded += 1;
                // JSON, so that a test can read the facts themselves rather than what was concluded of them.
                log::debug!("record {}", serde_json::to_string(&message).unwrap_or_default());
                self.route(message);
            }
            Err(error) => {
                self.counts.refused += 1;
                log::debug!("a record was left out: {error:#}");
            }
        }
    }

    fn route(&mut self, message: Message) {
        match message {
            Message::Connection(record) => {
                let event = self.attributor.attribute(*record);
                self.logs.expect(&event);
                self.correlator.handle(event);
            }
            Message::Process(event) => {
                self.attributor.note(&event);
                self.correlator.handle_process(&event);
            }
        }
    }

    /// The verdicts that are due by `now`.
    pub fn due(&mut self, now: KernelTime) -> Vec<Verdict> {
        self.attributor.refresh_due(now);
        let mut cases = self.logs.poll(now);
        let due = self.correlator.poll(now);
        let upstream = due.iter().filter(|case| case.connection.leg() == Leg::Upstream);
        self.to_look_at.extend(upstream.map(|case| case.connection.ends().remote));
        cases.extend(due.into_iter().filter_map(|case| self.logs.complete(case)));
        cases.into_iter().map(|case| self.verdict(case)).collect()
    }

    /// The configuration of an instance that was just found is read by now, in the usual case.
    fn verdict(&mut self, mut case: Case) -> Verdict {
        let connection = &mut case.connection;
        let worker = connection.process().map(|worker| worker.pid).filter(|_| connection.leg() == Leg::Upstream);
        if let Some(worker) = worker.filter(|_| connection.settings().is_none()) {
            let (label, settings) = self.attributor.upstream(worker, connection.ends().remote);
            connection.name_upstream(label, settings);
        }
        let verdict = verdict(&case);
        let episode = self.episodes.take(&case, &verdict);
        Verdict { episode, ..verdict }
    }

    /// The episodes that are over by `now`, each once.
    pub fn episodes(&mut self, now: KernelTime) -> Vec<Episode> {
        self.episodes.poll(now)
    }

    /// The episodes that go on, as they are: after [`Self::flush`], the end of a session.
    pub fn flush_episodes(&mut self) -> Vec<Episode> {
        self.episodes.flush()
    }

    /// Takes a line of an error log.
    pub fn take_line(&mut self, log: LogId, line: Line, written: Written) {
        self.logs.line(log, line, written);
    }

    /// Lines of error logs, or records, around `at` were lost.
    pub fn lines_lost(&mut self, at: KernelTime) {
        self.logs.disturb(at);
    }

    /// Names the instances of nginx whose error logs are read.
    pub fn follow_logs_of(&mut self, instances: HashSet<InstanceId>) {
        self.logs.follow(instances);
    }

    /// What was joined of lines and ends of connections.
    #[must_use]
    pub fn join_counts(&self) -> &JoinCounts {
        self.logs.counts()
    }

    /// What the instances of nginx were told, where that is read.
    #[must_use]
    pub fn configurations(&self) -> Option<&Configurations> {
        self.attributor.configurations()
    }

    /// The name of a server as verdicts give it, and what counts for it, where the instances of nginx agree.
    pub fn name_server(&mut self, remote: SocketAddr) -> (UpstreamLabel, Option<Arc<UpstreamSettings>>) {
        self.attributor.name_server(remote)
    }

    /// All verdicts that are left, without waiting any longer.
    pub fn flush(&mut self) -> Vec<Verdict> {
        let left = self.correlator.flush();
        let mut cases: Vec<Case> = left.into_iter().filter_map(|case| self.logs.complete(case)).collect();
        cases.extend(self.logs.flush());
        cases.into_iter().map(|case| self.verdict(case)).collect()
    }

    /// When [`Self::due`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        let look = self.attributor.next_look();
        let verdicts = self.correlator.next_deadline().into_iter().chain(self.logs.next_deadline());
        verdicts.chain(look).chain(self.episodes.next_deadline()).min()
    }

    /// Resets by leg, brought up to date with the kernel's counters.
    pub fn resets(&mut self, kernel: &KernelCounts) -> ResetTotals {
        self.correlator.resets(kernel, &self.counts)
    }

    /// What could and could not be read so far.
    #[must_use]
    pub fn counts(&self) -> DecodeCounts {
        self.counts
    }

    /// nginx's processes as known by now.
    #[must_use]
    pub fn processes(&self) -> &NginxProcesses {
        self.attributor.processes()
    }

    /// What was learned of each server's idle timeout.
    pub fn idle_timeouts(&self) -> impl Iterator<Item = (SocketAddr, IdleTimeout)> + '_ {
        self.correlator.idle_timeouts()
    }

    /// All that was learned of each server, and how long before `now` it was last heard of.
    pub fn learned(&self, now: KernelTime) -> impl Iterator<Item = (SocketAddr, &Learned, Duration)> + '_ {
        self.correlator.learned(now)
    }

    /// Takes what was learned of a server before, last heard of `age` before `now`. What is known already stands.
    pub fn recall(&mut self, server: SocketAddr, learned: Learned, age: Duration, now: KernelTime) {
        self.correlator.recall(server, learned, age, now);
        self.to_look_at.insert(server);
    }

    /// Both sides of the idle connections to each server whose timeout was learned, by address.
    pub fn upstreams(&mut self, now: KernelTime) -> Vec<Sides> {
        let mut servers: Vec<SocketAddr> = self.idle_timeouts().map(|(server, _)| server).collect();
        servers.sort_unstable();
        servers.into_iter().filter_map(|server| self.sides(server, now)).collect()
    }

    /// What is new about them since the last call.
    pub fn upstream_news(&mut self, now: KernelTime) -> Vec<News> {
        let configurations = self.configurations().map(Configurations::revision);
        if configurations != std::mem::replace(&mut self.seen_configurations, configurations) {
            let all: Vec<SocketAddr> = self.idle_timeouts().map(|(server, _)| server).collect();
            self.to_look_at.extend(all);
        }
        let looked_at = std::mem::take(&mut self.to_look_at).into_iter();
        let news = looked_at
            .filter_map(|server| {
                let sides = self.sides(server, now)?;
                self.watch.look(server, sides)
            })
            .collect();
        if self.watch.len() > MAX_SERVERS {
            self.watch.retain(|server| self.correlator.learned_of(server).is_some());
        }
        news
    }

    fn sides(&mut self, server: SocketAddr, now: KernelTime) -> Option<Sides> {
        let learned = self.correlator.learned_of(&server)?;
        let (backend, round_trip) = (learned.idle_timeout()?, learned.round_trip(now).map(|time| time.median));
        let expected = self.correlator.expected_races(&server, now);
        let (upstream, settings) = self.name_server(server);
        Some(Sides { upstream, backend, round_trip, expected, settings })
    }

    /// Grows whenever anything is learned.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.correlator.revision()
    }

    /// Servers of which something had been learned that were forgotten for want of room.
    #[must_use]
    pub fn servers_forgotten(&self) -> u64 {
        self.correlator.servers_forgotten()
    }
}

fn verdict(case: &Case) -> Verdict {
    let decision = classify(case);
    let advice = advise(case, &decision);
    Verdict { advice, ..conclude(case, decision) }
}
