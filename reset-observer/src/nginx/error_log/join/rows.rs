//! Sets of numbers as rows of bits in one piece of memory, and what sets have in common, found a block at a time: in a
//! storm they have thousands of members, and a storm has thousands of them.

use fixedbitset::FixedBitSet;

const BITS: usize = usize::BITS as usize;

/// Sets of numbers below the same bound.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: usize,
    /// Blocks of each row.
    width: usize,
    blocks: Vec<usize>,
}

impl Rows {
    /// Leaves no set; those that come are of numbers below `columns`.
    pub(super) fn clear(&mut self, columns: usize) {
        self.blocks.clear();
        (self.rows, self.width) = (0, columns.div_ceil(BITS));
    }

    /// One more set, without a member.
    pub(super) fn push(&mut self) {
        self.rows += 1;
        self.blocks.resize(self.rows * self.width, 0);
    }

    pub(super) const fn len(&self) -> usize {
        self.rows
    }

    /// Above all numbers that a set may have.
    pub(super) const fn columns(&self) -> usize {
        self.width * BITS
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

/// Takes one number out.
pub(super) fn remove(set: &mut [usize], member: usize) {
    set[member / BITS] &= !(1 << (member % BITS));
}

/// Takes the first number out.
pub(super) fn pop(set: &mut [usize]) -> Option<usize> {
    let (index, block) = set.iter_mut().enumerate().find(|(_, block)| **block != 0)?;
    let member = first(index, *block);
    *block &= *block - 1;
    Some(member)
}

/// Whether it has no member.
pub(super) fn is_empty(set: &[usize]) -> bool {
    set.iter().all(|block| *block == 0)
}

/// Adds all members of the other set.
pub(super) fn add(set: &mut FixedBitSet, other: &[usize]) {
    set.as_mut_slice().iter_mut().zip(other).for_each(|(block, other)| *block |= other);
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

/// The one that two sets have in common, if it is only one.
pub(super) fn only_common(set: &[usize], other: &FixedBitSet) -> Option<usize> {
    let mut only = None;
    for (index, (block, other)) in set.iter().zip(other.as_slice()).enumerate() {
        let common = block & other;
        if common == 0 {
            continue;
        }
        if only.is_some() || common & (common - 1) != 0 {
            return None;
        }
        only = Some(first(index, common));
    }
    only
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
    fn what_sets_have_in_common_is_found_in_every_block() {
        let mut set = [0; 3];
        [2, 70, 71, 191].into_iter().for_each(|member| insert(&mut set, member));
        let mut other: FixedBitSet = [1, 70, 191].into_iter().collect();
        assert_eq!((first_common(&set, &other), count_common(&set, &other)), (Some(70), 2));
        assert_eq!(only_common(&set, &other), None);
        assert_eq!(beyond(&set, &other).collect::<Vec<_>>(), [2, 71]);
        let mut taken = Vec::new();
        take(&set, &mut other, |member| taken.push(member));
        assert_eq!((taken, other.ones().collect::<Vec<_>>()), (vec![70, 191], vec![1]));
        remove(&mut set, 70);
        assert_eq!(only_common(&set, &[1, 70, 191].into_iter().collect()), Some(191));
        assert_eq!(std::iter::from_fn(|| pop(&mut set)).collect::<Vec<_>>(), [2, 71, 191]);
        assert!(is_empty(&set));
    }
}
