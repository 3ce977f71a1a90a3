//! The ring buffer of records, as something to await.

use std::time::Duration;

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

/// When to look if nothing was found. Every record that matters wakes us; should one ever not, because a processor stood
/// still between its time and its end, it is late and not lost.
const LOOK_ANYWAY: Duration = Duration::from_secs(1);

/// Reads records as bytes.
pub struct Ring {
    fd: AsyncFd<RingBuf<Data>>,
    again: Instant,
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
        Ok(Self { fd: fd.context("cannot wait for the ring buffer")?, again: Instant::now() + LOOK_ANYWAY })
    }

    /// Waits until there are records, then hands all that are there to `each`, oldest first. Nothing is lost if the caller
    /// stops waiting.
    ///
    /// # Errors
    /// If the ring buffer cannot be waited for.
    pub async fn drain(&mut self, mut each: impl FnMut(&[u8])) -> Result<()> {
        loop {
            tokio::select! {
                guard = self.fd.readable_mut() => guard.context("cannot wait for the ring buffer")?.clear_ready(),
                () = sleep_until(self.again) => {}
            }
            if self.drain_now(&mut each) {
                return Ok(());
            }
        }
    }

    /// Hands all records that are there to `each` without waiting; `false` if there were none.
    pub fn drain_now(&mut self, mut each: impl FnMut(&[u8])) -> bool {
        let mut found = false;
        while let Some(item) = self.fd.get_mut().next() {
            each(&item);
            found = true;
        }
        let now = Instant::now();
        if found {
            self.again = now + LOOK_AGAIN;
        } else if self.again <= now {
            self.again = now + LOOK_ANYWAY;
        }
        found
    }
}
