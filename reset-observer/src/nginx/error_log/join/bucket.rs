//! The lines and the ends of one worker and one server.

use std::time::Duration;

use super::{
    super::line::Line,
    Answer, Expectation, JoinCounts, Joined, Ticket, Windows, Written,
    edges::Edges,
    expectation::Endings,
    pair::{Found, pair},
};
use crate::record::KernelTime;

/// Answers are given this far apart, so that a storm of ends is put in order at once and not one after another.
pub(super) const TICK: Duration = Duration::from_nanos(TICK_NS);

const TICK_NS: u64 = 20_000_000;

/// A line that belongs to no end yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) line: Line,
    pub(super) endings: Endings,
    /// Of which it tells if there is no end of those.
    pub(super) perhaps: Endings,
    pub(super) written: Written,
    /// Its place among all lines.
    pub(super) serial: u64,
}

impl Held {
    /// From when on every end that this line may belong to has been told.
    fn mature_at(&self, windows: Windows) -> KernelTime {
        self.written.latest.after(windows.notice)
    }

    /// Whether it tells of such an end and may have been there since: its log was found only later.
    fn may_be_as_old_as(&self, end: &Expectation) -> bool {
        (self.endings.meets(Endings::only(end.ending)) || self.perhaps.meets(Endings::only(end.ending)))
            && self.written.earliest <= end.at
            && self.written.latest >= end.first_line()
    }
}

#[derive(Debug)]
struct Expected {
    ticket: Ticket,
    expectation: Expectation,
    due: KernelTime,
    /// The answer was put off, which happens once.
    put_off: bool,
    /// Kept all the same: a line that comes late may be this one's, and then it is no other's.
    answered: bool,
    owned: bool,
}

impl Expected {
    /// Whether its answer is awaited and due.
    fn is_due(&self, now: KernelTime) -> bool {
        !self.answered && self.due <= now
    }

    /// Puts the answer off, if there is no line yet but in a log that was found late.
    fn put_off(&mut self, found: &Found, immature: &[Held], windows: Windows) -> bool {
        if self.put_off || *found != Found::Nothing {
            return false;
        }
        let own = immature.iter().filter(|held| held.may_be_as_old_as(&self.expectation));
        let Some(mature) = own.map(|held| held.mature_at(windows)).max() else { return false };
        (self.put_off, self.due) = (true, tick_from(mature));
        true
    }
}

/// The lines and the ends of one worker and one server.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    expected: Vec<Expected>,
    pub(super) lines: Vec<Held>,
}

impl Bucket {
    /// Takes an expectation, and gives when it is answered.
    pub(super) fn expect(&mut self, ticket: Ticket, expectation: Expectation, due: KernelTime) -> KernelTime {
        let due = tick_from(due);
        self.expected.push(Expected { ticket, expectation, due, put_off: false, answered: false, owned: false });
        due
    }

    /// Takes an expectation back; `false` if it was answered, or is none of these.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> bool {
        let open = |expected: &Expected| expected.ticket == ticket && !expected.answered;
        self.expected.iter().rposition(open).map(|place| self.expected.remove(place)).is_some()
    }

    pub(super) fn expected(&self) -> usize {
        self.expected.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.expected.is_empty() && self.lines.is_empty()
    }

    pub(super) fn next_due(&self) -> Option<KernelTime> {
        self.expected.iter().filter(|expected| !expected.answered).map(|expected| expected.due).min()
    }

    /// Answers what is due by `now`.
    pub(super) fn answer(&mut self, now: KernelTime, windows: Windows, answers: &mut Vec<(Ticket, Answer)>) {
        if self.next_due().is_none_or(|due| due > now) {
            return;
        }
        // Of a line that was seen just now, the end may not have been told yet.
        self.lines.sort_by_key(|held| held.mature_at(windows) > now);
        let mature = self.lines.partition_point(|held| held.mature_at(windows) <= now);
        let edges = Edges::between(&self.lines[..mature], self.expectations(), windows.reach);
        let pairs = pair(&edges);
        let mut taken = vec![false; mature];
        let mut found: Vec<Option<usize>> = vec![None; self.expected.len()];
        for (end, place) in edges.ends.iter().enumerate() {
            let expected = &mut self.expected[*place];
            if expected.due <= now {
                found[*place] = Some(end);
                if let Some(line) = pairs.own(end) {
                    (taken[edges.lines[line]], expected.owned) = (true, true);
                }
            }
        }
        for (expected, end) in self.expected.iter_mut().zip(found).filter(|(expected, _)| expected.is_due(now)) {
            // An end that no line comes near is not among those paired.
            let found = end.map_or(Found::Nothing, |end| pairs.of(end));
            if expected.put_off(&found, &self.lines[mature..], windows) {
                continue;
            }
            expected.answered = true;
            answers.push((expected.ticket, told(&found, |line| &self.lines[edges.lines[line]])));
        }
        self.expected.retain(|expected| !expected.owned);
        let mut taken = taken.into_iter();
        self.lines.retain(|_| !taken.next().unwrap_or_default());
    }

    fn expectations(&self) -> impl Iterator<Item = &Expectation> {
        self.expected.iter().map(|expected| &expected.expectation)
    }

    /// Lets go of what can belong to nothing any more.
    pub(super) fn forget(&mut self, now: KernelTime, windows: Windows, counts: &mut JoinCounts) {
        let oldest = now.before(windows.patience).before(windows.reach.saturating_mul(2));
        self.expected.retain(|expected| !expected.answered || expected.expectation.at >= oldest);
        self.lines.retain(|held| {
            let keep = held.written.latest >= oldest;
            if !keep {
                *counts.lines_left.entry(held.line.complaint.kind).or_default() += 1;
            }
            keep
        });
    }
}

/// The first tick that is not before `at`.
fn tick_from(at: KernelTime) -> KernelTime {
    KernelTime(at.0.div_ceil(TICK_NS).saturating_mul(TICK_NS))
}

fn told<'a>(found: &Found, held: impl Fn(usize) -> &'a Held) -> Answer {
    let common = |of: &[usize]| {
        let lines = of.iter().map(|line| held(*line)).map(|held| (&held.line, held.serial));
        let lines: Vec<(&Line, u64)> = lines.collect();
        Joined::of(&lines).map_or(Answer::NoLine, |joined| Answer::Joined(Box::new(joined)))
    };
    match found {
        Found::Own(line) => common(&[*line]),
        Found::Among(lines) => common(lines),
        Found::Perhaps => Answer::Ambiguous,
        Found::Nothing => Answer::NoLine,
    }
}
