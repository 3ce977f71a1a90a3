//! The ring buffer of records, as something to await.

use std::{future::pending, time::Duration};

use anyhow::{Context as _, Result};
use aya::maps::RingBuf;
use reset_observer_ebpf::{WAKE_INTERVAL_NS, symbol};
use tokio::{
    io::unix::AsyncFd,
    time::{Instant, sleep_until},
};

use super::programs::{Data, Programs};

/// When to look again after records were found: those that came meanwhile did not wake us.
const LOOK_AGAIN: Duration = Duration::from_nanos(2 * WAKE_INTERVAL_NS);

/// Reads records as bytes.
pub struct Ring {
    fd: AsyncFd<RingBuf<Data>>,
    again: Option<Instant>,
}

impl Ring {
    /// Takes the ring buffer out of the loaded programs. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// If the map is missing or cannot be mapped into memory.
    pub fn new(programs: &mut Programs) -> Result<Self> {
        let map = RingBuf::try_from(programs.take_map(symbol::RECORDS)?).context("cannot map the ring buffer")?;
        #[expect(unsafe_code, reason = "tokio asks for a promise about the file descriptor")]
        // SAFETY: the ring buffer owns its map's descriptor, returns that same one each time, and closes it only when
        // it is dropped, which is when the `AsyncFd` that owns it is dropped.
        let fd = unsafe { AsyncFd::register(map) };
        Ok(Self { fd: fd.context("cannot wait for the ring buffer")?, again: None })
    }

    /// Waits until there are records, or until it is time to look again, then hands all that are there to `each`, oldest
    /// first.
    ///
    /// # Errors
    /// If the ring buffer cannot be waited for.
    pub async fn drain(&mut self, each: impl FnMut(&[u8])) -> Result<()> {
        tokio::select! {
            guard = self.fd.readable_mut() => guard.context("cannot wait for the ring buffer")?.clear_ready(),
            () = until(self.again) => {}
        }
        self.drain_now(each);
        Ok(())
    }

    /// Hands all records that are there to `each` without waiting.
    pub fn drain_now(&mut self, mut each: impl FnMut(&[u8])) {
        let mut found = false;
        while let Some(item) = self.fd.get_mut().next() {
            each(&item);
            found = true;
        }
        let is_due = self.again.is_some_and(|again| again <= Instant::now());
        if found {
            self.again = Some(Instant::now() + LOOK_AGAIN);
        } else if is_due {
            self.again = None;
        }
    }
}

async fn until(again: Option<Instant>) {
    match again {
        Some(again) => sleep_until(again).await,
        None => pending().await,
    }
}
