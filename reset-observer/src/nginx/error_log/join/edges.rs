//! Which line may belong to which end, as sets, kept as lines and ends come and go: in a storm there are millions of such
//! pairs, and few of them change between two looks.

use fixedbitset::FixedBitSet;
use smallvec::SmallVec;

use super::{
    expectation::Endings,
    rows::{BITS, Rows, members},
    span::{Extent, Meeting, Span},
};

/// A line, with the endings that it tells of for the time being.
#[derive(Clone, Copy, Debug)]
struct Teller {
    span: Span,
    surely: Endings,
    /// Of which it tells as long as there is no end of those.
    perhaps: Endings,
}

impl Teller {
    const fn as_told(&self, endings: Endings) -> Span {
        Span { endings, ..self.span }
    }

    const fn has_another_reading(&self) -> bool {
        !self.perhaps.is_empty()
    }
}

/// For each line the ends that it may belong to, and for each end these lines. Each has a place, in the order in which they
/// came, that stays empty once it is gone; the sets of the others may still name what is gone.
#[derive(Debug, Default)]
pub(super) struct Edges {
    pub(super) ends_of: Rows,
    pub(super) lines_of: Rows,
    lines: Vec<Teller>,
    ends: Vec<Span>,
    /// Of each block of places: what is or was there.
    extent_of_lines: Vec<Extent>,
    extent_of_ends: Vec<Extent>,
    pub(super) lines_left: FixedBitSet,
    pub(super) ends_left: FixedBitSet,
    /// There is a line, or was, that may be read in another way.
    are_other_readings: bool,
}

impl Edges {
    /// Of each line the ends that it may belong to.
    #[cfg(test)]
    pub(super) fn of(ends_of: &[Vec<usize>], ends: usize) -> Self {
        let mut edges = Self::default();
        edges.clear(ends_of.len(), ends);
        edges.lines_left.insert_range(..ends_of.len());
        edges.ends_left.insert_range(..ends);
        (0..ends).for_each(|_| edges.lines_of.push());
        for (line, its_ends) in ends_of.iter().enumerate() {
            edges.ends_of.push();
            for end in its_ends {
                edges.ends_of.insert(line, *end);
                edges.lines_of.insert(*end, line);
            }
        }
        edges
    }

    /// Empties all places and makes room for so many.
    pub(super) fn clear(&mut self, lines: usize, ends: usize) {
        self.ends_of.clear(lines, ends);
        self.lines_of.clear(ends, lines);
        self.lines.clear();
        self.ends.clear();
        self.extent_of_lines.clear();
        self.extent_of_ends.clear();
        self.are_other_readings = false;
        for (left, room) in [(&mut self.lines_left, &self.lines_of), (&mut self.ends_left, &self.ends_of)] {
            *left = FixedBitSet::with_capacity(room.columns());
        }
    }

    /// Whether there is room for one more line and one more end.
    pub(super) fn have_room(&self) -> bool {
        self.lines.len() < self.lines_of.columns() && self.ends.len() < self.ends_of.columns()
    }

    /// Takes the first places away, which are empty: so many blocks of places each.
    pub(super) fn drop_first(&mut self, lines: usize, ends: usize) {
        self.ends_of.drop_first(lines, ends);
        self.lines_of.drop_first(ends, lines);
        self.lines.drain(..lines * BITS);
        self.ends.drain(..ends * BITS);
        self.extent_of_lines.drain(..lines);
        self.extent_of_ends.drain(..ends);
        for (left, dropped) in [(&mut self.lines_left, lines), (&mut self.ends_left, ends)] {
            let blocks = left.as_mut_slice();
            blocks.copy_within(dropped.., 0);
            let kept = blocks.len() - dropped;
            blocks[kept..].fill(0);
        }
    }

    /// Takes an end into the next place.
    pub(super) fn add_end(&mut self, end: Span) {
        let place = self.ends.len();
        self.ends.push(end);
        Extent::add(&mut self.extent_of_ends, place, &end, false);
        self.lines_of.push();
        self.ends_left.insert(place);
        for index in 0..self.extent_of_lines.len() {
            let left = self.lines_left.as_slice()[index];
            let met = match self.extent_of_lines[index].meeting(&end) {
                Meeting::None => 0,
                Meeting::All => left,
                Meeting::Some => self.lines_meeting(&end, index, left),
            };
            if met != 0 {
                self.ends_of.insert_in_each(index, met, place);
                self.lines_of.insert_block(place, index, met);
            }
        }
    }

    /// Which of the lines of a block that are `left` meet an end. One that was read in another way for want of such an end
    /// is read as what it surely tells again.
    fn lines_meeting(&mut self, end: &Span, index: usize, left: usize) -> usize {
        let Self { ends_of, lines_of, lines, .. } = self;
        let mut met = 0;
        for line in members(index, left) {
            let teller = &mut lines[line];
            if !teller.span.meets(end) {
                if !(teller.has_another_reading() && teller.as_told(teller.surely).meets(end)) {
                    continue;
                }
                ends_of.row(line).ones().for_each(|end| lines_of.remove(end, line));
                ends_of.empty(line);
                teller.span.endings = teller.surely;
            }
            met |= 1 << (line % BITS);
        }
        met
    }

    /// Takes a line into the next place. It may be an end's own if it tells of such an ending, and their times meet. If it is
    /// of no end so, it may be of those that it `perhaps` tells of.
    pub(super) fn add_line(&mut self, line: Span, perhaps: Endings) {
        let place = self.lines.len();
        self.lines.push(Teller { span: line, surely: line.endings, perhaps });
        Extent::add(&mut self.extent_of_lines, place, &line, !perhaps.is_empty());
        self.ends_of.push();
        self.lines_left.insert(place);
        self.are_other_readings |= !perhaps.is_empty();
        self.link_line(place);
        self.reread(place);
    }

    /// Empties the place of an end.
    pub(super) fn remove_end(&mut self, end: usize) {
        self.ends_left.remove(end);
        if !self.are_other_readings {
            return;
        }
        let has_another = |line: &usize| self.lines_left[*line] && self.lines[*line].has_another_reading();
        let its: SmallVec<[usize; 32]> = self.lines_of.row(end).ones().filter(has_another).collect();
        for line in its {
            self.ends_of.remove(line, end);
            self.reread(line);
        }
    }

    /// Empties the place of a line.
    pub(super) fn remove_line(&mut self, line: usize) {
        self.ends_of.empty(line);
        self.lines_left.remove(line);
    }

    /// A line that is of no end that it tells of may be of those that it perhaps tells of.
    fn reread(&mut self, line: usize) {
        let teller = &mut self.lines[line];
        if teller.has_another_reading() && self.ends_of.row(line).is_empty() {
            teller.span.endings = teller.perhaps;
            self.link_line(line);
        }
    }

    fn link_line(&mut self, line: usize) {
        let span = self.lines[line].span;
        let Self { ends_of, lines_of, ends, ends_left, extent_of_ends, .. } = self;
        for (index, (left, extent)) in ends_left.as_slice().iter().zip(extent_of_ends).enumerate() {
            let bit = |end: usize| usize::from(span.meets(&ends[end])) << (end % BITS);
            let met = match extent.meeting(&span) {
                Meeting::None => 0,
                Meeting::All => *left,
                Meeting::Some => members(index, *left).fold(0, |met, end| met | bit(end)),
            };
            if met != 0 {
                ends_of.insert_block(line, index, met);
                lines_of.insert_in_each(index, met, line);
            }
        }
    }
}
