//! The error for something that has to be there first: it names the commands that bring it.

use std::{error::Error, fmt};

/// What is missing, and what to type. It ends the program with exit code 2.
#[derive(Debug)]
pub(crate) struct Missing {
    what: String,
    commands: Vec<String>,
}

impl Missing {
    pub(crate) fn error(what: impl Into<String>, commands: impl IntoIterator<Item = String>) -> anyhow::Error {
        Self { what: what.into(), commands: commands.into_iter().collect() }.into()
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        if self.commands.is_empty() {
            return Ok(());
        }
        f.write_str("\ntype:")?;
        self.commands.iter().try_for_each(|command| write!(f, "\n    {command}"))
    }
}

impl Error for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_stand_on_lines_of_their_own() {
        let error = Missing::error("nginx is missing", ["apt-get update".into(), "apt-get install nginx".into()]);
        assert_eq!(error.to_string(), "nginx is missing\ntype:\n    apt-get update\n    apt-get install nginx");
    }
}
