//! Whether a line may belong to an end by its time and by what it tells of; and what is common to many of them.

use super::{expectation::Endings, rows::BITS};

/// Within which time a line was written, or an end's line must be, and of which endings it tells.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
    pub(super) endings: Endings,
}

impl Span {
    pub(super) const fn meets(&self, other: &Self) -> bool {
        self.endings.meets(other.endings) & (self.from <= other.to) & (other.from <= self.to)
    }
}

/// How many of a block meet a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meeting {
    /// None of them.
    None,
    /// All of them.
    All,
    /// Each has to be asked.
    Some,
}

/// What is common to a block of spans. In a storm most blocks meet a span as a whole, or not at all.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    from: (u64, u64),
    to: (u64, u64),
    /// What all of them tell of.
    by_all: Endings,
    /// What any of them tells of.
    by_any: Endings,
    /// One of them may come to tell of something else.
    changes: bool,
}

impl Extent {
    /// Adds a span to the block of its place. Places are given one after another.
    pub(super) fn add(extents: &mut Vec<Self>, place: usize, span: &Span, changes: bool) {
        let Span { from, to, endings } = *span;
        let Some(extent) = extents.get_mut(place / BITS) else {
            extents.push(Self { from: (from, from), to: (to, to), by_all: endings, by_any: endings, changes });
            return;
        };
        extent.from = (extent.from.0.min(from), extent.from.1.max(from));
        extent.to = (extent.to.0.min(to), extent.to.1.max(to));
        (extent.by_all, extent.by_any) = (extent.by_all.and(endings), extent.by_any.or(endings));
        extent.changes |= changes;
    }

    /// How many of the block meet a span.
    pub(super) const fn meeting(&self, span: &Span) -> Meeting {
        let any = self.by_any.meets(span.endings) & (self.from.0 <= span.to) & (span.from <= self.to.1);
        let all = self.by_all.meets(span.endings) & (self.from.1 <= span.to) & (span.from <= self.to.0);
        match (self.changes, any, all) {
            (true, ..) | (_, true, false) => Meeting::Some,
            (_, false, _) => Meeting::None,
            (_, true, true) => Meeting::All,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nginx::error_log::join::Ending;

    fn span(from: u64, to: u64, ending: Ending) -> Span {
        Span { from, to, endings: Endings::only(ending) }
    }

    #[test]
    fn a_block_answers_for_all_of_its_spans_or_has_each_asked() {
        let spans = [span(10, 20, Ending::Reset), span(12, 25, Ending::Reset), span(15, 18, Ending::Closed)];
        for kept in 1..=spans.len() {
            let mut extents = Vec::new();
            spans[..kept].iter().enumerate().for_each(|(place, span)| Extent::add(&mut extents, place, span, false));
            for (from, to) in (0..30).flat_map(|from| (from..30).map(move |to| (from, to))) {
                for ending in [Ending::Reset, Ending::Closed, Ending::Silent] {
                    let asked = span(from, to, ending);
                    let met = spans[..kept].iter().filter(|span| span.meets(&asked)).count();
                    match extents[0].meeting(&asked) {
                        Meeting::None => assert_eq!(met, 0, "{asked:?}"),
                        Meeting::All => assert_eq!(met, kept, "{asked:?}"),
                        Meeting::Some => assert!(kept > 1, "one span answers for itself: {asked:?}"),
                    }
                }
            }
        }
    }

    #[test]
    fn what_may_come_to_tell_of_something_else_is_asked() {
        let mut extents = Vec::new();
        Extent::add(&mut extents, 0, &span(10, 20, Ending::Reset), true);
        assert_eq!(extents[0].meeting(&span(15, 15, Ending::Reset)), Meeting::Some);
        assert_eq!(extents[0].meeting(&span(30, 40, Ending::Closed)), Meeting::Some);
    }
}
