//! Which line may belong to which end, as sets, kept as lines and ends come and go: in a storm there are millions of such
//! pairs, and few of them change between two looks.

use super::{
    expectation::Endings,
    rows::{self, Rows},
};

/// Within which time a line was written, or an end's line must be, and of which endings it tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) endings: Endings,
}

impl Span {
    /// In the place of what is gone.
    const GONE: Self = Self { from: u64::MAX, to: 0, endings: Endings::NONE };

    const fn meets(&self, other: &Self) -> bool {
        self.endings.meets(other.endings) && self.from <= other.to && other.from <= self.to
    }
}

/// A line, with the endings that it tells of for the time being.
#[derive(Clone, Copy, Debug)]
struct Teller {
    span: Span,
    surely: Endings,
    /// Of which it tells as long as there is no end of those.
    perhaps: Endings,
}

impl Teller {
    const GONE: Self = Self { span: Span::GONE, surely: Endings::NONE, perhaps: Endings::NONE };

    const fn as_told(&self, endings: Endings) -> Span {
        Span { endings, ..self.span }
    }

    const fn has_another_reading(&self) -> bool {
        !self.perhaps.is_empty()
    }
}

/// For each line the ends that it may belong to, and for each end these lines. Each has a place, in the order in which they
/// came, that stays empty once it is gone.
#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) ends_of: Rows,
    pub(super) lines_of: Rows,
    lines: Vec<Teller>,
    ends: Vec<Span>,
}

impl Edges {
    /// Of each line the ends that it may belong to.
    #[cfg(test)]
    pub(super) fn of(ends_of: &[Vec<usize>], ends: usize) -> Self {
        let mut edges = Self::default();
        edges.clear(ends_of.len(), ends);
        (0..ends).for_each(|_| edges.lines_of.push());
        for (line, its_ends) in ends_of.iter().enumerate() {
            edges.ends_of.push();
            its_ends.iter().for_each(|end| edges.link(line, *end));
        }
        edges
    }

    /// Empties all places and makes room for so many.
    pub(super) fn clear(&mut self, lines: usize, ends: usize) {
        self.ends_of.clear(ends);
        self.lines_of.clear(lines);
        self.lines.clear();
        self.ends.clear();
    }

    /// Whether there is room for one more line and one more end.
    pub(super) fn have_room(&self) -> bool {
        self.lines.len() < self.lines_of.columns() && self.ends.len() < self.ends_of.columns()
    }

    /// Takes an end into the next place.
    pub(super) fn add_end(&mut self, end: Span) {
        let place = self.ends.len();
        self.ends.push(end);
        self.lines_of.push();
        for line in 0..self.lines.len() {
            let teller = self.lines[line];
            if teller.span.meets(&end) {
                self.link(line, place);
            } else if teller.has_another_reading() && teller.as_told(teller.surely).meets(&end) {
                self.unlink_line(line);
                self.lines[line].span.endings = teller.surely;
                self.link(line, place);
            }
        }
    }

    /// Takes a line into the next place. It may be an end's own if it tells of such an ending, and their times meet. If it is
    /// of no end so, it may be of those that it `perhaps` tells of.
    pub(super) fn add_line(&mut self, line: Span, perhaps: Endings) {
        let place = self.lines.len();
        self.lines.push(Teller { span: line, surely: line.endings, perhaps });
        self.ends_of.push();
        self.link_line(place);
        self.reread(place);
    }

    /// Empties the place of an end.
    pub(super) fn remove_end(&mut self, end: usize) {
        self.ends[end] = Span::GONE;
        while let Some(line) = rows::pop(self.lines_of.row_mut(end)) {
            rows::remove(self.ends_of.row_mut(line), end);
            self.reread(line);
        }
    }

    /// Empties the place of a line.
    pub(super) fn remove_line(&mut self, line: usize) {
        self.unlink_line(line);
        self.lines[line] = Teller::GONE;
    }

    /// A line that is of no end that it tells of may be of those that it perhaps tells of.
    fn reread(&mut self, line: usize) {
        let teller = &mut self.lines[line];
        if teller.has_another_reading() && rows::is_empty(self.ends_of.row(line)) {
            teller.span.endings = teller.perhaps;
            self.link_line(line);
        }
    }

    fn link_line(&mut self, line: usize) {
        let span = self.lines[line].span;
        for end in 0..self.ends.len() {
            if span.meets(&self.ends[end]) {
                self.link(line, end);
            }
        }
    }

    fn link(&mut self, line: usize, end: usize) {
        rows::insert(self.ends_of.row_mut(line), end);
        rows::insert(self.lines_of.row_mut(end), line);
    }

    fn unlink_line(&mut self, line: usize) {
        for end in rows::ones(self.ends_of.row(line)) {
            rows::remove(self.lines_of.row_mut(end), line);
        }
        self.ends_of.row_mut(line).fill(0);
    }
}
