//! What this process uses of the machine, by the kernel's own account.

use std::time::Duration;

use anyhow::{Context as _, Result};
use procfs::{
    CurrentSI as _, KernelStats, page_size,
    process::{LimitValue, Process},
    ticks_per_second,
};
use rustix::time::{ClockId, clock_gettime};

/// What this process uses, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct OwnProcess {
    /// Processor time, user and system, of all its threads.
    pub cpu: Duration,
    /// Resident memory.
    pub resident_bytes: u64,
    /// Address space.
    pub virtual_bytes: u64,
    /// File descriptors open.
    pub open_fds: u64,
    /// File descriptors that may be open: the soft limit; the largest number if there is none.
    pub max_fds: u64,
    /// Threads.
    pub threads: u64,
    /// When it started, seconds since 1970, good to 10 ms.
    pub started_unix_s: f64,
}

impl OwnProcess {
    /// Reads /proc/self.
    ///
    /// # Errors
    /// If /proc is not mounted, or hidden from this process.
    pub fn read() -> Result<Self> {
        Self::try_read().context("cannot read what this process uses from /proc/self: mount /proc")
    }

    fn try_read() -> Result<Self> {
        let process = Process::myself()?;
        let stat = process.stat()?;
        let max_fds = match process.limits()?.max_open_files.soft_limit {
            LimitValue::Value(limit) => limit,
            LimitValue::Unlimited => u64::MAX,
        };
        // Ticks are a float's work only here, where a hundredth of a second is all there is.
        let since_boot = Duration::from_millis(stat.starttime.saturating_mul(1000) / ticks_per_second().max(1));
        let boot = Duration::from_secs(KernelStats::current()?.btime);
        Ok(Self {
            cpu: cpu_time(),
            resident_bytes: stat.rss.saturating_mul(page_size()),
            virtual_bytes: stat.vsize,
            open_fds: u64::try_from(process.fd_count()?)?,
            max_fds,
            threads: u64::try_from(stat.num_threads)?,
            started_unix_s: (boot + since_boot).as_secs_f64(),
        })
    }
}

fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::SystemTime};

    use super::*;

    #[test]
    fn what_this_process_uses_is_read() {
        let before = OwnProcess::read().unwrap();
        assert!(before.resident_bytes > 100_000 && before.virtual_bytes >= before.resident_bytes, "{before:?}");
        assert!(before.threads >= 1 && before.open_fds >= 3 && before.max_fds >= before.open_fds, "{before:?}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - 3600.0..now + 1.0).contains(&before.started_unix_s), "{before:?}");
        let held: Vec<File> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
        assert!(OwnProcess::read().unwrap().cpu >= before.cpu);
        assert!(OwnProcess::read().unwrap().open_fds >= 50, "{}", held.len());
    }
}
