//! How many lines and ends were joined, and what stood in the way.

use std::collections::HashMap;

use super::{super::line::Kind, Answer};

/// What became of lines and expectations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JoinCounts {
    /// Expectations that got a line of their own.
    pub own: u64,
    /// Expectations that got what several lines have in common.
    pub shared: u64,
    /// Expectations that could not be told from others.
    pub ambiguous: u64,
    /// Expectations without a line.
    pub without_line: u64,
    /// Lines that belonged to no expectation within their window, by kind.
    pub lines_left: HashMap<Kind, u64>,
    /// Lines left out because text from outside imitates nginx's grammar in them.
    pub contested: u64,
    /// Second copies of a line, in another log of the same instance.
    pub copies: u64,
    /// Lines and expectations left out because too many were held.
    pub overflow: u64,
}

impl JoinCounts {
    /// Counts an answer.
    pub(super) const fn add(&mut self, answer: &Answer) {
        match answer {
            Answer::Joined(joined) if joined.candidates == 1 => self.own += 1,
            Answer::Joined(_) => self.shared += 1,
            Answer::Ambiguous => self.ambiguous += 1,
            Answer::NoLine => self.without_line += 1,
        }
    }
}
