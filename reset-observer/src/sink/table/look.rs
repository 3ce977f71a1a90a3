//! How a terminal looks: its width, and whether it takes colours.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};

use super::wrap;
use crate::{
    sink::checks::{Check, State},
    verdict::{Impact, Verdict},
};

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

    pub(in crate::sink) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    pub(crate) fn strong(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
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

    /// Green where it is there, red where its absence keeps the observer from starting, yellow otherwise.
    pub(in crate::sink) fn state(self, check: &Check, text: &str) -> String {
        let colour = match check.state {
            State::Ok => AnsiColor::Green,
            State::Missing | State::Unknown if check.is_in_the_way() => AnsiColor::Red,
            State::Missing | State::Unknown => AnsiColor::Yellow,
        };
        self.paint(colour.on_default().bold(), text)
    }

    /// `text` behind `before`, which takes `indent` columns; further lines are indented as far.
    pub(crate) fn hang(self, before: &str, text: &str, indent: usize) -> String {
        let lines = wrap::wrap(text, self.width, indent).join(&format!("\n{:indent$}", ""));
        format!("{}\n", format!("{before}{lines}").trim_end())
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}
