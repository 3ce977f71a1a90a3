//! What nginx's error log says of the ends of connections.

use std::{
    collections::{self, hash_map::Entry},
    time::Duration,
};

use foldhash::{HashMap, HashSet};

use super::{Case, Ends};
use crate::{
    attribute::Attributed,
    nginx::{
        error_log::{
            join::{Answer, Ending, Expectation, JoinCounts, Joined, LineJoiner, LogId, Ticket, Windows, Written},
            line::Line,
        },
        processes::InstanceId,
    },
    record::KernelTime,
};

mod question;

use question::{ending, expectation, left_farewell_unread, may_be_quiet};

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
    known: HashMap<Ends, Known>,
    /// How many of these wait for their line.
    asked: usize,
    of_ticket: HashMap<Ticket, (Ends, InstanceId)>,
    /// Ends that were said because a line told of them: what comes after is of the same end.
    told_by_line: HashSet<(Ends, KernelTime)>,
}

/// What is known of the line of a connection's end.
#[derive(Debug)]
enum Known {
    Asked(Asked),
    /// Nobody has asked for the answer yet.
    Answered(Logged),
}

#[derive(Debug)]
struct Asked {
    ticket: Ticket,
    expectation: Expectation,
    /// The case, if its time has come before its line.
    held: Option<Box<Case>>,
}

impl Known {
    fn answer(self) -> Option<Logged> {
        match self {
            Self::Asked(_) => None,
            Self::Answered(logged) => Some(logged),
        }
    }

    const fn take_held(&mut self) -> Option<Box<Case>> {
        match self {
            Self::Asked(asked) => asked.held.take(),
            Self::Answered(_) => None,
        }
    }
}

impl LogDesk {
    /// A desk for verdicts that wait `settle` anyway: the line is waited for no longer than that, but for half of it more
    /// in a log that was found meanwhile.
    #[must_use]
    pub fn new(settle: Duration) -> Self {
        let windows = Windows { patience: settle, notice: settle / 2, ..Windows::default() };
        Self {
            joiner: LineJoiner::new(windows),
            followed: HashSet::default(),
            newcomers: HashMap::default(),
            known: HashMap::default(),
            asked: 0,
            of_ticket: HashMap::default(),
            told_by_line: HashSet::default(),
        }
    }

    /// Names the instances whose logs are read from now on.
    pub fn follow(&mut self, instances: collections::HashSet<InstanceId>) {
        self.followed = instances.into_iter().collect();
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
        let (ending, farewell_unread) = (ending(&event.record), left_farewell_unread(&event.record));
        if ending.is_none() && !farewell_unread {
            return;
        }
        let ends = Ends::of(&event.record);
        let Some(Known::Asked(Asked { ticket, expectation: asked, .. })) = self.known.get(&ends) else {
            self.ask(ends, event, ending);
            return;
        };
        let (ticket, asked) = (*ticket, *asked);
        if matches!(asked.ending, Ending::CutShort | Ending::CutAfterPause) && farewell_unread {
            self.joiner.withdraw(ticket, &asked);
        } else if may_be_quiet(asked.ending) && ending == Some(Ending::Closed) {
            // It was idle no longer: what is asked now is another question.
            self.of_ticket.remove(&ticket);
            self.joiner.withdraw(ticket, &asked);
            self.ask(ends, event, ending);
        }
    }

    fn ask(&mut self, ends: Ends, event: &Attributed, ending: Option<Ending>) {
        let expectation = ending.and_then(|ending| expectation(event, ending));
        let Some((expectation, instance)) = expectation.zip(event.placing.instance) else { return };
        if expectation.ending == Ending::Quiet && self.asked >= MAX_QUIET {
            return;
        }
        let found = self.discovery(instance, expectation.at).unwrap_or(expectation.at);
        let ticket = self.joiner.expect_until(expectation, found);
        self.of_ticket.insert(ticket, (ends, instance));
        match self.known.entry(ends) {
            Entry::Occupied(mut known) => match known.get_mut() {
                Known::Asked(asked) => (asked.ticket, asked.expectation) = (ticket, expectation),
                answered @ Known::Answered(_) => {
                    *answered = Known::Asked(Asked { ticket, expectation, held: None });
                    self.asked += 1;
                }
            },
            Entry::Vacant(unknown) => {
                unknown.insert(Known::Asked(Asked { ticket, expectation, held: None }));
                self.asked += 1;
            }
        }
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
        if !self.told_by_line.is_empty() && self.told_by_line.remove(&(ends, case.connection.first_at())) {
            return None;
        }
        case.logged = match self.known.entry(ends) {
            Entry::Vacant(_) => Logged::Unknown,
            Entry::Occupied(mut known) => {
                if let Known::Asked(asked) = known.get_mut() {
                    asked.held = Some(Box::new(case));
                    return None;
                }
                known.remove().answer().unwrap_or_default()
            }
        };
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
        if self.known.len() - self.asked > MAX_ANSWERS {
            self.known.retain(|_, known| matches!(known, Known::Asked(_)));
        }
        let mut ready = Vec::new();
        for (ticket, answer) in answers {
            let Some((ends, instance)) = self.of_ticket.remove(&ticket) else { continue };
            let logged = self.read(instance, answer);
            if let Some(case) = self.answer(ends, logged).filter(|case| self.is_told(case)) {
                ready.push(*case);
            }
        }
        ready.sort_by_key(|case| case.connection.first_at());
        ready
    }

    /// Gives the answer to the case, if that waits for it.
    fn answer(&mut self, ends: Ends, logged: Logged) -> Option<Box<Case>> {
        let Entry::Occupied(mut known) = self.known.entry(ends) else { return None };
        if let Known::Asked(asked) = known.get_mut() {
            self.asked -= 1;
            if let Some(mut case) = asked.held.take() {
                known.remove();
                case.logged = logged;
                return Some(case);
            }
        }
        *known.get_mut() = Known::Answered(logged);
        None
    }

    /// All cases that still wait, with what is known by now: the end of a session.
    pub fn flush(&mut self) -> Vec<Case> {
        let mut ready = Vec::new();
        // Each in its own time: near a disturbance nothing is joined, and by the end of time that is forgotten.
        while let Some(due) = self.joiner.next_deadline() {
            ready.extend(self.poll(due));
        }
        let held = self.known.values_mut().filter_map(Known::take_held);
        ready.extend(held.map(|case| *case).filter(Case::is_worth_a_verdict));
        ready.sort_by_key(|case| (case.connection.first_at(), case.connection.ends()));
        ready
    }

    /// How many ends wait for their lines.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.asked
    }

    /// Gives back the room of those that wait no longer.
    pub fn shrink(&mut self) {
        self.known.shrink_to_fit();
        self.of_ticket.shrink_to_fit();
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

#[cfg(test)]
mod tests;
