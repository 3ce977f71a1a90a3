//! What nginx's error log says of the ends of connections.

use std::{collections::HashSet, time::Duration};

use foldhash::HashMap;

use super::{Case, Ends, connection::is_outstanding, learned::LONGEST_FAREWELL};
use crate::{
    attribute::Attributed,
    nginx::{
        error_log::{
            join::{Answer, Ending, Expectation, JoinCounts, Joined, LineJoiner, LogId, Ticket, Windows, Written},
            line::Line,
        },
        processes::InstanceId,
    },
    record::{Event, KernelTime, Record, TcpState},
    verdict::Leg,
};

/// A FIN this soon after payload may have cut a response; one that comes later is that of an idle connection.
const FRESH: Duration = Duration::from_secs(1);

/// One that comes as soon as this most likely has: few connections are idle for so short a time.
const AT_ONCE: Duration = Duration::from_millis(200);

/// A reset may cut a response that pauses, because its reader or its writer is slow, for this long: by default nginx gives
/// up one that pauses longer (`proxy_read_timeout`). Servers rarely end idle connections by a reset.
const PAUSED: Duration = Duration::from_secs(60);

/// The log of an nginx that was not known before its first failure is found within this time, on a machine that is busy.
const DISCOVERY: Duration = Duration::from_secs(1);

/// Instances that may be new at a time.
const MAX_NEWCOMERS: usize = 1_024;

/// Answers that nobody asked for are dropped beyond this many.
const MAX_ANSWERS: usize = 16_384;

/// The line of an idle connection's end, which hardly ever has one, is asked for while fewer than this wait.
const MAX_QUIET: usize = 4096;

/// What is known of a connection's end from the error log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Logged {
    /// No log is read, or it does not tell which line belongs to this end.
    #[default]
    Unknown,
    /// nginx wrote no line for it.
    Nothing,
    /// What the line says, or what the lines that it may be have in common.
    Line(Box<Joined>),
}

/// Joins cases with the lines that nginx wrote of them.
#[derive(Debug)]
pub struct LogDesk {
    joiner: LineJoiner,
    /// Instances of nginx whose logs are read.
    followed: HashSet<InstanceId>,
    /// By when the logs of those are found that were not known before.
    newcomers: HashMap<InstanceId, KernelTime>,
    asked: HashMap<Ends, (Ticket, Expectation)>,
    of_ticket: HashMap<Ticket, (Ends, InstanceId)>,
    answers: HashMap<Ends, Logged>,
    /// Ends that were said because a line told of them: what comes after is of the same end.
    told_by_line: HashSet<(Ends, KernelTime)>,
    /// Cases whose time has come before their line.
    held: HashMap<Ends, Box<Case>>,
}

impl LogDesk {
    /// A desk for verdicts that wait `settle` anyway: the line is waited for no longer than that, but for half of it more
    /// in a log that was found meanwhile.
    #[must_use]
    pub fn new(settle: Duration) -> Self {
        let windows = Windows { patience: settle, notice: settle / 2, ..Windows::default() };
        Self {
            joiner: LineJoiner::new(windows),
            followed: HashSet::new(),
            newcomers: HashMap::default(),
            asked: HashMap::default(),
            of_ticket: HashMap::default(),
            answers: HashMap::default(),
            told_by_line: HashSet::new(),
            held: HashMap::default(),
        }
    }

    /// Names the instances whose logs are read from now on.
    pub fn follow(&mut self, instances: HashSet<InstanceId>) {
        self.followed = instances;
    }

    /// Takes a line of a log.
    pub fn line(&mut self, log: LogId, line: Line, written: Written) {
        self.joiner.line(log, line, written);
    }

    /// Lines or records around `at` were lost: what is joined near them could be wrong.
    pub fn disturb(&mut self, at: KernelTime) {
        self.joiner.disturb(at);
    }

    /// Asks for the line of this event, if nginx writes one for such.
    pub fn expect(&mut self, event: &Attributed) {
        let ends = Ends::of(&event.record);
        let Some((ticket, asked)) = self.asked.get(&ends).copied() else {
            self.ask(ends, event);
            return;
        };
        if matches!(asked.ending, Ending::CutShort | Ending::CutAfterPause) && left_farewell_unread(&event.record) {
            self.joiner.withdraw(ticket, &asked);
        } else if may_be_quiet(asked.ending) && ending(&event.record) == Some(Ending::Closed) {
            // It was idle no longer: what is asked now is another question.
            self.of_ticket.remove(&ticket);
            self.joiner.withdraw(ticket, &asked);
            self.ask(ends, event);
        }
    }

    fn ask(&mut self, ends: Ends, event: &Attributed) {
        let Some((expectation, instance)) = expectation(event).zip(event.instance) else { return };
        if expectation.ending == Ending::Quiet && self.asked.len() >= MAX_QUIET {
            return;
        }
        let found = self.discovery(instance, expectation.at).unwrap_or(expectation.at);
        let ticket = self.joiner.expect_until(expectation, found);
        self.answers.remove(&ends);
        self.asked.insert(ends, (ticket, expectation));
        self.of_ticket.insert(ticket, (ends, instance));
    }

    /// By when the log of this instance is found, if it is not read yet.
    fn discovery(&mut self, instance: InstanceId, at: KernelTime) -> Option<KernelTime> {
        if self.followed.contains(&instance) {
            return None;
        }
        if self.newcomers.len() >= MAX_NEWCOMERS {
            self.newcomers.clear();
        }
        let found = *self.newcomers.entry(instance).or_insert(at.after(DISCOVERY));
        (at <= found).then_some(found)
    }

    /// Gives the case what is known of its line, or keeps it until that is known. Returns the case if it need not wait.
    pub fn complete(&mut self, mut case: Case) -> Option<Case> {
        let ends = case.connection.ends();
        if self.told_by_line.remove(&(ends, case.connection.first_at())) {
            return None;
        }
        if self.asked.contains_key(&ends) {
            self.held.insert(ends, Box::new(case));
            return None;
        }
        case.logged = self.answers.remove(&ends).unwrap_or_default();
        self.is_told(&case).then_some(case)
    }

    /// Whether there is something to say of a case that waits no longer.
    fn is_told(&mut self, case: &Case) -> bool {
        let told = case.is_worth_a_verdict();
        if told && case.if_logged {
            if self.told_by_line.len() >= MAX_ANSWERS {
                self.told_by_line.clear();
            }
            self.told_by_line.insert((case.connection.ends(), case.connection.first_at()));
        }
        told
    }

    /// The cases that wait no longer.
    pub fn poll(&mut self, now: KernelTime) -> Vec<Case> {
        let answers = self.joiner.poll(now);
        if self.answers.len() > MAX_ANSWERS {
            self.answers.clear();
        }
        let mut ready = Vec::new();
        for (ticket, answer) in answers {
            let Some((ends, instance)) = self.of_ticket.remove(&ticket) else { continue };
            self.asked.remove(&ends);
            let logged = self.read(instance, answer);
            match self.held.remove(&ends) {
                Some(case) => ready.push(Case { logged, ..*case }),
                None => {
                    self.answers.insert(ends, logged);
                }
            }
        }
        ready.retain(|case| self.is_told(case));
        ready.sort_by_key(|case| case.connection.first_at());
        ready
    }

    /// All cases that still wait, with what is known by now: the end of a session.
    pub fn flush(&mut self) -> Vec<Case> {
        let mut ready = Vec::new();
        // Each in its own time: near a disturbance nothing is joined, and by the end of time that is forgotten.
        while let Some(due) = self.joiner.next_deadline() {
            ready.extend(self.poll(due));
        }
        ready.extend(self.held.drain().map(|(_, case)| *case).filter(Case::is_worth_a_verdict));
        ready.sort_by_key(|case| (case.connection.first_at(), case.connection.ends()));
        ready
    }

    /// How many ends wait for their lines.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.asked.len()
    }

    /// Gives back the room of those that wait no longer.
    pub fn shrink(&mut self) {
        self.asked.shrink_to_fit();
        self.of_ticket.shrink_to_fit();
        self.answers.shrink_to_fit();
        self.held.shrink_to_fit();
    }

    fn read(&self, instance: InstanceId, answer: Answer) -> Logged {
        match answer {
            Answer::Joined(joined) => Logged::Line(joined),
            Answer::NoLine if self.followed.contains(&instance) => Logged::Nothing,
            Answer::NoLine | Answer::Ambiguous => Logged::Unknown,
        }
    }

    /// When [`Self::poll`] has an answer next.
    #[must_use]
    pub fn next_deadline(&self) -> Option<KernelTime> {
        self.joiner.next_deadline()
    }

    /// How many lines and ends were joined, and what stood in the way.
    #[must_use]
    pub fn counts(&self) -> &JoinCounts {
        self.joiner.counts()
    }
}

fn expectation(event: &Attributed) -> Option<Expectation> {
    let (record, worker) = (&event.record, event.process.as_ref()?);
    // Also for an instance whose log is not read yet: it may be, by the time of the answer.
    let instance = event.instance?;
    if event.leg != Leg::Upstream {
        return None;
    }
    Some(Expectation {
        instance: instance.0.into(),
        pid: worker.inner_pid.unwrap_or(worker.pid),
        server: record.remote,
        ending: ending(record)?,
        since: first_sign(record),
        at: record.at,
    })
}

/// How the connection ended, as far as nginx's line depends on it; `None` if nginx writes no line for it.
fn ending(record: &Record) -> Option<Ending> {
    let after_fin = record.state_before.is_some_and(TcpState::fin_received);
    match record.event {
        Event::ResetReceived if record.state_before == Some(TcpState::SynSent) => Some(Ending::Refused),
        Event::FinReceived if !is_outstanding(record) => {
            let by_pause =
                [(AT_ONCE, Ending::CutShort), (FRESH, Ending::CutAfterPause), (Duration::MAX, Ending::Quiet)];
            by_pause.into_iter().find(|(pause, _)| received_within(record, *pause)).map(|(_, ending)| ending)
        }
        Event::ResetReceived if !is_outstanding(record) && !after_fin => {
            received_within(record, PAUSED).then_some(Ending::CutByReset)
        }
        Event::ResetSent { active: true, .. } if leaves_response_unread(record) => Some(Ending::CutByProxy),
        _ if !is_outstanding(record) => None,
        Event::ResetReceived if after_fin => Some(Ending::Closed),
        Event::ResetReceived => Some(Ending::Reset),
        Event::FinReceived => Some(Ending::Closed),
        Event::ResetSent { active: true, .. } => Some(Ending::CutByProxy),
        Event::ClosedUnacked if was_taken(record) => Some(Ending::CutByProxy),
        Event::ClosedUnacked | Event::Failed { .. } => Some(Ending::Silent),
        Event::ResetSent { .. } | Event::ExitClose | Event::ListenerExit | Event::Retransmitted => None,
    }
}

const fn may_be_quiet(ending: Ending) -> bool {
    matches!(ending, Ending::Quiet | Ending::CutAfterPause)
}

/// The server answered the handshake and took the request, so that the wait was for the response.
fn was_taken(record: &Record) -> bool {
    record.snapshot.is_some_and(|snapshot| !snapshot.flight_never_acked || snapshot.total_retransmits == 0)
}

/// More lies unread than a farewell of TLS: nginx cut a response.
fn leaves_response_unread(record: &Record) -> bool {
    record.snapshot.is_some_and(|snapshot| snapshot.unread > LONGEST_FAREWELL)
}

/// nginx closed with the server's farewell unread: it had not read up to the FIN, and so it cannot have missed anything. It
/// only looks at an idle connection, and writes no line when it closes that.
fn left_farewell_unread(record: &Record) -> bool {
    let by_close = matches!(record.event, Event::ResetSent { active: true, data_after_close: false });
    // The FIN counts as a byte.
    let farewell = 2..=LONGEST_FAREWELL + 1;
    by_close && record.snapshot.is_some_and(|snapshot| farewell.contains(&snapshot.unread))
}

fn received_within(record: &Record, pause: Duration) -> bool {
    let idle = record.snapshot.filter(|snapshot| snapshot.bytes_received > 0).and_then(|snapshot| snapshot.idle_now);
    idle.is_some_and(|idle| idle < pause)
}

/// The earliest that nginx may have noticed: a request that was written after the FIN had come fails at once.
fn first_sign(record: &Record) -> KernelTime {
    let sent = record.snapshot.and_then(|snapshot| snapshot.first_transmit_at);
    let after_fin = record.state_before.is_some_and(TcpState::fin_received);
    sent.filter(|_| after_fin).map_or(record.at, |sent| sent.min(record.at))
}

#[cfg(test)]
mod tests;
