//! Debian's packages. apt verifies the archive's signature and each package's hash.

use std::process::Command;

use anyhow::Result;

use crate::{
    missing::Missing,
    program::{find, is_root, output_of, run_aloud, typed, typed_as_root},
};

/// Whether this machine installs its packages with apt.
pub(crate) fn is_here() -> bool {
    find("apt-get").is_some()
}

/// Whether apt offers all of these packages; fetches the package lists, once, if it does not seem so.
pub(crate) fn offers(packages: &[String]) -> Result<bool> {
    if !is_here() {
        return Ok(false);
    }
    if candidates_for(packages)? {
        return Ok(true);
    }
    if !is_root() {
        return Ok(false);
    }
    update("apt does not know the packages; fetching its lists")?;
    candidates_for(packages)
}

/// Installs packages, removing nothing and starting no service that is not one of them.
pub(crate) fn install(why: &str, packages: &[String]) -> Result<()> {
    let mut install = install_command(packages);
    if !is_root() {
        return Err(Missing::error(format!("{why}, for which one must be root"), by_hand(packages)));
    }
    refuse_removal(packages)?;
    if run_aloud(why, &mut install).is_ok() {
        return Ok(());
    }
    // Old lists name package files that the archive has replaced since.
    let again =
        update("apt failed; fetching its lists once in case they are old").and_then(|()| run_aloud(why, &mut install));
    again.map_err(|error| Missing::error(format!("{why}: {error:#}; apt's reason is above"), by_hand(packages)))
}

/// What a person would type to the same end.
pub(crate) fn by_hand(packages: &[String]) -> [String; 2] {
    let write = if is_root() { typed } else { typed_as_root };
    [write(&update_command()), write(&install_command(packages))]
}

/// Asks apt for a dry run first: what it would remove is for a person to decide.
fn refuse_removal(packages: &[String]) -> Result<()> {
    let Err(error) = output_of(install_command(packages).env("LC_ALL", "C").arg("--dry-run")) else { return Ok(()) };
    if !format!("{error:#}").contains("remove is disabled") {
        return Ok(());
    }
    let mut asking = Command::new("apt-get");
    asking.arg("install").args(packages);
    Err(Missing::error(
        format!("apt would have to remove other packages for {}, which is for you to decide", packages.join(", ")),
        [typed(&asking)],
    ))
}

/// Fetches apt's lists; says by hand how, where only root may.
pub(crate) fn update(why: &str) -> Result<()> {
    if !is_root() {
        return Err(Missing::error(format!("{why}, for which one must be root"), [typed_as_root(&update_command())]));
    }
    run_aloud(why, &mut update_command())
}

fn update_command() -> Command {
    let mut command = Command::new("apt-get");
    command.args(["update", "-qq"]);
    command
}

fn install_command(packages: &[String]) -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-qq", "-y", "--no-remove", "--no-install-recommends"]);
    // Another apt may be at work, a daily timer for one.
    command.args(["-o", "DPkg::Lock::Timeout=120"]).args(packages);
    command
}

fn candidates_for(packages: &[String]) -> Result<bool> {
    let policy = output_of(Command::new("apt-cache").env("LC_ALL", "C").arg("policy").args(packages))?;
    Ok(count_candidates(&policy) == packages.len())
}

/// How many packages of `apt-cache policy` can be installed; it is silent on names it never heard of.
fn count_candidates(policy: &str) -> usize {
    let candidates = policy.lines().filter_map(|line| line.trim().strip_prefix("Candidate: "));
    candidates.filter(|version| *version != "(none)").count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_without_a_candidate_is_not_offered() {
        let policy = "nginx:\n  Installed: (none)\n  Candidate: 1.22.1-9\n  Version table:\n     1.22.1-9 500\n\
                      old:\n  Installed: 1.0\n  Candidate: (none)\n";
        assert_eq!(count_candidates(policy), 1);
        assert_eq!(count_candidates(""), 0);
    }
}
