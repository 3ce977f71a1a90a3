//! Breaks sentences into lines.

/// A line is never made narrower than this, however narrow the terminal: words would fall apart.
const NARROWEST: usize = 30;

/// Breaks `text` between words into lines for a terminal of `width` columns (`None`: one line) that leave `indent`
/// columns free. Longer words keep a line of their own. Control characters, which could move the cursor, are replaced.
pub(super) fn wrap(text: &str, width: Option<usize>, indent: usize) -> Vec<String> {
    let limit = width.map_or(usize::MAX, |width| width.saturating_sub(indent).max(NARROWEST));
    let mut lines: Vec<String> = Vec::new();
    let mut columns = 0;
    for word in text.split_whitespace() {
        let word: String = word.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if columns + 1 + length <= limit => {
                line.push(' ');
                line.push_str(&word);
                columns += 1 + length;
            }
            _ => {
                lines.push(word);
                columns = length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_fit() {
        let text = "the backend closes idle connections after 1.00 s and nginx keeps them for 60 s";
        let lines = wrap(text, Some(50), 10);
        assert!(lines.iter().all(|line| line.chars().count() <= 40), "{lines:?}");
        assert_eq!(lines.join(" "), text);
    }

    #[test]
    fn a_pipe_gets_one_line() {
        assert_eq!(wrap(&"word ".repeat(100), None, 8).len(), 1);
    }

    #[test]
    fn a_word_longer_than_the_line_stays_whole() {
        let long = "x".repeat(60);
        assert_eq!(wrap(&format!("a {long} b"), Some(40), 0), ["a", &long, "b"]);
    }

    #[test]
    fn a_tiny_terminal_still_shows_something() {
        assert_eq!(wrap("a b", Some(1), 8), ["a b"]);
    }

    #[test]
    fn text_cannot_move_the_cursor() {
        assert_eq!(wrap("a\x1b[2Jb", None, 0), ["a\u{fffd}[2Jb"]);
    }
}
