use super::{super::edges::Edges, Found, Pairs};

/// What is known of each end: its own line, or else what is known without.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Known {
    Own(usize),
    Else(Found),
}

fn pair(pairs: &mut Pairs, ends_of: &[Vec<usize>], ends: usize) -> Vec<Known> {
    let edges = Edges::of(ends_of, ends);
    pairs.pair(&edges, |_| true);
    let own = |end: usize| pairs.own.iter().find(|(_, of)| *of == end).map(|(line, _)| Known::Own(*line));
    (0..ends).map(|end| own(end).unwrap_or_else(|| Known::Else(pairs.of(&edges, end)))).collect()
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
    let (mut pairs, mut own, mut among) = (Pairs::default(), 0, 0);
    for (ends_of, ends) in graphs() {
        let matchings = largest_matchings(&ends_of, ends);
        for (end, found) in pair(&mut pairs, &ends_of, ends).into_iter().enumerate() {
            let mut lines = matchings.iter().map(|matching| matching[end]);
            match found {
                Known::Own(line) => {
                    own += 1;
                    assert!(lines.all(|one| one == Some(line)), "{ends_of:?} {end} {line}");
                }
                Known::Else(Found::Among(some)) => {
                    among += 1;
                    assert!(lines.all(|one| one.is_some_and(|one| some.contains(&one))), "{ends_of:?} {end} {some:?}");
                }
                Known::Else(Found::Nothing) => assert!(lines.all(|one| one.is_none()), "{ends_of:?} {end}"),
                Known::Else(Found::Perhaps) => assert!(lines.any(|one| one.is_none()), "{ends_of:?} {end}"),
            }
        }
    }
    assert!(own > 5_000 && among > 5_000, "{own} {among}");
}

#[test]
fn the_only_way_to_give_every_end_a_line_is_found() {
    let mut pairs = Pairs::default();
    for (ends_of, ends) in graphs() {
        let matchings = largest_matchings(&ends_of, ends);
        let [only] = &matchings[..] else { continue };
        if ends_of.len() == ends && only.iter().all(Option::is_some) {
            let own: Vec<_> = only.iter().flatten().map(|line| Known::Own(*line)).collect();
            assert_eq!(pair(&mut pairs, &ends_of, ends), own, "{ends_of:?}");
        }
    }
}

#[test]
fn a_thousand_equal_ends_and_lines_are_among_each_other() {
    let mut pairs = Pairs::default();
    let ends_of = vec![(0..1000).collect::<Vec<_>>(); 1000];
    let found = pair(&mut pairs, &ends_of, 1000);
    assert!(found.iter().all(|found| matches!(found, Known::Else(Found::Among(lines)) if lines.len() == 1000)));
    let too_few = pair(&mut pairs, &ends_of[..999], 1000);
    assert!(too_few.iter().all(|found| *found == Known::Else(Found::Perhaps)));
}
