//! The rules with their time running sixty times as fast, so that a test can wait for `for: 1h`.

/// What stands before a time in a file of rules.
const BEFORE: [&str; 3] = ["for: ", "[", "offset "];

/// The same rules with each time a sixtieth of what it was: its unit becomes the next smaller one. Nothing else changes,
/// and no threshold does. A scrape and an evaluation every half second are then what thirty seconds are to the rules.
pub(crate) fn hastened(rules: &str) -> String {
    BEFORE.iter().fold(rules.to_owned(), |text, before| {
        let mut parts = text.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |done, part| done + before + &begins_sooner(part))
    })
}

/// `10m` at the beginning becomes `10s`, and `1h` becomes `1m`.
fn begins_sooner(text: &str) -> String {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let sooner = match text.as_bytes().get(unit) {
        Some(b'm') if unit > 0 => "s",
        Some(b'h') if unit > 0 => "m",
        _ => return text.to_owned(),
    };
    format!("{}{sooner}{}", &text[..unit], &text[unit + 1..])
}

#[test]
fn times_are_a_sixtieth_and_all_else_stays() {
    let rules =
        "expr: (a unless a offset 10m) or increase(a{b=\"1m\"}[10m]) > 50\nfor: 1h\nsummary: '[for: ten minutes]'";
    let sooner =
        "expr: (a unless a offset 10s) or increase(a{b=\"1m\"}[10s]) > 50\nfor: 1m\nsummary: '[for: ten minutes]'";
    assert_eq!(hastened(rules), sooner);
}
