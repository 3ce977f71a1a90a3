//! Sets of numbers as rows of bits in one piece of memory, and what sets have in common, found a block at a time: in a
//! storm they have thousands of members, and a storm has thousands of them.

use std::ops::Range;

use fixedbitset::FixedBitSet;

const BITS: usize = usize::BITS as usize;

/// Sets of numbers below the same bound.
#[derive(Debug)]
pub(super) struct Rows {
    rows: usize,
    /// Blocks of each row.
    width: usize,
    blocks: Vec<usize>,
}

impl Rows {
    /// So many sets without a member, of numbers below `columns`.
    pub(super) fn empty(rows: usize, columns: usize) -> Self {
        let width = columns.div_ceil(BITS);
        Self { rows, width, blocks: vec![0; rows * width] }
    }

    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    pub(super) fn row(&self, row: usize) -> &[usize] {
        &self.blocks[row * self.width..][..self.width]
    }

    pub(super) fn row_mut(&mut self, row: usize) -> &mut [usize] {
        &mut self.blocks[row * self.width..][..self.width]
    }
}

/// Adds one number.
pub(super) fn insert(set: &mut [usize], member: usize) {
    set[member / BITS] |= 1 << (member % BITS);
}

/// Adds all numbers of a range.
pub(super) fn insert_range(set: &mut [usize], range: Range<usize>) {
    let mut from = range.start;
    while from < range.end {
        let (block, bit) = (from / BITS, from % BITS);
        let count = (BITS - bit).min(range.end - from);
        set[block] |= (usize::MAX >> (BITS - count)) << bit;
        from += count;
    }
}

/// Keeps what is in the other set, too.
pub(super) fn keep_common(set: &mut [usize], other: &[usize]) {
    set.iter_mut().zip(other).for_each(|(block, other)| *block &= other);
}

/// The members that the other set has not.
pub(super) fn beyond<'a>(set: &'a [usize], other: &'a FixedBitSet) -> impl Iterator<Item = usize> + 'a {
    let blocks = set.iter().zip(other.as_slice()).map(|(block, other)| block & !other);
    blocks.enumerate().flat_map(|(index, block)| members(index, block))
}

/// All members.
pub(super) fn ones(set: &[usize]) -> impl Iterator<Item = usize> + '_ {
    set.iter().enumerate().flat_map(|(index, block)| members(index, *block))
}

/// The first that two sets have in common.
pub(super) fn first_common(set: &[usize], other: &FixedBitSet) -> Option<usize> {
    let blocks = set.iter().zip(other.as_slice()).map(|(block, other)| block & other);
    blocks.enumerate().find(|(_, common)| *common != 0).map(|(index, common)| first(index, common))
}

/// How many two sets have in common.
pub(super) fn count_common(set: &[usize], other: &FixedBitSet) -> u32 {
    set.iter().zip(other.as_slice()).map(|(block, other)| (block & other).count_ones()).sum()
}

/// Takes those of `candidates` that are among `left` out of it.
pub(super) fn take(candidates: &[usize], left: &mut FixedBitSet, mut found: impl FnMut(usize)) {
    for (index, (candidates, left)) in candidates.iter().zip(left.as_mut_slice()).enumerate() {
        members(index, candidates & *left).for_each(&mut found);
        *left &= !candidates;
    }
}

/// The members in the block of this index.
fn members(index: usize, mut block: usize) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let member = (block != 0).then(|| first(index, block))?;
        block &= block - 1;
        Some(member)
    })
}

const fn first(index: usize, block: usize) -> usize {
    index * BITS + block.trailing_zeros() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_may_begin_and_end_within_any_block() {
        for range in [0..0, 0..1, 3..64, 63..65, 64..128, 5..190, 191..192] {
            let mut set = [0; 3];
            insert_range(&mut set, range.clone());
            assert_eq!(ones(&set).collect::<Vec<_>>(), range.collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_sets_have_in_common_is_found_in_every_block() {
        let mut set = [0; 3];
        [2, 70, 71, 191].into_iter().for_each(|member| insert(&mut set, member));
        let mut other: FixedBitSet = [1, 70, 191].into_iter().collect();
        assert_eq!((first_common(&set, &other), count_common(&set, &other)), (Some(70), 2));
        assert_eq!(beyond(&set, &other).collect::<Vec<_>>(), [2, 71]);
        let mut taken = Vec::new();
        take(&set, &mut other, |member| taken.push(member));
        assert_eq!((taken, other.ones().collect::<Vec<_>>()), (vec![70, 191], vec![1]));
    }
}
