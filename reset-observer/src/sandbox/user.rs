//! Who the process is. Without any capability root still owns most files and all of `/proc/sys`, also those of the host
//! behind `/proc/1/root`; another user does not.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, chown},
    path::{Path, PathBuf},
};

use rustix::{
    process::{Gid, Uid, geteuid},
    thread::{
        CapabilitySet, capabilities, set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
    },
};

use super::Outcome;

/// User and group where no directory says otherwise: above what Debian and systemd hand out ([source]), and not `nobody`,
/// who may be nginx's.
///
/// [source]: https://systemd.io/UIDS-GIDS/
pub const UNPRIVILEGED: u32 = 65532;

/// The one directory that is this program's own (FHS, section 5.8), and is handed over to [`UNPRIVILEGED`].
const OWN_DIRECTORY: &str = "/var/lib/reset-observer";

/// Becomes the user who owns the directories of `writes`, or [`UNPRIVILEGED`], and keeps the capabilities.
pub(super) fn leave_root(writes: &[PathBuf]) -> Outcome {
    let own = geteuid();
    if !own.is_root() {
        return Ok(format!("runs as user {}", own.as_raw()));
    }
    let held = capabilities(None).map_err(|error| format!("capabilities cannot be read: {error}"))?.effective;
    may_leave(held)?;
    let (user, group) = owner_of(writes, held)?;
    become_user(user, group).map_err(|error| format!("stays root: {error}"))?;
    Ok(format!("runs as user {user}"))
}

/// Root reads its own files by being root. Another user needs the capability for it.
fn may_leave(held: CapabilitySet) -> Result<(), String> {
    let needed = [
        ("CAP_SETUID", CapabilitySet::SETUID),
        ("CAP_SETGID", CapabilitySet::SETGID),
        ("CAP_DAC_READ_SEARCH", CapabilitySet::DAC_READ_SEARCH),
        ("CAP_SYS_PTRACE", CapabilitySet::SYS_PTRACE),
    ];
    let missing: Vec<&str> =
        needed.into_iter().filter(|(_, capability)| !held.contains(*capability)).map(|(name, _)| name).collect();
    if missing.is_empty() {
        Ok(())
    } else {
        Err(format!("stays root: {} missing to be another user", missing.join(", ")))
    }
}

fn owner_of(writes: &[PathBuf], held: CapabilitySet) -> Result<(u32, u32), String> {
    let mut owner = None;
    for file in writes {
        let of_file = owner_of_directory(file, held)?;
        if *owner.get_or_insert(of_file) != of_file {
            return Err("stays root: it writes to directories of several users".to_owned());
        }
    }
    Ok(owner.unwrap_or((UNPRIVILEGED, UNPRIVILEGED)))
}

fn owner_of_directory(file: &Path, held: CapabilitySet) -> Result<(u32, u32), String> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = directory.display();
    let found = fs::metadata(directory).map_err(|error| format!("stays root: cannot look at {shown}: {error}"))?;
    if found.uid() != 0 {
        return Ok((found.uid(), found.gid()));
    }
    if directory != Path::new(OWN_DIRECTORY) || !held.contains(CapabilitySet::CHOWN) {
        return Err(format!("stays root: it writes to {shown}, which is root's; give that directory to another user"));
    }
    let hand_over = |path: &Path| chown(path, Some(UNPRIVILEGED), Some(UNPRIVILEGED));
    let handed = hand_over(directory).and_then(|()| if file.exists() { hand_over(file) } else { Ok(()) });
    handed.map_err(|error| format!("stays root: cannot hand {shown} over: {error}"))?;
    Ok((UNPRIVILEGED, UNPRIVILEGED))
}

fn become_user(user: u32, group: u32) -> rustix::io::Result<()> {
    let (user, group) = (Some(Uid::from_raw(user)), Some(Gid::from_raw(group)));
    // Otherwise the change of user takes them all, and those that are kept could not be raised again.
    set_keep_capabilities(true)?;
    set_thread_groups(&[])?;
    set_thread_res_gid(group, group, group)?;
    set_thread_res_uid(user, user, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENOUGH: CapabilitySet = CapabilitySet::SETUID
        .union(CapabilitySet::SETGID)
        .union(CapabilitySet::DAC_READ_SEARCH)
        .union(CapabilitySet::SYS_PTRACE);

    #[test]
    fn root_stays_root_where_another_user_could_not_do_the_work() {
        assert_eq!(may_leave(ENOUGH), Ok(()));
        let refused = may_leave(ENOUGH - CapabilitySet::DAC_READ_SEARCH).unwrap_err();
        assert_eq!(refused, "stays root: CAP_DAC_READ_SEARCH missing to be another user");
    }

    #[test]
    fn without_files_to_write_nobody_else_is_asked() {
        assert_eq!(owner_of(&[], ENOUGH), Ok((UNPRIVILEGED, UNPRIVILEGED)));
    }

    #[test]
    fn a_directory_of_roots_is_never_handed_over_unless_it_is_the_programs_own() {
        let refused = owner_of(&[PathBuf::from("/etc/state.json")], CapabilitySet::all()).unwrap_err();
        assert!(refused.contains("it writes to /etc, which is root's"), "{refused}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let refused = owner_of(&[PathBuf::from("/nonexistent/state.json")], ENOUGH).unwrap_err();
        assert!(refused.contains("cannot look at /nonexistent"), "{refused}");
    }
}
