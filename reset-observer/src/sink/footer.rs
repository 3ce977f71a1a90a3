//! A line at the bottom of a terminal that is written over: how far it is, or what there was so far.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::atomic::{AtomicBool, Ordering},
};

use anstyle::Style;

/// Back to the beginning of the line, and nothing on it ([ECMA-48], sections 8.3.15 and 8.3.41).
///
/// [ECMA-48]: https://ecma-international.org/publications-and-standards/standards/ecma-48/
const ERASE: &str = "\r\x1b[2K";

/// What stands between two parts.
const BETWEEN: &str = " · ";

/// Columns of a terminal that does not tell how many it has.
const USUAL_WIDTH: usize = 80;

/// Whether there is such a line on the terminal. There is one terminal, and messages come to it past the footer.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// What a message on standard error must begin with, so that it does not stand behind a footer.
pub(super) fn make_way() -> &'static str {
    if io::stderr().is_terminal() && DRAWN.swap(false, Ordering::Relaxed) { ERASE } else { "" }
}

/// Such a line. Dropped, it is gone from the terminal.
pub struct Footer {
    out: Box<dyn Write>,
    width: fn() -> Option<usize>,
    style: Style,
    drawn: String,
    is_in_the_way: bool,
}

impl Footer {
    /// On standard output, if that is a terminal on which a line can be written over.
    #[must_use]
    pub fn on_stdout(colour: bool) -> Option<Self> {
        let width = || Some(terminal_size::terminal_size_of(io::stdout())?.0.0.into());
        (io::stdout().is_terminal() && can_erase()).then(|| Self::new(Box::new(io::stdout()), width, colour))
    }

    /// The same on standard error.
    #[must_use]
    pub fn on_stderr(colour: bool) -> Option<Self> {
        let width = || Some(terminal_size::terminal_size_of(io::stderr())?.0.0.into());
        (io::stderr().is_terminal() && can_erase()).then(|| Self::new(Box::new(io::stderr()), width, colour))
    }

    fn new(out: Box<dyn Write>, width: fn() -> Option<usize>, colour: bool) -> Self {
        let style = if colour { Style::new().dimmed() } else { Style::new() };
        Self { out, width, style, drawn: String::new(), is_in_the_way: io::stdout().is_terminal() }
    }

    /// Draws these, as many of the first ones as there is room for. What stands there already is not drawn again.
    pub fn draw(&mut self, parts: &[String]) {
        let line = fit(parts, (self.width)().unwrap_or(USUAL_WIDTH));
        if DRAWN.load(Ordering::Relaxed) && line == self.drawn {
            return;
        }
        let style = self.style;
        // Without it everything else is still shown, and says so if it cannot be.
        _ = write!(self.out, "{ERASE}{style}{line}{style:#}").and_then(|()| self.out.flush());
        self.drawn = line;
        DRAWN.store(true, Ordering::Relaxed);
    }

    /// Takes it off for what standard output is to show in its place, if that goes to a terminal.
    pub fn make_way(&mut self) {
        if self.is_in_the_way {
            self.clear();
        }
    }

    fn clear(&mut self) {
        if DRAWN.swap(false, Ordering::Relaxed) {
            _ = self.out.write_all(ERASE.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

impl Drop for Footer {
    fn drop(&mut self) {
        self.clear();
    }
}

fn can_erase() -> bool {
    std::env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// As many parts as there is room for on one line, the last column left free: some terminals go on to the next line once it
/// is written to. Of the first part, as much as there is room for.
fn fit(parts: &[String], width: usize) -> String {
    let room = width.saturating_sub(1);
    let mut line = String::new();
    for part in parts {
        let longer = if line.is_empty() { part.clone() } else { format!("{line}{BETWEEN}{part}") };
        if longer.chars().count() > room {
            break;
        }
        line = longer;
    }
    match parts.first() {
        Some(first) if line.is_empty() => first.chars().take(room).collect(),
        Some(_) | None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn as_much_is_shown_as_fits_and_the_last_column_stays_free() {
        let all = parts(&["12 s", "3 failed", "5 retried"]);
        assert_eq!(fit(&all, 80), "12 s · 3 failed · 5 retried");
        assert_eq!(fit(&all, 28), "12 s · 3 failed · 5 retried");
        assert_eq!(fit(&all, 27), "12 s · 3 failed");
        assert_eq!(fit(&all, 8), "12 s");
        assert_eq!(fit(&all, 4), "12 ");
        assert_eq!((fit(&all, 0), fit(&[], 80)), (String::new(), String::new()));
    }
}
