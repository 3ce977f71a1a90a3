use super::{
    super::rows::{self, Rows},
    Edges, Found,
};

fn pair(ends_of: &[Vec<usize>], ends: usize) -> Vec<Found> {
    let mut edges = Edges {
        ends_of: Rows::empty(ends_of.len(), ends),
        lines_of: Rows::empty(ends, ends_of.len()),
        lines: (0..ends_of.len()).collect(),
        ends: (0..ends).collect(),
    };
    for (line, its_ends) in ends_of.iter().enumerate() {
        for end in its_ends {
            rows::insert(edges.ends_of.row_mut(line), *end);
            rows::insert(edges.lines_of.row_mut(*end), line);
        }
    }
    let pairs = super::pair(&edges);
    (0..ends).map(|end| pairs.of(end)).collect()
}

/// All largest matchings, each as the line of every end.
fn largest_matchings(ends_of: &[Vec<usize>], ends: usize) -> Vec<Vec<Option<usize>>> {
    let mut all = vec![vec![None; ends]];
    for (line, line_ends) in ends_of.iter().enumerate() {
        for matching in all.clone() {
            for end in line_ends.iter().filter(|end| matching[**end].is_none()) {
                let mut more = matching.clone();
                more[*end] = Some(line);
                all.push(more);
            }
        }
    }
    let size = |matching: &Vec<Option<usize>>| matching.iter().flatten().count();
    let largest = all.iter().map(size).max().unwrap_or_default();
    all.retain(|matching| size(matching) == largest);
    all
}

/// Small graphs of all densities, the same in each run.
fn graphs() -> impl Iterator<Item = (Vec<Vec<usize>>, usize)> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut draw = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below).unwrap()
    };
    (0..20_000).map(move |_| {
        let (lines, ends, density) = (draw(6), draw(5) + 1, draw(4) + 1);
        let ends_of = (0..lines).map(|_| (0..ends).filter(|_| draw(5) < density).collect()).collect();
        (ends_of, ends)
    })
}

#[test]
fn what_is_found_holds_in_every_largest_matching() {
    let (mut own, mut among) = (0, 0);
    for (ends_of, ends) in graphs() {
        let matchings = largest_matchings(&ends_of, ends);
        for (end, found) in pair(&ends_of, ends).into_iter().enumerate() {
            let mut lines = matchings.iter().map(|matching| matching[end]);
            match found {
                Found::Own(line) => {
                    own += 1;
                    assert!(lines.all(|one| one == Some(line)), "{ends_of:?} {end} {line}");
                }
                Found::Among(some) => {
                    among += 1;
                    assert!(lines.all(|one| one.is_some_and(|one| some.contains(&one))), "{ends_of:?} {end} {some:?}");
                }
                Found::Nothing => assert!(lines.all(|one| one.is_none()), "{ends_of:?} {end}"),
                Found::Perhaps => assert!(lines.any(|one| one.is_none()), "{ends_of:?} {end}"),
            }
        }
    }
    assert!(own > 5_000 && among > 5_000, "{own} {among}");
}

#[test]
fn the_only_way_to_give_every_end_a_line_is_found() {
    for (ends_of, ends) in graphs() {
        let matchings = largest_matchings(&ends_of, ends);
        let [only] = &matchings[..] else { continue };
        if ends_of.len() == ends && only.iter().all(Option::is_some) {
            let own: Vec<_> = only.iter().flatten().map(|line| Found::Own(*line)).collect();
            assert_eq!(pair(&ends_of, ends), own, "{ends_of:?}");
        }
    }
}

#[test]
fn a_thousand_equal_ends_and_lines_are_among_each_other() {
    let ends_of = vec![(0..1000).collect::<Vec<_>>(); 1000];
    let found = pair(&ends_of, 1000);
    assert!(found.iter().all(|found| matches!(found, Found::Among(lines) if lines.len() == 1000)));
    let too_few = pair(&ends_of[..999], 1000);
    assert!(too_few.iter().all(|found| *found == Found::Perhaps));
}
