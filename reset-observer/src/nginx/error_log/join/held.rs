//! A line and an end that wait for each other.

use super::{super::line::Line, Expectation, Ticket, Windows, Written, expectation::Endings, span::Span};
use crate::record::KernelTime;

/// Answers are given this far apart, so that a storm of ends is put in order at once and not one after another.
const TICK_NS: u64 = 20_000_000;

/// A line that belongs to no end yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) line: Box<Line>,
    pub(super) endings: Endings,
    /// Of which it tells if there is no end of those.
    pub(super) perhaps: Endings,
    pub(super) written: Written,
    /// Its place among all tries, if it names the client's connection.
    pub(super) serial: u64,
}

impl Held {
    /// From when on every end that this line may belong to has been told.
    pub(super) fn mature_at(&self, windows: Windows) -> KernelTime {
        self.written.latest.after(windows.notice)
    }

    /// Whether it tells of such an end and may have been there since: its log was found only later.
    pub(super) fn may_be_as_old_as(&self, end: &Expectation) -> bool {
        (self.endings.meets(Endings::only(end.ending)) || self.perhaps.meets(Endings::only(end.ending)))
            && self.written.earliest <= end.at
            && self.written.latest >= end.first_line()
    }

    pub(super) const fn span(&self) -> Span {
        Span { from: self.written.earliest.0, to: self.written.latest.0, endings: self.endings }
    }
}

/// An end whose line is asked for.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) ticket: Ticket,
    pub(super) expectation: Expectation,
    pub(super) due: KernelTime,
    /// The answer was put off, which happens once.
    pub(super) put_off: bool,
    /// Kept all the same: a line that comes late may be this one's, and then it is no other's.
    pub(super) answered: bool,
}

impl Expected {
    /// An end that is answered at the first tick from `due` on.
    pub(super) fn new(ticket: Ticket, expectation: Expectation, due: KernelTime) -> Self {
        Self { ticket, expectation, due: tick_from(due), put_off: false, answered: false }
    }

    /// Puts the answer off, if the line of an end without one may be among those in a log that was found late.
    pub(super) fn put_off(&mut self, fresh: &[Held], windows: Windows) -> bool {
        if self.put_off {
            return false;
        }
        let own = fresh.iter().filter(|held| held.may_be_as_old_as(&self.expectation));
        let Some(mature) = own.map(|held| held.mature_at(windows)).max() else { return false };
        (self.put_off, self.due) = (true, tick_from(mature));
        true
    }

    /// The span of its line: not there before the end, and written within `reach` after it.
    pub(super) fn span(&self, windows: Windows) -> Span {
        let Expectation { ending, .. } = self.expectation;
        let (from, to) = (self.expectation.first_line(), self.expectation.last_line(windows.reach));
        Span { from: from.0, to: to.0, endings: Endings::only(ending) }
    }
}

/// The first tick that is not before `at`.
fn tick_from(at: KernelTime) -> KernelTime {
    KernelTime(at.0.div_ceil(TICK_NS).saturating_mul(TICK_NS))
}
