//! The programs' own log, off unless asked for.

use anyhow::{Context as _, Result};
use aya_log::EbpfLogger;
use tokio::io::unix::AsyncFd;

use super::programs::Programs;

/// Passes the programs' messages on to the `log` crate.
pub struct ProgramLog {
    fd: Option<AsyncFd<EbpfLogger<&'static dyn log::Log>>>,
}

impl ProgramLog {
    /// A log that has nothing to say.
    #[must_use]
    pub const fn off() -> Self {
        Self { fd: None }
    }

    /// Opens the log of programs that were loaded with a level above 0. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the log's map is missing or cannot be waited for.
    pub fn open(programs: &mut Programs) -> Result<Self> {
        let logger = programs.logger()?;
        #[expect(unsafe_code, reason = "tokio asks for a promise about the file descriptor")]
        // SAFETY: the logger owns its ring buffer's descriptor, returns that same one each time, and closes it only when
        // it is dropped, which is when the `AsyncFd` that owns it is dropped.
        let fd = unsafe { AsyncFd::register(logger) };
        Ok(Self { fd: Some(fd.context("cannot wait for the programs' own log")?) })
    }

    /// Waits for messages and passes them on. Never returns if the log is off.
    ///
    /// # Errors
    /// If the log cannot be waited for.
    pub async fn pass_on(&mut self) -> Result<()> {
        let Some(fd) = &mut self.fd else { return std::future::pending().await };
        let mut guard = fd.readable_mut().await.context("cannot wait for the programs' own log")?;
        guard.get_inner_mut().flush();
        guard.clear_ready();
        Ok(())
    }
}
