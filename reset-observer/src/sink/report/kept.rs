//! A few of many.

use std::collections::VecDeque;

/// The first few of many and the newest, and how many there were in all.
#[derive(Clone, Debug)]
pub struct Kept<T> {
    most_first: usize,
    most_newest: usize,
    first: Vec<T>,
    newest: VecDeque<T>,
    seen: u64,
}

impl<T> Kept<T> {
    /// Keeps no more than so many of the first and of the newest; both are more than zero.
    #[must_use]
    pub fn new((most_first, most_newest): (usize, usize)) -> Self {
        Self { most_first, most_newest, first: Vec::new(), newest: VecDeque::new(), seen: 0 }
    }

    /// One more.
    pub fn add(&mut self, one: T) {
        self.seen += 1;
        if self.first.len() < self.most_first {
            self.first.push(one);
            return;
        }
        if self.newest.len() == self.most_newest {
            self.newest.pop_front();
        }
        self.newest.push_back(one);
    }

    /// Those that are kept, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.first.iter().chain(&self.newest)
    }

    /// How many there were in all.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// How many of those are not kept: they came after the first ones and before the newest.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.seen.saturating_sub(u64::try_from(self.first.len() + self.newest.len()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_few_all_are_kept_and_of_many_the_first_and_the_newest() {
        let mut kept = Kept::new((2, 3));
        (1..=4).for_each(|number| kept.add(number));
        assert_eq!((kept.iter().copied().collect::<Vec<_>>(), kept.left_out()), (vec![1, 2, 3, 4], 0));
        (5..=9).for_each(|number| kept.add(number));
        assert_eq!(kept.iter().copied().collect::<Vec<_>>(), [1, 2, 7, 8, 9]);
        assert_eq!((kept.seen(), kept.left_out()), (9, 4));
    }
}
