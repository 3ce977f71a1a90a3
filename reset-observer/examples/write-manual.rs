//! Writes the manual pages and the completions of the shells into a directory, from the command line as it is: what a
//! package holds beside the program. `cargo run -p reset-observer --example write-manual -- DIRECTORY`

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};
use clap::{CommandFactory as _, ValueEnum as _};
use clap_complete::Shell;
use reset_observer::cli::Cli;

fn main() -> Result<()> {
    let directory = env::args_os().nth(1).map(PathBuf::from).context("name the directory to write to")?;
    let pages = directory.join("man");
    fs::create_dir_all(&pages).with_context(|| format!("cannot make {}", pages.display()))?;
    clap_mangen::generate_to(Cli::command(), &pages).context("cannot write the manual")?;
    write_completions(&directory.join("completions"))
}

fn write_completions(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), "reset-observer", directory)
            .with_context(|| format!("cannot write the completions of {shell}"))?;
    }
    Ok(())
}
