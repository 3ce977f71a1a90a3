//! Joins the rooms in order: decode, attribute, correlate, classify, advise. The same for live records and for a
//! recording: bytes and the time come in, verdicts go out.

use std::{collections::HashSet, net::SocketAddr, sync::Arc, time::Duration};

use smallvec::SmallVec;

use crate::{
    advise::advise,
    attribute::{Attributed, Attributor},
    classify::{classify, conclude},
    correlate::{Case, Correlator, LogDesk},
    counts::{DecodeCounts, KernelCounts},
    decode::Decoder,
    episode::{Episode, Episodes},
    mismatch::Watch,
    nginx::{
        configurations::Configurations,
        error_log::{
            join::{JoinCounts, LogId, Written},
            line::Line,
        },
        processes::InstanceId,
    },
    record::{KernelTime, Message},
    recording::{Placing, entry::Context, tape::Tape},
    resets::ResetTotals,
    verdict::{Leg, Verdict},
};

mod places;
mod upstreams;

use places::{Places, RecordedNames};

/// From records to verdicts.
pub struct Pipeline {
    decoder: Decoder,
    counts: DecodeCounts,
    places: Places,
    correlator: Correlator,
    logs: LogDesk,
    episodes: Episodes,
    /// Episodes that nobody has taken yet.
    over: Vec<Episode>,
    watch: Watch,
    /// Servers of which something may be new since the last look, sorted. Few: there is a look after each call of
    /// [`Self::due`].
    to_look_at: SmallVec<[SocketAddr; 4]>,
    /// Of the configurations that the last look rested on.
    seen_configurations: Option<u64>,
    /// Where everything that decides is written down, if it is.
    tape: Option<Tape>,
}

impl Pipeline {
    /// A pipeline that waits `settle` for corroboration before each verdict.
    #[must_use]
    pub fn new(decoder: Decoder, attributor: Attributor, settle: Duration) -> Self {
        Self::with_places(decoder, Places::Live(Box::new(attributor)), settle)
    }

    /// A pipeline that is told by a recording whose records are ([`Self::take_placed`]) and what servers are called.
    #[must_use]
    pub fn recorded(decoder: Decoder, settle: Duration) -> Self {
        Self::with_places(decoder, Places::Recorded(RecordedNames::default()), settle)
    }

    fn with_places(decoder: Decoder, places: Places, settle: Duration) -> Self {
        let (correlator, logs) = (Correlator::new(settle), LogDesk::new(settle));
        Self {
            decoder,
            counts: DecodeCounts::default(),
            places,
            correlator,
            logs,
            episodes: Episodes::new(settle),
            over: Vec::new(),
            watch: Watch::default(),
            to_look_at: SmallVec::new(),
            seen_configurations: None,
            tape: None,
        }
    }

    /// Writes down what decides, from now on.
    pub fn record_on(&mut self, tape: Tape) {
        self.tape = Some(tape);
    }

    /// What was written down, to be taken off.
    pub const fn tape(&mut self) -> Option<&mut Tape> {
        self.tape.as_mut()
    }

    /// Writes down no more.
    pub fn stop_recording(&mut self) {
        self.tape = None;
    }

    /// How many workers of nginx there are, as known by now; 0 of a recording.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.places.workers()
    }

    /// How many reloads of nginx were seen by now; 0 of a recording, in which they are marks.
    #[must_use]
    pub fn reloads(&self) -> u64 {
        self.places.reloads()
    }

    /// Takes one record as the kernel wrote it. What cannot be read is counted and left out.
    pub fn take(&mut self, bytes: &[u8]) {
        match self.decode(bytes) {
            Some(Message::Connection(record)) => {
                let event = self.places.attribute(record);
                self.tape.iter_mut().for_each(|tape| tape.record(bytes, &event));
                self.handle(event);
            }
            Some(Message::Process(event)) => {
                self.tape.iter_mut().for_each(|tape| tape.loose(bytes));
                self.places.note(&event);
                self.correlator.handle_process(&event);
            }
            None => self.tape.iter_mut().for_each(|tape| tape.loose(bytes)),
        }
    }

    /// Takes the record of a connection whose place is known.
    pub fn take_placed(&mut self, bytes: &[u8], placing: &Arc<Placing>) {
        if let Some(Message::Connection(record)) = self.decode(bytes) {
            self.handle(Attributed { record, placing: Arc::clone(placing) });
        }
    }

    /// Takes a record that has no place: of a process, or one that cannot be read.
    pub fn take_loose(&mut self, bytes: &[u8]) {
        if let Some(Message::Process(event)) = self.decode(bytes) {
            self.correlator.handle_process(&event);
        }
    }

    fn decode(&mut self, bytes: &[u8]) -> Option<Message> {
        match self.decoder.decode(bytes) {
            Ok(message) => {
                self.counts.decoded += 1;
                // JSON, so that a test can read the facts themselves rather than what was concluded of them.
                log::debug!("record {}", serde_json::to_string(&message).unwrap_or_default());
                Some(message)
            }
            Err(error) => {
                self.counts.refused += 1;
                log::debug!("a record was left out: {error:#}");
                None
            }
        }
    }

    fn handle(&mut self, event: Attributed) {
        self.logs.expect(&event);
        self.correlator.handle(event);
    }

    /// The verdicts that are due by `now`.
    pub fn due(&mut self, now: KernelTime) -> Vec<Verdict> {
        self.places.refresh_due(now);
        let waited = self.logs.poll(now);
        let due = self.correlator.poll(now);
        let mut verdicts = Vec::with_capacity(waited.len() + due.len());
        verdicts.extend(waited.into_iter().map(|case| self.verdict(case)));
        for case in due {
            if case.connection.leg() == Leg::Upstream {
                self.look_at(case.connection.ends().remote);
            }
            verdicts.extend(self.logs.complete(case).map(|case| self.verdict(case)));
        }
        self.over.extend(self.episodes.poll(now));
        self.tape.iter_mut().for_each(|tape| tape.due(now));
        verdicts
    }

    /// The configuration of an instance that was just found is read by now, in the usual case.
    fn verdict(&mut self, mut case: Case) -> Verdict {
        let connection = &case.connection;
        let worker = connection.process().map(|worker| worker.pid).filter(|_| connection.leg() == Leg::Upstream);
        if let Some(worker) = worker.filter(|_| connection.settings().is_none()) {
            let remote = connection.ends().remote;
            let name = self.places.upstream(worker, remote);
            self.tape.iter_mut().for_each(|tape| tape.named(Some(worker), remote, &name));
            if !connection.is_named(name.0.as_ref(), name.1.as_ref()) {
                Arc::make_mut(&mut case.connection).name_upstream(name.0, name.1);
            }
        }
        if let Some(settings) = case.connection.shared_settings() {
            self.correlator.note_settings(&case.connection.ends().remote, settings);
        }
        let mut verdict = verdict(&case);
        verdict.episode = self.episodes.take(&case, &verdict);
        verdict
    }

    /// The episodes that were over at the last call of [`Self::due`], each once; after [`Self::flush`], those that went on.
    pub fn take_episodes(&mut self) -> Vec<Episode> {
        std::mem::take(&mut self.over)
    }

    /// Takes a line of an error log.
    pub fn take_line(&mut self, log: LogId, line: impl Into<Box<Line>>, written: Written) {
        let line = line.into();
        self.tape.iter_mut().for_each(|tape| tape.line(log, &line, written));
        self.logs.line(log, line, written);
    }

    /// Lines of error logs, or records, around `at` were lost.
    pub fn lines_lost(&mut self, at: KernelTime) {
        self.tape.iter_mut().for_each(|tape| tape.context(Context::LinesLost { at }));
        self.logs.disturb(at);
    }

    /// Names the instances of nginx whose error logs are read.
    pub fn follow_logs_of(&mut self, instances: HashSet<InstanceId>) {
        self.tape.iter_mut().for_each(|tape| tape.follow(&instances));
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
        self.places.configurations()
    }

    /// All verdicts that are left, without waiting any longer.
    pub fn flush(&mut self) -> Vec<Verdict> {
        let left = self.correlator.flush();
        let mut cases: Vec<Case> = left.into_iter().filter_map(|case| self.logs.complete(case)).collect();
        cases.extend(self.logs.flush());
        let verdicts = cases.into_iter().map(|case| self.verdict(case)).collect();
        self.over.extend(self.episodes.flush());
        self.tape.iter_mut().for_each(|tape| tape.context(Context::Flush));
        verdicts
    }

    /// When [`Self::due`] has something to do next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        let look = self.places.next_look();
        let verdicts = self.correlator.next_deadline().into_iter().chain(self.logs.next_deadline());
        verdicts.chain(look).chain(self.episodes.next_deadline()).min()
    }

    /// How many connections are being looked at, at most some thirty thousand.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.correlator.connections().max(self.logs.waiting())
    }

    /// Gives back the room of connections that are not looked at any more.
    pub fn shrink(&mut self) {
        self.logs.shrink();
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
}

fn verdict(case: &Case) -> Verdict {
    let decision = classify(case);
    let advice = advise(case, &decision);
    let mut verdict = conclude(case, decision);
    verdict.advice = advice;
    verdict
}
