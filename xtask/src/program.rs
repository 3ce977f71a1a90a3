//! Other programs: finding them, running them, and writing down how a person would type them.

use std::{
    env, fs, io,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _},
        process::CommandExt as _,
    },
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Finds a program as the shell would, and where only root's shell would: nginx and nft live in `sbin`.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    let runs =
        |file: &PathBuf| fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0);
    env::split_paths(&path).chain(sbin).map(|dir| dir.join(name)).find(runs)
}

/// Whether this process runs as root.
pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// Runs a program to its end; its own words are on the terminal already, so the error only names it.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("could not start `{}`", typed(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", typed(command));
    }
    Ok(())
}

/// Says why, says what, and runs it, with all of its output on standard error.
pub(crate) fn run_aloud(why: &str, command: &mut Command) -> Result<()> {
    eprintln!("setup: {why}\n  $ {}", typed(command));
    run(command.stdin(Stdio::null()).stdout(io::stderr()))
}

/// Runs a program and returns what it printed.
pub(crate) fn output_of(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("could not start `{}`", typed(command)))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", typed(command), output.status, words.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", typed(command)))
}

/// Becomes that program: signals, terminal and exit code are then its own.
pub(crate) fn become_program(command: &mut Command) -> anyhow::Error {
    let error = command.exec();
    anyhow::Error::new(error).context(format!("could not start `{}`", typed(command)))
}

/// The command as a person would type it, its own environment variables included.
pub(crate) fn typed(command: &Command) -> String {
    let variables = command
        .get_envs()
        .filter_map(|(name, value)| Some(format!("{}={}", name.to_str()?, quoted(&value?.to_string_lossy()))));
    let words =
        [command.get_program()].into_iter().chain(command.get_args()).map(|word| quoted(&word.to_string_lossy()));
    variables.chain(words).collect::<Vec<_>>().join(" ")
}

/// The same, to be typed by an ordinary user who may become root.
pub(crate) fn typed_as_root(command: &Command) -> String {
    let assigns = command.get_envs().any(|(_, value)| value.is_some());
    format!("sudo {}{}", if assigns { "env " } else { "" }, typed(command))
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) { word.into() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_pasted_into_a_shell() {
        let mut command = Command::new("cargo");
        command.env("LLVM_PREFIX", "/opt/my llvm").args(["install", "it's", ""]);
        assert_eq!(typed(&command), r"LLVM_PREFIX='/opt/my llvm' cargo install 'it'\''s' ''");
    }

    #[test]
    fn variables_survive_sudo() {
        let mut command = Command::new("/target/lab");
        command.env("LAB_NODE", "/usr/bin/node").arg("demo");
        assert_eq!(typed_as_root(&command), "sudo env LAB_NODE=/usr/bin/node /target/lab demo");
        assert_eq!(typed_as_root(Command::new("id").env_remove("HOME")), "sudo id");
    }

    #[test]
    fn a_program_that_does_not_exist_is_not_found() {
        assert_eq!(find("no-such-program-anywhere"), None);
        assert!(find("sh").is_some());
    }
}
