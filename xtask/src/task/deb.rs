//! `deb`: a Debian package with a systemd unit, manual pages, completions, alert rules and dashboard.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    pins::Pins,
    program::{output_of, run},
    release::Release,
    toolchain,
    workspace::{require_ebpf, root},
};

/// Files of the repository and where they go.
pub(crate) const FILES: [(&str, &str); 17] = [
    ("deploy/systemd/reset-observer.service", "lib/systemd/system/reset-observer.service"),
    ("deploy/debian/default", "etc/default/reset-observer"),
    ("deploy/debian/copyright", "usr/share/doc/reset-observer/copyright"),
    ("LICENSE-MIT", "usr/share/doc/reset-observer/LICENSE-MIT"),
    ("LICENSE-APACHE", "usr/share/doc/reset-observer/LICENSE-APACHE"),
    ("README.md", "usr/share/doc/reset-observer/README.md"),
    ("docs/accuracy.md", "usr/share/doc/reset-observer/docs/accuracy.md"),
    ("docs/causes", "usr/share/doc/reset-observer/docs/causes"),
    ("docs/cost.md", "usr/share/doc/reset-observer/docs/cost.md"),
    ("docs/daemon.md", "usr/share/doc/reset-observer/docs/daemon.md"),
    ("docs/deploy.md", "usr/share/doc/reset-observer/docs/deploy.md"),
    ("docs/kernel-support.md", "usr/share/doc/reset-observer/docs/kernel-support.md"),
    ("docs/metrics.md", "usr/share/doc/reset-observer/docs/metrics.md"),
    ("docs/recordings.md", "usr/share/doc/reset-observer/docs/recordings.md"),
    ("docs/report.md", "usr/share/doc/reset-observer/docs/report.md"),
    ("deploy/prometheus/rules.yaml", "usr/share/reset-observer/prometheus/rules.yaml"),
    ("deploy/grafana/reset-observer.json", "usr/share/reset-observer/grafana/reset-observer.json"),
];

/// Builds the package; with `test`, also installs it, runs it, upgrades and purges it in a copy of this machine's files
/// that is thrown away.
pub(crate) fn deb(pins: &Pins, test: bool) -> Result<()> {
    require_ebpf("package")?;
    toolchain::ensure(pins)?;
    let release = Release::build()?;
    let package = package(&release, &format!("{}-1", release.version))?;
    println!("{}", package.display());
    if test {
        let newer = self::package(&release, &format!("{}-2", release.version))?;
        run(Command::new("bash").arg(root().join("deploy/debian/test-install.sh")).arg(package).arg(newer))?;
    }
    Ok(())
}

fn package(release: &Release, version: &str) -> Result<PathBuf> {
    let tree = release.empty("deb")?;
    let put = |from: &Path, to: &str| copy(from, &tree.join(to));
    put(&release.program, "usr/bin/reset-observer")?;
    put(&release.sbom(), "usr/share/doc/reset-observer/sbom.cdx.json")?;
    for (from, to) in FILES {
        put(&root().join(from), to)?;
    }
    put_manual(release, &tree)?;
    put_changelog(release, &tree, version)?;
    run(Command::new("strip").arg("--strip-unneeded").arg(tree.join("usr/bin/reset-observer")))?;
    put_control(&tree, version)?;
    let file = release.dist.join(format!("reset-observer_{version}_amd64.deb"));
    let mut build = Command::new("dpkg-deb");
    build.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    build.args(["--root-owner-group", "-Zxz", "--build"]).arg(&tree).arg(&file).stdout(std::io::stderr());
    run(&mut build)?;
    Ok(file)
}

fn put_manual(release: &Release, tree: &Path) -> Result<()> {
    let manual = release.write_manual()?;
    for page in fs::read_dir(manual.join("man"))? {
        let page = page?;
        let to = tree.join("usr/share/man/man1").join(page.file_name());
        copy(&page.path(), &to)?;
        run(Command::new("gzip").args(["--no-name", "--best"]).arg(to))?;
    }
    let completions = [
        ("reset-observer.bash", "usr/share/bash-completion/completions/reset-observer"),
        ("_reset-observer", "usr/share/zsh/vendor-completions/_reset-observer"),
        ("reset-observer.fish", "usr/share/fish/vendor_completions.d/reset-observer.fish"),
    ];
    completions.iter().try_for_each(|(from, to)| copy(&manual.join("completions").join(from), &tree.join(to)))
}

fn put_changelog(release: &Release, tree: &Path, version: &str) -> Result<()> {
    let date = format!("@{}", release.epoch);
    let date = output_of(Command::new("date").env("LC_ALL", "C").args(["--utc", "-R", "--date", &date]))?;
    let text = format!(
        "reset-observer ({version}) unstable; urgency=medium\n\n  * Version {}.\n\n -- {MAINTAINER}  {}\n",
        release.version,
        date.trim()
    );
    let file = tree.join("usr/share/doc/reset-observer/changelog.Debian");
    fs::write(&file, text)?;
    run(Command::new("gzip").args(["--no-name", "--best"]).arg(file))
}

const MAINTAINER: &str = "The reset-observer authors <reset-observer@reset-observer.example>";

fn put_control(tree: &Path, version: &str) -> Result<()> {
    let control = tree.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let size = output_of(Command::new("du").args(["--summarize", "--block-size=1024"]).arg(tree))?;
    let size = size.split_whitespace().next().context("du printed nothing")?.to_owned();
    let text = format!(
        "Package: reset-observer\nVersion: {version}\nArchitecture: amd64\nMaintainer: {MAINTAINER}\n\
         Installed-Size: {size}\nPre-Depends: init-system-helpers (>= 1.54~)\nSection: net\nPriority: optional\n\
         Description: says why TCP connections between nginx and its upstream servers are reset\n \
         Watches the kernel of an nginx host by eBPF and tells a crash of the backend, a\n \
         keepalive race and a middlebox that dropped an idle connection apart, with the\n \
         evidence and what to change. Exports metrics for Prometheus.\n"
    );
    fs::write(control.join("control"), text)?;
    fs::write(control.join("conffiles"), "/etc/default/reset-observer\n")?;
    for script in ["postinst", "prerm", "postrm"] {
        let to = control.join(script);
        fs::copy(root().join("deploy/debian").join(script), &to)?;
        fs::set_permissions(to, fs::Permissions::from_mode(0o755))?;
    }
    Ok(())
}

/// Copies a file or a directory, readable for all; programs keep that they can be executed.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    if from.is_dir() {
        return fs::read_dir(from)?.try_for_each(|entry| {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))
        });
    }
    fs::create_dir_all(to.parent().context("a file without a directory")?)?;
    fs::copy(from, to).with_context(|| format!("could not copy {} to {}", from.display(), to.display()))?;
    let mode = if fs::metadata(from)?.permissions().mode() & 0o111 == 0 { 0o644 } else { 0o755 };
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
