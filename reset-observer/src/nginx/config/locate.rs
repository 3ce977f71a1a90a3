//! Where a running nginx has its configuration: from its command line, else from what was compiled in.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::{directive::Origin, error_log::LogTarget};
use crate::nginx::version::Build;

/// What a command line says about the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// `-c`: the main file.
    pub configuration: Option<Vec<u8>>,
    /// `-p`: the prefix.
    pub prefix: Option<Vec<u8>>,
    /// `-g`: directives outside any block.
    pub globals: Option<Vec<u8>>,
    /// `-e`: the error log.
    pub error_log: Option<Vec<u8>>,
}

impl Invocation {
    /// Reads `/proc/PID/cmdline`. A master has written its title over it, `nginx: master process` and the arguments with
    /// single spaces between them; so an argument with a space is told from two by the dash of the next option.
    #[must_use]
    pub fn parse(cmdline: &[u8]) -> Self {
        let ends = |byte: &u8| matches!(byte, 0 | b' ' | b']');
        let text = cmdline.iter().rposition(|byte| !ends(byte)).map_or(&[] as &[u8], |last| &cmdline[..=last]);
        match arguments_in_title(text) {
            Some(arguments) => Self::from_arguments(&split_title(arguments)),
            None => Self::from_arguments(&cmdline.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect::<Vec<_>>()),
        }
    }

    /// Reads the arguments, of which the first is the program, as `ngx_get_options` does.
    #[must_use]
    pub fn from_arguments(arguments: &[Vec<u8>]) -> Self {
        let mut invocation = Self::default();
        let mut rest = arguments.iter().skip(1);
        while let Some(argument) = rest.next() {
            let Some(letters) = argument.strip_prefix(b"-") else { continue };
            // Options without a value may stand before one with a value: `-qc FILE`.
            let Some(at) = letters.iter().position(|letter| b"pecgs".contains(letter)) else { continue };
            let value = if at + 1 < letters.len() { Some(letters[at + 1..].to_vec()) } else { rest.next().cloned() };
            match letters[at] {
                b'p' => invocation.prefix = value,
                b'e' => invocation.error_log = value,
                b'c' => invocation.configuration = value,
                b'g' => invocation.globals = value,
                _ => {}
            }
        }
        invocation
    }

    /// Where nginx finds its files. `directory` is the one that it was started in, which relative paths begin with.
    #[must_use]
    pub fn origin(&self, build: &Build, directory: &Path) -> Origin {
        // The defaults of `configure` count where it was run without these arguments, those of distributions where it is
        // not known how it was run.
        let known = build.arguments.is_some();
        let prefix = self.prefix.as_deref().or_else(|| build.argument("prefix").map(str::as_bytes));
        let prefix = prefix.unwrap_or(if known { b"/usr/local/nginx" } else { b"/etc/nginx" });
        let main = self.configuration.as_deref().or_else(|| build.argument("conf-path").map(str::as_bytes));
        let main = main.unwrap_or(if known { b"conf/nginx.conf" } else { b"/etc/nginx/nginx.conf" });
        let prefix = directory.join(path(prefix));
        Origin { main: prefix.join(path(main)), prefix, globals: self.globals.clone().unwrap_or_default() }
    }

    /// The log that counts until, and unless, the configuration names one outside all blocks.
    #[must_use]
    pub fn first_log(&self, build: &Build, prefix: &Path) -> LogTarget {
        let compiled_in = || build.argument("error-log-path").map_or(b"logs/error.log" as &[u8], str::as_bytes);
        LogTarget::read(self.error_log.as_deref().unwrap_or_else(compiled_in), prefix)
    }
}

/// What follows `nginx: master process `, also where Angie puts its version and brackets around it; `None` if this is
/// no title.
fn arguments_in_title(text: &[u8]) -> Option<&[u8]> {
    let begins = b": master process ";
    let at = memchr::memmem::find(&text[..text.len().min(64)], begins)? + begins.len();
    let arguments = &text[at..];
    let bracket = arguments.starts_with(b"v").then(|| memchr::memmem::find(arguments, b" [")).flatten();
    Some(bracket.map_or(arguments, |bracket| &arguments[bracket + 2..]))
}

fn split_title(arguments: &[u8]) -> Vec<Vec<u8>> {
    let mut whole: Vec<Vec<u8>> = Vec::new();
    let mut joins = false;
    for word in arguments.split(|byte| matches!(byte, b' ' | 0)) {
        let is_option = word.first() == Some(&b'-');
        match whole.last_mut() {
            Some(before) if joins && !is_option => {
                before.push(b' ');
                before.extend_from_slice(word);
            }
            _ => whole.push(word.to_vec()),
        }
        // A value goes on until the next option; an option of two bytes has its value in the next word.
        joins = !(is_option && word.len() == 2);
    }
    whole
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests;
