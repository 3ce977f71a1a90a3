//! Gives ends their lines, as far as there is only one way.
//!
//! Lines and ends make a graph: an edge where a line may be an end's own. The truth is one of its largest matchings, as
//! long as no end without a line meets a line without an end. A line is an end's own if every largest matching has
//! that edge. An end has one of its lines if every largest matching covers it.

use std::collections::VecDeque;

use fixedbitset::FixedBitSet;

use super::{
    edges::Edges,
    rows::{BITS, Common},
};

/// How often all lines are looked at in turn before those are followed that a taken end concerns: in the order of time, one
/// look is mostly enough.
const LOOKS: usize = 3;

/// A set of so many numbers is not kept for one that has far fewer.
const LARGE: usize = 1024;

/// What is known of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// One of these lines.
    Among(Vec<usize>),
    /// One of some lines, or none.
    Perhaps,
    /// No line.
    Nothing,
}

/// What is known of all ends. Its memory is used again for the next graph.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Each line that is an end's own, and that end.
    pub(super) own: Vec<(usize, usize)>,
    /// These lines, and all that are gone.
    taken: FixedBitSet,
    /// Ends that may as well have no line.
    uncovered: FixedBitSet,
    /// Ends that have no line yet, and one that may be theirs.
    free: FixedBitSet,
    /// Lines that have not got an end, and one that may be theirs.
    rest: Vec<usize>,
    matching: Matching,
}

impl Pairs {
    /// What is known of this end, which has no line of its own.
    pub(super) fn of(&self, edges: &Edges, end: usize) -> Found {
        let mut left = edges.lines_of.row(end).beyond(&self.taken);
        match left.next() {
            None => Found::Nothing,
            Some(_) if self.uncovered[end] => Found::Perhaps,
            Some(first) => Found::Among(std::iter::once(first).chain(left).collect()),
        }
    }

    /// Leaves every end without a line.
    pub(super) fn clear(&mut self, edges: &Edges) {
        let (lines, ends) = (edges.lines_of.columns(), edges.ends_of.columns());
        self.own.clear();
        self.rest.clear();
        fill(&mut self.taken, lines);
        self.taken.difference_with(&edges.lines_left);
        empty(&mut self.uncovered, ends);
        empty(&mut self.free, ends);
    }

    /// Pairs ends with lines, unless none of `concerned` meets a line.
    pub(super) fn pair(&mut self, edges: &Edges, concerned: impl Fn(usize) -> bool) {
        self.clear(edges);
        edges.lines_left.ones().for_each(|line| edges.ends_of.row(line).add_to(&mut self.free));
        self.free.intersect_with(&edges.ends_left);
        if !self.free.ones().any(concerned) {
            return;
        }
        self.matching.linked.clone_from(&self.free);
        self.peel(edges);
        // Where each line got the only end left, none of those ends may as well have another one, or none.
        if !self.rest.is_empty() {
            self.matching.complete(edges, &self.own, &self.rest, &mut self.free);
            let moved = self.matching.reachable_from_lines(edges, &self.rest);
            self.own.retain(|(_, end)| !moved[*end]);
            self.matching.reachable_from_ends(edges, &self.free, &mut self.uncovered);
        }
        self.taken.extend(self.own.iter().map(|(line, _)| *line));
    }

    /// Again and again gives a line that has one end left that end. Such edges are part of a largest matching, and if
    /// there is only one that covers all, it is found so.
    fn peel(&mut self, edges: &Edges) {
        let Self { own, free, rest, matching, .. } = self;
        for line in edges.lines_left.ones() {
            let row = edges.ends_of.row(line);
            match row.common(free) {
                Common::Only(end) => {
                    free.remove(end);
                    own.push((line, end));
                }
                Common::Several => rest.push(line),
                Common::Nothing if row.meets(&matching.linked) => rest.push(line),
                Common::Nothing => {}
            }
        }
        let mut before = 0;
        for _ in 1..LOOKS {
            if rest.is_empty() || own.len() == before {
                return;
            }
            before = own.len();
            rest.retain(|line| is_left(edges, *line, own, free));
        }
        if own.len() > before {
            self.follow(edges);
        }
    }

    /// The same for lines in any order.
    fn follow(&mut self, edges: &Edges) {
        let Self { own, free, rest, .. } = self;
        // Counted once it matters: in a storm most lines have many ends, and none of them is taken here.
        let mut left: Vec<Option<u32>> = vec![None; edges.ends_of.len()];
        let has_one = |line: &usize| edges.ends_of.row(*line).only_common(free).is_some();
        let mut ready: VecDeque<usize> = rest.iter().copied().filter(has_one).collect();
        let already = own.len();
        while let Some(line) = ready.pop_front() {
            let Some(end) = edges.ends_of.row(line).first_common(free) else { continue };
            free.remove(end);
            own.push((line, end));
            for other in edges.lines_of.row(end).ones() {
                let count = match left[other] {
                    Some(count) => count.saturating_sub(1),
                    None => edges.ends_of.row(other).count_common(free),
                };
                left[other] = Some(count);
                if count == 1 {
                    ready.push_back(other);
                }
            }
        }
        let mut given = FixedBitSet::with_capacity(edges.ends_of.len());
        given.extend(own[already..].iter().map(|(line, _)| *line));
        rest.retain(|line| !given[*line]);
    }
}

/// Gives the line its end, unless it has several left, or none.
fn is_left(edges: &Edges, line: usize, own: &mut Vec<(usize, usize)>, free: &mut FixedBitSet) -> bool {
    let Some(end) = edges.ends_of.row(line).only_common(free) else { return true };
    free.remove(end);
    own.push((line, end));
    false
}

/// A largest matching of lines and ends, and what may change in it.
#[derive(Debug, Default)]
struct Matching {
    line_of: Vec<Option<usize>>,
    end_of: Vec<Option<usize>>,
    came_by: Vec<Option<usize>>,
    /// Ends that may have a line.
    linked: FixedBitSet,
    /// Ends that no search has seen.
    unseen: FixedBitSet,
    seen: Vec<usize>,
    queue: VecDeque<usize>,
}

impl Matching {
    /// Begins with what is `own` and makes the matching a largest one, along augmenting paths from the rest of the lines.
    /// What a failed search has seen leads nowhere later either.
    fn complete(&mut self, edges: &Edges, own: &[(usize, usize)], rest: &[usize], free: &mut FixedBitSet) {
        let (lines, ends) = (edges.ends_of.len(), edges.lines_of.len());
        for (them, count) in [(&mut self.line_of, ends), (&mut self.end_of, lines)] {
            them.clear();
            them.resize(count, None);
        }
        self.came_by.resize(ends, None);
        for (line, end) in own {
            (self.line_of[*end], self.end_of[*line]) = (Some(*line), Some(*end));
        }
        self.unseen.clone_from(&self.linked);
        // In a storm ends are given in their order: what was passed is taken.
        let mut first = 0;
        for line in rest {
            while free.as_slice().get(first).is_some_and(|block| *block == 0) {
                first += 1;
            }
            if first * BITS >= free.len() {
                return;
            }
            self.augment(edges, *line, free, first);
        }
    }

    /// Gives one more line an end, if that can be. No end before the `first` block is free.
    fn augment(&mut self, edges: &Edges, start: usize, free: &mut FixedBitSet, first: usize) {
        let Self { line_of, end_of, came_by, unseen, seen, queue, .. } = self;
        if let Some(end) = edges.ends_of.row(start).first_common_from(first, free) {
            free.remove(end);
            (line_of[end], end_of[start]) = (Some(start), Some(end));
            return;
        }
        seen.clear();
        queue.clear();
        queue.push_back(start);
        while let Some(line) = queue.pop_front() {
            let ends = edges.ends_of.row(line);
            if let Some(end) = ends.first_common_from(first, free) {
                came_by[end] = Some(line);
                free.remove(end);
                unseen.extend(seen.drain(..));
                self.turn(end, start);
                return;
            }
            ends.take(unseen, |end| {
                seen.push(end);
                came_by[end] = Some(line);
                queue.extend(line_of[end]);
            });
        }
    }

    fn turn(&mut self, free: usize, start: usize) {
        let mut end = free;
        while let Some(line) = self.came_by[end] {
            let before = self.end_of[line].replace(end);
            self.line_of[end] = Some(line);
            let Some(before) = before.filter(|_| line != start) else { return };
            end = before;
        }
    }

    /// The ends whose line may as well be another one, because some line of the rest is left over.
    fn reachable_from_lines(&mut self, edges: &Edges, rest: &[usize]) -> &FixedBitSet {
        let Self { line_of, end_of, unseen, queue, linked, .. } = self;
        queue.clear();
        queue.extend(rest.iter().copied().filter(|line| end_of[*line].is_none()));
        if queue.is_empty() {
            unseen.clear();
            return unseen;
        }
        unseen.clone_from(linked);
        let mut left = unseen.count_ones(..);
        while let Some(line) = queue.pop_back().filter(|_| left > 0) {
            edges.ends_of.row(line).take(unseen, |end| {
                left -= 1;
                queue.extend(line_of[end]);
            });
        }
        unseen.symmetric_difference_with(linked);
        unseen
    }

    /// Adds to `seen` the ends that may as well have no line, because some end is left over.
    fn reachable_from_ends(&mut self, edges: &Edges, free: &FixedBitSet, seen: &mut FixedBitSet) {
        if free.is_clear() {
            return;
        }
        let Self { end_of, unseen, queue, .. } = self;
        seen.union_with(free);
        queue.clear();
        queue.extend(free.ones());
        let unasked = unseen;
        unasked.clone_from(&edges.lines_left);
        while let Some(end) = queue.pop_back() {
            edges.lines_of.row(end).take(unasked, |line| {
                queue.extend(end_of[line].filter(|partner| !seen.put(*partner)));
            });
        }
    }
}

/// No number, of those below this one.
fn empty(set: &mut FixedBitSet, below: usize) {
    if set.len() > LARGE && set.len() / 8 > below {
        *set = FixedBitSet::new();
    }
    set.clear();
    set.grow(below);
}

/// Every number below this one.
fn fill(set: &mut FixedBitSet, below: usize) {
    empty(set, below);
    set.insert_range(..below);
}

#[cfg(test)]
mod tests;
