//! The lines and the ends of one worker and one server.

use std::collections::VecDeque;

use super::{
    super::line::Kind,
    Answer, Joined, Ticket, Windows,
    edges::Edges,
    held::{Expected, Held},
    pair::{Found, Pairs},
    rows::BITS,
    shelf::Shelf,
};
use crate::record::KernelTime;

/// So many empty places are borne.
const SPARSE: usize = 256;

/// The empty places before the others are many if they are this part of all.
const MUCH: usize = 8;

/// An end whose answer is awaited.
#[derive(Clone, Copy, Debug)]
struct Open {
    place: usize,
    due: KernelTime,
}

/// The lines and the ends of one worker and one server.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// Each in the place that it has among the edges.
    ends: Shelf<Expected>,
    /// The same of the lines that every end has been told of.
    lines: Shelf<Held>,
    edges: Edges,
    /// Lines of which an end may not have been told yet.
    fresh: Vec<Held>,
    /// When the first of these was written, at the latest.
    first_fresh: Option<KernelTime>,
    /// The ends whose answer is awaited, in the order in which they are due.
    open: VecDeque<Open>,
}

impl Bucket {
    /// Takes a line.
    pub(super) fn line(&mut self, held: Held) {
        self.first_fresh = self.first_fresh.into_iter().chain([held.written.latest]).min();
        self.fresh.push(held);
    }

    /// Takes an expectation, and gives when it is answered.
    pub(super) fn expect(&mut self, expected: Expected, windows: Windows) -> KernelTime {
        let due = expected.due;
        self.make_room(windows);
        self.edges.add_end(expected.span(windows));
        let place = self.ends.push(expected.expectation.at, expected);
        await_answer(&mut self.open, Open { place, due });
        due
    }

    /// Takes an expectation back; `false` if it was answered, or is none of these.
    pub(super) fn withdraw(&mut self, ticket: Ticket) -> bool {
        let is_this = |open: &Open| self.ends.get(open.place).is_some_and(|expected| expected.ticket == ticket);
        let Some(index) = self.open.iter().rposition(is_this) else { return false };
        let Some(Open { place, .. }) = self.open.remove(index) else { return false };
        self.ends.take(place);
        self.edges.remove_end(place);
        true
    }

    /// How many ends are held.
    pub(super) const fn expected(&self) -> usize {
        self.ends.things()
    }

    /// How many lines are held.
    pub(super) const fn lines(&self) -> usize {
        self.lines.things() + self.fresh.len()
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.expected() == 0 && self.lines() == 0
    }

    pub(super) fn next_due(&self) -> Option<KernelTime> {
        self.open.front().map(|open| open.due)
    }

    /// Answers what is due by `now`.
    pub(super) fn answer(
        &mut self,
        now: KernelTime,
        windows: Windows,
        pairs: &mut Pairs,
        answers: &mut Vec<(Ticket, Answer)>,
    ) {
        if self.next_due().is_none_or(|due| due > now) {
            return;
        }
        self.let_mature(now, windows);
        pairs.pair(&self.edges, |end| self.ends.get(end).is_some_and(|expected| expected.due <= now));
        for (line, end) in &pairs.own {
            if self.ends.get(*end).is_none_or(|expected| expected.due > now) {
                continue;
            }
            let (Some(expected), Some(held)) = (self.ends.take(*end), self.lines.take(*line)) else { continue };
            if !expected.answered {
                answers.push((expected.ticket, Answer::Joined(Box::new(Joined::own(held)))));
            }
        }
        self.answer_open(now, windows, pairs, answers);
        for (line, end) in pairs.own.iter().filter(|(line, _)| self.lines.get(*line).is_none()) {
            self.edges.remove_line(*line);
            self.edges.remove_end(*end);
        }
    }

    /// Answers those that have no line of their own.
    fn answer_open(&mut self, now: KernelTime, windows: Windows, pairs: &Pairs, answers: &mut Vec<(Ticket, Answer)>) {
        let Self { ends, lines, edges, fresh, open, .. } = self;
        // One after another they often have the same.
        let mut last = (Found::Nothing, Answer::NoLine);
        while let Some(Open { place, .. }) = open.pop_front_if(|open| open.due <= now) {
            let Some(expected) = ends.get_mut(place) else { continue };
            let found = pairs.of(edges, place);
            if found == Found::Nothing && expected.put_off(fresh, windows) {
                await_answer(open, Open { place, due: expected.due });
                continue;
            }
            if last.0 != found {
                let answer = told(&found, lines);
                last = (found, answer);
            }
            expected.answered = true;
            answers.push((expected.ticket, last.1.clone()));
        }
    }

    /// Of a line that was seen just now, the end may not have been told yet.
    fn let_mature(&mut self, now: KernelTime, windows: Windows) {
        if self.first_fresh.is_none_or(|first| first.after(windows.notice) > now) {
            return;
        }
        let mut fresh = std::mem::take(&mut self.fresh);
        for held in fresh.extract_if(.., |held| held.mature_at(windows) <= now) {
            self.make_room(windows);
            self.edges.add_line(held.span(), held.perhaps);
            self.lines.push(held.written.latest, held);
        }
        self.first_fresh = fresh.iter().map(|held| held.written.latest).min();
        self.fresh = fresh;
    }

    /// Takes the first places away if they are empty, and many; `false` if they are not.
    fn drop_first(&mut self) -> bool {
        let (lines, ends) = (self.lines.first() / BITS, self.ends.first() / BITS);
        let enough = |dropped: usize, places: usize| dropped * BITS * MUCH >= places;
        let are_enough = enough(lines, self.lines.places()) && enough(ends, self.ends.places());
        if !are_enough || lines + ends == 0 {
            return false;
        }
        self.edges.drop_first(lines, ends);
        self.lines.drop_first(lines * BITS);
        self.ends.drop_first(ends * BITS);
        self.open.iter_mut().for_each(|open| open.place -= ends * BITS);
        self.edges.have_room()
    }

    /// Makes room for one more line and one more end.
    fn make_room(&mut self, windows: Windows) {
        let is_sparse = |places: usize, things: usize| places > SPARSE && places / 4 > things;
        let are_sparse =
            is_sparse(self.ends.places(), self.ends.things()) || is_sparse(self.lines.places(), self.lines.things());
        if self.edges.have_room() && !are_sparse {
            return;
        }
        if !are_sparse && self.drop_first() {
            return;
        }
        self.ends.move_together();
        self.lines.move_together();
        self.edges.clear(room_for(self.lines.things()), room_for(self.ends.things()));
        self.ends.iter().for_each(|expected| self.edges.add_end(expected.span(windows)));
        self.lines.iter().for_each(|held| self.edges.add_line(held.span(), held.perhaps));
        self.open.clear();
        let open = self.ends.iter().enumerate().filter(|(_, expected)| !expected.answered);
        self.open.extend(open.map(|(place, Expected { due, .. })| Open { place, due: *due }));
        self.open.make_contiguous().sort_by_key(|open| open.due);
    }

    /// Lets go of what can belong to nothing any more; gives the kinds of such lines.
    pub(super) fn forget(&mut self, now: KernelTime, windows: Windows, mut left: impl FnMut(Kind)) {
        let oldest = now.before(windows.patience).before(windows.reach.saturating_mul(2));
        let Self { ends, lines, edges, fresh, first_fresh, .. } = self;
        let is_over = |expected: &Expected| expected.answered && expected.expectation.at < oldest;
        ends.forget(oldest, is_over, |place, _| edges.remove_end(place));
        lines.forget(
            oldest,
            |held| held.written.latest < oldest,
            |place, held| {
                edges.remove_line(place);
                left(held.line.complaint.kind);
            },
        );
        if first_fresh.is_some_and(|first| first < oldest) {
            let old = fresh.extract_if(.., |held| held.written.latest < oldest);
            old.for_each(|held| left(held.line.complaint.kind));
            *first_fresh = fresh.iter().map(|held| held.written.latest).min();
        }
    }
}

/// Takes an end among those whose answer is awaited. Most are due later than those before.
fn await_answer(open: &mut VecDeque<Open>, new: Open) {
    let later = open.iter().rev().take_while(|open| open.due > new.due).count();
    open.insert(open.len() - later, new);
}

/// Places for so many things, and for more that come before these are moved together.
fn room_for(things: usize) -> usize {
    things + things.clamp(32, 512)
}

fn told(found: &Found, lines: &Shelf<Held>) -> Answer {
    match found {
        Found::Among(of) => {
            let of: Vec<_> =
                of.iter().filter_map(|line| lines.get(*line)).map(|held| (&*held.line, held.serial)).collect();
            Joined::of(&of).map_or(Answer::NoLine, |joined| Answer::Joined(Box::new(joined)))
        }
        Found::Perhaps => Answer::Ambiguous,
        Found::Nothing => Answer::NoLine,
    }
}
