//! Columns for people.

/// Lines up `rows` under `heads`: the first `words` columns to the left, the others, being numbers, to the right.
pub(crate) fn columns(heads: &[&str], words: usize, rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).chain(heads.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().enumerate().map(|(column, cell)| {
            let width = width(column);
            if column < words { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        text += cells.collect::<Vec<_>>().join("  ").trim_end();
        text.push('\n');
    }
    text
}

/// A number for people: no more digits than mean something.
pub(super) fn rounded(value: f64) -> String {
    if value.abs() < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_to_the_left_and_numbers_to_the_right() {
        let rows = [vec!["a".to_owned(), "7".to_owned()], vec!["longer".to_owned(), "1234".to_owned()]];
        assert_eq!(columns(&["what", "n"], 1, &rows), "what       n\na          7\nlonger  1234\n");
    }

    #[test]
    fn a_ratio_keeps_its_digits_and_a_rate_does_not() {
        assert_eq!((rounded(0.98765), rounded(10_432.7)), ("0.988".to_owned(), "10433".to_owned()));
    }
}
