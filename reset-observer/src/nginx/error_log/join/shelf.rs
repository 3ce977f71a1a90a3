//! Things in places that are given one after another, nearly in the order of their times, and what of them has become old.

use crate::record::KernelTime;

/// A place stays empty once its thing is gone, until all are moved together.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    places: Vec<Option<T>>,
    /// Of each place a time that neither it nor any later one is older than; so they are in order.
    not_before: Vec<KernelTime>,
    /// What was in the places before this one is gone.
    first: usize,
    things: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { places: Vec::new(), not_before: Vec::new(), first: 0, things: 0 }
    }
}

impl<T> Shelf<T> {
    /// How many things there are.
    pub(super) const fn things(&self) -> usize {
        self.things
    }

    pub(super) const fn places(&self) -> usize {
        self.places.len()
    }

    /// Puts a thing of this time into the next place, and gives that.
    pub(super) fn push(&mut self, at: KernelTime, thing: T) -> usize {
        for earlier in self.not_before[self.first..].iter_mut().rev().take_while(|earlier| **earlier > at) {
            *earlier = at;
        }
        self.not_before.push(at);
        self.places.push(Some(thing));
        self.things += 1;
        self.places.len() - 1
    }

    pub(super) fn get(&self, place: usize) -> Option<&T> {
        self.places.get(place)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.places.get_mut(place)?.as_mut()
    }

    pub(super) fn take(&mut self, place: usize) -> Option<T> {
        let thing = self.places.get_mut(place)?.take()?;
        self.things -= 1;
        Some(thing)
    }

    /// How many of the first places are empty, at least.
    pub(super) const fn first(&self) -> usize {
        self.first
    }

    /// Takes the first places away, which are empty.
    pub(super) fn drop_first(&mut self, count: usize) {
        self.places.drain(..count);
        self.not_before.drain(..count);
        self.first = self.first.saturating_sub(count);
    }

    /// All things, in the order of their places.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    /// Takes those out that are over, of those that may be older than `oldest`.
    pub(super) fn forget(&mut self, oldest: KernelTime, is_over: impl Fn(&T) -> bool, mut gone: impl FnMut(usize, T)) {
        let mut place = self.first;
        while self.not_before.get(place).is_some_and(|at| *at < oldest) {
            if let Some(thing) = self.places[place].take_if(|thing| is_over(thing)) {
                self.things -= 1;
                gone(place, thing);
            }
            if place == self.first && self.places[place].is_none() {
                self.first += 1;
            }
            place += 1;
        }
    }

    /// Moves all things to the first places, in the same order.
    pub(super) fn move_together(&mut self) {
        let mut is_kept = self.places.iter().map(Option::is_some);
        self.not_before.retain(|_| is_kept.next().unwrap_or_default());
        self.places.retain(Option::is_some);
        self.places.shrink_to(2 * self.things);
        self.not_before.shrink_to(2 * self.things);
        self.first = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> KernelTime {
        KernelTime(ms * 1_000_000)
    }

    #[test]
    fn what_is_over_is_found_in_any_order_of_the_times() {
        let mut shelf = Shelf::default();
        for ms in [10, 30, 20, 25, 40, 5] {
            shelf.push(at(ms), ms);
        }
        let forget = |shelf: &mut Shelf<u64>, oldest: u64| {
            let mut gone = Vec::new();
            shelf.forget(at(oldest), |ms| *ms < oldest && *ms != 10, |_, ms| gone.push(ms));
            gone
        };
        assert!(forget(&mut shelf, 5).is_empty());
        assert_eq!(forget(&mut shelf, 26), [20, 25, 5]);
        assert_eq!((shelf.take(1), shelf.take(1), shelf.things()), (Some(30), None, 2));
        shelf.move_together();
        shelf.push(at(50), 50);
        assert_eq!(shelf.iter().copied().collect::<Vec<_>>(), [10, 40, 50]);
        assert_eq!(forget(&mut shelf, 100), [40, 50]);
        assert_eq!((shelf.get(0), shelf.places()), (Some(&10), 3));
    }
}
