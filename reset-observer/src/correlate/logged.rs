//! What nginx's error log says of the ends of connections.

use std::{collections, time::Duration};

use foldhash::{HashMap, HashSet};

use super::{Case, Ends};
use crate::{
    attribute::Attributed,
    nginx::{
        error_log::{
            join::{Answer, Ending, JoinCounts, Joined, LineJoiner, LogId, Windows, Written},
            line::Line,
        },
        processes::InstanceId,
    },
    record::KernelTime,
};

mod question;
mod questions;

use question::{ending, expectation, left_farewell_unread, may_be_quiet};
use questions::{Question, Questions, Waiting};

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
    questions: Questions,
    /// Ends that were said because a line told of them: what comes after is of the same end.
    told_by_line: HashSet<(Ends, KernelTime)>,
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
            questions: Questions::default(),
            told_by_line: HashSet::default(),
        }
    }

    /// Names the instances whose logs are read from now on.
    pub fn follow(&mut self, instances: collections::HashSet<InstanceId>) {
        self.followed = instances.into_iter().collect();
    }

    /// Takes a line of a log.
    pub fn line(&mut self, log: LogId, line: impl Into<Box<Line>>, written: Written) {
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
        let hash = self.questions.hash(&ends);
        let Some(&Question { ticket, expectation: asked, .. }) = self.questions.find(&ends, hash) else {
            self.ask(ends, hash, event, ending);
            return;
        };
        if matches!(asked.ending, Ending::CutShort | Ending::CutAfterPause) && farewell_unread {
            self.joiner.withdraw(ticket, &asked);
        } else if may_be_quiet(asked.ending) && ending == Some(Ending::Closed) {
            // It was idle no longer: what is asked now is another question.
            self.joiner.withdraw(ticket, &asked);
            self.ask(ends, hash, event, ending);
        }
    }

    fn ask(&mut self, ends: Ends, hash: u64, event: &Attributed, ending: Option<Ending>) {
        let expectation = ending.and_then(|ending| expectation(event, ending));
        let Some((expectation, instance)) = expectation.zip(event.placing.instance) else { return };
        if expectation.ending == Ending::Quiet && self.questions.waiting() >= MAX_QUIET {
            return;
        }
        let found = self.discovery(instance, expectation.at).unwrap_or(expectation.at);
        let ticket = self.joiner.expect_until(expectation, found);
        self.questions.ask(ends, hash, Question { ticket, instance, expectation });
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
    pub fn complete(&mut self, case: Case) -> Option<Case> {
        let ends = case.connection.ends();
        if !self.told_by_line.is_empty() && self.told_by_line.remove(&(ends, case.connection.first_at())) {
            return None;
        }
        match self.questions.complete(case, &ends) {
            Waiting::Held => None,
            Waiting::Over(case) => self.is_told(&case).then_some(case),
        }
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
        if self.questions.unclaimed() > MAX_ANSWERS {
            self.questions.forget_unclaimed();
        }
        let mut ready = Vec::new();
        for (ticket, answer) in answers {
            let case = self.questions.answer(ticket, |instance| read(&self.followed, instance, answer));
            ready.extend(case.filter(|case| self.is_told(case)));
        }
        ready.sort_by_key(|case| case.connection.first_at());
        ready.into_iter().map(|case| *case).collect()
    }

    /// All cases that still wait, with what is known by now: the end of a session.
    pub fn flush(&mut self) -> Vec<Case> {
        let mut ready = Vec::new();
        // Each in its own time: near a disturbance nothing is joined, and by the end of time that is forgotten.
        while let Some(due) = self.joiner.next_deadline() {
            ready.extend(self.poll(due));
        }
        ready.extend(self.questions.take_held().map(|case| *case).filter(Case::is_worth_a_verdict));
        ready.sort_by_key(|case| (case.connection.first_at(), case.connection.ends()));
        ready
    }

    /// How many ends wait for their lines.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.questions.waiting()
    }

    /// Gives back the room of those that wait no longer.
    pub fn shrink(&mut self) {
        self.questions.shrink();
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

fn read(followed: &HashSet<InstanceId>, instance: InstanceId, answer: Answer) -> Logged {
    match answer {
        Answer::Joined(joined) => Logged::Line(joined),
        Answer::NoLine if followed.contains(&instance) => Logged::Nothing,
        Answer::NoLine | Answer::Ambiguous => Logged::Unknown,
    }
}

#[cfg(test)]
mod tests;
