//! Gives ends their lines, as far as there is only one way.
//!
//! Lines and ends make a graph: an edge where a line may be an end's own. The truth is one of its largest matchings, as
//! long as no end without a line meets a line without an end. A line is an end's own if every largest matching has
//! that edge. An end has one of its lines if every largest matching covers it.

use std::collections::VecDeque;

use fixedbitset::FixedBitSet;

use super::{
    edges::Edges,
    rows::{beyond, count_common, first_common, ones, take},
};

/// What is known of one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This line.
    Own(usize),
    /// One of these lines.
    Among(Vec<usize>),
    /// One of some lines, or none.
    Perhaps,
    /// No line.
    Nothing,
}

/// What is known of all ends.
#[derive(Debug)]
pub(super) struct Pairs<'a> {
    edges: &'a Edges,
    own: Vec<Option<usize>>,
    /// Lines that are some end's own.
    taken: FixedBitSet,
    /// Ends that may as well have no line.
    uncovered: FixedBitSet,
}

impl Pairs<'_> {
    /// The line that is this end's own.
    pub(super) fn own(&self, end: usize) -> Option<usize> {
        self.own[end]
    }

    /// What is known of this end.
    pub(super) fn of(&self, end: usize) -> Found {
        let mut left = beyond(self.edges.lines_of.row(end), &self.taken);
        match (self.own[end], left.next()) {
            (Some(line), _) => Found::Own(line),
            (None, None) => Found::Nothing,
            (None, Some(_)) if self.uncovered[end] => Found::Perhaps,
            (None, Some(first)) => Found::Among(std::iter::once(first).chain(left).collect()),
        }
    }
}

struct Graph<'a> {
    edges: &'a Edges,
    line_of: Vec<Option<usize>>,
    end_of: Vec<Option<usize>>,
    /// Ends that have no line yet.
    free: FixedBitSet,
    /// Lines that had only one end left when they got it.
    forced: FixedBitSet,
}

/// Pairs ends with lines.
pub(super) fn pair(edges: &Edges) -> Pairs<'_> {
    let mut graph = Graph::new(edges);
    graph.peel();
    graph.complete();
    let moved = graph.reachable_from_lines();
    let uncovered = graph.reachable_from_ends();
    let certain = |end: usize| !moved[end] && !uncovered[end];
    let own = graph.line_of.iter().enumerate();
    let own: Vec<_> = own.map(|(end, line)| line.filter(|line| graph.forced[*line] && certain(end))).collect();
    let mut taken = FixedBitSet::with_capacity(edges.ends_of.len());
    taken.extend(own.iter().flatten().copied());
    Pairs { edges, own, taken, uncovered }
}

/// Every number below this one.
fn all(below: usize) -> FixedBitSet {
    let mut set = FixedBitSet::with_capacity(below);
    set.insert_range(..);
    set
}

impl<'a> Graph<'a> {
    fn new(edges: &'a Edges) -> Self {
        let (lines, ends) = (edges.ends_of.len(), edges.lines_of.len());
        let (line_of, end_of) = (vec![None; ends], vec![None; lines]);
        Self { edges, line_of, end_of, free: all(ends), forced: FixedBitSet::with_capacity(lines) }
    }

    /// Again and again gives a line that has one end left that end. Such edges are part of a largest matching, and if
    /// there is only one that covers all, it is found so.
    fn peel(&mut self) {
        // Counted once it matters: in a storm most lines have many ends, and none of them is taken here.
        let mut left: Vec<Option<u32>> = vec![None; self.edges.ends_of.len()];
        let has_one = |line: &usize| ones(self.edges.ends_of.row(*line)).take(2).count() == 1;
        let mut ready: VecDeque<usize> = (0..left.len()).filter(has_one).collect();
        while let Some(line) = ready.pop_front() {
            let Some(end) = first_common(self.edges.ends_of.row(line), &self.free) else { continue };
            self.free.remove(end);
            (self.line_of[end], self.end_of[line]) = (Some(line), Some(end));
            self.forced.insert(line);
            for other in ones(self.edges.lines_of.row(end)) {
                let count = match left[other] {
                    Some(count) => count - 1,
                    None => count_common(self.edges.ends_of.row(other), &self.free),
                };
                left[other] = Some(count);
                if count == 1 && self.end_of[other].is_none() {
                    ready.push_back(other);
                }
            }
        }
    }

    /// Makes the matching a largest one, along augmenting paths. What a failed search has seen leads nowhere later
    /// either.
    fn complete(&mut self) {
        let mut unseen = all(self.line_of.len());
        let mut came_by = vec![None; self.line_of.len()];
        for line in 0..self.end_of.len() {
            if self.end_of[line].is_none() {
                self.augment(line, &mut unseen, &mut came_by);
            }
        }
    }

    fn augment(&mut self, start: usize, unseen: &mut FixedBitSet, came_by: &mut [Option<usize>]) {
        let mut seen = Vec::new();
        let mut queue = VecDeque::from([start]);
        while let Some(line) = queue.pop_front() {
            let ends = self.edges.ends_of.row(line);
            if let Some(free) = first_common(ends, &self.free) {
                came_by[free] = Some(line);
                self.free.remove(free);
                self.turn(free, start, came_by);
                unseen.extend(seen);
                return;
            }
            take(ends, unseen, |end| {
                seen.push(end);
                came_by[end] = Some(line);
                queue.extend(self.line_of[end]);
            });
        }
    }

    fn turn(&mut self, free: usize, start: usize, came_by: &[Option<usize>]) {
        let mut end = free;
        while let Some(line) = came_by[end] {
            let before = self.end_of[line].replace(end);
            self.line_of[end] = Some(line);
            let Some(before) = before.filter(|_| line != start) else { return };
            end = before;
        }
    }

    /// The ends whose line may as well be another one, because some line is left over.
    fn reachable_from_lines(&self) -> FixedBitSet {
        let mut unseen = all(self.line_of.len());
        let mut queue: Vec<usize> = (0..self.end_of.len()).filter(|line| self.end_of[*line].is_none()).collect();
        while let Some(line) = queue.pop() {
            take(self.edges.ends_of.row(line), &mut unseen, |end| queue.extend(self.line_of[end]));
        }
        unseen.toggle_range(..);
        unseen
    }

    /// The ends that may as well have no line, because some end is left over.
    fn reachable_from_ends(&self) -> FixedBitSet {
        let mut seen = self.free.clone();
        let mut queue: Vec<usize> = seen.ones().collect();
        let mut unasked = all(self.end_of.len());
        while let Some(end) = queue.pop() {
            take(self.edges.lines_of.row(end), &mut unasked, |line| {
                queue.extend(self.end_of[line].filter(|partner| !seen.put(*partner)));
            });
        }
        seen
    }
}

#[cfg(test)]
mod tests;
