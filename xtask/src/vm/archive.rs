//! Debian's archive, asked through an apt configuration of our own: other suites than this machine's, and the machine's
//! own sources, lists and packages stay as they are.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use super::matrix::{Kernel, Package};
use crate::{
    missing::Missing,
    program::{output_of, run_aloud},
};

const MIRROR: &str = "http://deb.debian.org";
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// The packages of one suite, and where they are kept.
pub(crate) struct Archive {
    packages: PathBuf,
    home: PathBuf,
}

impl Archive {
    /// Opens the archive of a suite; asks the network for nothing yet.
    pub(crate) fn open(cache: &Path, suite: &str) -> Result<Self> {
        let archive = Self { packages: cache.join("packages"), home: cache.join("apt").join(suite) };
        for dir in [archive.packages.clone(), archive.home.join("lists/partial"), archive.home.join("archives/partial")]
        {
            fs::create_dir_all(&dir).with_context(|| format!("could not make {}", dir.display()))?;
        }
        archive.configure(suite)?;
        Ok(archive)
    }

    /// The package's file, from the cache or the mirror. Whatever its way here, its hash is the pinned one.
    pub(super) fn fetch(&self, kernel: &Kernel, package: &Package) -> Result<PathBuf> {
        let file = self.packages.join(format!("{}_{}.deb", package.name, package.version));
        if !file.exists() {
            self.download(kernel, package, &file)?;
        }
        let found = sha256_of(&file)?;
        if found != package.sha256 {
            fs::remove_file(&file).with_context(|| format!("could not remove {}", file.display()))?;
            bail!(
                "refused {} {}: its SHA-256 is {found}, but kernel-matrix.toml pins {}; it was removed from the cache. If \
                 Debian replaced the package, `cargo xtask vm --pin` pins the new one",
                package.name,
                package.version,
                package.sha256
            );
        }
        Ok(file)
    }

    /// The newest package like `package` for the kernel's version, pinned by the hash in Debian's signed lists.
    pub(super) fn newest(&self, kernel: &Kernel, package: &Package) -> Result<Package> {
        self.update()?;
        self.newest_listed(kernel, package)
    }

    /// Unpacks the newest of each of these packages into `root`. apt checks them against the signed lists.
    pub(crate) fn unpack_newest(&self, names: &[&str], root: &Path) -> Result<()> {
        self.update()?;
        let draft = self.home.join("newest");
        let _ = fs::remove_dir_all(&draft);
        fs::create_dir_all(&draft).with_context(|| format!("could not make {}", draft.display()))?;
        let mut download = self.apt("apt-get");
        download.current_dir(&draft).args(["download", "-q"]).args(names);
        run_aloud(&format!("fetching {}", names.join(", ")), &mut download)?;
        let fetched = fs::read_dir(&draft).with_context(|| format!("could not read {}", draft.display()))?;
        for package in fetched.flatten() {
            output_of(Command::new("dpkg-deb").arg("-x").arg(package.path()).arg(root))?;
        }
        fs::remove_dir_all(&draft).with_context(|| format!("could not remove {}", draft.display()))
    }

    fn download(&self, kernel: &Kernel, package: &Package, file: &Path) -> Result<()> {
        if !self.lists(package)? {
            self.update()?;
        }
        if !self.lists(package)? {
            return Err(self.gone(kernel, package));
        }
        let draft = self.home.join("download");
        let _ = fs::remove_dir_all(&draft);
        fs::create_dir_all(&draft).with_context(|| format!("could not make {}", draft.display()))?;
        let mut download = self.apt("apt-get");
        download.current_dir(&draft).args(["download", "-q"]).arg(format!("{}={}", package.name, package.version));
        run_aloud(&format!("fetching Linux {} of {}", kernel.version, kernel.suite), &mut download)?;
        let fetched = fs::read_dir(&draft).with_context(|| format!("could not read {}", draft.display()))?;
        let fetched = fetched.flatten().next().context("apt-get download left no package")?.path();
        fs::rename(&fetched, file).with_context(|| format!("could not move {}", fetched.display()))
    }

    fn gone(&self, kernel: &Kernel, package: &Package) -> anyhow::Error {
        let newer = match self.newest_listed(kernel, package) {
            Ok(newer) => format!("it has {} {}", newer.name, newer.version),
            Err(error) => format!("{error:#}"),
        };
        Missing::error(
            format!("{} no longer has {} {}; {newer}", kernel.suite, package.name, package.version),
            [format!("cargo xtask vm --pin {}", kernel.version)],
        )
    }

    /// Whether apt's lists name exactly this package, with the pinned hash.
    fn lists(&self, package: &Package) -> Result<bool> {
        let listed = self.listed(&package.name)?;
        Ok(listed.iter().any(|other| other == package))
    }

    fn newest_listed(&self, kernel: &Kernel, package: &Package) -> Result<Package> {
        let prefix = format!("{}-{}.", package.stem(), kernel.version);
        let mut search = self.apt("apt-cache");
        let names = output_of(search.args(["search", "--names-only"]).arg(format!("^{}", prefix.replace('.', "\\."))))?;
        let names = names.lines().filter_map(|line| line.split(' ').next());
        let mut newest: Option<Package> = None;
        for name in names.filter(|name| is_plain(name, &prefix)) {
            for listed in self.listed(name)? {
                if newest.as_ref().is_none_or(|newest| is_later(&listed.version, &newest.version)) {
                    newest = Some(listed);
                }
            }
        }
        newest.with_context(|| format!("{} has no {prefix}*", kernel.suite))
    }

    /// Every version of the package of this name that apt's lists have.
    fn listed(&self, name: &str) -> Result<Vec<Package>> {
        // An unknown package is an error to apt-cache, and an answer here.
        let output = self.apt("apt-cache").args(["show", name]).output().context("could not start apt-cache")?;
        Ok(stanzas(&String::from_utf8_lossy(&output.stdout)))
    }

    fn update(&self) -> Result<()> {
        run_aloud("fetching Debian's lists into the cache", self.apt("apt-get").args(["update", "-qq"]))
    }

    fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.home.join("apt.conf")).env("LC_ALL", "C");
        command
    }

    fn configure(&self, suite: &str) -> Result<()> {
        let home = self.home.display();
        let configuration = format!(
            "Dir::State \"{home}\";\nDir::State::lists \"{home}/lists\";\nDir::State::status \"{home}/status\";\n\
             Dir::Cache \"{home}\";\nDir::Etc::sourcelist \"{home}/sources.list\";\n\
             Dir::Etc::sourceparts \"{home}/none\";\nDir::Etc::preferencesparts \"{home}/none\";\n\
             APT::Sandbox::User \"root\";\nAPT::Architecture \"amd64\";\nAcquire::Languages \"none\";\n"
        );
        let files = [("apt.conf", configuration), ("status", String::new()), ("sources.list", sources(suite))];
        fs::create_dir_all(self.home.join("none")).context("could not make apt's empty directory")?;
        files.into_iter().try_for_each(|(name, text)| {
            let path = self.home.join(name);
            fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
        })
    }
}

/// The lines of `sources.list`: sid and backports have no security suite of their own.
fn sources(suite: &str) -> String {
    let line = |archive: &str, suite: &str| format!("deb [signed-by={KEYS}] {MIRROR}/{archive} {suite} main\n");
    let mut sources = line("debian", suite);
    if suite != "sid" && !suite.ends_with("-backports") {
        sources += &line("debian-security", &format!("{suite}-security"));
    }
    sources
}

/// Whether a name is the plain kernel's: not the cloud's, the realtime one, debug symbols, or one without signature.
fn is_plain(name: &str, prefix: &str) -> bool {
    let flavour = name.strip_prefix(prefix).and_then(|rest| rest.strip_suffix("-amd64"));
    flavour.is_some_and(|rest| !["cloud", "rt", "deb11"].iter().any(|other| rest.contains(other)))
}

fn is_later(version: &str, than: &str) -> bool {
    let compared = Command::new("dpkg").args(["--compare-versions", version, "gt", than]).status();
    compared.is_ok_and(|status| status.success())
}

fn stanzas(text: &str) -> Vec<Package> {
    let field = |stanza: &str, name: &str| {
        let value = stanza.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.map(str::to_owned)
    };
    let package = |stanza: &str| {
        Some(Package {
            name: field(stanza, "Package")?,
            version: field(stanza, "Version")?,
            sha256: field(stanza, "SHA256")?,
        })
    };
    text.split("\n\n").filter_map(package).collect()
}

fn sha256_of(file: &Path) -> Result<String> {
    let sum = output_of(Command::new("sha256sum").arg("--").arg(file))?;
    Ok(sum.split_whitespace().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_plain_kernel_is_taken() {
        let plain = |name: &str| is_plain(name, "linux-image-6.1.");
        assert!(plain("linux-image-6.1.0-50-amd64"));
        for other in
            ["0-50-cloud-amd64", "0-50-rt-amd64", "0-50-amd64-dbg", "0-50-amd64-unsigned", "0-0.deb11.52-amd64"]
        {
            assert!(!plain(&format!("linux-image-6.1.{other}")), "{other}");
        }
    }

    #[test]
    fn each_stanza_is_a_package() {
        let text = "Package: a\nVersion: 1\nSHA256: 0f\n\nPackage: a\nVersion: 2\nSHA256: 1f\n";
        let versions: Vec<_> = stanzas(text).into_iter().map(|package| package.version).collect();
        assert_eq!(versions, ["1", "2"]);
    }

    #[test]
    fn only_a_stable_suite_has_security_updates() {
        assert!(sources("bullseye").contains("bullseye-security"));
        assert_eq!(sources("sid").lines().count(), 1);
    }
}
