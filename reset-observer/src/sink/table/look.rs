//! How a terminal looks: its width, and whether it takes colours.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use crate::verdict::{Impact, Verdict};

/// How to lay out lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Columns of the terminal; `None` for a pipe or a file, where lines are never broken.
    pub width: Option<usize>,
    /// Whether to use colours.
    pub colour: bool,
}

impl Look {
    /// For pipes and files.
    pub const PLAIN: Self = Self { width: None, colour: false };

    /// What standard output wants: [`Self::PLAIN`] unless it is a terminal, and no colour if `NO_COLOR` is set.
    #[must_use]
    pub fn of_stdout() -> Self {
        let stdout = io::stdout();
        if !stdout.is_terminal() {
            return Self::PLAIN;
        }
        let width = terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0));
        Self { width, colour: AutoStream::choice(&stdout) != ColorChoice::Never }
    }

    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Red where a request failed, yellow where nginx hid it, green where nothing was hurt.
    pub(super) fn cause(self, verdict: &Verdict, text: &str) -> String {
        let colour = match verdict.impact {
            Impact::RequestFailed => AnsiColor::Red,
            Impact::RequestRetried | Impact::Unknown => AnsiColor::Yellow,
            Impact::None => AnsiColor::Green,
        };
        self.paint(colour.on_default().bold(), text)
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
