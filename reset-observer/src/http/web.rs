//! The web configuration as it is at this moment: the file and the certificates that it names are read again when they
//! change. What cannot be used is told, and what was there before goes on holding: a mistake must not open the door.

use std::{
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use axum::http::{HeaderName, HeaderValue};
use tokio_rustls::TlsAcceptor;

use super::{auth::Users, tls, web_config::WebConfig};
use crate::yaml::read_file;

/// How often to look whether the files are as they were.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What holds for connections.
#[derive(Default)]
pub(super) struct Loaded {
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) users: Users,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
}

/// The web configuration, live.
pub struct Web {
    path: Option<PathBuf>,
    state: Mutex<State>,
    successful: AtomicBool,
}

struct State {
    loaded: Arc<Loaded>,
    stamps: Vec<(PathBuf, Stamp)>,
    looked_at: Instant,
}

/// What changes when a file does: device, inode, size, time of the last change in nanoseconds. `None` if it is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

impl Web {
    /// Without a file: no TLS, no passwords.
    #[must_use]
    pub fn open_to_all() -> Self {
        let state = State { loaded: Arc::default(), stamps: Vec::new(), looked_at: Instant::now() };
        Self { path: None, state: Mutex::new(state), successful: AtomicBool::new(true) }
    }

    /// By this file.
    ///
    /// # Errors
    /// What is wrong with the file, or with one that it names, with line and remedy.
    pub fn by_file(path: &Path) -> Result<Self> {
        let (stamps, loaded) = load(path);
        let state = State { loaded: Arc::new(loaded?), stamps, looked_at: Instant::now() };
        Ok(Self { path: Some(path.to_owned()), state: Mutex::new(state), successful: AtomicBool::new(true) })
    }

    /// Whether the file could be used when it was last read; `None` without one.
    #[must_use]
    pub fn last_reload(&self) -> Option<bool> {
        self.path.as_ref().map(|_| self.successful.load(Ordering::Relaxed))
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn speaks_tls(&self) -> bool {
        self.lock().loaded.tls.is_some()
    }

    /// Reads the files again, changed or not.
    ///
    /// # Errors
    /// What is wrong with them; what held before goes on holding.
    pub fn reload(&self) -> Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        self.take(&mut self.lock(), path)
    }

    /// What holds now.
    pub(super) fn current(&self) -> Arc<Loaded> {
        let mut state = self.lock();
        if let Some(path) = self.path.as_ref().filter(|_| state.looked_at.elapsed() >= LOOK_EVERY) {
            state.looked_at = Instant::now();
            if state.stamps.iter().any(|(file, seen)| stamp(file) != *seen) {
                match self.take(&mut state, path) {
                    Ok(()) => log::info!("took over the changed web configuration {}", path.display()),
                    Err(error) => log::error!("the web configuration of before goes on holding: {error:#}"),
                }
            }
        }
        Arc::clone(&state.loaded)
    }

    fn take(&self, state: &mut State, path: &Path) -> Result<()> {
        let (stamps, loaded) = load(path);
        self.successful.store(loaded.is_ok(), Ordering::Relaxed);
        // Also on an error, which is told once, and again when one of the files changes.
        state.stamps = stamps;
        state.loaded = Arc::new(loaded?);
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the files say, and how they were just before they were read, so that no change is missed.
fn load(path: &Path) -> (Vec<(PathBuf, Stamp)>, Result<Loaded>) {
    let mut stamps = stamps([path.to_owned()]);
    let config = match parse(path) {
        Ok(config) => config,
        Err(error) => return (stamps, Err(error)),
    };
    stamps.extend(self::stamps(config.files()));
    let tls = config.tls.as_ref().map(tls::acceptor).transpose().with_context(|| path.display().to_string());
    (stamps, tls.map(|tls| Loaded { tls, users: config.users, headers: config.headers }))
}

fn parse(path: &Path) -> Result<WebConfig> {
    let text = read_file(path).context("check --web.config.file")?;
    let directory = path.parent().unwrap_or(Path::new("."));
    WebConfig::parse(&text, directory).map_err(|mistake| mistake.of(path))
}

fn stamps(files: impl IntoIterator<Item = PathBuf>) -> Vec<(PathBuf, Stamp)> {
    let stamped = |file: PathBuf| {
        let stamp = stamp(&file);
        (file, stamp)
    };
    files.into_iter().map(stamped).collect()
}

fn stamp(file: &Path) -> Stamp {
    let found = file.metadata().ok()?;
    Some((found.dev(), found.ino(), found.size(), found.mtime(), found.mtime_nsec()))
}
