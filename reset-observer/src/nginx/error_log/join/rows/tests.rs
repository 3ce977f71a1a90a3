use super::*;

fn rows(sets: &[&[usize]]) -> Rows {
    let mut rows = Rows::default();
    rows.clear(sets.len(), 192);
    for (row, set) in sets.iter().enumerate() {
        rows.push();
        set.iter().for_each(|member| rows.insert(row, *member));
    }
    rows
}

fn set(members: &[usize]) -> FixedBitSet {
    let mut set: FixedBitSet = members.iter().copied().collect();
    set.grow(192);
    set
}

#[test]
fn what_sets_have_in_common_is_found_in_every_block() {
    let rows = rows(&[&[70, 2, 71, 191], &[], &[130]]);
    let (row, mut other) = (rows.row(0), set(&[1, 70, 191]));
    assert_eq!((row.first_common(&other), row.count_common(&other)), (Some(70), 2));
    assert_eq!(row.only_common(&other), None);
    assert_eq!(row.only_common(&set(&[3, 191])), Some(191));
    assert_eq!(row.beyond(&other).collect::<Vec<_>>(), [2, 71]);
    let mut taken = Vec::new();
    row.take(&mut other, |member| taken.push(member));
    assert_eq!((taken, other.ones().collect::<Vec<_>>()), (vec![70, 191], vec![1]));
    rows.row(2).add_to(&mut other);
    assert_eq!(other.ones().collect::<Vec<_>>(), [1, 130]);
    assert!(rows.row(2).meets(&other) && !rows.row(1).meets(&other) && rows.row(1).is_empty());
}

#[test]
fn the_first_sets_and_numbers_are_dropped() {
    let mut sets: Vec<&[usize]> = vec![&[1]; 64];
    sets.extend([&[5, 64, 191][..], &[3, 63], &[130]]);
    let mut rows = rows(&sets);
    rows.drop_first(1, 1);
    let left = |rows: &Rows| (0..rows.len()).map(|row| rows.row(row).ones().collect()).collect::<Vec<Vec<_>>>();
    assert_eq!(left(&rows), [vec![0, 127], vec![], vec![66]]);
    rows.insert(1, 190);
    rows.remove(2, 66);
    rows.empty(0);
    assert_eq!(left(&rows), [vec![], vec![190], vec![]]);
}
