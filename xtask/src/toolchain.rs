//! A compiler and a linker for the BPF target: what is here, or what can be had.

pub(crate) mod choice;
pub(crate) mod compiler;
mod install;
mod linker;
mod probe;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

pub(crate) use choice::Choice;
use compiler::Compiler;

use crate::{missing::Missing, pins::Pins};

/// Finds a toolchain that builds for BPF, or installs one, and records it for the build script.
pub(crate) fn ensure(pins: &Pins) -> Result<Choice> {
    let cache = cache_dir()?;
    if let Some(choice) = recorded(pins, &cache) {
        return Ok(choice);
    }
    let choice = match present(pins, &cache) {
        Some(choice) => choice,
        None => complete(pins, &cache)?,
    };
    record(&choice, &cache)?;
    eprintln!("setup: the eBPF programs are built with {}", describe(&choice));
    Ok(choice)
}

/// Says what `ensure` would find, installing nothing.
pub(crate) fn check(pins: &Pins) -> Result<Choice> {
    let cache = cache_dir()?;
    recorded(pins, &cache).or_else(|| present(pins, &cache)).ok_or_else(|| {
        let mut commands = vec!["cargo xtask setup".into(), "# or by hand:".into()];
        commands.extend(install::ways(pins));
        Missing::error(format!("no toolchain here can build for {}", pins.target), commands)
    })
}

/// In a person's words.
pub(crate) fn describe(choice: &Choice) -> String {
    let version = Compiler::named(&choice.toolchain).version().map(|version| version.release);
    let release = version.unwrap_or_else(|_| "unknown".into());
    format!("{} (rustc {release}) and {}", choice.toolchain, choice.linker.display())
}

pub(crate) fn cache_dir() -> Result<PathBuf> {
    choice::cache_dir().ok_or_else(|| {
        Missing::error("no place to keep the toolchain: HOME is not set", ["export HOME=/path/to/your/home".into()])
    })
}

fn recorded(pins: &Pins, cache: &Path) -> Option<Choice> {
    let choice = Choice::parse(&fs::read_to_string(cache.join(choice::FILE)).ok()?)?;
    probe::probe(&choice, &pins.target, cache).ok()?;
    Some(choice)
}

/// Every compiler here that could do it, with every linker here, until a pair does.
fn present(pins: &Pins, cache: &Path) -> Option<Choice> {
    let linkers = linker::all(cache);
    let pairs = candidates(pins).into_iter().flat_map(|compiler| {
        linkers.iter().map(move |linker| Choice { toolchain: compiler.name.clone(), linker: linker.clone() })
    });
    pairs.into_iter().find(|choice| probe::probe(choice, &pins.target, cache).is_ok())
}

/// Compilers with a `core` for BPF, whose LLVM the pinned linker can have.
fn candidates(pins: &Pins) -> Vec<Compiler> {
    let speaks = |compiler: &Compiler| {
        compiler.version().is_ok_and(|version| pins.bpf_linker.llvm.contains(&version.llvm_major))
    };
    let all = compiler::all().into_iter();
    let mut here: Vec<_> = all.filter(|compiler| speaks(compiler) && compiler.has_core(&pins.target)).collect();
    here.sort_by_key(|compiler| preference(pins, &compiler.name));
    here
}

/// The user's own toolchain comes before the one that `setup` linked.
fn preference(pins: &Pins, name: &str) -> u8 {
    u8::from(name == pins.debian.toolchain)
}

/// Brings what is missing: a compiler, a linker or both; and proves that they fit.
fn complete(pins: &Pins, cache: &Path) -> Result<Choice> {
    let compiler = match candidates(pins).into_iter().next() {
        Some(compiler) => compiler,
        None => install::compiler(pins)?,
    };
    let fits = |linker: PathBuf| {
        let choice = Choice { toolchain: compiler.name.clone(), linker };
        probe::probe(&choice, &pins.target, cache).map(|()| choice)
    };
    // A linker from an earlier set-up may fit a compiler that has only come back.
    if let Some(choice) = linker::all(cache).into_iter().find_map(|linker| fits(linker).ok()) {
        return Ok(choice);
    }
    fits(linker::build(pins, &compiler, cache)?)
}

/// Left alone if it says so already: the build script runs again when the file changes.
fn record(choice: &Choice, cache: &Path) -> Result<()> {
    let (path, text) = (cache.join(choice::FILE), choice.to_string());
    if fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let write = || {
        fs::create_dir_all(cache)?;
        let draft = path.with_extension(std::process::id().to_string());
        fs::write(&draft, text)?;
        fs::rename(draft, &path)
    };
    write().with_context(|| format!("could not write {}; is it yours?", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_of_the_user_is_preferred_to_the_linked_one() {
        let pins = Pins::load().unwrap();
        assert!(preference(&pins, "nightly-x86_64-unknown-linux-gnu") < preference(&pins, &pins.debian.toolchain));
    }

    #[test]
    fn a_choice_is_recorded_once() {
        let cache = tempfile::tempdir().unwrap();
        let choice = Choice { toolchain: "nightly".into(), linker: "/bpf-linker".into() };
        record(&choice, cache.path()).unwrap();
        let path = cache.path().join(choice::FILE);
        let written = fs::metadata(&path).unwrap().modified().unwrap();
        record(&choice, cache.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), written);
        assert_eq!(Choice::parse(&fs::read_to_string(&path).unwrap()), Some(choice));
    }
}
