//! The toolchain that `setup` chose, as it is recorded for the build script of `reset-observer`,
//! which includes this very file: what one writes, the other reads.

use std::{
    env, fmt,
    path::{Path, PathBuf},
};

/// A compiler and a linker that together have been seen to build a BPF object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    /// What `rustup run` calls the compiler.
    pub(crate) toolchain: String,
    /// The path of bpf-linker.
    pub(crate) linker: PathBuf,
}

impl Choice {
    /// Reads the recorded form; `None` if a part is missing.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let value = |key| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).map(str::trim);
        let toolchain = value("toolchain").filter(|name| !name.is_empty())?;
        let linker = value("linker").map(Path::new).filter(|path| path.is_absolute())?;
        Some(Self { toolchain: toolchain.into(), linker: linker.into() })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "toolchain={}\nlinker={}", self.toolchain, self.linker.display())
    }
}

/// Where everything is kept that `setup` makes: outside the work tree, so that a fresh clone finds it again.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    let xdg = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    let base = xdg.or_else(|| env::home_dir().map(|home| home.join(".cache")))?;
    Some(base.join("reset-observer"))
}

/// The file in [`cache_dir`] that holds the choice.
pub(crate) const FILE: &str = "ebpf-toolchain";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let choice = Choice { toolchain: "reset-observer-bpf".into(), linker: "/cache/bin/bpf-linker".into() };
        assert_eq!(Choice::parse(&choice.to_string()), Some(choice));
    }

    #[test]
    fn a_record_that_lacks_a_part_is_no_choice() {
        for text in ["", "toolchain=nightly\n", "linker=/bpf-linker\n", "toolchain=\nlinker=/bpf-linker\n"] {
            assert_eq!(Choice::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_relative_linker_is_refused_as_it_would_depend_on_the_directory() {
        assert_eq!(Choice::parse("toolchain=nightly\nlinker=bpf-linker\n"), None);
    }
}
