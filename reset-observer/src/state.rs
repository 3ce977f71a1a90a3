//! The state file: what was learned of the servers, kept over a restart.
//!
//! Two lines of JSON: a head that says what it is, of which version, how long the rest is and what its checksum; and what
//! was learned. It is replaced as a whole, so that a reader finds the old one or the new one. Of several observers that
//! keep the same file the last one to write wins: each has read what was there when it started, so that no more is lost
//! than what the others learned since.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

mod format;

use crate::{
    correlate::learned::{Learned, SavedServer},
    pipeline::Pipeline,
    record::KernelTime,
};

/// What nobody has confirmed for so long is forgotten.
pub const LONGEST_KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// No state is longer: 4096 servers with all that can be known of them.
const MAX_BYTES: u64 = 16 << 20;

/// A file that keeps what was learned.
#[derive(Clone, Debug)]
pub struct StateFile {
    path: PathBuf,
}

/// What was learned of all servers, as of one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// Wall clock, milliseconds since 1970.
    saved_at_unix_ms: u64,
    /// Ordered by address.
    servers: Vec<ServerState>,
}

/// What was learned of one server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServerState {
    server: SocketAddr,
    /// How long ago it was last heard of when this was saved.
    age_ms: u64,
    learned: SavedServer,
}

/// What the file held.
#[derive(Debug)]
pub enum Found {
    /// There was none.
    Nothing,
    /// What was learned before.
    State(State),
    /// It could not be understood, and was moved out of the way.
    Damaged {
        /// What is wrong with it.
        reason: anyhow::Error,
        /// Where it is now.
        moved_to: PathBuf,
    },
}

impl State {
    /// What a pipeline has learned by `now`, which is `wall` on the wall clock.
    #[must_use]
    pub fn of(pipeline: &Pipeline, now: KernelTime, wall: SystemTime) -> Self {
        let server = |(server, learned, age): (SocketAddr, &Learned, Duration)| ServerState {
            server,
            age_ms: milliseconds(age),
            learned: learned.save(now),
        };
        let kept = pipeline.learned(now).filter(|(_, _, age)| *age <= LONGEST_KEPT);
        let mut servers: Vec<ServerState> = kept.map(server).collect();
        servers.sort_unstable_by_key(|server| server.server);
        Self { saved_at_unix_ms: unix_ms(wall), servers }
    }

    /// Hands a pipeline what is not too old at `now`, which is `wall` on the wall clock. Gives how many servers that were.
    pub fn recall(self, pipeline: &mut Pipeline, now: KernelTime, wall: SystemTime) -> usize {
        // A wall clock that went back tells nothing: no time has passed, then.
        let passed = Duration::from_millis(unix_ms(wall).saturating_sub(self.saved_at_unix_ms));
        let mut recalled = 0;
        for ServerState { server, age_ms, learned } in self.servers {
            let age = Duration::from_millis(age_ms).saturating_add(passed);
            if age <= LONGEST_KEPT {
                let learned = Learned::restore(&learned.aged(passed, LONGEST_KEPT), now);
                pipeline.recall(server, learned, age, now);
                recalled += 1;
            }
        }
        recalled
    }
}

impl StateFile {
    /// The file at this path, which need not be there yet.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it. What cannot be understood is moved aside, to be looked at, in the place of one moved there before.
    ///
    /// # Errors
    /// If it cannot be read at all, or not be moved aside.
    pub fn load(&self) -> Result<Found> {
        let Some(bytes) = self.read().with_context(|| format!("cannot read the state file {}", self.path.display()))?
        else {
            return Ok(Found::Nothing);
        };
        match format::read(&bytes) {
            Ok(state) => Ok(Found::State(state)),
            Err(reason) => {
                let moved_to = self.damaged();
                fs::rename(&self.path, &moved_to)
                    .with_context(|| format!("cannot move the damaged state file {} aside", self.path.display()))?;
                Ok(Found::Damaged { reason, moved_to })
            }
        }
    }

    /// The whole file, one byte more than there may be at most; `None` if there is none.
    fn read(&self) -> Result<Option<Vec<u8>>> {
        // Not to wait for the other end of a pipe.
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let file = match OpenOptions::new().read(true).custom_flags(flags).open(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        ensure!(file.metadata()?.is_file(), "not a regular file: name another --state-file");
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn damaged(&self) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(".damaged");
        name.into()
    }

    /// Replaces it by this state; only its owner can read it. On an error the old one is still there.
    ///
    /// # Errors
    /// If the directory is not there, is full, or cannot be written to.
    pub fn save(&self, state: &State) -> Result<()> {
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        self.replace(directory, &format::write(state)?)
            .with_context(|| format!("cannot write the state file {}", self.path.display()))
    }

    fn replace(&self, directory: &Path, bytes: &[u8]) -> Result<()> {
        let mut new = tempfile::Builder::new().prefix(".reset-observer-state-").tempfile_in(directory)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist(&self.path)?;
        // The new name, too, is to survive a loss of power.
        File::open(directory)?.sync_all()?;
        Ok(())
    }
}

fn unix_ms(wall: SystemTime) -> u64 {
    milliseconds(wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
