//! Sets of numbers as rows of bits in one piece of memory, and what sets have in common, found a block at a time: in a
//! storm they have thousands of members, and a storm has thousands of them.

use fixedbitset::FixedBitSet;

/// Numbers in a block.
pub(super) const BITS: usize = usize::BITS as usize;

/// Sets of numbers below the same bound.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Blocks of each row.
    width: usize,
    blocks: Vec<usize>,
    /// The first of the blocks of each row that may have a member, and the end of these.
    used: Vec<(usize, usize)>,
}

/// One of the sets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    /// The place of the first of these blocks.
    first: usize,
    blocks: &'a [usize],
}

/// What two sets have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Common {
    Nothing,
    Only(usize),
    Several,
}

impl Rows {
    /// Leaves no set; some `rows` may come, of numbers below `columns`.
    pub(super) fn clear(&mut self, rows: usize, columns: usize) {
        self.width = columns.div_ceil(BITS);
        self.blocks.clear();
        self.used.clear();
        self.blocks.shrink_to(2 * rows * self.width);
    }

    /// One more set, without a member.
    pub(super) fn push(&mut self) {
        self.blocks.resize(self.blocks.len() + self.width, 0);
        self.used.push((self.width, 0));
    }

    pub(super) const fn len(&self) -> usize {
        self.used.len()
    }

    /// Above all numbers that a set may have.
    pub(super) const fn columns(&self) -> usize {
        self.width * BITS
    }

    pub(super) fn row(&self, row: usize) -> Row<'_> {
        let (first, end) = self.used[row];
        let start = row * self.width;
        Row { first, blocks: self.blocks.get(start + first..start + end).unwrap_or_default() }
    }

    /// Adds a number to a set.
    #[cfg(test)]
    pub(super) fn insert(&mut self, row: usize, member: usize) {
        self.insert_block(row, member / BITS, 1 << (member % BITS));
    }

    /// Adds the numbers of a block to a set, at least one.
    pub(super) fn insert_block(&mut self, row: usize, index: usize, block: usize) {
        let (first, end) = &mut self.used[row];
        (*first, *end) = (index.min(*first), (index + 1).max(*end));
        self.blocks[row * self.width + index] |= block;
    }

    /// Adds a number to each of these sets, which are a block of all.
    pub(super) fn insert_in_each(&mut self, index: usize, sets: usize, member: usize) {
        let (block, bit) = (member / BITS, 1 << (member % BITS));
        let used = &mut self.used[index * BITS..];
        let blocks = &mut self.blocks[index * BITS * self.width + block..];
        for set in members(0, sets) {
            let (first, end) = &mut used[set];
            (*first, *end) = (block.min(*first), (block + 1).max(*end));
            blocks[set * self.width] |= bit;
        }
    }

    /// Takes a number out of a set.
    pub(super) fn remove(&mut self, row: usize, member: usize) {
        self.blocks[row * self.width + member / BITS] &= !(1 << (member % BITS));
    }

    /// Takes all numbers out of a set.
    pub(super) fn empty(&mut self, row: usize) {
        self.blocks[row * self.width..][..self.width].fill(0);
        self.used[row] = (self.width, 0);
    }

    /// Takes away the first sets, and of the rest the first numbers, so many blocks of each: what was number 64 of one
    /// block is 0 then.
    pub(super) fn drop_first(&mut self, sets: usize, blocks: usize) {
        let dropped = sets * BITS;
        self.blocks.drain(..dropped * self.width);
        self.used.drain(..dropped);
        if blocks == 0 {
            return;
        }
        for (row, (first, end)) in self.blocks.chunks_exact_mut(self.width).zip(&mut self.used) {
            row.copy_within(blocks.., 0);
            row[self.width - blocks..].fill(0);
            (*first, *end) = (first.saturating_sub(blocks), end.saturating_sub(blocks));
        }
    }
}

impl<'a> Row<'a> {
    /// Each block, with that of another set.
    fn beside(self, other: &'a FixedBitSet) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
        let others = other.as_slice().get(self.first..).unwrap_or_default();
        self.blocks.iter().zip(others).zip(self.first..).map(|((block, other), index)| (index, *block, *other))
    }

    /// The members that the other set has not.
    pub(super) fn beyond(self, other: &'a FixedBitSet) -> impl Iterator<Item = usize> + 'a {
        self.beside(other).flat_map(|(index, block, other)| members(index, block & !other))
    }

    /// All members.
    pub(super) fn ones(self) -> impl Iterator<Item = usize> + 'a {
        self.blocks.iter().zip(self.first..).flat_map(|(block, index)| members(index, *block))
    }

    pub(super) fn is_empty(self) -> bool {
        self.blocks.iter().all(|block| *block == 0)
    }

    /// Whether the sets have one in common.
    pub(super) fn meets(self, other: &FixedBitSet) -> bool {
        self.first_common(other).is_some()
    }

    /// The first that the sets have in common.
    pub(super) fn first_common(self, other: &FixedBitSet) -> Option<usize> {
        let mut common = self.beside(other).map(|(index, block, other)| (index, block & other));
        common.find(|(_, common)| *common != 0).map(|(index, common)| first(index, common))
    }

    /// The first that the sets have in common from a block on.
    pub(super) fn first_common_from(self, from: usize, other: &FixedBitSet) -> Option<usize> {
        let skipped = from.saturating_sub(self.first);
        let blocks = self.blocks.get(skipped..).unwrap_or_default();
        Row { first: self.first + skipped, blocks }.first_common(other)
    }

    /// What the sets have in common, as far as one is told from several.
    pub(super) fn common(self, other: &FixedBitSet) -> Common {
        let mut only = Common::Nothing;
        for (index, block, other) in self.beside(other) {
            let common = block & other;
            if common == 0 {
                continue;
            }
            if only != Common::Nothing || !common.is_power_of_two() {
                return Common::Several;
            }
            only = Common::Only(first(index, common));
        }
        only
    }

    /// The one that the sets have in common, if it is only one.
    pub(super) fn only_common(self, other: &FixedBitSet) -> Option<usize> {
        match self.common(other) {
            Common::Only(member) => Some(member),
            Common::Nothing | Common::Several => None,
        }
    }

    /// How many the sets have in common.
    pub(super) fn count_common(self, other: &FixedBitSet) -> u32 {
        self.beside(other).map(|(_, block, other)| (block & other).count_ones()).sum()
    }

    /// Takes those that are among `left` out of it.
    pub(super) fn take(self, left: &mut FixedBitSet, mut found: impl FnMut(usize)) {
        let left = left.as_mut_slice().get_mut(self.first..).unwrap_or_default();
        for ((block, left), index) in self.blocks.iter().zip(left).zip(self.first..) {
            if block & *left != 0 {
                members(index, block & *left).for_each(&mut found);
                *left &= !block;
            }
        }
    }

    /// Adds all members to the other set.
    pub(super) fn add_to(self, other: &mut FixedBitSet) {
        let others = other.as_mut_slice().get_mut(self.first..).unwrap_or_default();
        others.iter_mut().zip(self.blocks).for_each(|(other, block)| *other |= block);
    }
}

/// The members in the block of this index.
pub(super) fn members(index: usize, mut block: usize) -> impl Iterator<Item = usize> {
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
mod tests;
