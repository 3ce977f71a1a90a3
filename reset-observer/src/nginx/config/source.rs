//! Where files are read from: the root directory of an nginx process, so that a symbolic link leads where nginx sees it
//! lead and never out of its container.

use std::{
    ffi::OsString,
    io::{self, Read as _},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::ffi::OsStringExt as _,
    },
    path::Path,
    time::{Duration, SystemTime},
};

use anyhow::Result;
use rustix::{
    fs::{CWD, Dir, FileType, Mode, OFlags, ResolveFlags, Stat},
    io::Errno,
};

/// More names in one directory are an error: some 16 MiB.
const MAX_NAMES: usize = 1 << 16;

/// How often a path is looked up that someone else is renaming a part of (`EAGAIN`, see openat2(2)).
const ATTEMPTS: usize = 16;

/// A file as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What tells it from any other file, whatever the path: device and inode.
    pub identity: (u64, u64),
    /// When it was last written.
    pub modified: SystemTime,
}

/// Where configuration files come from: the root of a process, or a table in memory.
pub trait Source {
    /// Reads a file by its absolute path. What is neither file nor directory is read as empty, as by nginx, which goes
    /// by its size.
    ///
    /// # Errors
    ///
    /// It can't be read, or has more than `limit` bytes (`FileTooLarge`).
    fn read(&self, path: &Path, limit: usize) -> io::Result<Contents>;

    /// The names in a directory, in any order, with or without `.` and `..`.
    ///
    /// # Errors
    ///
    /// It can't be read, or has too many names.
    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>>;

    /// Whether there is anything at this path.
    fn exists(&self, path: &Path) -> bool;
}

/// A directory that is `/` for all that is below it.
#[derive(Debug)]
pub struct Root(OwnedFd);

impl Root {
    /// The root of a process, which is that of its container.
    ///
    /// # Errors
    ///
    /// The process is gone, or may not be looked into.
    pub fn of_process(pid: u32) -> Result<Self> {
        Self::at(Path::new(&format!("/proc/{pid}/root"))).map_err(|error| {
            let gone = error.kind() == io::ErrorKind::NotFound;
            let remedy = if gone { "it has ended" } else { "grant CAP_SYS_PTRACE" };
            anyhow::Error::new(error).context(format!("cannot enter the root directory of process {pid}: {remedy}"))
        })
    }

    /// Any directory.
    ///
    /// # Errors
    ///
    /// It can't be opened.
    pub fn at(path: &Path) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(CWD, path, flags, Mode::empty())?))
    }

    /// Opens a file to be read, without waiting for the other end of a pipe.
    ///
    /// # Errors
    ///
    /// It can't be opened.
    pub fn open_file(&self, path: &Path) -> io::Result<std::fs::File> {
        Ok(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?.into())
    }

    fn open(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        let mut attempts = 0;
        loop {
            attempts += 1;
            match rustix::fs::openat2(self.0.as_fd(), path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) if attempts < ATTEMPTS => {}
                Err(Errno::NOSYS | Errno::PERM) => return Err(io::Error::other(NO_OPENAT2)),
                result => return Ok(result?),
            }
        }
    }
}

const NO_OPENAT2: &str = "openat2(2) is refused, so that files can't be read as nginx sees them: allow it in the seccomp \
                          profile (it is there since Linux 5.6)";

impl Source for Root {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Contents> {
        // Opening a device can do things; looking at its kind cannot.
        let stat = rustix::fs::fstat(self.open(path, OFlags::PATH)?)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {}
            FileType::Directory => return Err(Errno::ISDIR.into()),
            FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => return Ok(contents(Vec::new(), &stat)),
        }
        let file = std::fs::File::from(self.open(path, OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY)?);
        let stat = rustix::fs::fstat(&file)?;
        let mut bytes = Vec::new();
        file.take(u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(contents(bytes, &stat))
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let directory = self.open(directory, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            if names.len() == MAX_NAMES {
                return Err(io::Error::other(format!("the directory has more than {MAX_NAMES} names")));
            }
            names.push(OsString::from_vec(entry?.file_name().to_bytes().to_vec()));
        }
        Ok(names)
    }

    fn exists(&self, path: &Path) -> bool {
        self.open(path, OFlags::PATH).is_ok()
    }
}

fn contents(bytes: Vec<u8>, stat: &Stat) -> Contents {
    let seconds = Duration::from_secs(u64::try_from(stat.st_mtime).unwrap_or_default());
    let nanoseconds = Duration::from_nanos(stat.st_mtime_nsec);
    let modified = SystemTime::UNIX_EPOCH.checked_add(seconds + nanoseconds).unwrap_or(SystemTime::UNIX_EPOCH);
    Contents { bytes, identity: (stat.st_dev, stat.st_ino), modified }
}

#[cfg(test)]
mod tests;
