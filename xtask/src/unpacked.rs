//! Programs for the lab that are no services of this host: Debian's packages, unpacked but never installed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    apt,
    missing::Missing,
    program::{find, is_root, output_of, run_aloud},
    toolchain::cache_dir,
};

/// A program whose package would start a service.
#[derive(Clone, Copy)]
pub(crate) struct Unpacked {
    /// The package and the program in its `/usr/sbin`.
    name: &'static str,
    /// Packages of libraries, for a person to install where apt cannot.
    libraries: &'static [&'static str],
}

/// The proxy under observation.
pub(crate) const NGINX: Unpacked =
    Unpacked { name: "nginx", libraries: &["libpcre2-8-0", "libssl3", "zlib1g", "libcrypt1"] };

/// The proxy in TCP mode that closes idle connections.
pub(crate) const HAPROXY: Unpacked = Unpacked {
    name: "haproxy",
    libraries: &["liblua5.3-0", "libopentracing-c-wrapper0", "libpcre2-8-0", "libssl3", "libsystemd0", "libcrypt1"],
};

impl Unpacked {
    /// The one that is installed, or that was unpacked before.
    pub(crate) fn find_here(self) -> Result<Option<PathBuf>> {
        let unpacked = self.program_in(&cache_dir()?.join(self.name));
        Ok(find(self.name).or_else(|| unpacked.exists().then_some(unpacked)))
    }

    /// Finds it, or unpacks it.
    pub(crate) fn ensure(self) -> Result<PathBuf> {
        match self.find_here()? {
            Some(program) => Ok(program),
            None => self.unpack(),
        }
    }

    /// Finds it, or says what to do.
    pub(crate) fn check(self) -> Result<PathBuf> {
        let lacks = || format!("the lab lacks {}, which setup unpacks", self.name);
        self.find_here()?.ok_or_else(|| Missing::error(lacks(), ["cargo xtask setup".into()]))
    }

    /// Fetches Debian's package and unpacks it into the cache; nothing but libraries is installed, nothing is started.
    fn unpack(self) -> Result<PathBuf> {
        let name = self.name;
        let package = [name.to_owned()];
        if !apt::offers(&package)? {
            let by_hand = if apt::is_here() { vec![apt::by_hand(&package)[0].clone()] } else { Vec::new() };
            let what = format!("the lab needs {name} in PATH (it need not run as a service)");
            return Err(Missing::error(what, by_hand));
        }
        let cache = cache_dir()?;
        let (draft, home) = (cache.join(format!("{name}.draft")), cache.join(name));
        let _ = fs::remove_dir_all(&draft);
        fs::create_dir_all(&draft)
            .with_context(|| format!("could not make {}; is the cache yours?", draft.display()))?;
        self.download(&draft)?;
        self.unpack_package(&draft)?;
        let _ = fs::remove_dir_all(&home);
        fs::rename(draft.join("root"), &home)
            .with_context(|| format!("could not move {name} to {}", home.display()))?;
        fs::remove_dir_all(&draft).with_context(|| format!("could not remove {}", draft.display()))?;
        self.bring_libraries(&self.program_in(&home))?;
        Ok(self.program_in(&home))
    }

    fn program_in(self, home: &Path) -> PathBuf {
        home.join("usr/sbin").join(self.name)
    }

    /// apt checks the package against the signed lists.
    fn download(self, dir: &Path) -> Result<()> {
        let mut download = download_to(dir, &[self.name]);
        let why = format!("fetching {} for the lab; it is neither installed nor started", self.name);
        run_aloud(&why, &mut download).or_else(|_| {
            apt::update(&format!("apt could not fetch {}; fetching its lists once in case they are old", self.name))?;
            run_aloud(&why, &mut download)
        })
    }

    fn unpack_package(self, dir: &Path) -> Result<()> {
        let files = fs::read_dir(dir).with_context(|| format!("could not read {}", dir.display()))?;
        let package =
            files.flatten().map(|file| file.path()).find(|path| path.extension().is_some_and(|end| end == "deb"));
        let package = package.context("apt-get download left no package")?;
        run_aloud("unpacking it", Command::new("dpkg-deb").arg("-x").arg(package).arg(dir.join("root")))
    }

    fn bring_libraries(self, program: &Path) -> Result<()> {
        let libraries: Vec<String> = self.libraries.iter().map(|&library| library.to_owned()).collect();
        if missing_libraries(program)?.is_empty() {
            return Ok(());
        }
        let why = format!("installing libraries of {}", self.name);
        let brought = if is_root() { apt::install(&why, &libraries) } else { Ok(()) };
        let missing = missing_libraries(program)?;
        if missing.is_empty() {
            return brought;
        }
        // Removed, so that the next set-up looks again.
        let _ = fs::remove_file(program);
        let what = format!("{} lacks libraries: {}", self.name, missing.join(", "));
        Err(Missing::error(what, apt::by_hand(&libraries)))
    }
}

/// The command that fetches packages into a directory.
pub(crate) fn download_to(dir: &Path, packages: &[&str]) -> Command {
    let mut download = Command::new("apt-get");
    download.current_dir(dir).args(["download", "-q"]).args(packages);
    if is_root() {
        // apt's own user can't write to root's cache.
        download.args(["-o", "APT::Sandbox::User=root"]);
    }
    download
}

fn missing_libraries(program: &Path) -> Result<Vec<String>> {
    Ok(not_found(&output_of(Command::new("ldd").arg(program))?))
}

/// The names that `ldd` could not resolve.
fn not_found(ldd: &str) -> Vec<String> {
    ldd.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_found_is_named() {
        let ldd =
            "\tlinux-vdso.so.1 (0x00007f)\n\tlibssl.so.3 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n";
        assert_eq!(not_found(ldd), ["libssl.so.3"]);
    }
}
