//! Gives ends their lines, as far as there is only one way.
//!
//! Lines and ends make a graph: an edge where a line may be an end's own. The truth is one of its largest matchings, as
//! long as no end without a line meets a line without an end. A line is an end's own if every largest matching has
//! that edge. An end has one of its lines if every largest matching covers it.

use std::collections::VecDeque;

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

struct Graph<'a> {
    /// The ends that each line may belong to.
    ends_of: &'a [Vec<usize>],
    lines_of: Vec<Vec<usize>>,
    line_of: Vec<Option<usize>>,
    end_of: Vec<Option<usize>>,
    /// Lines that had only one end left when they got it.
    forced: Vec<bool>,
}

/// Pairs `ends` ends with lines; `ends_of` has for each line the ends that it may belong to.
pub(super) fn pair(ends_of: &[Vec<usize>], ends: usize) -> Vec<Found> {
    let mut graph = Graph::new(ends_of, ends);
    graph.peel();
    graph.complete();
    let moved = graph.reachable_from_lines();
    let uncovered = graph.reachable_from_ends();
    let own = |end: usize| graph.line_of[end].filter(|line| graph.forced[*line] && !moved[end] && !uncovered[end]);
    let taken: Vec<bool> =
        (0..ends_of.len()).map(|line| graph.end_of[line].is_some_and(|end| own(end) == Some(line))).collect();
    let found = |end: usize| match own(end) {
        Some(line) => Found::Own(line),
        None if graph.lines_of[end].iter().all(|line| taken[*line]) => Found::Nothing,
        None if uncovered[end] => Found::Perhaps,
        None => Found::Among(graph.lines_of[end].iter().copied().filter(|line| !taken[*line]).collect()),
    };
    (0..ends).map(found).collect()
}

impl<'a> Graph<'a> {
    fn new(ends_of: &'a [Vec<usize>], ends: usize) -> Self {
        let mut lines_of = vec![Vec::new(); ends];
        for (line, line_ends) in ends_of.iter().enumerate() {
            line_ends.iter().for_each(|end| lines_of[*end].push(line));
        }
        let (line_of, end_of) = (vec![None; ends], vec![None; ends_of.len()]);
        Self { ends_of, lines_of, line_of, end_of, forced: vec![false; ends_of.len()] }
    }

    /// Again and again gives a line that has one end left that end. Such edges are part of a largest matching, and if
    /// there is only one that covers all, it is found so.
    fn peel(&mut self) {
        let mut left: Vec<usize> = self.ends_of.iter().map(Vec::len).collect();
        let mut ready: VecDeque<usize> = (0..left.len()).filter(|line| left[*line] == 1).collect();
        while let Some(line) = ready.pop_front() {
            let Some(end) = self.ends_of[line].iter().copied().find(|end| self.line_of[*end].is_none()) else {
                continue;
            };
            (self.line_of[end], self.end_of[line], self.forced[line]) = (Some(line), Some(end), true);
            for other in &self.lines_of[end] {
                left[*other] -= 1;
                if left[*other] == 1 && self.end_of[*other].is_none() {
                    ready.push_back(*other);
                }
            }
        }
    }

    /// Makes the matching a largest one, along augmenting paths. What a failed search has seen leads nowhere later
    /// either.
    fn complete(&mut self) {
        let mut dead = vec![false; self.line_of.len()];
        for line in 0..self.ends_of.len() {
            if self.end_of[line].is_none() {
                self.augment(line, &mut dead);
            }
        }
    }

    fn augment(&mut self, start: usize, dead: &mut [bool]) {
        let mut came_by: Vec<Option<usize>> = vec![None; self.line_of.len()];
        let mut queue = VecDeque::from([start]);
        while let Some(line) = queue.pop_front() {
            for end in self.ends_of[line].iter().copied() {
                if dead[end] || came_by[end].is_some() {
                    continue;
                }
                came_by[end] = Some(line);
                match self.line_of[end] {
                    None => {
                        self.turn(end, start, &came_by);
                        return;
                    }
                    Some(next) => queue.push_back(next),
                }
            }
        }
        dead.iter_mut().zip(&came_by).for_each(|(dead, by)| *dead |= by.is_some());
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
    fn reachable_from_lines(&self) -> Vec<bool> {
        let mut seen = vec![false; self.line_of.len()];
        let mut queue: Vec<usize> = (0..self.end_of.len()).filter(|line| self.end_of[*line].is_none()).collect();
        while let Some(line) = queue.pop() {
            for end in &self.ends_of[line] {
                if !std::mem::replace(&mut seen[*end], true) {
                    queue.extend(self.line_of[*end]);
                }
            }
        }
        seen
    }

    /// The ends that may as well have no line, because some end is left over.
    fn reachable_from_ends(&self) -> Vec<bool> {
        let mut seen: Vec<bool> = self.line_of.iter().map(Option::is_none).collect();
        let mut queue: Vec<usize> = (0..seen.len()).filter(|end| seen[*end]).collect();
        while let Some(end) = queue.pop() {
            for partner in self.lines_of[end].iter().filter_map(|line| self.end_of[*line]) {
                if !std::mem::replace(&mut seen[partner], true) {
                    queue.push(partner);
                }
            }
        }
        seen
    }
}

#[cfg(test)]
mod tests;
