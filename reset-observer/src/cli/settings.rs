//! The daemon's settings: flags, and the file of `--config`, whose keys are the flags' names. A flag that is given
//! counts more than the file. Values of the file go through the very parsers of the flags.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgAction, ArgMatches, CommandFactory as _, error::ErrorKind, parser::ValueSource};

use super::Cli;
use crate::yaml::{Entry, Mapping, Mistake, Place, parse, read_file};

/// Flags that make no sense in the file.
const NOT_IN_THE_FILE: [&str; 4] = ["config", "print-config", "help", "version"];

const COMMAND: &str = "daemon";

/// The settings that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings(BTreeMap<String, Setting>);

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    shown: Shown,
    source: Source,
}

/// A value as YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// Nothing was said, and there is no default that could be written.
    Nothing,
    /// True or false.
    Switch(bool),
    /// One value.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// Who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    Flag,
    File(PathBuf, usize),
    Default,
}

/// What the file says, as flags.
struct FromFile {
    flags: Vec<OsString>,
    places: BTreeMap<String, (PathBuf, Place)>,
}

/// The arguments with what the file adds to them; the same where there is no `--config` of the daemon's.
///
/// # Errors
/// What is wrong with the arguments or with the file, with line and remedy.
pub(super) fn with_file(arguments: Vec<OsString>) -> Result<Vec<OsString>, clap::Error> {
    let from_file = from_file(&arguments)?;
    Ok(joined(arguments, from_file.flags))
}

/// Before a `--`, after which nothing is a flag.
fn joined(mut arguments: Vec<OsString>, flags: Vec<OsString>) -> Vec<OsString> {
    let end = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    arguments.splice(end..end, flags);
    arguments
}

fn from_file(arguments: &[OsString]) -> Result<FromFile, clap::Error> {
    let nothing = FromFile { flags: Vec::new(), places: BTreeMap::new() };
    let matches = Cli::command().try_get_matches_from(arguments)?;
    let Some(daemon) = matches.subcommand_matches(COMMAND) else { return Ok(nothing) };
    let Some(path) = daemon.get_one::<PathBuf>("config") else { return Ok(nothing) };
    let refuse = |message: String| Cli::command().error(ErrorKind::ValueValidation, message);
    let text = read_file(path).map_err(|error| refuse(format!("{error:#}: check --config")))?;
    read(&text, path, daemon).map_err(|mistake| refuse(format!("{}:{mistake}", path.display())))
}

fn read(text: &str, path: &Path, given: &ArgMatches) -> Result<FromFile, Mistake> {
    let node = parse(text)?;
    let command = built();
    let arguments = arguments(&command);
    let known: Vec<&str> = arguments.iter().filter_map(|argument| argument.get_long()).collect();
    let mut from_file = FromFile { flags: Vec::new(), places: BTreeMap::new() };
    for entry in Mapping::of(&node, &known)?.entries() {
        let Some(argument) = arguments.iter().find(|argument| argument.get_long() == Some(&entry.key)) else {
            continue;
        };
        let flags = flags(entry, argument)?;
        // A flag wins, but what it wins over is to be right all the same.
        if given.value_source(argument.get_id().as_str()) != Some(ValueSource::CommandLine) {
            from_file.flags.extend(flags);
            from_file.places.insert(entry.key.clone(), (path.to_owned(), entry.place));
        }
    }
    Ok(from_file)
}

/// One key as flags, each checked as if it had been given.
fn flags(entry: &Entry, argument: &Arg) -> Result<Vec<OsString>, Mistake> {
    let key = &entry.key;
    if is_switch(argument) {
        let flag = entry.value.truth()?.then(|| format!("--{key}").into());
        return Ok(flag.into_iter().collect());
    }
    let nodes = if takes_several(argument) { entry.value.each() } else { std::slice::from_ref(&entry.value) };
    nodes
        .iter()
        .map(|node| {
            let flag = OsString::from(format!("--{key}={}", node.text()?));
            let checked = Cli::command().try_get_matches_from([OsStr::new("reset-observer"), COMMAND.as_ref(), &flag]);
            checked.map(|_| flag).map_err(|error| Mistake::new(node.place, first_sentence(&error)))
        })
        .collect()
}

fn is_switch(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::SetTrue)
}

fn takes_several(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Append)
}

/// clap's message without its label and its hints at usage.
fn first_sentence(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    first.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

fn built() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand(COMMAND).cloned().unwrap_or(command)
}

/// The arguments that can stand in the file.
fn arguments(command: &clap::Command) -> Vec<&Arg> {
    let can = |argument: &&Arg| argument.get_long().is_some_and(|long| !NOT_IN_THE_FILE.contains(&long));
    command.get_arguments().filter(can).collect()
}

impl Settings {
    /// The settings that these arguments of `daemon` and their file make.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn of(given: Vec<OsString>) -> Result<Self, clap::Error> {
        let from_file = from_file(&given)?;
        let matches = Cli::command().try_get_matches_from(joined(given, from_file.flags))?;
        let command = built();
        let mut settings = BTreeMap::new();
        if let Some(matches) = matches.subcommand_matches(COMMAND) {
            for argument in arguments(&command) {
                let Some(key) = argument.get_long() else { continue };
                let source = match from_file.places.get(key) {
                    Some((path, place)) => Source::File(path.clone(), place.line),
                    None if matches.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine) => {
                        Source::Flag
                    }
                    None => Source::Default,
                };
                settings.insert(key.to_owned(), Setting { shown: Shown::of(argument, matches), source });
            }
        }
        Ok(Self(settings))
    }

    /// The same with these keys as they are in `later`.
    #[must_use]
    pub fn with(mut self, keys: &[&str], mut later: Self) -> Self {
        for key in keys {
            self.0.extend(later.0.remove_entry(*key));
        }
        self
    }

    /// The keys whose values differ from those of `before`, with both.
    #[must_use]
    pub fn changes(&self, before: &Self) -> Vec<(&str, String, String)> {
        let pairs = self.0.iter().filter_map(|(key, now)| Some((key, now, before.0.get(key)?)));
        pairs
            .filter(|(_, now, before)| now.shown != before.shown)
            .map(|(key, now, before)| (key.as_str(), before.shown.to_string(), now.shown.to_string()))
            .collect()
    }
}

impl Shown {
    fn of(argument: &Arg, matches: &ArgMatches) -> Self {
        let id = argument.get_id().as_str();
        let texts = || matches.get_raw(id).into_iter().flatten().map(|value| value.to_string_lossy().into_owned());
        if is_switch(argument) {
            Self::Switch(matches.get_flag(id))
        } else if takes_several(argument) {
            Self::Several(texts().collect())
        } else {
            texts().next().map_or(Self::Nothing, Self::One)
        }
    }
}

impl fmt::Display for Settings {
    /// A file that says the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# The settings of reset-observer daemon, and where each comes from.")?;
        for (key, Setting { shown, source }) in &self.0 {
            if *shown == Shown::Nothing {
                writeln!(f, "# {key}: is not set")?;
            } else {
                writeln!(f, "{key}: {shown}  # {source}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("not set"),
            Self::Switch(on) => write!(f, "{on}"),
            Self::One(text) => f.write_str(&quoted(text)),
            Self::Several(texts) => {
                write!(f, "[{}]", texts.iter().map(|text| quoted(text)).collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// As YAML: in quotation marks unless it is plainly a text or a number.
fn quoted(text: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "._/-".contains(character);
    let reserved = ["", "null", "true", "false", "-", "---", "..."];
    if text.chars().all(plain) && !reserved.contains(&text) && !text.starts_with("- ") {
        return text.to_owned();
    }
    let escaped: String = text
        .chars()
        .map(|character| match character {
            '"' | '\\' => format!("\\{character}"),
            character if character.is_control() => format!("\\u{:04x}", character as u32),
            character => character.to_string(),
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests;
