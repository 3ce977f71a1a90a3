//! Which line may belong to which end, as sets: in a storm there are millions of such pairs.

use std::time::Duration;

use fixedbitset::FixedBitSet;

use super::{Expectation, bucket::Held, expectation::Ending};

/// For each line the ends that it may belong to, and for each end these lines.
#[derive(Debug)]
pub(super) struct Edges {
    pub(super) ends_of: Vec<FixedBitSet>,
    pub(super) lines_of: Vec<FixedBitSet>,
}

impl Edges {
    /// Between lines and ends of the same worker and server. A line may be an end's own if it tells of such an ending, was
    /// not there before it, and was written within `reach` after it.
    pub(super) fn between(lines: &[Held], ends: &[&Expectation], reach: Duration) -> Self {
        let latest: Vec<u64> = lines.iter().map(|held| held.written.latest.0).collect();
        let earliest: Vec<u64> = lines.iter().map(|held| held.written.earliest.0).collect();
        let first: Vec<u64> = ends.iter().map(|end| end.first_line().0).collect();
        let last: Vec<u64> = ends.iter().map(|end| end.last_line(reach).0).collect();
        let mut ends_of: Vec<_> = lines.iter().map(|_| all(ends.len())).collect();
        keep_from(&mut ends_of, &earliest, &last);
        keep_from(&mut ends_of, &reversed(&latest), &reversed(&first));
        let mut lines_of: Vec<_> = ends.iter().map(|_| all(lines.len())).collect();
        keep_from(&mut lines_of, &first, &latest);
        keep_from(&mut lines_of, &reversed(&last), &reversed(&earliest));
        for ending in Ending::ALL {
            keep_told(&mut ends_of, &mut lines_of, lines, ends, *ending);
        }
        Self { ends_of, lines_of }
    }
}

/// Takes away the edges between ends of this kind and lines that do not tell of it.
fn keep_told(
    ends_of: &mut [FixedBitSet],
    lines_of: &mut [FixedBitSet],
    lines: &[Held],
    ends: &[&Expectation],
    ending: Ending,
) {
    let is_such = |end: &&Expectation| end.ending == ending;
    if !ends.iter().any(is_such) {
        return;
    }
    let tells = |held: &Held| held.endings.contains(ending);
    let (such, telling) = (chosen(ends.iter().map(is_such)), chosen(lines.iter().map(tells)));
    ends_of.iter_mut().zip(lines).filter(|(_, held)| !tells(held)).for_each(|(row, _)| row.difference_with(&such));
    lines_of.iter_mut().zip(ends).filter(|(_, end)| is_such(end)).for_each(|(row, _)| row.intersect_with(&telling));
}

/// Keeps in each row the columns whose value is the row's threshold or more.
fn keep_from(rows: &mut [FixedBitSet], thresholds: &[u64], values: &[u64]) {
    let mut falling: Vec<usize> = (0..rows.len()).collect();
    falling.sort_by_key(|row| std::cmp::Reverse(thresholds[*row]));
    let mut columns: Vec<usize> = (0..values.len()).collect();
    columns.sort_by_key(|column| std::cmp::Reverse(values[*column]));
    let mut columns = columns.into_iter().peekable();
    let mut reaching = FixedBitSet::with_capacity(values.len());
    for row in falling {
        while let Some(column) = columns.next_if(|column| values[*column] >= thresholds[row]) {
            reaching.insert(column);
        }
        rows[row].intersect_with(&reaching);
    }
}

/// The same in the reverse order.
fn reversed(values: &[u64]) -> Vec<u64> {
    values.iter().map(|value| !value).collect()
}

/// Every number below this one.
pub(super) fn all(columns: usize) -> FixedBitSet {
    let mut row = FixedBitSet::with_capacity(columns);
    row.insert_range(..);
    row
}

fn chosen(each: impl ExactSizeIterator<Item = bool>) -> FixedBitSet {
    let mut set = FixedBitSet::with_capacity(each.len());
    each.enumerate().for_each(|(index, is_in)| set.set(index, is_in));
    set
}
