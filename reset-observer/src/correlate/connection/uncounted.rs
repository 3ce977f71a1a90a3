//! Resets of one connection whose leg may still change.

use crate::resets::Direction;

/// How many there are each way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Uncounted {
    sent: u32,
    received: u32,
}

impl Uncounted {
    /// One more.
    pub(super) fn add(&mut self, direction: Direction) {
        *self.of(direction) += 1;
    }

    /// One less; false if there is none.
    pub(super) fn take_back(&mut self, direction: Direction) -> bool {
        let count = self.of(direction);
        let any = *count > 0;
        *count -= u32::from(any);
        any
    }

    /// All of them, which are counted then.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Direction> + use<> {
        let Self { sent, received } = std::mem::take(self);
        let times = |direction, count| (0..count).map(move |_| direction);
        times(Direction::Sent, sent).chain(times(Direction::Received, received))
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.sent == 0 && self.received == 0
    }

    const fn of(&mut self, direction: Direction) -> &mut u32 {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }
}
