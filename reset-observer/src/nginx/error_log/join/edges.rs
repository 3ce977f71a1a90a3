//! Which line may belong to which end, as sets: in a storm there are millions of such pairs.

use std::time::Duration;

use super::{
    Expectation,
    bucket::Held,
    expectation::Endings,
    rows::{self, Rows},
};

/// For each line the ends that it may belong to, and for each end these lines. Both are numbered in the order of time.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) ends_of: Rows,
    pub(super) lines_of: Rows,
    /// The place of each line among those given.
    pub(super) lines: Vec<usize>,
    /// The same of each end.
    pub(super) ends: Vec<usize>,
}

/// Within which time a line was written, or an end's line must be, and of which endings it tells.
struct Span {
    from: u64,
    to: u64,
    endings: Endings,
    place: usize,
}

impl Edges {
    /// Between lines and ends of the same worker and server. A line may be an end's own if it tells of such an ending, was
    /// not there before it, and was written within `reach` after it. Ends that can have none of these lines may be left out.
    pub(super) fn between<'a>(held: &[Held], ends: impl Iterator<Item = &'a Expectation>, reach: Duration) -> Self {
        let lines = held.iter().map(|held| (held.written.earliest.0, held.written.latest.0, held.endings));
        let mut lines = in_order(lines, |_| true);
        let ends = ends.map(|end| (end.first_line().0, end.last_line(reach).0, Endings::only(end.ending)));
        let ends = in_order(ends, near(&lines, held));
        let mut ends_of = overlaps(&lines, &ends);
        if tell_of_others(&mut lines, held, &ends_of) {
            ends_of = overlaps(&lines, &ends);
        }
        Self {
            ends_of,
            lines_of: overlaps(&ends, &lines),
            lines: lines.iter().map(|span| span.place).collect(),
            ends: ends.iter().map(|span| span.place).collect(),
        }
    }
}

/// Lines that are of no end that they tell of may be of those that they perhaps tell of. Whether there are such lines.
fn tell_of_others(lines: &mut [Span], held: &[Held], ends_of: &Rows) -> bool {
    let mut are_such = false;
    for (row, line) in lines.iter_mut().enumerate() {
        let perhaps = held[line.place].perhaps;
        if !perhaps.is_empty() && rows::ones(ends_of.row(row)).next().is_none() {
            (line.endings, are_such) = (perhaps, true);
        }
    }
    are_such
}

/// Whether a span may overlap with one of these lines and have an ending in common, as all of them together tell.
fn near(lines: &[Span], held: &[Held]) -> impl Fn(&Span) -> bool {
    let (from, to) = (lines.iter().map(|line| line.from).min(), lines.iter().map(|line| line.to).max());
    let told = lines.iter().fold(Endings::default(), |all, line| all.with(line.endings).with(held[line.place].perhaps));
    move |span| Some(span.to) >= from && Some(span.from) <= to && told.meets(span.endings)
}

/// Those spans that are to be kept.
fn in_order(spans: impl Iterator<Item = (u64, u64, Endings)>, keep: impl Fn(&Span) -> bool) -> Vec<Span> {
    let spans = spans.enumerate().map(|(place, (from, to, endings))| Span { from, to, endings, place });
    let mut spans: Vec<Span> = spans.filter(keep).collect();
    // They come nearly in order, of which this sort makes use.
    spans.sort_by_key(|span| span.from);
    spans
}

/// For each of `these` those of the others, in the order in which they begin, that overlap with it and have an ending in
/// common.
fn overlaps(these: &[Span], others: &[Span]) -> Rows {
    let mut found = Rows::empty(these.len(), others.len());
    let last_end = running(others.iter(), u64::max);
    let mut first_end = running(others.iter().rev(), u64::min);
    first_end.reverse();
    let mut alike: Vec<(Endings, Vec<usize>)> = Vec::new();
    for (row, this) in these.iter().enumerate() {
        let until = others.partition_point(|other| other.from <= this.to);
        // Before the one none reaches so far, from the other on all do.
        let from = last_end.partition_point(|end| *end < this.from).min(until);
        let surely_from = first_end.partition_point(|end| *end < this.from).clamp(from, until);
        if from == until {
            continue;
        }
        let set = found.row_mut(row);
        rows::insert_range(set, surely_from..until);
        (from..surely_from).filter(|other| others[*other].to >= this.from).for_each(|other| rows::insert(set, other));
        rows::keep_common(set, with_ending(this.endings, others, &mut alike));
    }
    found
}

/// The largest, or smallest, `to` so far.
fn running<'a>(spans: impl Iterator<Item = &'a Span>, pick: fn(u64, u64) -> u64) -> Vec<u64> {
    let mut so_far = None;
    spans.map(|span| *so_far.insert(so_far.map_or(span.to, |known| pick(known, span.to)))).collect()
}

/// The spans that tell of one of these endings; there are few kinds of such sets.
fn with_ending<'a>(endings: Endings, spans: &[Span], known: &'a mut Vec<(Endings, Vec<usize>)>) -> &'a [usize] {
    let index = known.iter().position(|(of, _)| *of == endings).unwrap_or_else(|| {
        let mut telling = Rows::empty(1, spans.len());
        let those = spans.iter().enumerate().filter(|(_, span)| span.endings.meets(endings));
        those.for_each(|(index, _)| rows::insert(telling.row_mut(0), index));
        known.push((endings, telling.row(0).to_vec()));
        known.len() - 1
    });
    &known[index].1
}
