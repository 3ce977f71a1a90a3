//! What was learned, from the state file and back.

use std::{
    convert::Infallible,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::{Instant, MissedTickBehavior, interval_at},
};

use super::{
    Failure,
    session::{Core, lock, now},
};
use crate::state::{Found, State, StateFile};

/// No more than this is lost when the program is killed.
const SAVE_EVERY: Duration = Duration::from_secs(60);

/// Keeps the state file, if there is to be one.
pub(super) struct Memory {
    file: Option<StateFile>,
    /// As of when the file is.
    revision: u64,
    writing: Option<(u64, JoinHandle<Result<()>>)>,
}

impl Memory {
    /// Reads the file, hands the pipeline what was learned before, and writes it back, so that a place that cannot be
    /// written to is told of at once.
    pub(super) fn open(file: Option<StateFile>, core: &Mutex<Core>) -> Result<Self, Failure> {
        if let Some(file) = &file {
            recall(file, core).map_err(Failure::Prerequisite)?;
            let advice = "create its directory, name another --state-file, or --state-file none";
            file.save(&state(core)).context(advice).map_err(Failure::Prerequisite)?;
        }
        Ok(Self { file, revision: lock(core).pipeline.revision(), writing: None })
    }

    /// Saves from time to time, for as long as it is let.
    pub(super) async fn keep(&mut self, core: &Mutex<Core>) -> Infallible {
        let mut save = interval_at(Instant::now() + SAVE_EVERY, SAVE_EVERY);
        save.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            save.tick().await;
            self.save(core).await;
        }
    }

    /// Writes the file if anything was learned since. A failure is told, and tried again the next time.
    pub(super) async fn save(&mut self, core: &Mutex<Core>) {
        self.written().await;
        let revision = lock(core).pipeline.revision();
        let Some(file) = self.file.clone().filter(|_| revision != self.revision) else { return };
        let state = state(core);
        // The disk may be slow, and there are records to be read meanwhile.
        self.writing = Some((revision, spawn_blocking(move || file.save(&state))));
        self.written().await;
    }

    /// Waits for what is being written, also by a save that was given up.
    async fn written(&mut self) {
        let Some((revision, writing)) = self.writing.as_mut() else { return };
        let (revision, written) = (*revision, writing.await);
        self.writing = None;
        match written.map_err(anyhow::Error::from).flatten() {
            Ok(()) => self.revision = revision,
            Err(error) => log::error!("what was learned is not saved yet: {error:#}"),
        }
    }
}

fn recall(file: &StateFile, core: &Mutex<Core>) -> Result<()> {
    match file.load()? {
        Found::Nothing => log::info!("nothing was learned before: there is no {} yet", file.path().display()),
        Found::State(state) => {
            let servers = state.recall(&mut lock(core).pipeline, now(), SystemTime::now());
            log::info!("recalled what was learned of {servers} upstream servers from {}", file.path().display());
        }
        Found::Damaged { reason, moved_to } => log::warn!(
            "the state file {} is not usable: {reason:#}; it is now {}, and everything is learned anew",
            file.path().display(),
            moved_to.display()
        ),
    }
    Ok(())
}

fn state(core: &Mutex<Core>) -> State {
    State::of(&lock(core).pipeline, now(), SystemTime::now())
}
